"""A storm: more cases of one rule in a township on one day than people can look at are held for review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.cases import Case, Command, Condition, Docket, Policy, fold, handle
from domain.cases.model import DAY_MS

Make = Callable[..., Condition]
Order = Callable[..., Command]
LIMIT = 3


@pytest.fixture
def narrow(policy: Policy) -> Policy:
    """Three a day."""
    return replace(policy, storm_limit=LIMIT)


def states(docket: Docket, conditions: list[Condition], policy: Policy) -> list[str]:
    found = []
    for condition in conditions:
        event = fold(docket, condition, policy)
        assert event is not None
        found.append(event.case.state)
    return found


def household(number: int) -> dict[str, str]:
    return {"subject_key": f"p{number}", "household_key": f"h{number}"}


def test_more_than_the_limit_is_held(condition: Make, narrow: Policy) -> None:
    conditions = [condition(n, **household(n)) for n in range(5)]
    assert states(Docket(), conditions, narrow) == ["open", "open", "open", "held", "held"]


def test_red_is_never_held_and_does_not_count(condition: Make, narrow: Policy) -> None:
    conditions = [condition(n, **household(n), level="red") for n in range(5)]
    conditions += [condition(n, **household(n)) for n in range(5, 9)]
    assert states(Docket(), conditions, narrow) == ["open"] * 8 + ["held"]


def test_a_first_load_is_a_list_of_its_own(condition: Make, narrow: Policy) -> None:
    conditions = [condition(n, **household(n), baseline=True) for n in range(5)]
    assert states(Docket(), conditions, narrow) == ["open"] * 5


def test_rules_townships_and_days_are_counted_apart(condition: Make, narrow: Policy) -> None:
    docket = Docket()
    states(docket, [condition(n, **household(n)) for n in range(LIMIT)], narrow)
    others = [
        condition(10, **household(10), rule="R02"),
        condition(11, **household(11), division="990101002001"),
        replace(condition(12, **household(12)), decided_at=condition(0).decided_at + DAY_MS),
        condition(13, **household(13), division="990101001999"),
    ]
    assert states(docket, others, narrow) == ["open", "open", "open", "held"]


@pytest.fixture
def docket(condition: Make, narrow: Policy) -> Docket:
    """The last of four alerts is held."""
    docket = Docket()
    states(docket, [condition(n, **household(n)) for n in range(LIMIT + 1)], narrow)
    return docket


def held(docket: Docket) -> Case:
    (case,) = [c for c in docket.cases.values() if c.state == "held"]
    return case


def test_what_turns_red_comes_out(docket: Docket, condition: Make, narrow: Policy) -> None:
    case = held(docket)
    fold(docket, condition(20, **household(LIMIT), level="red", step=3), narrow)
    assert docket.cases[case.case_id].state == "open"


def test_the_same_rule_again_stays_held(docket: Docket, condition: Make, narrow: Policy) -> None:
    case = held(docket)
    fold(docket, condition(20, subject_key="another", household_key=f"h{LIMIT}"), narrow)
    after = docket.cases[case.case_id]
    assert (after.state, len(after.conditions)) == ("held", 2)


def test_another_rule_of_the_household_brings_it_out(docket: Docket, condition: Make, narrow: Policy) -> None:
    case = held(docket)
    fold(docket, condition(20, **household(LIMIT), rule="R02"), narrow)
    assert docket.cases[case.case_id].state == "open"


def test_data_close_what_is_held(docket: Docket, condition: Make, narrow: Policy) -> None:
    case = held(docket)
    fold(docket, condition(20, **household(LIMIT), standing=False, cause="corrected"), narrow)
    assert docket.cases[case.case_id].state == "closed"


def test_the_county_releases(docket: Docket, command: Order, policy: Policy) -> None:
    case = held(docket)
    refused = handle(docket, command(0, case.case_id, 1, command="release"), policy)
    assert refused.refusal == "out_of_scope"
    assert handle(docket, command(1, case.case_id, 1), policy).refusal == "held"
    assert handle(docket, command(5, case.case_id, 1, command="close", outcome="not_true"), policy).refusal == "held"
    county = {"role": "county", "division": "990101"}
    released = handle(docket, replace(command(2, case.case_id, 1, command="release"), **county), policy)
    assert (released.event, released.case.state, released.case.version) == ("released", "open", 2)
    again = handle(docket, replace(command(3, case.case_id, 2, command="release"), **county), policy)
    assert again.refusal == "not_held"
    assert handle(docket, command(4, case.case_id, 2), policy).event == "signed"
