"""Every rule's own cases, in sentences, against the screening that runs in production."""

from __future__ import annotations

import pytest

from domain.rules import load
from domain.trial import run

BOOK = load()
CASES = [(rule.id, case) for rule in BOOK.rules.values() for case in rule.cases]


@pytest.fixture(scope="module")
def answers() -> list[str]:
    return run(CASES, BOOK)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{rule}: {case.say}" for rule, case in CASES])
def test_case_comes_out_as_it_says(number: int, answers: list[str]) -> None:
    assert answers[number] == ""
