"""How commands are answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.cases import Case, Command, Condition, Docket, Policy, fold, handle
from domain.cases.commands import REFUSALS

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


def test_sign_then_close(docket: Docket, case: Case, command: Order) -> None:
    signed = handle(docket, command(0, case.case_id, 1))
    assert (signed.event, signed.case.version, signed.case.signed_by) == ("signed", 2, "wang")
    closed = handle(docket, command(1, case.case_id, 2, command="close", outcome="needs_aid"))
    assert (closed.event, closed.case.state, closed.case.outcome) == ("closed", "closed", "needs_aid")
    assert closed.command_position == 2


def test_the_same_command_again_gets_the_same_answer(docket: Docket, case: Case, command: Order) -> None:
    first = command(0, case.case_id, 1)
    handle(docket, first)
    again = handle(docket, replace(first, offset=1))
    assert (again.event, again.refusal, again.case.version) == ("repeated", "", 2)
    refused = command(2, case.case_id, 1)
    assert handle(docket, refused).refusal == "version_conflict"
    docket.put(replace(docket.cases[case.case_id], version=1))
    assert handle(docket, replace(refused, offset=3)).refusal == "version_conflict"


def test_a_key_of_another_case_is_no_answer(docket: Docket, case: Case, command: Order) -> None:
    first = handle(docket, command(0, case.case_id, 1))
    other = handle(docket, command(1, "x" * 26, 1, command_id=first.command_id))
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
def test_refusals(docket: Docket, case: Case, command: Order, changes: dict[str, object], refusal: str) -> None:
    event = handle(docket, replace(command(0, case.case_id, 1), **changes))  # type: ignore[arg-type]
    assert (event.event, event.refusal, event.event_id) == ("refused", refusal, "c0")
    assert docket.cases[case.case_id].version == 1
    assert refusal in REFUSALS


def test_signed_and_closed_are_refused(docket: Docket, case: Case, command: Order) -> None:
    handle(docket, command(0, case.case_id, 1))
    assert handle(docket, command(1, case.case_id, 2)).refusal == "already_signed"
    handle(docket, command(2, case.case_id, 2, command="close", outcome="covered"))
    again = command(3, case.case_id, 3, command="close", outcome="covered")
    assert handle(docket, again).refusal == "already_closed"
