"""Small changes to a rule, each of which its cases should notice: the comparison, a threshold, a condition left out.

A change that no case notices says that the cases do not pin the rule down there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from domain.compile import conjuncts, parse, uses, written
from domain.parameters import Parameter
from domain.rules import LEVELS, Rule, RuleBook
from domain.trial import run

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
    """A changed rule. ``words`` says what was changed."""

    words: str
    changed: Rule
    parameters: tuple[Parameter, ...] = ()


def mutants(rule: Rule, book: RuleBook) -> list[Mutant]:
    """Every small change to a rule, its own text and the values that it uses."""
    found = [*_texts(rule), *_relations(rule), *_thresholds(rule, book)]
    return [replace(m, changed=m.changed.model_copy(update={"id": f"{rule.id}~{n}"})) for n, m in enumerate(found)]


def survivors(rule: Rule, book: RuleBook) -> tuple[int, list[str]]:
    """How many changes there are, and the words of those that none of the rule's cases notices.

    All of them stand side by side as rules of their own: every case is tried on each at once.
    """
    all_of_it = mutants(rule, book)
    near = {*rule.superseded_by, *book.inhibitors[rule.id]}
    rules = {m.changed.id: m.changed for m in all_of_it}
    for other in near:
        # who silences the rule silences its variants
        silenced = (*book.rules[other].inhibits, *rules) if rule.id in book.rules[other].inhibits else ()
        rules[other] = book.rules[other].model_copy(update={"inhibits": silenced})
    parameters = book.parameters | {p.id: p for m in all_of_it for p in m.parameters}
    tried = replace(book, rules=rules, parameters=parameters)
    cases = [(m.changed.id, case) for m in all_of_it for case in rule.cases]
    answers = run(cases, tried)
    noticed = {changed for (changed, _), answer in zip(cases, answers, strict=True) if answer}
    return len(all_of_it), [m.words for m in all_of_it if m.changed.id not in noticed]


def _texts(rule: Rule) -> Iterator[Mutant]:
    yield from _standing(rule)
    for key in ("done_when", "corrected_when", "step", "level"):
        text = getattr(rule, key)
        if key == "step" and text == "1":
            continue  # says nothing
        if key == "level" and text in LEVELS:
            other = LEVELS[LEVELS.index(text) - 1]
            yield _with(rule, f"level: {other}", level=other)
            continue
        if key in _LEFT_OUT and text != _LEFT_OUT[key]:
            yield _with(rule, f"{key} left out", **{key: _LEFT_OUT[key]})
        for words, changed in _expressions(text):
            yield _with(rule, f"{key}: {words}", **{key: changed})
    yield _with(rule, "when: what is unknown does not hold", when=f"coalesce(({rule.when}), false)")


def _standing(rule: Rule) -> Iterator[Mutant]:
    """Changes to what a rule asks for: of a condition that ``when`` and ``until`` both name, to both."""
    parts = {key: conjuncts(getattr(rule, key)) for key in ("when", "until")}
    not_done = written(exp.Not(this=exp.paren(parse(rule.done_when)))), written(exp.Not(this=parse(rule.done_when)))
    for part in dict.fromkeys(p for of_key in parts.values() for p in of_key):
        if part in not_done or part == "TRUE":
            continue  # the rule does not stand anyway
        for words, changed in [(f"{part} left out", "true"), *_expressions(part)]:
            texts = {k: " and ".join(f"({changed if p == part else p})" for p in of) for k, of in parts.items()}
            yield _with(rule, words, **texts)


def _relations(rule: Rule) -> Iterator[Mutant]:
    for other in rule.superseded_by:
        left = tuple(r for r in rule.superseded_by if r != other)
        yield _with(rule, f"superseded_by without {other}", superseded_by=left)


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


def _expressions(text: str) -> Iterator[tuple[str, str]]:
    """What was changed in an expression, and the changed expression."""
    for place, node in enumerate(parse(text).walk()):
        for change in _changes(node):
            tree = parse(text)
            target = list(tree.walk())[place]
            before, after = written(target), change(target)
            words = f"{before} becomes {written(after)}"
            if target is tree:
                tree = after
            else:
                target.replace(after)
            yield words, written(tree)


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
