"""Every rule's own cases, in sentences, against the screening that runs in production."""

from __future__ import annotations

import pytest

from domain.rules import Case, Rule, load
from domain.trial import run

BOOK = load()
CASES = [(rule, case) for rule in BOOK.rules.values() for case in rule.cases]


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[f"{r.id}: {c.say}" for r, c in CASES])
def test_case(rule: Rule, case: Case) -> None:
    assert run(case, rule, BOOK) == ""
