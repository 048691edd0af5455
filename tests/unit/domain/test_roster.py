"""The roster as history: who was in which tier on a day, what was known then; and what becomes of a tier's members."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count, product
from typing import Any

import polars as pl
import pytest

from domain import roster
from domain.divisions import Reach
from domain.explain import sentence
from domain.parameters import Value
from domain.rules import RuleBook, RuleError, load
from domain.trial import Trial, frame_of
from schemas.topics import DEPARTMENT_TOPICS

BOOK = load()
VERSIONS = count(1)
TOWN, OTHER = "990101001001", "990102001001"
FIRST = date(2026, 1, 2)


def record(topic: str, who: str, record_id: str, known: date = FIRST, **fields: Any) -> tuple[str, dict[str, Any]]:
    """A version of a record, published at noon of the day ``known``, local time."""
    at = datetime(known.year, known.month, known.day, 4, tzinfo=UTC)
    version = next(VERSIONS)
    envelope = {"event_id": str(version), "source": "s", "source_epoch": 1, "record_version": version, "op": "create"}
    times = {"occurred_at": at, "published_at": at}
    return topic, {**envelope, **times, "person_key": who, "record_id": record_id, "division": TOWN, **fields}


def entry(who: str, record_id: str, tier: str, known: date = FIRST, **fields: Any) -> tuple[str, dict[str, Any]]:
    return record(
        "civil.roster",
        who,
        record_id,
        known,
        **{"tier": tier, "status": "active", "start_on": date(2025, 1, 1), **fields},
    )


def given(trial: Trial, *records: tuple[str, dict[str, Any]], known: date | None = None) -> Trial:
    for topic, row in records:
        frame = frame_of(topic, [row])
        trial.give(topic, roster.known_by(frame, known) if known else frame)
    return trial


@pytest.fixture
def trial() -> Iterator[Trial]:
    hub = Trial(BOOK)
    yield hub
    hub.close()


def standing(trial: Trial, on: date) -> list[tuple[str, str, str, str]]:
    rows = roster.history(trial, on)
    return rows.select("person_key", "tier", "entry", "standing").rows()


def test_two_tiers_a_change_of_tier_and_a_refusal(trial: Trial) -> None:
    given(
        trial,
        entry("A", "a1", "jiance"),
        entry("A", "a2", "dibao", start_on=date(2026, 3, 1)),
        entry("B", "b1", "dibao", status="exited", end_on=date(2026, 4, 1)),
        entry("B", "b2", "bianyuan", start_on=date(2026, 4, 1)),
        entry("C", "c1", "bianyuan", status="refused", start_on=date(2026, 2, 1)),
    )
    assert standing(trial, date(2024, 12, 31)) == []
    assert standing(trial, date(2026, 2, 28)) == [
        ("A", "jiance", "a1", "held"),
        ("B", "dibao", "b1", "held"),
        ("C", "bianyuan", "c1", "refused"),
    ]
    assert standing(trial, date(2026, 3, 31)) == [
        ("A", "dibao", "a2", "held"),
        ("A", "jiance", "a1", "held"),
        ("B", "dibao", "b1", "held"),
        ("C", "bianyuan", "c1", "refused"),
    ]
    assert standing(trial, date(2026, 4, 1))[2:4] == [("B", "dibao", "b1", "left"), ("B", "bianyuan", "b2", "held")]


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2026-05-31", "held"), ("2026-06-01", "tapering"), ("2027-05-31", "tapering"), ("2027-06-01", "left")],
)
def test_who_tapers_off_counts_until_the_taper_ends(trial: Trial, day: str, expected: str) -> None:
    left = {"status": "exited", "end_on": date(2026, 6, 1), "taper_until": date(2027, 6, 1)}
    given(trial, entry("A", "a1", "dibao", **left))
    rows = roster.history(trial, date.fromisoformat(day))
    assert rows["standing"].to_list() == [expected]
    assert rows["to"].to_list() == [date(2027, 6, 1)]
    assert roster.counts(rows) == ([] if expected == "left" else [("dibao", TOWN[:9], 1)])


def test_an_entry_again_after_it_was_left_is_one_row(trial: Trial) -> None:
    given(
        trial,
        entry("A", "a1", "dibao", start_on=date(2026, 5, 1)),
        entry("A", "a2", "dibao", status="exited", end_on=date(2026, 2, 1)),
    )
    assert standing(trial, date(2026, 3, 1)) == [("A", "dibao", "a2", "left")]
    assert standing(trial, date(2026, 6, 1)) == [("A", "dibao", "a1", "held")]


def test_what_was_known_then_differs_from_what_is_known_now() -> None:
    story = (
        entry("A", "a1", "dibao", date(2026, 1, 2)),
        # recorded in May: left since March
        entry("A", "a1", "dibao", date(2026, 5, 10), status="exited", end_on=date(2026, 3, 1)),
        # recorded in June: was in the tier since February
        entry("B", "b1", "bianyuan", date(2026, 6, 1), start_on=date(2026, 2, 1)),
        # recorded in April and found to be wrong in July
        entry("C", "c1", "qita", date(2026, 4, 1)),
        entry("C", "c1", "qita", date(2026, 7, 1), op="delete"),
    )
    on = date(2026, 4, 15)
    answers = {}
    for known in (date(2026, 1, 1), on, date(2026, 5, 10), None):
        trial = given(Trial(BOOK), *story, known=known)
        answers[known] = standing(trial, on)
        trial.close()
    assert answers[date(2026, 1, 1)] == []
    assert answers[on] == [("A", "dibao", "a1", "held"), ("C", "qita", "c1", "held")]
    assert answers[date(2026, 5, 10)] == [("A", "dibao", "a1", "left"), ("C", "qita", "c1", "held")]
    assert answers[None] == [("A", "dibao", "a1", "left"), ("B", "bianyuan", "b1", "held")]


def test_a_day_ends_at_midnight_in_china() -> None:
    topic, row = entry("A", "a1", "dibao")
    before, after = datetime(2026, 5, 10, 15, 59, tzinfo=UTC), datetime(2026, 5, 10, 16, tzinfo=UTC)
    rows = frame_of(topic, [{**row, "published_at": before}, {**row, "published_at": after}])
    assert roster.known_by(rows, date(2026, 5, 10))["published_at"].to_list() == [before]


def test_a_row_names_the_version_that_says_so(trial: Trial) -> None:
    given(trial, entry("A", "a1", "dibao"), entry("A", "a1", "dibao", date(2026, 5, 10), division=OTHER))
    (row,) = roster.history(trial, date(2026, 6, 1)).iter_rows(named=True)
    assert (str(row["published_at"]), row["offset"], row["division"]) == ("2026-05-10 04:00:00", 1, OTHER)


# ---------------------------------------------------------------------- the tier is abolished


def book(*values: Value) -> RuleBook:
    """The rule book shipped, with further values of what the law has."""
    kept = BOOK.parameters["tier_kept"]
    changed = kept.model_copy(update={"values": (*values, *kept.values)})
    return RuleBook(BOOK.rules, {**BOOK.parameters, kept.id: changed}, BOOK.shapes, BOOK.columns, "")


def test_on_the_day_nobody_is_in_the_tier_any_more_in_its_region_only() -> None:
    on = date(2026, 7, 1)
    law = book(Value(value=0, from_=on, region="9901", tiers=("jiance",), product_default=True))
    here = entry("A", "a1", "jiance", division="990101001001")
    there = entry("B", "b1", "jiance", division="990201001001")
    nowhere = entry("C", "c1", "jiance", division="")
    for day, expected in ((on - timedelta(days=1), ["held"] * 3), (on, ["abolished", "held", "abolished"])):
        trial = given(Trial(law, "990101"), here, there, nowhere)
        assert roster.history(trial, day)["standing"].to_list() == expected
        trial.cover("civil.roster", "medical.insurance")
        trial.tick(day)
        trial.evaluate()
        with trial.stages[0].facts_of(trial.connections[0], ["A", "B", "C"], "990101"):
            tiers = trial.connections[0].execute("select tier, on_roster from person order by person_key").fetchall()
        assert tiers == [("jiance", True) if e == "held" else ("", False) for e in expected]
        trial.close()


def test_the_tiers_of_a_day_of_death_are_those_of_the_law_of_that_day() -> None:
    on = date(2026, 7, 1)
    law = book(Value(value=0, from_=on, tiers=("dibao",), product_default=True))
    trial = given(
        Trial(law),
        entry("A", "a1", "dibao"),
        entry("B", "b1", "dibao"),
        record("vital.life_event", "A", "d1", event="death", event_on=on - timedelta(days=1)),
        record("vital.life_event", "B", "d2", event="death", event_on=on),
    )
    trial.cover("civil.benefit")
    trial.tick(on)
    found = [(r["rule"], r["subject_key"]) for r in trial.evaluate() if r["rule"] == "R32F"]
    trial.close()
    assert found == [("R32F", "A")]


def test_by_default_the_tier_ends_with_2030(trial: Trial) -> None:
    given(trial, entry("A", "a1", "jiance"))
    assert standing(trial, date(2030, 12, 31)) == [("A", "jiance", "a1", "held")]
    assert standing(trial, date(2031, 1, 1)) == [("A", "jiance", "a1", "abolished")]


# ---------------------------------------------------------------------- reclassification

ON = date(2026, 7, 1)


def reclassified(*records: tuple[str, dict[str, Any]], uncovered: tuple[str, ...] = ()) -> dict[str, roster.Member]:
    law = roster.abolishing(BOOK, ON)
    trial = given(Trial(law), *records)
    rows = roster.history(trial, ON)
    trial.cover(*(topic.name for topic in DEPARTMENT_TOPICS if topic.name not in uncovered))
    trial.tick(ON)
    trial.evaluate()
    found = roster.reclassify(trial, rows)
    trial.close()
    assert [m.person_key for m in found] == sorted({m.person_key for m in found})
    return {m.person_key: m for m in found}


def check(who: str, income: int | None, **more: Any) -> tuple[str, dict[str, Any]]:
    fields = {"authorisation": "SQ1", "checked_on": date(2026, 6, 1), "assets_ok": True, "income_month_fen": income}
    return record("civil.check", who, f"k{who}", **{**fields, **more})


def bill(who: str, fen: int, record_id: str = "b1") -> tuple[str, dict[str, Any]]:
    at = datetime(2026, 3, 1, 4, tzinfo=UTC)
    fields = {"setl_time": at, "psn_part_amt_fen": fen, "vali_flag": "1"}
    return record("medical.settlement", who, record_id, **fields)


def home(who: str, house: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return record("civil.household", who, f"m{who}", household_key=house, **more)


def test_the_tier_that_a_member_is_in_already_is_the_new_one() -> None:
    found = reclassified(
        entry("A", "a1", "jiance"),
        entry("A", "a2", "bianyuan"),
        entry("A", "a3", "dibao"),
        check("A", 1),
        entry("B", "b1", "jiance"),
        entry("B", "b2", "dibao", status="exited", end_on=ON),
        entry("C", "c1", "dibao"),
        entry("D", "d1", "jiance", status="exited", end_on=ON),
        entry("E", "e1", "jiance", status="refused"),
        entry("F", "f1", "jiance", start_on=ON + timedelta(days=1)),
    )
    assert {who: (m.tier, m.basis, m.entry, m.rules) for who, m in found.items()} == {
        "A": ("dibao", "held", "a1", ()),
        "B": ("", "none", "b1", ()),
    }
    assert found["A"].zh == "已是低保对象（登记a3，2025-01-01起）；已是低保边缘家庭成员（登记a2，2025-01-01起）"
    assert found["A"].en.startswith("already in the tier: minimum living allowance (entry a3, since 2025-01-01); ")


def test_a_check_of_means_proposes_the_tier_of_its_income() -> None:
    found = reclassified(
        entry("A", "a1", "jiance"),
        check("A", 59_999),
        entry("B", "b1", "jiance"),
        check("B", 60_000),
        entry("C", "c1", "jiance"),
        check("C", 89_999),
        bill("C", 1_500_001),
        entry("D", "d1", "jiance"),
        check("D", 90_000),
    )
    assert {who: (m.tier, m.basis, m.rules) for who, m in found.items()} == {
        "A": ("dibao", "proposed", ("R39",)),
        "B": ("bianyuan", "proposed", ("R39",)),
        "C": ("bianyuan", "proposed", ("R39", "R04")),
        "D": ("", "none", ()),
    }
    assert "599.99元" in found["A"].zh
    assert "899.99 yuan" in found["C"].en
    assert "R39 核对结果符合低保边缘条件：不符合" in found["D"].zh
    assert "900.00元" in found["D"].zh
    assert "R04 非在册人员年度医疗自付超过预警线：没有个人年度医疗费用的记录" in found["D"].zh
    assert "nothing on record (A person's medical bills of one year)" in found["D"].en


def test_expenses_of_the_person_or_the_household_propose_unavoidable_expenditure() -> None:
    found = reclassified(
        entry("A", "a1", "jiance"),
        bill("A", 1_500_001),
        entry("B", "b1", "jiance"),
        bill("B", 1_500_000),
        entry("C", "c1", "jiance"),
        home("C", "h1"),
        home("X", "h1"),
        bill("C", 1_300_000),
        bill("X", 1_200_001),
        entry("D", "d1", "jiance"),
        home("D", "h2"),
        bill("D", 1_300_000),
    )
    assert {who: (m.tier, m.rules) for who, m in found.items()} == {
        "A": ("gangxing", ("R04",)),
        "B": ("", ()),
        "C": ("gangxing", ("H01",)),
        "D": ("", ()),
    }
    assert "H01 家庭年度医疗自付超过预警线：不符合" in found["D"].zh
    assert "H01 Household's yearly medical self-pay beyond the line: nothing on record" in found["B"].en


def test_a_household_unable_to_work_and_without_livelihood_is_proposed_for_state_care() -> None:
    found = reclassified(
        entry("A", "a1", "jiance"),
        home("A", "h1", born_on=date(1950, 1, 1)),
        check("A", 50_000),
        entry("B", "b1", "jiance"),
        home("B", "h2", born_on=date(1950, 1, 1)),
        home("Y", "h2", born_on=date(1990, 1, 1)),
        check("B", 50_000),
    )
    assert {who: (m.tier, m.rules) for who, m in found.items()} == {
        "A": ("tekun", ("R17", "R39")),
        "B": ("dibao", ("R39",)),
    }


def test_a_reason_says_what_fails_and_what_nobody_can_say() -> None:
    found = reclassified(
        entry("A", "a1", "jiance"),
        check("A", 50_000, assets_ok=False),
        entry("B", "b1", "jiance"),
        check("B", None),
        entry("C", "c1", "jiance"),
        check("C", 50_000),
        record("vital.life_event", "C", "d1", event="death", event_on=date(2026, 6, 20)),
    )
    assert all(m.basis == "none" for m in found.values())
    assert "不符合“财产符合规定”（财产符合规定：否）" in found["A"].zh
    assert "not met “Assets within the limits” (Assets within the limits: no)" in found["A"].en
    assert "无法确认“" in found["B"].zh
    assert "家庭人均月收入：未知" in found["B"].zh
    assert "不符合“在世”（在世：否）" in found["C"].zh


def test_where_no_feed_covers_the_place_the_reason_is_that_nobody_can_say() -> None:
    found = reclassified(entry("A", "a1", "jiance"), check("A", 50_000), uncovered=("civil.roster",))
    assert found["A"].basis == "none"
    assert "无法确认“非 在册”（在册：未知）" in found["A"].zh
    assert "nobody can say “not On the roster today” (On the roster today: unknown)" in found["A"].en


def test_a_book_that_does_not_say_which_tiers_there_are_is_refused() -> None:
    rest = {name: p for name, p in BOOK.parameters.items() if name != "tier_kept"}
    with pytest.raises(RuleError, match="tier_kept"):
        roster.abolishing(RuleBook(BOOK.rules, rest, BOOK.shapes, BOOK.columns, ""), ON)


def test_counts_are_by_tier_in_their_order_and_by_town(trial: Trial) -> None:
    given(
        trial,
        entry("A", "a1", "qita"),
        entry("B", "b1", "dibao", division="990101002001"),
        entry("C", "c1", "dibao"),
        entry("D", "d1", "dibao", division="990101002002"),
    )
    rows: pl.DataFrame = roster.history(trial, date(2026, 6, 1))
    assert roster.counts(rows) == [("dibao", "990101001", 1), ("dibao", "990101002", 2), ("qita", "990101001", 1)]


# ---------------------------------------------------------------------- re-certification

DAY = date(2026, 6, 30)


def calendar(trial: Trial, until: date = date(2026, 9, 30), place: str = "") -> pl.DataFrame:
    return roster.calendar(
        trial.connections[0], trial.stages[0], DAY, until, Reach.parse(place), trial.division_default
    )


def due(trial: Trial) -> list[tuple[Any, ...]]:
    return calendar(trial).select("entry", "why", "month", "due_on").rows()


def test_overdue_first_then_by_day_undated_last(trial: Trial) -> None:
    given(
        trial,
        entry("A", "a1", "dibao", verified_on=date(2025, 8, 1)),  # 365 days
        entry("B", "b1", "gangxing", verified_on=date(2026, 1, 30)),  # 183 days
        entry("C", "c1", "dibao", verified_on=date(2025, 6, 29)),
        entry("D", "d1", "dibao", verified_on=date(2025, 6, 30)),  # today
        entry("E", "e1", "dibao"),
        entry("F", "f1", "dibao", verified_on=date(2025, 10, 1)),  # the day after the span
        entry("G", "g1", "dibao", verified_on=date(2025, 9, 30)),  # its last day
        entry("H", "h1", "dibao", verified_on=date(2025, 1, 1), status="exited", end_on=date(2026, 6, 1)),
        entry("I", "i1", "dibao", verified_on=date(2025, 1, 1), status="refused"),
    )
    assert due(trial) == [
        ("c1", "period", "overdue", date(2026, 6, 29)),
        ("d1", "period", "2026-06", date(2026, 6, 30)),
        ("a1", "period", "2026-08", date(2026, 8, 1)),
        ("b1", "period", "2026-08", date(2026, 8, 1)),
        ("g1", "period", "2026-09", date(2026, 9, 30)),
        ("e1", "period", "undated", None),
    ]
    rows = calendar(trial)
    assert roster.due(rows) == [
        ("overdue", "dibao", TOWN[:9], 1),
        ("2026-06", "dibao", TOWN[:9], 1),
        ("2026-08", "dibao", TOWN[:9], 1),
        ("2026-08", "gangxing", TOWN[:9], 1),
        ("2026-09", "dibao", TOWN[:9], 1),
        ("undated", "dibao", TOWN[:9], 1),
    ]


def test_a_calendar_is_of_a_place(trial: Trial) -> None:
    verified = {"verified_on": date(2025, 6, 29)}
    given(
        trial,
        entry("A", "a1", "dibao", **verified),
        entry("B", "b1", "dibao", division="990101002001", **verified),
        entry("C", "c1", "dibao", division="", **verified),  # a record that names no place is in the hub's own
        entry("D", "d1", "dibao", division="990101003002", **verified),
    )
    assert calendar(trial, place="990101002")["entry"].to_list() == ["b1"]
    assert calendar(trial, place=TOWN[:9])["entry"].to_list() == ["a1"]
    assert calendar(trial, place=trial.division_default)["entry"].to_list() == ["a1", "b1", "c1", "d1"]
    assert calendar(trial, place="990101 -990101003 -990101002 990101002001")["entry"].to_list() == ["a1", "b1"]
    assert roster.month_end(date(2026, 11, 30), 3) == date(2027, 1, 31)
    assert roster.month_end(date(2026, 6, 30), 1) == date(2026, 6, 30)


def test_a_taper_is_rechecked_before_it_ends(trial: Trial) -> None:
    left = {"status": "exited", "end_on": date(2026, 1, 1)}
    given(
        trial,
        entry("A", "a1", "dibao", verified_on=date(2026, 6, 1), taper_until=date(2026, 8, 1), **left),
        entry("B", "b1", "dibao", verified_on=date(2026, 7, 2), taper_until=date(2026, 8, 1), **left),  # 30 days before
        entry("C", "c1", "dibao", verified_on=date(2026, 5, 1), taper_until=date(2026, 6, 1)),  # over, and still held
        entry("D", "d1", "dibao", taper_until=date(2026, 7, 15), **left),
    )
    assert due(trial) == [
        ("c1", "taper", "overdue", date(2026, 6, 1)),
        ("d1", "taper", "2026-07", date(2026, 7, 15)),
        ("a1", "taper", "2026-08", date(2026, 8, 1)),
        ("d1", "period", "undated", None),
    ]


def test_a_class_counts_before_the_tier(trial: Trial) -> None:
    verified = {"verified_on": date(2025, 12, 30)}
    for n, review_class in enumerate(("A", "B", "C", None, "D", "c")):
        given(trial, entry(f"P{n}", f"e{n}", "dibao", review_class=review_class, **verified))
        given(trial, entry(f"Q{n}", f"f{n}", "gangxing", review_class=review_class, **verified))
    rows = calendar(trial, date(2026, 12, 31)).sort("entry").select("entry", "review_class", "due_on").rows()
    year, half = date(2026, 12, 30), date(2026, 7, 1)
    assert rows == [
        *(("e0", "A", year), ("e1", "B", year), ("e2", "C", half)),
        *(("e3", "", year), ("e4", "", year), ("e5", "", year)),
        *(("f0", "A", year), ("f1", "B", year), ("f2", "C", half)),
        *(("f3", "", half), ("f4", "", half), ("f5", "", half)),
    ]


PERIODS = {"A": 200, "B": 150, "C": 100}
"""Days of each class in a county of its own."""


def with_periods() -> RuleBook:
    """The rule book shipped, with each class's own period in one place from a day on."""
    parameters = dict(BOOK.parameters)
    for name, days in PERIODS.items():
        given_ = parameters[f"recertify_class_{name.lower()}_days"]
        own = Value(value=days, from_=date(2026, 1, 1), region=TOWN[:6], product_default=True)
        parameters[given_.id] = given_.model_copy(update={"values": (*given_.values, own)})
    return RuleBook(BOOK.rules, parameters, BOOK.shapes, BOOK.columns, "")


def test_an_entry_of_each_class_is_due_on_the_day_that_the_rule_first_stands() -> None:
    national = {"A": 365, "B": 365, "C": 183}
    trial, due_on = Trial(with_periods()), {}
    for n, (review_class, place, tier) in enumerate(
        product((None, "A", "B", "C", "D"), (TOWN, "990201001001"), ("dibao", "jiance"))
    ):
        of_tier = 183 if tier == "jiance" else 365
        days = (PERIODS if place == TOWN else national).get(review_class or "", of_tier)
        due_on[f"e{n}"] = date(2026, 6, 1) + timedelta(days=days)
        said = {"division": place, "review_class": review_class, "verified_on": date(2026, 6, 1)}
        given(trial, entry(f"P{n}", f"e{n}", tier, **said))
    assert dict(calendar(trial, date(2027, 12, 31)).select("entry", "due_on").rows()) == due_on
    assert len(set(due_on.values())) == len({*PERIODS.values(), *national.values()})
    for day in sorted({d - timedelta(days=back) for d in due_on.values() for back in (0, 1)}):
        trial.tick(day)
        trial.evaluate()
        found = trial.connections[0].execute("select episode from verdict where rule = 'R30V' and holds").fetchall()
        assert {e for (e,) in found} == {e for e, d in due_on.items() if d <= day}, day
    trial.close()


def test_a_change_of_class_ends_and_begins_the_same_condition(trial: Trial) -> None:
    said = []
    trial.tick(DAY)
    for review_class in ("C", "A", "C", None):
        given(trial, entry("A", "a1", "dibao", review_class=review_class, verified_on=date(2025, 12, 1)))
        said += [(r["state"], r["cause"], r["condition_id"]) for r in trial.evaluate() if r["rule"] == "R30V"]
    (name,) = {condition for _, _, condition in said}
    assert name.endswith(":a1")
    assert [(state, cause) for state, cause, _ in said] == [
        *(("standing", ""), ("ended", "fulfilled")) * 2,
    ]


def test_the_sentence_is_right_with_a_class_and_without(trial: Trial) -> None:
    given(
        trial,
        entry("A", "a1", "dibao", review_class="C", verified_on=date(2025, 12, 1)),
        entry("B", "b1", "jiance", verified_on=date(2025, 12, 1)),
    )
    trial.tick(DAY)
    of = {r["subject_key"]: (r["evidence"], r["thresholds"]) for r in trial.evaluate() if r["rule"] == "R30V"}
    rule = BOOK.rules["R30V"]
    assert sentence(BOOK, rule, *of["A"], "zh") == (
        "低保对象（分类复核类别：C）上次复核2025-12-01，复核间隔（A类365天、B类365天、C类183天、未分类365天）已满，"
        "请复核家庭情况。"
    )
    assert sentence(BOOK, rule, *of["B"], "zh").startswith("防止返贫监测对象（分类复核类别：无）上次复核2025-12-01，")
    assert "未分类183天）已满" in sentence(BOOK, rule, *of["B"], "zh")
    assert " (review class: C): last re-certified on 2025-12-01, " in sentence(BOOK, rule, *of["A"], "en")
    assert sentence(BOOK, rule, *of["B"], "en").endswith(
        " (review class: none): last re-certified on 2025-12-01, and the period is over (class A 365 days, B 365 days, "
        "C 183 days, without a class 183 days). Review the family's situation."
    )


def test_the_calendar_says_when_the_rules_will(trial: Trial) -> None:
    """On the day that the calendar names R30V stands, and the day before it does not; R30T stands on its own day."""
    tiers = ("tekun", "dibao", "bianyuan", "gangxing", "jiance", "qita")
    classes = (None, "A", "C", "B", "D")
    for n in range(36):
        verified = None if n % 7 == 6 else date(2025, 5, 1) + timedelta(days=13 * n)
        tapers = date(2026, 6, 15) + timedelta(days=5 * n) if n % 3 == 0 else None
        said = {"review_class": classes[n % 5], "verified_on": verified, "taper_until": tapers}
        given(trial, entry(f"P{n}", f"e{n}", tiers[n % 6], **said))
    rows = calendar(trial, date(2026, 12, 31)).filter(pl.col("due_on").is_not_null())
    periods, tapers_ = (dict(rows.filter(why=why).select("entry", "due_on").rows()) for why in ("period", "taper"))
    assert min(len(periods), len(tapers_)) > 5
    days = sorted({d for d in periods.values() if d > DAY})[:6]
    for day in sorted({d - timedelta(days=back) for d in days for back in (0, 1)} | {DAY}):
        trial.tick(day)
        trial.evaluate()
        standing_ = trial.connections[0].execute("select rule, episode from verdict where holds").fetchall()
        assert {e for r, e in standing_ if r == "R30V"} == {e for e, d in periods.items() if d <= day}, day
        near = {e for e, d in tapers_.items() if d - day <= timedelta(days=30)}
        assert {e for r, e in standing_ if r == "R30T"} & tapers_.keys() == near, day
