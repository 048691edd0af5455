"""Small changes to a rule, each of which its cases should notice: the comparison, a threshold, a condition left out,
what is unknown, who has to act and by when.

A change that no case notices says that the cases do not pin the rule down there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from domain.compile import DIALECT, conjuncts, parse, uses, written
from domain.parameters import Parameter, Words
from domain.rules import LEVELS, Case, Expected, Kind, Rule, RuleBook
from domain.trial import DEFAULTS, run
from schemas.topics import DEPARTMENT_TOPICS, DEPARTMENTS

ENOUGH = 0.95
"""The share of all changes that cases must notice."""
_OTHER: dict[type[exp.Expr], type[exp.Binary]] = {
    exp.GT: exp.GTE,
    exp.GTE: exp.GT,
    exp.LT: exp.LTE,
    exp.LTE: exp.LT,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
}
_TEXTS = ("when", "until", "done_when", "corrected_when", "step", "level")
_LEFT_OUT = {"done_when": "false", "corrected_when": "false"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed rule. ``words`` says what was changed; ``heard`` is a rule that no longer silences it."""

    words: str
    changed: Rule
    parameters: tuple[Parameter, ...] = ()
    heard: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the cases of a rule notice: how many changes were tried, and of those that no case notices the words
    and why (None: the rule does not say). ``stale``: what the rule explains though there is no such survivor."""

    changes: int
    survivors: tuple[tuple[str, Words | None], ...]
    stale: tuple[str, ...]

    @property
    def noticed(self) -> int:
        """How many changes the cases notice."""
        return self.changes - len(self.survivors)


def mutants(rule: Rule, book: RuleBook) -> list[Mutant]:
    """Every small change to a rule, its own text and the values that it uses.

    A change of the text after which the rule says the same in other words is none: one that a simplified form,
    by the rules of logic alone, cannot tell apart.
    """
    texts: dict[tuple[str, ...], Mutant] = {}
    for mutant in (*_texts(rule), *_unknown(rule, book)):
        texts.setdefault(_said(mutant.changed), mutant)
    texts.pop(_said(rule), None)
    found = [*texts.values(), *_routes(rule), *_relations(rule, book), *_thresholds(rule, book)]
    return [replace(m, changed=m.changed.model_copy(update={"id": f"{rule.id}~{n}"})) for n, m in enumerate(found)]


def outcome(rule: Rule, book: RuleBook) -> Outcome:
    """Try every change to a rule on its cases.

    All of them stand side by side as rules of their own: every case is tried on each at once.
    """
    all_of_it = mutants(rule, book)
    near = {*rule.superseded_by, *book.inhibitors[rule.id]}
    rules = {m.changed.id: m.changed for m in all_of_it}
    for other in near:
        # who silences the rule silences its variants
        silenced = tuple(m.changed.id for m in all_of_it if other in book.inhibitors[rule.id] and other != m.heard)
        rules[other] = book.rules[other].model_copy(update={"inhibits": silenced})
    parameters = book.parameters | {p.id: p for m in all_of_it for p in m.parameters}
    tried = replace(book, rules=rules, parameters=parameters)
    cases = [(m.changed.id, case) for m in all_of_it for case in rule.cases]
    answers = run(cases, tried)
    noticed = {changed for (changed, _), answer in zip(cases, answers, strict=True) if answer}
    why = {each.change: each.why for each in rule.unnoticed}
    left = tuple((m.words, why.get(m.words)) for m in all_of_it if m.changed.id not in noticed)
    return Outcome(len(all_of_it), left, tuple(change for change in why if change not in dict(left)))


def unknown_inputs(rule: Rule, book: RuleBook) -> list[str]:
    """What, when nobody says it, leaves a rule unknown that stands in one of its cases: a field, or the feeds.

    Shown by trial: each field of each record of the cases left out in turn, and no feed that covers the place.
    """
    expect = Expected(state="unknown")
    found: dict[str, list[Case]] = {}
    for case in rule.cases:
        if case.expect.state != "standing":
            continue
        nothing = tuple(topic.name for topic in DEPARTMENT_TOPICS)
        found.setdefault("no feed covers the place", []).append(
            case.model_copy(update={"uncovered": nothing, "expect": expect})
        )
        for key in ("given", "then"):
            records = getattr(case, key)
            for place, record in enumerate(records):
                for topic, fields in record.items():
                    for name in {**DEFAULTS.get(topic, {}), **fields}.keys() - {"id", "who", "op", "division"}:
                        changed = {topic: {**fields, name: None}}
                        left = (*records[:place], changed, *records[place + 1 :])
                        found.setdefault(f"{topic} without {name}", []).append(
                            case.model_copy(update={key: left, "expect": expect})
                        )
    tried = [(words, case) for words, cases in sorted(found.items()) for case in cases]
    alone = replace(book, rules={rule.id: rule.model_copy(update={"inhibits": ()})})
    answers = run([(rule.id, case) for _, case in tried], alone)
    return list(dict.fromkeys(words for (words, _), answer in zip(tried, answers, strict=True) if not answer))


def _texts(rule: Rule) -> Iterator[Mutant]:
    yield from _standing(rule)
    for key in ("done_when", "corrected_when", "step", "level"):
        text = getattr(rule, key)
        if key == "step" and text == "1":
            continue  # says nothing
        if key == "level" and text in LEVELS:
            yield from (_with(rule, f"level: {other}", level=other) for other in LEVELS if other != text)
            continue
        if key in _LEFT_OUT:
            yield _with(rule, f"{key} left out", **{key: _LEFT_OUT[key]})
        for words, changed in _expressions(text):
            yield _with(rule, f"{key}: {words}", **{key: changed})


def _standing(rule: Rule) -> Iterator[Mutant]:
    """Changes to what a rule asks for: of a condition that ``when`` and ``until`` both name, to both.

    ``until`` alone decides with what cause a condition ends.
    """
    parts = {key: conjuncts(getattr(rule, key)) for key in ("when", "until")}
    for part in dict.fromkeys(p for of_key in parts.values() for p in of_key):
        for words, changed in [(f"{part} left out", "true"), *_expressions(part)]:
            texts = {k: _joined(changed if p == part else p for p in of) for k, of in parts.items()}
            yield _with(rule, words, **texts)
    for part in parts["until"]:
        yield _with(rule, f"until: {part} left out", until=_joined(p if p != part else "true" for p in parts["until"]))
    yield _with(rule, "until left out", until="true")


def _unknown(rule: Rule, book: RuleBook) -> Iterator[Mutant]:
    if not any(case.expect.state == "unknown" for case in rule.cases) and not unknown_inputs(rule, book):
        return
    yield _with(rule, "what is unknown does not hold", when=f"coalesce({_holds(rule)}, false)")
    yield _with(
        rule,
        "what is unknown holds",
        when=f"coalesce({_holds(rule)}, true)",
        until=f"coalesce(({rule.until}), true)",
        done_when=f"coalesce(({rule.done_when}), false)",
        corrected_when=f"coalesce(({rule.corrected_when}), false)",
    )


def _routes(rule: Rule) -> Iterator[Mutant]:
    to = next(d for d in DEPARTMENTS if d != rule.department)
    yield _with(rule, f"to: {to}", department=to)
    kind = next(k for k in get_args(Kind) if k != rule.kind)
    yield _with(rule, f"kind: {kind}", kind=kind)
    for days in (rule.deadline.days + 1, rule.deadline.days - 1):
        yield _with(rule, f"deadline: {days}", deadline=rule.deadline.model_copy(update={"days": days}))


def _relations(rule: Rule, book: RuleBook) -> Iterator[Mutant]:
    for other in rule.superseded_by:
        left = tuple(r for r in rule.superseded_by if r != other)
        yield _with(rule, f"superseded_by without {other}", superseded_by=left)
    for other in book.inhibitors[rule.id]:
        yield replace(_with(rule, f"not silenced by {other}"), heard=other)


def _thresholds(rule: Rule, book: RuleBook) -> Iterator[Mutant]:
    texts = {key: getattr(rule, key) for key in _TEXTS if key != "level" or rule.level not in LEVELS}
    names = sorted({use.id for text in texts.values() for use in uses(parse(text), book)})
    for name in names:
        for by, suffix in ((1, "more"), (-1, "less")):
            given = book.parameters[name]
            values = tuple(v.model_copy(update={"value": v.value + by}) for v in given.values)
            changed = given.model_copy(update={"id": f"{name}_{rule.id.lower()}_{suffix}", "values": values})
            renamed = {key: re.sub(rf"\b{name}\b", changed.id, text) for key, text in texts.items()}
            yield replace(_with(rule, f"{name}: one {suffix}", **renamed), parameters=(changed,))


def _with(rule: Rule, words: str, **changes: Any) -> Mutant:
    return Mutant(words, rule.model_copy(update={"inhibits": (), **changes}))


def _joined(parts: Iterator[str]) -> str:
    return " and ".join(f"({part})" for part in parts)


def _holds(rule: Rule) -> str:
    return f"(({rule.when}) and ({rule.until}) and not ({rule.done_when}) and not ({rule.corrected_when}))"


def _said(rule: Rule) -> tuple[str, ...]:
    """What a rule decides, in simplified form: when it stands, with what cause it ends, what is said of it."""
    texts = (_holds(rule), rule.until, rule.done_when, rule.corrected_when, rule.step, rule.level)
    return tuple(written(simplify(parse(text).copy(), dialect=DIALECT)) for text in texts)


def _expressions(text: str) -> Iterator[tuple[str, str]]:
    """What was changed in an expression, and the changed expression."""
    for place, node in enumerate(parse(text).walk()):
        for change in _changes(node):
            tree = parse(text).copy()
            target = list(tree.walk())[place]
            # a number says something only where it stands
            whole = target.parent if isinstance(target, exp.Literal) and target.parent else target
            before, after = written(whole), change(target)
            if target is tree:
                tree = after
            else:
                target.replace(after)
            yield f"{before} becomes {written(after if whole is target else whole)}", written(tree)


def _changes(node: exp.Expr) -> Iterator[Callable[[Any], exp.Expr]]:
    if (other := _OTHER.get(type(node))) is not None:
        yield lambda n: other(this=n.this.copy(), expression=n.expression.copy())
    if isinstance(node, exp.And | exp.Or):
        yield lambda n: n.this.copy()
        yield lambda n: n.expression.copy()
    if isinstance(node, exp.Not):
        yield lambda n: n.this.copy()
    if isinstance(node, exp.Literal) and node.is_number:
        yield lambda n: exp.Literal.number(int(n.this) + 1)
        yield lambda n: exp.Literal.number(int(n.this) - 1)
    if isinstance(node, exp.In) and len(node.expressions) > 1:
        for left_out in range(len(node.expressions)):
            yield lambda n, x=left_out: exp.In(  # type: ignore[misc]
                this=n.this.copy(), expressions=[e.copy() for k, e in enumerate(n.expressions) if k != x]
            )
