"""A stage by itself: what is published, with which causes, records and instants, and what is read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain import facts
from domain.rules import load
from domain.screening import PersonStage
from domain.stage import Stamp
from domain.trial import DIVISION, Trial, frame_of
from schemas.load import of_topic
from schemas.topics import DEPARTMENT_TOPICS

BOOK = load()
TODAY = date(2026, 6, 30)
EARLY, LATE = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 29, 8, 30, tzinfo=UTC)


@pytest.fixture
def trial() -> Iterator[Trial]:
    hub = Trial(BOOK)
    hub.cover(*(t.name for t in DEPARTMENT_TOPICS))
    hub.tick(TODAY)
    yield hub
    hub.close()


def row(record_id: str, person: str = "A", version: int = 1, at: datetime = EARLY, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": "e",
        "source": "s",
        "source_epoch": 1,
        "record_id": record_id,
        "record_version": version,
        "op": "create",
        "person_key": person,
        "division": DIVISION,
        "occurred_at": at,
        "published_at": at,
        **fields,
    }


def entry(record_id: str = "e1", **fields: Any) -> pl.DataFrame:
    return frame_of(
        "civil.roster", [row(record_id, **{"tier": "tekun", "status": "active", "start_on": date(2025, 1, 1)} | fields)]
    )


def bill(record_id: str, fen: int, **fields: Any) -> pl.DataFrame:
    return frame_of("medical.settlement", [row(record_id, **{"setl_time": EARLY, "psn_part_amt_fen": fen} | fields)])


def said(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(r["rule"], r["state"], r["cause"]) for r in rows}


def test_frames_have_exactly_the_columns_of_their_schemas(trial: Trial) -> None:
    stage, con = trial.stages[0], trial.connections[0]
    stamp = Stamp("persons", 3, 77, 5, LATE, True, "")
    trial.give("civil.roster", entry())
    trial.give("civil.household", frame_of("civil.household", [row("m1", household_key="h", head=True)]))
    trial.give("medical.settlement", bill("b1", 250_000))
    trial.give(
        "disability.card",
        frame_of("disability.card", [row("c1", category=4, grade=1, status="active", guardian_key="G")]),
    )
    out = stage.evaluate(con, stamp)
    assert set(out) == set(stage.outputs)
    for topic, frame in out.items():
        assert frame.height
        assert dict(frame.schema) == of_topic(topic).dtypes
        assert frame.select("stage", "state_partition", "epoch", "seq", "baseline").unique().rows() == [
            ("persons", 3, 77, 5, True)
        ]


def test_a_condition_names_its_records_thresholds_and_instants(trial: Trial) -> None:
    trial.give("civil.roster", entry())
    trial.give("medical.settlement", bill("b1", 60_000), lane=0)
    trial.give("medical.settlement", bill("b2", 190_000, at=LATE))
    trial.give("medical.settlement", bill("old", 5, setl_time=datetime(2025, 3, 1, tzinfo=UTC)))
    found = next(r for r in trial.evaluate() if r["rule"] == "R01")
    assert found["condition_id"] == "R01:A:2026"
    assert found["caused_at"] == LATE
    assert [(r["topic"], r["record_id"]) for r in json.loads(found["records"])] == [
        ("medical.settlement", "b2"),
        ("civil.roster", "e1"),
        ("medical.settlement.backlog", "b1"),
    ]
    line = json.loads(found["thresholds"])["annual_self_pay_fen"]
    assert (line["value"], line["from"], line["region"], line["product_default"]) == (100_000, "2020-01-01", "", True)
    assert json.loads(found["evidence"])["self_pay_fen"] == 250_000


def test_at_most_twenty_records_are_named(trial: Trial) -> None:
    trial.give("civil.roster", entry())
    for n in range(30):
        trial.give("medical.settlement", bill(f"b{n}", 10_000))
    found = next(r for r in trial.evaluate() if r["rule"] == "R01")
    assert len(json.loads(found["records"])) == 20


def test_nothing_is_said_again_of_what_has_not_changed(trial: Trial) -> None:
    trial.give("civil.roster", entry())
    trial.give("medical.settlement", bill("b1", 250_000))
    assert ("R01", "standing", "") in said(trial.evaluate())
    trial.give("medical.settlement", bill("b1", 250_000))
    assert trial.evaluate() == []
    trial.tick(date(2026, 7, 1))
    assert trial.evaluate() == []
    trial.give("medical.settlement", bill("b1", 250_100, version=2))
    assert said(trial.evaluate()) == {("R01", "standing", "")}
    trial.give("medical.settlement", bill("b1", 1, version=1))
    assert trial.evaluate() == []


def test_before_the_first_day_records_are_kept_and_nothing_is_said() -> None:
    hub = Trial(BOOK)
    hub.give("civil.roster", entry())
    hub.give("medical.settlement", bill("b1", 250_000))
    assert hub.evaluate() == []
    hub.tick(TODAY)
    assert ("R01", "standing", "") in said(hub.evaluate())
    hub.close()


def test_what_stands_in_kafka_is_adopted_and_only_the_difference_published(trial: Trial) -> None:
    trial.give("civil.roster", entry())
    trial.give("civil.household", frame_of("civil.household", [row("m1", household_key="h", head=True)]))
    trial.give("medical.settlement", bill("b1", 250_000))
    stage, con = trial.stages[0], trial.connections[0]
    stamp = Stamp("persons", 0, 1, 1, LATE, False, "")
    published = stage.evaluate(con, stamp)
    other = Trial(BOOK)
    other.cover(*(t.name for t in DEPARTMENT_TOPICS))
    other.tick(TODAY)
    new, fresh = other.stages[0], other.connections[0]
    stale = frame_of(
        "hub.condition",
        [
            {
                **published["hub.condition"].row(0, named=True),
                "condition_id": "R02:Z:2026",
                "rule": "R02",
                "subject_key": "Z",
            }
        ],
    )
    new.adopt(fresh, "hub.condition", pl.concat([published["hub.condition"], stale]))
    new.adopt(fresh, "hub.member", published["hub.member"])
    other.give("civil.roster", entry())
    other.give("civil.household", frame_of("civil.household", [row("m1", household_key="h", head=True)]))
    other.give("medical.settlement", bill("b1", 250_000))
    out = new.evaluate(fresh, stamp, everybody=True)
    assert out["hub.condition"].select("rule", "subject_key", "state", "cause").rows() == [
        ("R02", "Z", "ended", "corrected")
    ]
    assert out["hub.member"].is_empty()
    other.close()


def test_a_rule_that_is_withdrawn_ends_as_lapsed(trial: Trial) -> None:
    trial.give("medical.settlement", bill("b1", 1_600_000))
    assert said(trial.evaluate()) == {("R04", "standing", "")}
    rest = type(BOOK)(
        {k: r for k, r in BOOK.rules.items() if k != "R04"}, BOOK.parameters, BOOK.shapes, BOOK.columns, "x"
    )
    stage = PersonStage(rest)
    out = stage.evaluate(trial.connections[0], Stamp("persons", 0, 1, 9, LATE, False, ""), everybody=True)
    assert out["hub.condition"].select("rule", "state", "cause").rows() == [("R04", "ended", "lapsed")]


def test_one_record_id_of_two_sources_says_one_thing(trial: Trial) -> None:
    trial.give("civil.roster", entry(tier="dibao"))
    trial.give("civil.roster", entry(tier="tekun", source="other"))
    first = [r for r in trial.evaluate() if r["rule"] == "R09"]
    assert [r["state"] for r in first] == ["standing"]
    trial.give("medical.settlement", bill("b1", 5))
    assert trial.evaluate() == []


def test_unknown_is_counted_and_neither_stands_nor_ends() -> None:
    hub = Trial(BOOK)
    hub.tick(TODAY)
    hub.give("medical.settlement", bill("b1", 1_600_000))
    assert hub.evaluate() == []
    assert hub.unknown() == {"R04": 1}
    hub.cover("civil.roster", prefix="990102")
    assert hub.evaluate() == []
    hub.cover("civil.roster", prefix="990101")
    assert said(hub.evaluate()) == {("R04", "standing", "")}
    assert hub.unknown() == {}
    hub.close()


def test_a_missing_division_is_that_of_the_installation() -> None:
    hub = Trial(BOOK, division_default="990101")
    hub.cover("civil.roster", prefix="9901")
    hub.tick(TODAY)
    hub.give("medical.settlement", bill("b1", 1_600_000, division=""))
    assert [r["division"] for r in hub.evaluate()] == ["990101"]
    hub.close()


@pytest.mark.parametrize("insurance", [None, "resident_pension", "unemployment"])
def test_any_relation_of_social_insurance_says_where_someone_lives(insurance: str | None) -> None:
    trial = Trial(BOOK)
    trial.cover("education.enrolment", prefix="9901")
    trial.tick(TODAY)
    card = row("c1", division="", category=4, grade=4, status="active", born_on=date(2016, 5, 1))
    trial.give("disability.card", frame_of("disability.card", [card]))
    assert trial.evaluate() == []
    assert trial.unknown().get("R18") == 1
    trial.give(
        "employment.contribution",
        frame_of("employment.contribution", [row("r1", insurance=insurance, last_paid_on=TODAY)]),
    )
    assert [(r["division"], r["rule"]) for r in trial.evaluate()] == [(DIVISION, "R18")]
    trial.close()


def test_a_guardian_learns_of_a_severely_disabled_ward(trial: Trial) -> None:
    trial.give("civil.household", frame_of("civil.household", [row("m1", person="G", household_key="h", head=True)]))
    trial.give(
        "disability.card",
        frame_of("disability.card", [row("c1", person="W", category=4, grade=1, status="active", guardian_key="G")]),
    )
    trial.evaluate()
    wards = "select wards_severe from published_hub_member where person_key = 'G'"
    assert trial.connections[0].execute(wards).fetchall() == [(1,)]
    trial.give(
        "disability.card",
        frame_of(
            "disability.card",
            [row("c1", person="W", version=2, category=4, grade=1, status="active", guardian_key="other")],
        ),
    )
    trial.evaluate()
    assert trial.connections[0].execute(wards).fetchall() == [(0,)]


def pupil(version: int = 1, guardian: str = "G") -> pl.DataFrame:
    fields = {"stage": "primary", "status": "enrolled", "enrolled_on": date(2025, 9, 1), "guardian_key": guardian}
    return frame_of("education.enrolment", [row("s1", person="W", version=version, **fields)])


@pytest.mark.parametrize("late", ["guardian", "ward"])
def test_a_guardians_tier_reaches_the_ward_in_either_order(trial: Trial, late: str) -> None:
    listed = frame_of("civil.roster", [row("e1", person="G", tier="dibao", status="active", start_on=TODAY)])
    given = [("education.enrolment", pupil()), ("civil.roster", listed)]
    for topic, frame in given if late == "guardian" else reversed(given):
        trial.give(topic, frame)
        trial.evaluate()
    stands = (
        "select subject, json_extract_string(evidence, '$.guardian_tier') from verdict where holds and rule = 'R19'"
    )
    assert trial.connections[0].execute(stands).fetchall() == [("W", "dibao")]
    stage, con = trial.stages[0], trial.connections[0]
    again = stage.evaluate(con, Stamp("persons", 0, 1, 9, LATE, False, ""), everybody=True)
    assert {topic: frame.height for topic, frame in again.items()} == dict.fromkeys(stage.outputs, 0)


def test_a_ward_that_names_another_guardian_is_told_so_by_the_former(trial: Trial) -> None:
    for person in ("G", "other"):
        record = row(f"e{person}", person=person, tier="dibao", status="active", start_on=TODAY)
        trial.give("civil.roster", frame_of("civil.roster", [record]))
    # A circle of guardians comes to an end as well: each forwards its own tier, never one forwarded to it.
    card = row("c1", person="G", category=4, grade=3, status="active", guardian_key="W")
    trial.give("disability.card", frame_of("disability.card", [card]))
    trial.give("education.enrolment", pupil())
    trial.evaluate()
    said = "select person_key, other_key, tier from published_hub_relation where relation = 'ward'"
    assert trial.connections[0].execute(said).fetchall() == [("W", "G", "dibao")]
    trial.give("education.enrolment", pupil(version=2, guardian="other"))
    trial.evaluate()
    assert trial.connections[0].execute(said).fetchall() == [("W", "other", "dibao")]


def test_no_fact_that_a_rule_may_name_holds_a_date_of_birth() -> None:
    for shape in BOOK.shapes.values():
        assert shape.stage in ("persons", "households")
    named = {column for name, shape in BOOK.shapes.items() for column in facts.columns(shape.stage)[name]}
    assert "age" in named
    assert "born_on" not in named | BOOK.columns.keys()


def test_leaving_a_household_is_published_once(trial: Trial) -> None:
    membership = {"household_key": "h", "head": True}
    trial.give("civil.household", frame_of("civil.household", [row("m1", **membership)]))
    stage, con = trial.stages[0], trial.connections[0]
    stamp = Stamp("persons", 0, 1, 1, LATE, False, "")
    assert stage.evaluate(con, stamp)["hub.member"].select("household_key", "present").rows() == [("h", True)]
    trial.give("civil.household", frame_of("civil.household", [row("m1", version=2, left_on=TODAY, **membership)]))
    assert stage.evaluate(con, stamp)["hub.member"].select("household_key", "present").rows() == [("h", False)]
    assert stage.evaluate(con, stamp, everybody=True)["hub.member"].is_empty()


def test_more_than_a_few_subjects_say_the_same_as_one_by_one(trial: Trial) -> None:
    people = [f"P{n:04}" for n in range(1200)]
    trial.give(
        "civil.roster",
        frame_of(
            "civil.roster",
            [row(f"e{p}", person=p, tier="dibao", status="active", start_on=date(2025, 1, 1)) for p in people[::2]],
        ),
    )
    trial.give(
        "medical.settlement",
        frame_of(
            "medical.settlement",
            [row(f"b{p}", person=p, setl_time=EARLY, psn_part_amt_fen=n * 2_000) for n, p in enumerate(people)],
        ),
    )
    together = said_of(trial.evaluate())
    expected = {("R02", p) for n, p in enumerate(people) if n % 2 == 0 and n * 2_000 > 500_000}
    expected |= {("R04", p) for n, p in enumerate(people) if n % 2 and n * 2_000 > 1_500_000}
    expected |= {(rule, p) for p in people[::2] for rule in ("R09", "R11")}
    assert together == expected


def said_of(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(r["rule"], r["subject_key"]) for r in rows if r["state"] == "standing"}


def test_a_file_from_before_a_view_had_a_column_publishes_it_then(tmp_path: Path) -> None:
    trial = Trial(BOOK, folder=tmp_path)
    trial.tick(TODAY)
    trial.give("civil.household", frame_of("civil.household", [row("m1", household_key="h1", head=True)]))
    trial.evaluate()
    trial.connections[0].execute("alter table published_hub_member drop column in_work")
    trial.restart()
    stage, con = trial.stages[0], trial.connections[0]
    found = stage.evaluate(con, trial._stamp("persons"), everybody=True)["hub.member"]
    assert found["in_work"].to_list() == [False]
    assert stage.evaluate(con, trial._stamp("persons"), everybody=True)["hub.member"].is_empty()
    trial.close()
