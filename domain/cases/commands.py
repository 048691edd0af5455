"""What a person's command does to a case, or why it is refused. A refusal is an event too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from domain.cases.access import Actor, may_act, may_release
from domain.cases.docket import Answer, Docket
from domain.cases.model import CLOSED, HELD, OPEN, OUTCOMES, SIGNED, Case, CaseEvent, Command, Policy, local_day

REFUSALS = frozenset(
    {
        "version_conflict",
        "unknown_case",
        "already_closed",
        "already_signed",
        "out_of_scope",
        "bad_outcome",
        "bad_command",
        "held",
        "not_held",
        "key_reused",
    }
)
"""Every code that ``refusal`` may hold."""


def handle(docket: Docket, command: Command, policy: Policy) -> CaseEvent:
    """Answer a command. The same command again gets the same answer, as an event ``repeated``.

    The actor's scope is that of the local day of the command.
    """
    docket.command_position = max(docket.command_position, command.offset + 1)
    case = docket.cases.get(command.case_id)
    answered = docket.answers.get(command.command_id)
    if answered is not None:
        return _again(docket, command, case or Case(command.case_id), answered)
    refusal = _refusal(case, command, policy)
    docket.answers[command.command_id] = Answer(command.case_id, refusal)
    if case is None or refusal:
        return _event(docket, command, "refused", case or Case(command.case_id), command.command_id, refusal)
    event, after = COMMANDS[command.command](case, command)
    docket.put(after)
    return _event(docket, command, event, after, f"{after.case_id}:{after.version}")


def _refusal(case: Case | None, command: Command, policy: Policy) -> str:
    """The first reason against it, in the order that tells the person most; empty: none."""
    if case is None:
        return "unknown_case"
    reach = policy.divisions.reach(command.division, local_day(command.at))
    actor = Actor(command.actor, command.role, command.department, command.division, reach)
    codes = {o.code for o in OUTCOMES[case.kind]}
    checks = (
        ("out_of_scope", not _may(actor, case, command.command)),
        ("already_closed", case.state == CLOSED),
        ("version_conflict", command.expected_version != case.version),
        ("bad_command", command.command not in COMMANDS),
        ("held", command.command != "release" and case.state == HELD),
        ("not_held", command.command == "release" and case.state != HELD),
        ("already_signed", command.command == "sign" and case.state != OPEN),
        ("bad_outcome", command.command == "close" and command.outcome not in codes),
    )
    return next((code for code, fails in checks if fails), "")


def _may(actor: Actor, case: Case, command: str) -> bool:
    """Who acts may sign and close; what is held is released by the county."""
    may = may_release if command == "release" else may_act
    return may(actor, case.kind, case.department, case.division)


def _released(case: Case, command: Command) -> tuple[str, Case]:
    return "released", replace(case, version=case.version + 1, state=OPEN, updated_at=command.at)


def _signed(case: Case, command: Command) -> tuple[str, Case]:
    return "signed", replace(
        case,
        version=case.version + 1,
        state=SIGNED,
        signed_by=command.actor,
        signed_at=command.at,
        updated_at=command.at,
    )


def _closed(case: Case, command: Command) -> tuple[str, Case]:
    return "closed", replace(
        case,
        version=case.version + 1,
        state=CLOSED,
        closed_by=command.actor,
        closed_at=command.at,
        outcome=command.outcome,
        updated_at=command.at,
    )


COMMANDS: dict[str, Callable[[Case, Command], tuple[str, Case]]] = {
    "sign": _signed,
    "close": _closed,
    "release": _released,
}


def _again(docket: Docket, command: Command, case: Case, answered: Answer) -> CaseEvent:
    # A key of another case's command must not pass for an answer about this one.
    refusal = answered.refusal if answered.case_id == command.case_id else "key_reused"
    event = "repeated" if refusal != "key_reused" else "refused"
    return _event(docket, command, event, case, f"{command.command_id}:{command.offset}", refusal)


def _event(docket: Docket, command: Command, event: str, case: Case, event_id: str, refusal: str = "") -> CaseEvent:
    return CaseEvent(
        event_id=event_id,
        event=event,
        case=case,
        condition_position=docket.condition_position,
        command_position=docket.command_position,
        at=command.at,
        command_id=command.command_id,
        refusal=refusal,
    )
