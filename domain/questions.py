"""Questions about decisions, answered from the state by the stage that owns the subject.

explain: why a condition stands, and whether what is said of it follows from the records as they are.
why_not: which conditions of a rule fail, and of which nobody can say. Both by the SQL that decides.
members: who lives in a household, as far as its income sheet begins with it (unable to work); about no rule.
calendar: which entries of a place are to be re-certified when; about no rule, and every partition answers for its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl

from domain import difference, roster, whynot
from domain.compile import CONTENT, Compiled
from domain.divisions import Reach
from domain.explain import Language, fact, sentence, shown, threshold
from domain.rulefiles import meant
from domain.rules import Rule, RuleBook
from domain.screening import Screening
from domain.stage import Stage
from domain.whynot import Checked, Comparison

Connection = duckdb.DuckDBPyConnection

LIFE = timedelta(minutes=1)
"""Nobody waits longer for an answer."""
KINDS = ("explain", "why_not", "members", "calendar")
DUE_FIRST = 200
"""So many entries of a calendar are named by each partition, those due first; the counts are of all."""
_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\('(?P<tier>[a-z]*)'\))?|'(?P<value>\w*)'")
"""What a rule's text names: a fact, a parameter, perhaps of a tier, or a literal value."""
_SIGNS = {
    ">": ("超过", "above"),
    ">=": ("不低于", "at least"),
    "<": ("低于", "below"),
    "<=": ("不超过", "at most"),
    "=": ("为", "equal to"),
    "<>": ("不为", "other than"),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: ``content``, or with a ``problem`` (a code) what is wrong: {"zh", "en"}.

    Codes: unknown_kind, unknown_rule, wrong_subject, unknown_subject, no_day.
    """

    content: dict[str, Any]
    problem: str = ""


def owner(question: Mapping[str, Any]) -> str:
    """Name of the stage that has to answer; of a kind of subject that nobody knows, the persons'."""
    return "households" if question["subject_kind"] == "household" else "persons"


def answer(con: Connection, stage: Stage, question: Mapping[str, Any], division_default: str) -> Reply:
    """Answer a question (a row of hub.question) of which the stage is the `owner`.

    ``con``: a connection of its own to the state, which is closed afterwards; nothing is changed there.
    """
    if not isinstance(stage, Screening):
        raise TypeError(stage.name)
    refused = _refused(stage, question)
    if refused is not None:
        return refused
    stage.attach(con)
    today = stage.today(con)
    if today is None:
        return _no("no_day", "尚无日期，请先启动时钟", "no day has begun yet; start the clock (doudi watch)")
    if question["kind"] == "calendar":
        place = Reach.parse(question["subject_key"])
        return Reply(calendar(con, stage, place, today, question["day"] or today, division_default))
    if not _known(con, stage, question["subject_key"]):
        return _no("unknown_subject", "没有该对象的任何记录", "no record of this subject is kept; check the key")
    if question["kind"] == "members":
        return Reply({"members": members(con, stage, question["subject_key"], division_default)})
    compiled, day = stage.compiled[question["rule"]], question["day"]
    if question["kind"] == "explain":
        return Reply(explain(con, stage, compiled, question["subject_key"], question["episode"], division_default))
    other = None if day in (None, today) else day
    return Reply(why_not(con, stage, compiled, question["subject_key"], division_default, other))


def _no(code: str, zh: str, en: str) -> Reply:
    return Reply({"zh": zh, "en": en}, code)


def _refused(stage: Screening, question: Mapping[str, Any]) -> Reply | None:
    kind, rule = question["kind"], question["rule"]
    if kind not in KINDS:
        known = " / ".join(KINDS)
        return _no("unknown_kind", f"没有这种问题，可用 {known}", f"no such question; ask {known}")
    if kind == "members":
        return None if question["subject_kind"] == "household" else _of_a_household()
    if kind == "calendar":
        return None if question["subject_kind"] == "division" and _is_place(question["subject_key"]) else _of_a_place()
    if rule not in stage.book.rules:
        near = meant(rule, stage.book.rules)
        return _no("unknown_rule", "没有该规则", f"no rule of this name is in force{near}")
    subject = stage.book.rules[rule].subject
    if subject != question["subject_kind"]:
        titles = {"person": ("个人", "person"), "household": ("家庭", "household")}[subject]
        return _no(
            "wrong_subject",
            f"规则{rule}的对象是{titles[0]}，请给出{titles[0]}的标识",
            f"rule {rule} is about a {titles[1]}; ask with the key of a {titles[1]}",
        )
    return None


def _of_a_household() -> Reply:
    return _no("wrong_subject", "成员是家庭的，请给出家庭的标识", "members are a household's; ask with its key")


def _of_a_place() -> Reply:
    return _no(
        "wrong_subject",
        "复核日历是地区的，请给出区划代码，多个以空格分隔，不含的前加连字符",
        "a calendar is a place's; ask with its code, several with spaces between, one left out with a hyphen before it",
    )


def _is_place(text: str) -> bool:
    try:
        Reach.parse(text)
    except ValueError:
        return False
    return True


def _known(con: Connection, stage: Screening, subject: str) -> bool:
    tables = [f"exists (from {k.table} where {k.subject} = $1)" for k in stage.kept.values()]
    return bool(con.execute(f"select {' or '.join(tables)}", [subject]).fetchall()[0][0])


# ---------------------------------------------------------------------- calendar


def calendar(
    con: Connection, stage: Screening, place: Reach, on: date, until: date, division_default: str = ""
) -> dict[str, Any]:
    """Which entries in divisions that ``place`` holds are to be re-certified when (``roster.calendar``).

    ``on``: the day asked, ISO. ``counts``: month, tier, town and how many entries. ``entries``: those due first, at
    most DUE_FIRST of them, each with entry, tier, review_class ("": none), division, why, month, due_on and last (ISO,
    or null).
    """
    rows = roster.calendar(con, stage, on, until, place, division_default)
    named = rows.head(DUE_FIRST).select(
        "entry", "tier", "review_class", "division", "why", "month", pl.col("due_on", "last").dt.to_string("iso")
    )
    return {"on": on.isoformat(), "counts": [list(r) for r in roster.due(rows)], "entries": named.to_dicts()}


# ---------------------------------------------------------------------- explain


def explain(
    con: Connection, stage: Screening, compiled: Compiled, subject: str, episode: str, division_default: str = ""
) -> dict[str, Any]:
    """Why a condition stands: recomputed from the records kept, and whether it equals what was decided.

    What is said of it under the names of hub.condition; ``stands``: what follows from the records now;
    ``decided``: standing, unknown or nothing; ``agrees``: both say the same, in every word. ``conditions``: what
    the rule asks, each with ``met``, ``seen`` and ``otherwise`` (what would have made it different).
    """
    with stage.facts_of(con, [subject], division_default):
        difference.ask(con, stage.compiled.values())
        return explained(con, stage, compiled, subject, episode)


def explained(con: Connection, stage: Screening, compiled: Compiled, subject: str, episode: str) -> dict[str, Any]:
    """`explain` where the facts are filled already and the rules were asked of them (``difference.ask``)."""
    rule, at = compiled.rule, [compiled.rule.id, subject, episode]
    rows = [r for r in whynot.checked(con, compiled, subject) if r.episode == episode]
    standing = {of for (of,) in con.execute("select rule from said where holds and subject = ?", [subject]).fetchall()}
    con.execute("truncate change")
    con.execute("truncate used")
    con.execute(
        f"insert into change (rule, subject, episode, {', '.join(CONTENT)}, holds, said, stood, stands) "
        f"select rule, subject, episode, {', '.join(CONTENT)}, holds, true, true, coalesce(holds, false) "
        "from hit where rule = ? and subject = ? and episode = ?",
        at,
    )
    difference.trace(con, stage.book, [rule.id], stage.traces)
    found = con.execute(_SAID).fetchall()
    now = con.execute(f"select holds, {', '.join(CONTENT)} from change").fetchall()
    decided = con.execute(
        f"select holds, {', '.join(CONTENT)} from verdict where rule = ? and subject = ? and episode = ?", at
    ).fetchall()
    said: dict[str, Any] = dict(zip(_WORDS, found[0], strict=True)) if found else {}
    evidence, thresholds, records = (json.loads(said.pop(c, "{}")) for c in ("evidence", "thresholds", "records"))
    if said:
        said |= {f"sentence_{w}": sentence(stage.book, rule, evidence, thresholds, w) for w in _LANGUAGES}
    return {
        **_about(rule, stage, subject, stage.today(con)),
        "episode": episode,
        "stands": bool(said),
        "decided": "nothing" if not decided else "standing" if decided[0][0] else "unknown",
        "agrees": now == decided,
        **said,
        "evidence": evidence,
        "facts": [fact(stage.book, name, value) for name, value in evidence.items()],
        "thresholds": thresholds,
        "records": records or [],
        "conditions": [_condition(stage.book, c) for row in rows for c in row.checked],
        "silenced_by": [other for other in stage.book.inhibitors[rule.id] if other in standing],
    }


_LANGUAGES: tuple[Language, Language] = ("zh", "en")
_WORDS = ("level", "step", "tier", "division", "household_key", "evidence", "thresholds", "records")
_SAID = f"""
    select c.level, c.step, c.tier, c.division, c.household_key, c.evidence,
           coalesce(a.thresholds, '{{}}'), coalesce(t.records, '[]')
    from change c
    left join ({difference.USED}) t using (rule, subject, episode)
    left join ({difference.THRESHOLDS}) a using (rule, subject, episode)
    where c.stands"""


def _about(rule: Rule, stage: Screening, subject: str, day: date | None) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "rule_version": rule.version,
        "title_zh": rule.title_zh,
        "title_en": rule.title_en,
        "subject_kind": stage.subject_kind,
        "subject_key": subject,
        "as_of": day.isoformat() if day else None,
        "legal": [{"text_zh": s.text_zh, "text_en": s.text_en, "ref": s.ref} for s in rule.sources],
    }


# ---------------------------------------------------------------------- members


def members(con: Connection, stage: Screening, household: str, division_default: str = "") -> list[dict[str, Any]]:
    """The living members, the head first: person_key, head, incapable (None unknown)."""
    with stage.facts_of(con, [household], division_default):
        found = con.execute(
            "select person_key, head, incapable from member where household_key = ? and alive "
            "order by head desc nulls last, person_key",
            [household],
        ).fetchall()
    return [dict(zip(("person_key", "head", "incapable"), row, strict=True)) for row in found]


# ---------------------------------------------------------------------- why not


def why_not(
    con: Connection,
    stage: Screening,
    compiled: Compiled,
    subject: str,
    division_default: str = "",
    day: date | None = None,
) -> dict[str, Any]:
    """Why a rule does not stand for a subject, today or (``day``) on another day by the records as they are now.

    ``rows``: each row of the rule's facts (an episode), with ``stands``, ``conditions``: those not met, and the
    rules it is ``silenced_by``. None: there is no record that the rule could look at; ``needs`` says of what.
    """
    with stage.facts_of(con, [subject], division_default, day):
        rows, silenced = whynot.checked(con, compiled), whynot.silencers(con, stage, compiled.rule.id)
    answers = {a.episode: a for a in whynot.unmet(rows, silenced)}
    return {
        **_about(compiled.rule, stage, subject, day or stage.today(con)),
        "needs": list(compiled.rule.needs),
        "rows": [
            {
                "episode": row.episode,
                "stands": row.episode not in answers,
                "conditions": [
                    _condition(stage.book, c) for c in (answers[row.episode].unmet if row.episode in answers else ())
                ],
                "silenced_by": list(silenced.get(row.subject, ())),
            }
            for row in rows
        ],
    }


# ---------------------------------------------------------------------- words


def _condition(book: RuleBook, found: Checked) -> dict[str, Any]:
    """A condition as people read it: the rule's text, in words, met (null: nobody can say), seen, otherwise."""
    return {
        "part": found.part,
        "text": found.text,
        "text_zh": _in_words(book, found.text, "zh"),
        "text_en": _in_words(book, found.text, "en"),
        "met": found.met,
        "seen": [_seen(book, name, value) for name, value in found.seen.items()],
        "otherwise": _otherwise(book, found),
    }


def _seen(book: RuleBook, name: str, value: Any) -> dict[str, Any]:
    plain = _plain(value)
    return threshold(book, name, plain) if name.partition("(")[0] in book.parameters else fact(book, name, plain)


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _otherwise(book: RuleBook, found: Checked) -> dict[str, Any] | None:
    """At which values a condition that is met would not be, and one that is not would be; None: no comparison."""
    compared = whynot.comparison(found.text)
    if compared is None or found.line is None:
        return None
    sign = whynot.OTHERWISE[compared.sign] if found.met else compared.sign
    value = _plain(found.line)
    if isinstance(value, bool):
        sign, value = "=", value == (sign == "=")
    unit, (zh, en) = _unit(book, compared), _SIGNS[sign]
    said_zh = f"{_in_words(book, compared.asked, 'zh')}{zh}{shown(value, unit, 'zh')}"
    said_en = f"{_in_words(book, compared.asked, 'en')} {en} {shown(value, unit, 'en')}"
    if any(named["name"] in book.parameters for named in _NAME.finditer(compared.line)):
        said_zh += f"（{_in_words(book, compared.line, 'zh')}）"
        said_en += f" ({_in_words(book, compared.line, 'en')})"
    return {"sign": sign, "value": value, "zh": said_zh, "en": said_en}


def _unit(book: RuleBook, compared: Comparison) -> str:
    column = book.columns.get(compared.asked)
    if column is not None:
        return column.unit
    parameter = book.parameters.get(compared.line.partition("(")[0])
    return parameter.unit if parameter else ""


def _in_words(book: RuleBook, text: str, language: Language) -> str:
    """A rule's text with titles in place of the names of facts, parameters and values."""

    def put(found: re.Match[str]) -> str:
        if found["name"] is None:
            return shown(found["value"], "tier", language)
        known = book.columns.get(found["name"]) or book.parameters.get(found["name"])
        if known is None:
            return found[0]
        title: str = getattr(known.title, language)
        if found["tier"] is None:
            return title
        of = shown(found["tier"] or "none", "tier", language)
        return f"{title}（{of}）" if language == "zh" else f"{title} ({of})"

    return _NAME.sub(put, text)
