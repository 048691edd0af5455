"""The rule book for people: what every rule says, on whose authority, with its cases; and the start of a new rule.

Pure text from the rules as loaded: no rule is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import ValidationError

from domain import compile as compiling
from domain import facts, tiers, trial
from domain.explain import shown
from domain.parameters import Parameter, Source, Value
from domain.rulefiles import near
from domain.rules import Case, Rule, RuleBook, RuleError
from schemas.topics import DEPARTMENTS

CLASSES = {
    "entry": ("进入类", "entry: may need help"),
    "exclusion": ("拒止类（须人工核查，不自动停发）", "exclusion: a check by a person, never a stop"),
    "entitlement": ("政策找人", "entitlement: a task for a department"),
}
STATES = {
    "standing": ("成立", "stands"),
    "ended": ("结束", "has ended"),
    "unknown": ("不知", "unknown"),
    "nothing": ("不成立", "does not stand"),
}
CAUSES = {
    "fulfilled": ("帮扶已落实", "fulfilled"),
    "corrected": ("数据已更正", "corrected"),
    "superseded": ("被取代", "superseded"),
    "lapsed": ("时限已过", "lapsed"),
}
LEVELS = {"yellow": ("黄色", "yellow"), "orange": ("橙色", "orange"), "red": ("红色", "red")}


class Failure(NamedTuple):
    """A case that does not come out as it says: the rule, the sentence, and what came instead."""

    rule: str
    say: str
    came: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.say}: {self.came}"


def try_cases(book: RuleBook, *rules: str) -> tuple[int, list[Failure]]:
    """Try every case of every rule, or of these rules: how many there are, and those that fail."""
    cases = [(rule, case) for rule in rules or book.rules for case in book.rules[rule].cases]
    answers = trial.run(cases, book)
    return len(cases), [
        Failure(rule, case.say, came) for (rule, case), came in zip(cases, answers, strict=True) if came
    ]


# ---------------------------------------------------------------------- the book


def markdown(book: RuleBook) -> str:
    """The rule book in both languages as Markdown, rules by department and id, parameters behind them."""
    lines = [
        "# 规则汇编 / Rule book",
        "",
        f"版本 / version `{book.digest}`: {len(book.rules)} 条规则 / rules, "
        f"{len(book.parameters)} 项参数 / parameters.",
        "",
        "「产品默认值」不是法规，各地可另行设定 / a *product default* is nobody's law; each place may set its own.",
        "",
    ]
    for department in DEPARTMENTS:
        rules = [rule for rule in book.rules.values() if rule.department == department]
        if rules:
            lines += [f"## {department}", ""]
        for rule in rules:
            lines += _rule(rule, book)
    lines += ["## 参数 / Parameters", ""]
    for parameter in book.parameters.values():
        lines += _parameter(parameter)
    return "\n".join(lines)


def _rule(rule: Rule, book: RuleBook) -> Iterator[str]:
    shape = book.shapes[rule.facts]
    yield f"### {rule.id} {rule.title.zh} / {rule.title.en}"
    yield ""
    level = " / ".join(LEVELS[rule.level]) if rule.level in LEVELS else f"`{rule.level}`"
    yield from _table(
        ("项 / item", "内容 / content"),
        [
            ("版本 / version", str(rule.version)),
            ("类别 / class", " / ".join(CLASSES[rule.rule_class])),
            ("形式 / kind", {"alert": "预警 / alert", "task": "待办 / task"}[rule.kind]),
            ("对象 / about", f"{shape.title.zh} / {shape.title.en} (`{rule.facts}`)"),
            ("级别 / level", level),
            *([("建议类别 / proposes", f"`{rule.proposes}`")] if rule.proposes else []),
            *([("目标 / target", f"[{rule.target}](#{rule.target})")] if rule.target else []),
            ("时限 / deadline", _deadline(rule)),
            ("需要的数据 / needs", ", ".join(f"`{topic}`" for topic in rule.needs)),
            *_links(rule),
        ],
    )
    for title, text in (
        ("成立条件 / when", rule.when),
        ("已落实 / done when", rule.done_when),
        ("期间 / until", rule.until),
        ("更正 / corrected when", rule.corrected_when),
        ("倍数 / step", rule.step),
    ):
        if text not in ("false", "true", "1"):
            yield from (f"**{title}**", "", "```sql", text.strip(), "```", "")
    used = sorted({use.id for use in compiling.Compiled(rule, book).used})
    if used:
        yield "**参数 / parameters**: " + ", ".join(f"[{name}](#{name})" for name in used)
        yield ""
    yield from ("**说明 / explanation**", "", rule.explain.zh, "", rule.explain.en, "")
    yield from ("**依据 / sources**", "")
    yield from (f"- {_source(source)}" for source in rule.sources)
    yield from ("", "**示例 / cases**", "")
    yield from (f"- {case.say} → {_expected(case)}" for case in rule.cases)
    yield ""


def _links(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.superseded_by:
        yield "由其接续 / superseded by", ", ".join(rule.superseded_by)
    if rule.inhibits:
        yield "成立时不再提示 / silences", ", ".join(rule.inhibits)


def _deadline(rule: Rule) -> str:
    days = rule.deadline.days
    if not days:
        return "无 / none"
    return f"{days} 个工作日 / working days ({_authority(rule.deadline.source)})"


def _authority(source: Source | None) -> str:
    return source.ref if source else "产品默认值 / product default"


def _source(source: Source) -> str:
    return f"{source.zh} / {source.en} ({source.ref})"


def _expected(case: Case) -> str:
    words = [" / ".join(STATES[case.expect.state])]
    if case.expect.cause:
        words.append(" / ".join(CAUSES[case.expect.cause]))
    if case.expect.superseded_by:
        words.append(case.expect.superseded_by)
    return ", ".join(words)


def _parameter(parameter: Parameter) -> Iterator[str]:
    yield from (f"### {parameter.id}", "", f"{parameter.title.zh} / {parameter.title.en}", "")
    yield from _table(
        ("自 / from", "地区 / region", "类别 / tiers", "值 / value", "依据 / authority"),
        [_value(parameter, value) for value in parameter.values],
    )


def _value(parameter: Parameter, value: Value) -> tuple[str, ...]:
    named = ", ".join(" / ".join(tiers.TITLES[tier]) for tier in value.tiers) or "—"
    said = " / ".join(shown(value.value, parameter.unit, language) for language in ("zh", "en"))
    authority = _authority(value.source)
    if value.source and value.product_default:
        authority += "; 他处为产品默认值 / elsewhere a product default"
    return value.from_.isoformat(), value.region or "全国 / all", named, said, authority


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


# ---------------------------------------------------------------------- a new rule


def start(book: RuleBook, folder: Path, rule_id: str, department: str, shape: str) -> Path:
    """Write a rule that says nothing yet, with a case that fails until it does. Returns the file.

    Raises RuleError for an id that is taken or not of the form, an unknown department or view. Never overwrites.
    """
    problems = []
    if rule_id in book.rules:
        problems.append(f"{rule_id}: there is such a rule already; take another id, or change that one")
    if department not in DEPARTMENTS:
        problems.append(f"{department} is not a department{near(department, DEPARTMENTS)}; name one")
    if shape not in book.shapes:
        problems.append(f"{shape} is not a view of the facts{near(shape, book.shapes)}; name one of facts.yaml")
    if problems:
        raise RuleError(problems)
    content = _template(book, rule_id, department, shape)
    try:
        Rule.model_validate(content)
    except ValidationError as error:
        raise RuleError([f"{rule_id}: {e['msg']}; an id looks like R43 or H02" for e in error.errors()]) from None
    path = folder / department / f"{rule_id}.yaml"
    path.parent.mkdir(exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        yaml.safe_dump(content, file, allow_unicode=True, sort_keys=False, width=110)
    return path


def _template(book: RuleBook, rule_id: str, department: str, shape: str) -> dict[str, object]:
    of = book.shapes[shape]
    topics = sorted(topic for topic in facts.kept_of(of.stage) if of.record_of in ("", topic))
    columns = [c for c in facts.columns(of.stage)[shape] if c not in ("subject", "episode", "law_on")]

    def todo() -> dict[str, object]:
        return {"zh": "待写", "en": "to be written"}

    return {
        "id": rule_id,
        "version": 1,
        "title": todo(),
        "class": "entry",
        "kind": "alert",
        "subject": "person" if of.stage == "persons" else "household",
        "facts": shape,
        "when": "false",
        "level": "yellow",
        "to": department,
        "closes": ["corrected"],
        "deadline": {"days": 10, "product_default": True},
        "needs": topics[:1],
        "evidence": columns[:1],
        "sources": [{**todo(), "ref": "待写"}],
        "explain": todo(),
        "cases": [
            {"say": "待写：成立的情形", "day": "2026-06-30", "given": [], "expect": {"state": "standing"}},
            {"say": "待写：最接近而不成立的情形", "day": "2026-06-30", "given": [], "expect": {"state": "nothing"}},
        ],
    }
