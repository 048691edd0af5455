"""How a condition moves a case: opens it, joins, changes, ends in it, closes or reopens it.

Each record gives at most one event, so casework that lost its state resumes exactly behind the
last event that it published.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from domain.cases.docket import Docket
from domain.cases.model import (
    ALERT,
    CLOSED,
    DATA,
    DAY_MS,
    HELD,
    LEVELS,
    OPEN,
    RED,
    SIGNED,
    TASK,
    Case,
    CaseCondition,
    CaseEvent,
    Condition,
    Policy,
    case_id_of,
    highest,
    local_day,
)

Change = tuple[str, Case] | None


def fold(docket: Docket, condition: Condition, policy: Policy) -> CaseEvent | None:
    """Apply one record; None where nothing happened (published again, older than known, not worse)."""
    docket.condition_position = max(docket.condition_position, condition.offset + 1)
    case = docket.holding(condition.condition_id)
    if not condition.standing:
        change = None if case is None else _ended(case, condition, policy)
    elif case is None:
        change = _begun(docket, condition, policy)
    else:
        change = _standing(case, condition, policy)
    if change is None:
        return None
    event, after = change
    docket.put(after)
    return CaseEvent(
        event_id=f"{after.case_id}:{after.version}",
        event=event,
        case=after,
        condition_position=docket.condition_position,
        command_position=docket.command_position,
        at=condition.decided_at,
    )


def _begun(docket: Docket, condition: Condition, policy: Policy) -> Change:
    host = _host(docket, condition, policy) if condition.kind == ALERT else None
    if host is None:
        return "opened", _opened(docket, condition, policy)
    added = (*host.conditions, _kept(condition))
    if host.state == CLOSED:
        return "reopened", _reopened(replace(host, conditions=added), condition, policy)
    if host.state == HELD and all(held.rule != condition.rule for held in host.conditions):
        host = replace(host, state=OPEN)  # something else is known of the household: no part of the storm
    return "joined", _moved(host, condition, added, policy, baseline=host.baseline and condition.baseline)


def _host(docket: Docket, condition: Condition, policy: Policy) -> Case | None:
    """The latest alert of the household (else the subject) within the window.

    One that closed because this very rule took over goes on as the same case: a person who moves
    from one tier to the next is one piece of work.
    """
    key = condition.household_key or condition.subject_key
    for case in docket.of_group(condition.kind, condition.rule_class, condition.department, key):
        if abs(condition.decided_at - case.opened_at) > policy.window_days * DAY_MS or not case.joinable:
            continue
        if case.state != CLOSED or any(_took_over(c, condition) for c in case.conditions):
            return case
    return None


def _took_over(held: CaseCondition, condition: Condition) -> bool:
    """Superseded by its own rule it is where the law changed: what that rule finds later is work of its own."""
    by = held.superseded_by if held.superseded_by != held.rule else ""
    return by == condition.rule and held.subject_key == condition.subject_key


def _opened(docket: Docket, condition: Condition, policy: Policy) -> Case:
    return Case(
        case_id=case_id_of(condition.condition_id, condition.offset),
        version=1,
        kind=condition.kind,
        state=HELD if _storm(docket, condition, policy) else OPEN,
        level=condition.level,
        rule_class=condition.rule_class,
        department=condition.department,
        division=condition.division or policy.division,
        household_key=condition.household_key,
        subject_kind=condition.subject_kind,
        subject_key=condition.subject_key,
        conditions=(_kept(condition),),
        opened_at=condition.decided_at,
        updated_at=condition.decided_at,
        due_on=_due(condition, policy),
        baseline=condition.baseline,
        caused_at=condition.caused_at,
    )


def _storm(docket: Docket, condition: Condition, policy: Policy) -> bool:
    """Whether a bulk load or a new rule brings more than people can look at: to be reviewed first."""
    tally = policy.tally(condition)
    return tally != "" and docket.count(tally) >= policy.storm_limit


def _standing(case: Case, condition: Condition, policy: Policy) -> Change:
    held = case.holds(condition.condition_id)
    worse = condition.step > held.step or LEVELS.get(condition.level, 0) > LEVELS.get(held.level, 0)
    after = _with(case, _kept(condition))
    if case.state == CLOSED:
        # What data closed, data open again. What a person closed stays closed until it gets worse, but
        # a department's task whose result was on record and has gone again has to be done again.
        returned = not held.standing and (case.closed_by == DATA or case.kind == TASK)
        if not (worse or returned):
            return None
        return "reopened", _reopened(replace(case, conditions=after), condition, policy)
    learned = condition.household_key != "" and case.household_key == ""
    if held.standing and not learned and _same(held, condition) and condition.division in ("", case.division):
        return None
    baseline = case.baseline and (condition.baseline or not worse)
    return "changed", _moved(case, condition, after, policy, baseline=baseline)


def _ended(case: Case, condition: Condition, policy: Policy) -> Change:
    held = case.holds(condition.condition_id)
    if not held.standing:
        return None
    ended = replace(
        held,
        state="ended",
        cause=condition.cause,
        superseded_by=condition.superseded_by,
        evidence=condition.evidence if condition.evidence not in ("", "{}") else held.evidence,
        records=condition.records if condition.records not in ("", "[]") else held.records,
        as_of=condition.as_of,
        caused_at=condition.caused_at,
    )
    after = _moved(case, condition, _with(case, ended), policy, baseline=case.baseline)
    if case.state == CLOSED or not _closes(after, policy):
        return "condition_ended", after
    return "closed", replace(
        after, state=CLOSED, closed_at=condition.decided_at, closed_by=DATA, outcome=condition.cause
    )


def _closes(case: Case, policy: Policy) -> bool:
    """Whether nothing stands, each rule lets its cause close, and no officer has taken the alert in hand."""
    if case.kind == ALERT and case.state == SIGNED:
        return False
    return all(not c.standing and c.cause in policy.closes(c.rule, c.rule_version) for c in case.conditions)


def _reopened(case: Case, condition: Condition, policy: Policy) -> Case:
    after = _moved(case, condition, case.conditions, policy, baseline=condition.baseline)
    return replace(
        after,
        state=OPEN,
        due_on=_due(condition, policy),
        signed_at=None,
        signed_by="",
        closed_at=None,
        closed_by="",
        outcome="",
    )


def _moved(
    case: Case, condition: Condition, conditions: tuple[CaseCondition, ...], policy: Policy, *, baseline: bool
) -> Case:
    level = highest([c.level for c in conditions if c.standing], case.level)
    return replace(
        case,
        version=case.version + 1,
        household_key=case.household_key or condition.household_key,
        state=OPEN if case.state == HELD and level == RED else case.state,
        conditions=conditions,
        level=level,
        division=condition.division or case.division or policy.division,
        updated_at=condition.decided_at,
        caused_at=condition.caused_at,
        baseline=baseline,
    )


def _with(case: Case, condition: CaseCondition) -> tuple[CaseCondition, ...]:
    return tuple(condition if c.condition_id == condition.condition_id else c for c in case.conditions)


def _due(condition: Condition, policy: Policy) -> date | None:
    if condition.deadline_days <= 0:
        return None
    return policy.due(local_day(condition.decided_at), condition.deadline_days)


def _kept(condition: Condition) -> CaseCondition:
    return CaseCondition(
        condition_id=condition.condition_id,
        rule=condition.rule,
        rule_version=condition.rule_version,
        subject_kind=condition.subject_kind,
        subject_key=condition.subject_key,
        episode=condition.episode,
        state="standing",
        cause="",
        superseded_by="",
        level=condition.level,
        step=condition.step,
        tier=condition.tier,
        evidence=condition.evidence,
        thresholds=condition.thresholds,
        records=condition.records,
        as_of=condition.as_of,
        caused_at=condition.caused_at,
    )


def _same(held: CaseCondition, condition: Condition) -> bool:
    return (
        held.evidence == condition.evidence
        and held.level == condition.level
        and held.step == condition.step
        and held.tier == condition.tier
        and held.rule_version == condition.rule_version
        and held.thresholds == condition.thresholds
        and held.records == condition.records
    )
