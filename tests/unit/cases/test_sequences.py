"""Whatever order conditions and commands come in: versions, single cases, idempotency, resuming."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.cases import Answer, CaseEvent, Command, Condition, Docket, Policy, fold, handle

CAUSES = ("fulfilled", "corrected", "superseded", "lapsed")
POLICY = Policy(
    due=lambda day, n: day + timedelta(days=n),
    closes=lambda rule, _: {"corrected"} if rule == "R02" else frozenset(CAUSES),
)

rows = st.builds(
    lambda rule, subject, household, standing, cause, step, gap: (
        "row",
        rule,
        subject,
        household,
        standing,
        cause,
        step,
        gap,
    ),
    st.sampled_from(["R01", "R02", "R09"]),
    st.sampled_from("ab"),
    st.sampled_from(["h1", "h2", ""]),
    st.booleans(),
    st.sampled_from(CAUSES),
    st.integers(1, 3),
    st.integers(0, 20),
)
orders = st.builds(
    lambda pick, key, command, lag: ("order", pick, key, command, lag),
    st.integers(0, 5),
    st.integers(0, 6),
    st.sampled_from(["sign", "close"]),
    st.integers(0, 1),
)
steps = st.lists(st.one_of(rows, rows, orders), max_size=40)


def condition(offset: int, at: int, step: tuple) -> Condition:  # type: ignore[type-arg]
    _, rule, subject, household, standing, cause, amount, _ = step
    task = rule == "R09"
    return Condition(
        offset=offset,
        condition_id=f"{rule}:{subject}:2026",
        standing=standing,
        rule=rule,
        rule_version=1,
        subject_kind="person",
        subject_key=subject,
        episode="2026",
        household_key=household,
        division="990101001001",
        tier="tekun",
        rule_class="entitlement" if task else "entry",
        kind="task" if task else "alert",
        department="medical" if task else "civil",
        level="orange",
        step=amount,
        deadline_days=5,
        cause="" if standing else cause,
        superseded_by="",
        evidence=f'{{"n":{amount}}}',
        thresholds="{}",
        records="[]",
        baseline=False,
        as_of=date(2026, 3, 2),
        caused_at=at,
        decided_at=at,
    )


def play(sequence: list[tuple], docket: Docket) -> tuple[list[CaseEvent], list[Condition | Command]]:  # type: ignore[type-arg]
    """Events and the records that made them, one event a record at most."""
    events: list[CaseEvent] = []
    log: list[Condition | Command] = []
    at = 1_772_000_000_000
    for n, step in enumerate(sequence):
        if step[0] == "row":
            at += step[7] * 86_400_000
            row = condition(n, at, step)
            log.append(row)
            event = fold(docket, row, POLICY)
        else:
            _, pick, key, command, lag = step
            cases = list(docket.cases.values()) or [None]
            case = cases[pick % len(cases)]
            department = case.department if case else "civil"
            order = Command(
                offset=n,
                command_id=f"k{key}",
                case_id=case.case_id if case else "none",
                expected_version=(case.version if case else 0) - lag,
                command=command,
                outcome="data_error" if command == "close" else "",
                actor="u",
                role="county" if department == "civil" else "department",
                department=department,
                division="9901",
                at=at,
            )
            log.append(order)
            event = handle(docket, order, POLICY)
        if event is not None:
            events.append(event)
    return events, log


@settings(max_examples=300, deadline=None)
@given(steps)
def test_versions_grow_by_one_and_a_condition_keeps_its_case(sequence: list[tuple]) -> None:  # type: ignore[type-arg]
    events, _ = play(sequence, Docket())
    versions: dict[str, int] = {}
    home: dict[str, str] = {}
    for event in events:
        if event.event in ("refused", "repeated"):
            assert event.case.version == versions.get(event.case.case_id, 0)
            continue
        assert event.case.version == versions.get(event.case.case_id, 0) + 1
        versions[event.case.case_id] = event.case.version
        for held in event.case.conditions:
            assert home.setdefault(held.condition_id, event.case.case_id) == event.case.case_id
    assert len({e.event_id for e in events}) == len(events)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_nothing_that_stands_is_forgotten(sequence: list[tuple]) -> None:  # type: ignore[type-arg]
    docket = Docket()
    _, log = play(sequence, docket)
    latest = {r.condition_id: r for r in log if isinstance(r, Condition)}
    for condition_id, row in latest.items():
        case = docket.holding(condition_id)
        if not row.standing:
            assert case is None or not case.holds(condition_id).standing
            continue
        assert case is not None
        # It is on somebody's list, or a person (never the data) closed it.
        assert case.state != "closed" or case.closed_by not in ("", "data")
        if case.state != "closed":
            held = case.holds(condition_id)
            assert held.standing
            assert held.evidence == row.evidence


@settings(max_examples=200, deadline=None)
@given(steps)
def test_records_read_again_change_nothing(sequence: list[tuple]) -> None:  # type: ignore[type-arg]
    docket = Docket()
    _, log = play(sequence, docket)
    cases = dict(docket.cases)
    latest = {r.condition_id: r for r in log if isinstance(r, Condition)}
    for row in latest.values():
        assert fold(docket, replace(row, decided_at=row.decided_at + 1), POLICY) is None
    for order in (r for r in log if isinstance(r, Command)):
        assert handle(docket, order, POLICY).event in ("repeated", "refused")
    assert docket.cases == cases


@settings(max_examples=200, deadline=None)
@given(steps, st.integers(0, 40))
def test_resuming_from_the_published_events_gives_the_same(sequence: list[tuple], cut: int) -> None:  # type: ignore[type-arg]
    """What casework does when its file is lost: latest case, answers and greatest positions, then read on."""
    whole = Docket()
    events, log = play(sequence, whole)
    published = events[:cut]
    resumed = Docket()
    for event in published:
        if event.case.kind:
            resumed.take(event.case)
        resumed.condition_position = max(resumed.condition_position, event.condition_position)
        resumed.command_position = max(resumed.command_position, event.command_position)
        if event.command_id and event.event != "repeated" and event.refusal != "key_reused":
            resumed.remember(event.command_id, Answer(event.case.case_id, event.refusal))
    rest = []
    for record in log:
        if isinstance(record, Condition) and record.offset >= resumed.condition_position:
            rest.append(fold(resumed, record, POLICY))
        elif isinstance(record, Command) and record.offset >= resumed.command_position:
            rest.append(handle(resumed, record, POLICY))
    assert [e.event_id for e in rest if e is not None] == [e.event_id for e in events[cut:]]
    assert resumed.cases == whole.cases
