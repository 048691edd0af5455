"""How conditions open, join, change, end, close and reopen cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from domain.cases import CaseEvent, Command, Condition, Docket, Policy, fold, handle
from domain.cases.model import DAY_MS

Make = Callable[..., Condition]
Order = Callable[..., Command]


def ended(made: Condition, offset: int, cause: str, by: str = "") -> Condition:
    return replace(
        made,
        offset=offset,
        standing=False,
        cause=cause,
        superseded_by=by,
        evidence="{}",
        decided_at=made.decided_at + 1000,
    )


def run(docket: Docket, policy: Policy, *rows: Condition) -> list[CaseEvent]:
    return [e for row in rows if (e := fold(docket, row, policy)) is not None]


def test_a_condition_opens_a_case_with_its_deadline(condition: Make, policy: Policy) -> None:
    (event,) = run(Docket(), policy, condition(7))
    assert (event.event, event.case.state, event.case.version) == ("opened", "open", 1)
    assert event.case.due_on == date(2026, 3, 7)
    assert len(event.case.case_id) == 26
    assert event.event_id == f"{event.case.case_id}:1"
    assert event.condition_position == 8


def test_the_same_content_again_is_no_event(condition: Make, policy: Policy) -> None:
    first = condition(0)
    again = replace(first, offset=1, decided_at=first.decided_at + 5, as_of=date(2026, 3, 3))
    docket = Docket()
    assert len(run(docket, policy, first, again)) == 1
    assert docket.condition_position == 2


def test_the_household_joins_within_the_window(condition: Make, policy: Policy) -> None:
    late = replace(condition(3, subject_key="d"), decided_at=condition(0).decided_at + 31 * DAY_MS)
    events = run(
        Docket(),
        policy,
        condition(0),
        condition(1, subject_key="b", level="red"),
        condition(2, subject_key="c", household_key="h2"),
        late,
    )
    assert [e.event for e in events] == ["opened", "joined", "opened", "opened"]
    assert events[1].case.case_id == events[0].case.case_id
    assert events[1].case.level == "red"


def test_an_alert_learns_its_household_and_takes_the_others_in(condition: Make, policy: Policy) -> None:
    docket = Docket()
    events = run(
        docket,
        policy,
        condition(0, household_key=""),
        condition(1),  # the same, and by now the household is known
        condition(2, subject_key="b"),
        condition(3, subject_key="b", household_key="h2"),  # moved: the alert stays with its household
        condition(4, rule="R02", household_key=""),
    )
    assert [e.event for e in events] == ["opened", "changed", "joined", "opened"]
    assert [e.case.household_key for e in events] == ["", "h1", "h1", ""]
    first, other = docket.cases[events[0].case.case_id], docket.cases[events[3].case.case_id]
    assert docket.of_group("alert", "entry", "civil", "h1") == [first]
    assert docket.of_group("alert", "entry", "civil", "a") == [other]


def test_a_task_learns_its_household(task: Make, policy: Policy) -> None:
    events = run(Docket(), policy, task(0, household_key=""), task(1), task(2))
    assert [(e.event, e.case.household_key) for e in events] == [("opened", ""), ("changed", "h1")]


def test_exclusion_does_not_join_entry(condition: Make, policy: Policy) -> None:
    events = run(Docket(), policy, condition(0), condition(1, rule="R32", rule_class="exclusion", episode="d1"))
    assert [e.event for e in events] == ["opened", "opened"]


def test_tasks_are_one_per_condition(task: Make, policy: Policy) -> None:
    events = run(Docket(), policy, task(0), task(1, subject_key="b"))
    assert [e.event for e in events] == ["opened", "opened"]


@pytest.mark.parametrize("cause", ["fulfilled", "corrected", "superseded", "lapsed"])
def test_a_task_closes_by_data_with_the_cause(task: Make, policy: Policy, cause: str) -> None:
    for signed in (False, True):
        docket = Docket()
        (opened,) = run(docket, policy, task(0))
        if signed:
            docket.put(replace(opened.case, state="signed", version=2))
        (event,) = run(docket, policy, ended(task(0), 1, cause))
        assert (event.event, event.case.closed_by, event.case.outcome) == ("closed", "data", cause)
        assert event.case.conditions[0].evidence == task(0).evidence


def test_a_cause_that_the_rule_does_not_close_waits_for_a_person(task: Make, policy: Policy) -> None:
    policy = replace(policy, closes=lambda *_: {"fulfilled"})
    events = run(Docket(), policy, task(0), ended(task(0), 1, "lapsed"))
    assert [e.event for e in events] == ["opened", "condition_ended"]
    assert events[1].case.state == "open"


def test_a_signed_alert_waits_for_its_officer(condition: Make, command: Order, policy: Policy) -> None:
    docket = Docket()
    (opened,) = run(docket, policy, condition(0))
    handle(docket, command(0, opened.case.case_id, 1), policy)
    (event,) = run(docket, policy, ended(condition(0), 1, "fulfilled"))
    assert (event.event, event.case.state) == ("condition_ended", "signed")
    assert event.case.conditions[0].cause == "fulfilled"


def test_what_a_changed_rule_gave_up_is_not_opened_for_another_episode(condition: Make, policy: Policy) -> None:
    first, second = condition(0), condition(2, episode="2027")
    given_up = replace(ended(first, 1, "superseded"), superseded_by=first.rule)
    events = run(Docket(), policy, first, given_up, second)
    assert [e.event for e in events] == ["opened", "closed", "opened"]
    by_another = replace(ended(first, 1, "superseded"), superseded_by="R02")
    events = run(Docket(), policy, first, by_another, condition(2, rule="R02"))
    assert [e.event for e in events] == ["opened", "closed", "reopened"]


def test_an_alert_closes_when_its_last_condition_ends(condition: Make, policy: Policy) -> None:
    a, b = condition(0), condition(1, subject_key="b", level="red")
    events = run(Docket(), policy, a, b, ended(b, 2, "corrected"), ended(a, 3, "fulfilled"))
    assert [e.event for e in events] == ["opened", "joined", "condition_ended", "closed"]
    assert events[2].case.level == "orange"


@pytest.mark.parametrize("ending_first", [True, False])
def test_a_rule_that_takes_over_goes_on_in_the_same_case(condition: Make, policy: Policy, ending_first: bool) -> None:
    old, new = condition(0), condition(2, rule="R02", tier="dibao")
    over = [ended(old, 1, "superseded", "R02"), new]
    events = run(Docket(), policy, old, *(over if ending_first else reversed(over)))
    assert {e.case.case_id for e in events} == {events[0].case.case_id}
    assert events[-1].case.state == "open"
    assert [c.cause for c in events[-1].case.conditions] == ["superseded", ""]


def test_what_a_person_closed_opens_only_for_worse(condition: Make, command: Order, policy: Policy) -> None:
    docket = Docket()
    (opened,) = run(docket, policy, condition(0))
    handle(docket, command(0, opened.case.case_id, 1, command="close", outcome="covered"), policy)
    assert run(docket, policy, condition(1, evidence='{"self_pay_fen":160000}')) == []
    ending = run(docket, policy, ended(condition(2), 2, "corrected"))
    assert [e.event for e in ending] == ["condition_ended"]
    assert run(docket, policy, condition(3)) == []
    (event,) = run(docket, policy, condition(4, step=2))
    assert (event.event, event.case.state, event.case.outcome) == ("reopened", "open", "")


def test_a_new_episode_opens_a_new_case(condition: Make, command: Order, policy: Policy) -> None:
    docket = Docket()
    (opened,) = run(docket, policy, condition(0))
    handle(docket, command(0, opened.case.case_id, 1, command="close", outcome="covered"), policy)
    (event,) = run(docket, policy, condition(1, episode="2027"))
    assert event.event == "opened"
    assert event.case.case_id != opened.case.case_id


def test_what_data_closed_data_open_again(task: Make, condition: Make, policy: Policy) -> None:
    for make in (task, condition):
        events = run(Docket(), policy, make(0), ended(make(0), 1, "corrected"), make(2))
        assert [e.event for e in events] == ["opened", "closed", "reopened"]


def test_a_done_task_that_is_undone_opens_again(task: Make, command: Order, policy: Policy) -> None:
    docket = Docket()
    (opened,) = run(docket, policy, task(0))
    handle(
        docket,
        command(
            0,
            opened.case.case_id,
            1,
            command="close",
            outcome="done",
            role="department",
            department="medical",
            division="9901",
        ),
        policy,
    )
    events = run(docket, policy, ended(task(0), 1, "fulfilled"), task(2))
    assert [e.event for e in events] == ["condition_ended", "reopened"]


def test_baseline_turns_live_with_a_live_condition(condition: Make, policy: Policy) -> None:
    events = run(
        Docket(),
        policy,
        condition(0, baseline=True),
        condition(1, baseline=True, subject_key="b"),
        condition(2, step=2),
    )
    assert [e.case.baseline for e in events] == [True, True, False]


def test_an_unknown_year_leaves_the_deadline_open(condition: Make, policy: Policy) -> None:
    (event,) = run(Docket(), replace(policy, due=lambda _day, _n: None), condition(0))
    assert event.case.due_on is None


def test_an_ending_of_nothing_is_no_event(condition: Make, policy: Policy) -> None:
    assert run(Docket(), policy, ended(condition(0), 0, "lapsed")) == []
