"""Every rule has every kind of case that it can have; what is missing is said as the sentence to write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlglot import exp

from domain.compile import parse, uses
from domain.mutants import unknown_inputs
from domain.rules import Case, Expected, Rule, RuleBook, load

BOOK = load()
ROSTER = "civil.roster"
TIERS = {
    *("tier", "tiers", "tiers_held", "tiers_at_death", "on_roster", "was_on_roster"),
    *("entry_tier", "entry_status", "entry_in_force", "marked"),
}
"""Columns of the facts that the roster decides."""


def missing(rule: Rule, book: RuleBook) -> Iterator[str]:
    """The cases that a rule should have and has not, each as what to write."""
    of = {
        state: [c for c in rule.cases if c.expect.state == state]
        for state in ("standing", "nothing", "ended", "unknown")
    }
    route = ("department", "kind", "deadline_days")
    if not any(all(getattr(c.expect, key) is not None for key in route) for c in of["standing"][:1]):
        yield "the first case that fires does not expect its route: to, kind and deadline"
    if len(of["nothing"]) < 2:
        yield "two that expect nothing: the nearest value that does not fire; the wrong tier, region or date"
    for cause in can_end(rule, book):
        if not any(c.expect.cause == cause for c in of["ended"]):
            yield f"one that has ended with cause {cause}"
    if not of["unknown"] and (inputs := unknown_inputs(rule, book)):
        yield f"one that expects unknown; so it is with {' or '.join(inputs)}"
    if looks_at_the_roster(rule, book) and not any(late(c) for c in of["standing"]):
        yield f"one that stands only once {ROSTER} has come behind the other records (in then)"


def can_end(rule: Rule, book: RuleBook) -> Iterator[str]:
    """The causes with which a rule can end at all."""
    if rule.done_when != "false":
        yield "fulfilled"
    yield "corrected"
    if rule.superseded_by or book.inhibitors[rule.id]:
        yield "superseded"
    if rule.until != "true":
        yield "lapsed"


def looks_at_the_roster(rule: Rule, book: RuleBook) -> bool:
    """Whether a condition of the rule, or a threshold in it, is about who is on the roster."""
    trees = [parse(text) for text in (rule.when, rule.until, rule.done_when, rule.corrected_when)]
    named = {column.name for tree in trees for column in tree.find_all(exp.Column)}
    return bool(named & TIERS) or any(book.parameters[u.id].by_tier for tree in trees for u in uses(tree, book))


def late(case: Case) -> bool:
    """Whether the roster's record is behind the others."""
    return any(ROSTER in record for record in case.then)


def test_what_is_missing_is_named() -> None:
    rule = BOOK.rules["R22"]
    bare = rule.model_copy(update={"cases": (rule.cases[0].model_copy(update={"expect": Expected(state="standing")}),)})
    assert list(missing(bare, BOOK)) == [
        "the first case that fires does not expect its route: to, kind and deadline",
        "two that expect nothing: the nearest value that does not fire; the wrong tier, region or date",
        *(f"one that has ended with cause {c}" for c in ("fulfilled", "corrected", "superseded", "lapsed")),
        "one that expects unknown; so it is with education.enrolment without stage",
        "one that stands only once civil.roster has come behind the other records (in then)",
    ]


@pytest.mark.parametrize("rule", BOOK.rules.values(), ids=list(BOOK.rules))
def test_a_rule_has_every_kind_of_case_that_it_can_have(rule: Rule) -> None:
    assert list(missing(rule, BOOK)) == []
