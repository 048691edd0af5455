"""How commands are answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from domain.cases import Case, Command, Condition, Docket, Policy, fold, handle
from domain.cases.commands import REFUSALS
from domain.cases.model import DAY_MS, local_day
from domain.divisions import Divisions, Name

Make = Callable[..., Condition]
Order = Callable[..., Command]


@pytest.fixture
def docket(condition: Make, policy: Policy) -> Docket:
    """One open alert."""
    docket = Docket()
    fold(docket, condition(0), policy)
    return docket


@pytest.fixture
def case(docket: Docket) -> Case:
    """That alert."""
    return next(iter(docket.cases.values()))


def test_sign_then_close(docket: Docket, case: Case, command: Order, policy: Policy) -> None:
    signed = handle(docket, command(0, case.case_id, 1), policy)
    assert (signed.event, signed.case.version, signed.case.signed_by) == ("signed", 2, "wang")
    closed = handle(docket, command(1, case.case_id, 2, command="close", outcome="needs_aid"), policy)
    assert (closed.event, closed.case.state, closed.case.outcome) == ("closed", "closed", "needs_aid")
    assert closed.command_position == 2


def test_the_same_command_again_gets_the_same_answer(
    docket: Docket, case: Case, command: Order, policy: Policy
) -> None:
    first = command(0, case.case_id, 1)
    handle(docket, first, policy)
    again = handle(docket, replace(first, offset=1), policy)
    assert (again.event, again.refusal, again.case.version) == ("repeated", "", 2)
    refused = command(2, case.case_id, 1)
    assert handle(docket, refused, policy).refusal == "version_conflict"
    docket.put(replace(docket.cases[case.case_id], version=1))
    assert handle(docket, replace(refused, offset=3), policy).refusal == "version_conflict"


def test_a_key_of_another_case_is_no_answer(docket: Docket, case: Case, command: Order, policy: Policy) -> None:
    first = handle(docket, command(0, case.case_id, 1), policy)
    other = handle(docket, command(1, "x" * 26, 1, command_id=first.command_id), policy)
    assert (other.event, other.refusal) == ("refused", "key_reused")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"case_id": "x" * 26}, "unknown_case"),
        ({"division": "990101002"}, "out_of_scope"),
        ({"role": "auditor", "division": ""}, "out_of_scope"),
        ({"role": "department", "department": "medical", "division": ""}, "out_of_scope"),
        ({"role": "stranger", "division": ""}, "out_of_scope"),
        ({"expected_version": 2}, "version_conflict"),
        ({"command": "close", "outcome": "done"}, "bad_outcome"),
        ({"command": "burn"}, "bad_command"),
    ],
)
def test_refusals(
    docket: Docket, case: Case, command: Order, changes: dict[str, object], refusal: str, policy: Policy
) -> None:
    event = handle(docket, replace(command(0, case.case_id, 1), **changes), policy)  # type: ignore[arg-type]
    assert (event.event, event.refusal, event.event_id) == ("refused", refusal, "c0")
    assert docket.cases[case.case_id].version == 1
    assert refusal in REFUSALS


def test_signed_and_closed_are_refused(docket: Docket, case: Case, command: Order, policy: Policy) -> None:
    handle(docket, command(0, case.case_id, 1), policy)
    assert handle(docket, command(1, case.case_id, 2), policy).refusal == "already_signed"
    handle(docket, command(2, case.case_id, 2, command="close", outcome="covered"), policy)
    again = command(3, case.case_id, 3, command="close", outcome="covered")
    assert handle(docket, again, policy).refusal == "already_closed"


def test_a_scope_is_that_of_the_local_day_of_the_command(
    docket: Docket, case: Case, command: Order, policy: Policy
) -> None:
    old, new, day = "990101001", "990101101", local_day(command(0, case.case_id, 1).at)
    rows = [
        {"code": old, "zh": "甲乡", "from": date(2000, 1, 1), "until": day, "into": [new]},
        {"code": new, "zh": "甲镇", "from": day},
    ]
    renamed = replace(policy, divisions=Divisions.of([Name.model_validate(row) for row in rows]))
    sign = replace(command(0, case.case_id, 1), division=new)
    eve = replace(command(1, case.case_id, 1), division=new, at=sign.at - DAY_MS)
    assert handle(docket, eve, renamed).refusal == "out_of_scope"
    assert handle(docket, sign, renamed).event == "signed"
    close = replace(command(2, case.case_id, 2, command="close", outcome="covered"), division=old)
    assert handle(docket, close, renamed).event == "closed"
