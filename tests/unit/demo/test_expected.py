"""The oracle itself, against small tables whose answers were worked out by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain.persons import check_digit
from doudi.demo import expected

TODAY = date(2026, 11, 22)
MANY = (
    "99010119700101001X",
    "990101197001010028",
    "990101197001010036",
    "990101197001010044",
    "990101197001010052",
    "990101197001010060",
    "990101197001010079",
    "990101197001010087",
)
A, B, C, D = "990101196001010015", "990101196001010023", "990101196001010031", "99010119600101004X"


def tables(**rows: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    """All tables, empty except for the rows given; columns left out are null."""
    return {
        name: pl.DataFrame(rows.get(name, []), schema=schema, orient="row") for name, schema in expected.SCHEMAS.items()
    }


def bill(id_number: str, amount: str, day: str = "2026-03-01", **more: Any) -> dict[str, Any]:
    return {
        "setl_id": f"S{day}{amount}",
        "certno": id_number,
        "local_day": date.fromisoformat(day),
        "psn_part_amt": amount,
        **more,
    }


def entry(id_number: str, tier: str, start: str = "2025-01-01", end: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "entry_id": f"E{tier}{start}",
        "id_number": id_number,
        "tier_code": tier,
        "status": "active",
        "start_date": date.fromisoformat(start),
        "end_date": end and date.fromisoformat(end),
        "deleted": False,
        **more,
    }


def application(id_number: str, state: str, day: str, house: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "apply_no": f"A{id_number}{day}",
        "id_number": id_number,
        "household_no": house,
        "apply_date": date.fromisoformat(day),
        "state": state,
        "deleted": False,
        **more,
    }


def aid(id_number: str, day: str, **more: Any) -> dict[str, Any]:
    return {
        "benefit_id": f"B{day}",
        "id_number": id_number,
        "benefit_code": "temporary_aid",
        "status": "paid",
        "granted_on": date.fromisoformat(day),
        "deleted": False,
        **more,
    }


def gift(id_number: str, code: str, start: str = "2026-01-01", end: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "benefit_id": f"B{code}",
        "id_number": id_number,
        "benefit_code": code,
        "status": "active",
        "start_on": date.fromisoformat(start),
        "end_on": end and date.fromisoformat(end),
        "deleted": False,
        **more,
    }


def mark(id_number: str, tier: str, begin: str = "2026-01-01", end: str | None = None) -> dict[str, Any]:
    return {
        "psn_no": f"P{tier}",
        "certno": id_number,
        "psn_idet_type": tier,
        "idet_begndate": date.fromisoformat(begin),
        "idet_enddate": end and date.fromisoformat(end),
    }


def card(id_number: str, category: int, grade: int, **more: Any) -> dict[str, Any]:
    return {
        "card_no": f"{id_number}{category}{grade}",
        "certno": id_number,
        "category": category,
        "grade": grade,
        "status": "active",
        **more,
    }


def death(
    id_number: str, day: str, at: str = "2026-06-01 08:00:00", no: str = "SW1", arrival: int = 0
) -> dict[str, Any]:
    return {
        "record_no": no,
        "certno": id_number,
        "event": "死亡",
        "event_on": date.fromisoformat(day),
        "registered_at": datetime.fromisoformat(at),
        "arrival": arrival,
    }


def member(id_number: str, house: str, **more: Any) -> dict[str, Any]:
    return {
        "member_id": f"M{id_number}{house}",
        "household_no": house,
        "id_number": id_number,
        "deleted": False,
        **more,
    }


def standing(found: dict[str, pl.DataFrame], *rules: str, today: date = TODAY) -> list[tuple[Any, ...]]:
    """(rule, subject, episode, level, fen) of what stands, of these rules only where given."""
    rows = expected.recompute(found, today).conditions
    if rules:
        rows = rows.filter(pl.col("rule").is_in(rules))
    return rows.select("rule", "subject", "episode", "level", "fen").rows()


@pytest.mark.parametrize(
    ("tier", "rule", "at_line", "level"),
    [
        ("tekun", "R01", "1000.00", "orange"),
        ("dibao", "R02", "5000.00", "orange"),
        ("bianyuan", "R03", "10000.00", "orange"),
        ("gangxing", "R03", "10000.00", "orange"),
        ("jiance", "R03", "10000.00", "orange"),
        ("qita", "R03", "10000.00", "orange"),
        (None, "R04", "15000.00", "yellow"),
    ],
)
def test_the_line_of_each_tier(tier: str | None, rule: str, at_line: str, level: str) -> None:
    roster = [entry(A, tier), entry(B, tier)] if tier else []
    found = tables(setl_d=[bill(A, at_line), bill(B, at_line), bill(B, "0.01", "2026-05-01")], low_income_member=roster)
    amount = int(at_line.replace(".", "")) + 1
    assert standing(found, "R01", "R02", "R03", "R04") == [(rule, B, "2026", level, amount)]


def test_three_times_the_line_is_red() -> None:
    found = tables(setl_d=[bill(A, "44999.99"), bill(B, "45000.00")])
    assert [(row[1], row[3]) for row in standing(found)] == [(A, "yellow"), (B, "red")]


def test_a_reversal_nets_out_and_an_invalid_bill_does_not_count() -> None:
    found = tables(
        setl_d=[
            bill(A, "16000.00"),
            bill(A, "-16000.00", "2026-03-04"),
            bill(B, "16000.00", vali_flag="0"),
            bill(C, "16000.00", vali_flag="1"),
            bill(D, "15000.00"),
        ]
    )
    assert standing(found) == [("R04", C, "2026", "yellow", 1_600_000)]


def test_the_strictest_tier_in_force_draws_the_line() -> None:
    found = tables(
        setl_d=[bill(A, "1000.01"), bill(B, "5000.01")],
        low_income_member=[
            entry(A, "qita"),
            entry(A, "tekun"),
            entry(B, "dibao"),
            entry(B, "tekun", end="2026-11-22"),
        ],
    )
    assert standing(found, "R01", "R02", "R03", "R04") == [
        ("R01", A, "2026", "orange", 100_001),
        ("R02", B, "2026", "orange", 500_001),
    ]


@pytest.mark.parametrize(
    ("row", "in_force"),
    [
        (entry(A, "dibao"), True),
        (entry(A, "dibao", start="2026-11-22"), True),
        (entry(A, "dibao", start="2026-11-23"), False),
        (entry(A, "dibao", end="2026-11-22"), False),
        (entry(A, "dibao", end="2026-11-23"), True),
        (entry(A, "dibao", end="2026-11-23", status="exited"), True),
        (entry(A, "dibao", status="exited"), False),
        (entry(A, "dibao", status="refused"), False),
        (entry(A, "dibao", deleted=True), False),
    ],
)
def test_when_an_entry_is_in_force(row: dict[str, Any], in_force: bool) -> None:
    found = tables(setl_d=[bill(A, "6000.00")], low_income_member=[row])
    assert [r[0] for r in standing(found, "R02")] == ["R02"] * in_force


def test_aid_fulfils_up_to_the_step_it_followed() -> None:
    found = tables(
        setl_d=[
            bill(A, "6000.00"),
            bill(B, "6000.00"),
            bill(B, "4000.00", "2026-09-01"),
            bill(C, "6000.00"),
            bill(D, "6000.00"),
            bill(D, "1000.00", "2026-09-01"),
        ],
        low_income_member=[entry(i, "dibao") for i in (A, B, C, D)],
        benefit=[aid(A, "2026-03-01"), aid(B, "2026-03-02"), aid(C, "2026-02-28"), aid(D, "2026-04-01")],
    )
    # A: on the day itself. B: 10000 is step 2, the aid followed step 1. C: aid came before. D: still step 1.
    assert [(r[1], r[4]) for r in standing(found, "R02")] == [(B, 1_000_000), (C, 600_000)]


def test_aid_that_was_stopped_deleted_or_of_another_year_or_kind_is_none() -> None:
    found = tables(
        setl_d=[bill(i, "16000.00") for i in (A, B, C, D)],
        benefit=[
            aid(A, "2026-04-01", status="stopped"),
            aid(B, "2026-04-01", deleted=True),
            aid(C, "2025-12-31"),
            aid(D, "2026-04-01", benefit_code="dibao"),
        ],
    )
    assert [r[1] for r in standing(found, "R04")] == [A, B, C, D]


def test_a_year_stays_open_for_31_days() -> None:
    found = tables(setl_d=[bill(A, "16000.00", "2025-12-31"), bill(A, "100.00", "2026-01-01")])
    assert standing(found, today=date(2026, 1, 31)) == [("R04", A, "2025", "yellow", 1_600_000)]
    assert standing(found, today=date(2026, 2, 1)) == []


def test_the_dead_have_no_expenditure_alert_but_their_bills_count_for_the_household() -> None:
    found = tables(
        setl_d=[bill(A, "16000.00"), bill(B, "9000.01")],
        life_event=[death(A, "2026-05-01")],
        household_member=[member(A, "H1"), member(B, "H1")],
    )
    assert standing(found) == [("H01", "H1", "2026", "orange", 2_500_001), ("R47", "H1", "means", "yellow", None)]


def test_a_household_goes_by_the_tier_of_its_living_members() -> None:
    roster = [entry(A, "tekun"), entry(B, "dibao")]
    bills = [bill(A, "900.00"), bill(B, "4000.00"), bill(C, "3100.01")]
    homes = [member(i, "H1") for i in (A, B, C)]
    alive = tables(setl_d=bills, household_member=homes, low_income_member=roster)
    assert standing(alive, "H01") == [("H01", "H1", "2026", "red", 800_001)]
    dead = tables(setl_d=bills, household_member=homes, low_income_member=roster, life_event=[death(A, "2026-05-01")])
    assert standing(dead, "H01") == [("H01", "H1", "2026", "orange", 800_001)]


def test_a_household_has_only_its_present_members() -> None:
    found = tables(
        setl_d=[bill(i, "13000.00") for i in (A, B, C, D)],
        household_member=[
            member(A, "H1"),
            member(B, "H1", left_on=date(2026, 11, 22)),
            member(C, "H1", joined_on=date(2026, 11, 23)),
            member(D, "H1", deleted=True),
            member(B, "H2", joined_on=date(2026, 11, 22)),
            member(C, "H2"),
        ],
    )
    assert [(r[1], r[4]) for r in standing(found, "H01")] == [("H2", 2_600_000)]


def test_household_aid_fulfils_by_what_it_followed() -> None:
    homes = [member(A, "H1"), member(B, "H1"), member(C, "H2"), member(D, "H2")]
    found = tables(
        setl_d=[bill(i, "13000.00") for i in (A, B, C, D)],
        household_member=homes,
        benefit=[aid(A, "2026-05-01"), aid(B, "2026-05-01"), aid(C, "2026-05-01")],
    )
    # H2: the aid followed 13,000 of 26,000 only, less than one full line of 25,000.
    assert [r[1] for r in standing(found, "H01")] == ["H2"]


def test_insurance_must_show_the_identity_of_the_entry() -> None:
    found = tables(
        low_income_member=[entry(i, "dibao") for i in (A, B, C, D)],
        psn_insu_d=[
            mark(A, "dibao"),
            mark(B, "qita"),
            mark(C, "dibao", end="2026-11-22"),
            mark(D, "dibao", begin="2026-11-23"),
        ],
    )
    assert [r[1] for r in standing(found, "R09")] == [B, C, D]


def test_two_tiers_want_two_marks_and_the_dead_want_none() -> None:
    found = tables(
        low_income_member=[entry(A, "dibao"), entry(A, "jiance"), entry(B, "dibao")],
        psn_insu_d=[mark(A, "dibao")],
        life_event=[death(B, "2026-11-01")],
    )
    assert standing(found, "R09") == [("R09", A, "Ejiance2025-01-01", "yellow", None)]


def test_a_leaver_who_is_still_marked() -> None:
    gone = {"end": "2026-10-01", "status": "exited"}
    found = tables(
        low_income_member=[
            entry(A, "dibao", **gone),
            entry(B, "dibao", **gone),
            entry(B, "jiance"),
            entry(D, "dibao", deleted=True),
        ],
        psn_insu_d=[mark(i, "dibao") for i in (A, B, C, D)],
    )
    assert standing(found, "R10") == [("R10", A, "Pdibao", "yellow", None)]


@pytest.mark.parametrize(
    ("category", "grade", "more", "stands"),
    [
        (4, 2, {}, True),
        (4, 3, {}, False),
        (5, 3, {}, True),
        (6, 3, {}, True),
        (6, 4, {}, False),
        (1, 1, {}, True),
        (4, 1, {"status": "cancelled"}, False),
        (4, 1, {"valid_until": date(2026, 11, 22)}, True),
        (4, 1, {"valid_until": date(2026, 11, 21)}, False),
    ],
)
def test_which_cards_earn_the_care_subsidy(category: int, grade: int, more: dict[str, Any], stands: bool) -> None:
    assert len(standing(tables(disabled_card=[card(A, category, grade, **more)]), "R13")) == stands


def test_care_subsidy_paid_or_tekun_needs_no_task() -> None:
    found = tables(
        disabled_card=[card(i, 4, 1) for i in (A, B, C, D)],
        low_income_member=[entry(B, "tekun")],
        benefit=[
            gift(A, "care_subsidy"),
            gift(C, "care_subsidy", end="2026-11-22"),
            gift(D, "care_subsidy", status="stopped"),
        ],
    )
    assert [r[1] for r in standing(found, "R13")] == [C, D]


def test_a_death_with_something_still_paid() -> None:
    ids = (A, B, C, D)
    found = tables(
        life_event=[death(i, "2026-10-01", no=f"SW{i}") for i in ids],
        low_income_member=[entry(A, "qita"), entry(C, "dibao", end="2026-10-15", status="exited")],
        benefit=[gift(B, "living_subsidy"), gift(C, "dibao", end="2026-10-15"), aid(D, "2026-09-01")],
    )
    assert standing(found, "R32") == [("R32", A, f"SW{A}", "red", None), ("R32", B, f"SW{B}", "red", None)]


def test_funeral_subsidy_goes_by_the_day_of_death() -> None:
    ids = (A, B, C, D)
    gone = {"end": "2026-10-15", "status": "exited"}
    found = tables(
        life_event=[death(i, "2026-10-01", no=f"SW{i}") for i in ids],
        low_income_member=[
            entry(A, "dibao", **gone),
            entry(B, "tekun", **gone),
            entry(C, "qita", **gone),
            entry(D, "dibao", end="2026-10-01", status="exited"),
        ],
        benefit=[{**aid(B, "2026-10-05"), "benefit_code": "funeral_subsidy"}],
    )
    assert [r[1] for r in standing(found, "R32F")] == [A]


def test_the_latest_registration_of_a_death_counts() -> None:
    found = tables(
        life_event=[
            death(B, "2026-10-01", "2026-10-02 08:00:00", arrival=1),
            death(A, "2026-10-01", "2026-10-01 08:00:00", arrival=0),
            death(B, "2026-10-01", "2026-10-01 09:00:00", arrival=2),
        ],
        benefit=[gift(A, "dibao"), gift(B, "dibao")],
    )
    assert [r[1] for r in standing(found, "R32")] == [B]


@pytest.mark.parametrize(
    "spelling",
    [
        "990101600101001",
        "９９０１０１１９６００１０１００１５",
        " 990101196001010015 ",
        "990101 19600101 0015",
        "990101196001010015",
    ],
)
def test_spellings_of_one_number_are_one_person(spelling: str) -> None:
    found = tables(setl_d=[bill(A, "8000.00"), bill(spelling, "8000.00", "2026-04-01")])
    assert standing(found) == [("R04", A, "2026", "yellow", 1_600_000)]


def test_a_check_digit_of_ten_is_an_x_in_either_case() -> None:
    found = tables(setl_d=[bill(D, "8000.00"), bill(D.lower(), "8000.00", "2026-04-01")])
    assert [r[1] for r in standing(found)] == [D]


@pytest.mark.parametrize("bad", [None, "", "   ", "99010119600101", "990101196001010016", "990101196013010012", "无"])
def test_records_without_a_usable_number_are_counted_and_decide_nothing(bad: str | None) -> None:
    found = tables(
        setl_d=[bill(bad, "90000.00")],
        low_income_member=[entry(bad, "dibao"), entry(bad, "qita", deleted=True)],  # type: ignore[arg-type]
        life_event=[death(bad, "2026-10-01")],
    )  # type: ignore[arg-type]
    answer = expected.recompute(found, TODAY)
    assert answer.conditions.height == 0
    assert sorted(topic for topic, _ in answer.unidentified) == [
        "civil.roster",
        "medical.settlement",
        "vital.life_event",
    ]


def test_the_drop_folder_is_read_in_every_form(tmp_path: Path) -> None:
    header = "记录编号,证件号码,姓名,事件,事件日期,登记类型,户籍区划,登记时间\n"
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "a.csv").write_bytes(
        (header + f"SW1,{A},测甲子,死亡,2026-10-01,火化,990101101201,2026-10-02 08:00:00\n").encode("gb18030")
    )
    (tmp_path / "b.csv").write_text(
        header + "SW2,,测甲子,死亡,2026-10-01,火化,990101101201,2026-10-02 08:00:00\n", "utf-8"
    )
    (tmp_path / "c.csv.part").write_text("half")
    rows = expected.life_events(tmp_path).select("record_no", "certno", "event_on", "arrival").rows()
    assert rows == [("SW1", A, date(2026, 10, 1), 0), ("SW2", None, date(2026, 10, 1), 1)]


def event(id_number: str, what: str, day: str = "2026-11-10") -> dict[str, Any]:
    return {**death(id_number, day, no=f"SW{id_number}{what}"), "event": what}


def insured(id_number: str, kind: str = "390", status: str = "1") -> dict[str, Any]:
    return {"psn_no": f"P{id_number}", "certno": id_number, "insutype": kind, "psn_insu_stas": status}


def test_burdens_against_the_income_per_head() -> None:
    found = tables(
        low_income_member=[entry(A, "jiance"), entry(B, "jiance")],
        psn_insu_d=[insured(C), insured(D, "310")],
        setl_d=[bill(A, "11559.51"), bill(B, "11559.50"), bill(C, "23119.01"), bill(D, "23119.01")],
    )
    assert standing(found, "R05") == [("R05", A, "2026", "orange", 1155951)]
    assert standing(found, "R06") == [("R06", C, "2026", "orange", 2311901)]


def test_leavers_and_refused_between_the_two_lines() -> None:
    found = tables(
        low_income_member=[
            entry(A, "dibao", end="2026-01-01", status="exited"),
            entry(B, "bianyuan", status="refused"),
            entry(C, "dibao", end="2026-01-01", status="exited"),
        ],
        setl_d=[bill(A, "8000.01"), bill(B, "15000.00"), bill(C, "8000.00"), bill(D, "9000.00")],
    )
    assert [r[1] for r in standing(found, "R37")] == [A, B]


def test_refused_on_application_without_an_entry() -> None:
    out = {"status": "unemployed", "since_date": date(2026, 8, 1), "able": True, "deleted": False}
    found = tables(
        aid_application=[
            application(A, "不予确认", "2026-01-01"),
            application(B, "确认", "2026-01-01"),
            application(C, "撤回", "2026-01-01"),
            application(D, "不予确认", "2026-01-01", deleted=True),
        ],
        setl_d=[bill(i, "8000.01") for i in (A, B, C, D)],
        job_status=[{"reg_no": f"J{i}", "certno": i, **out} for i in (A, B, C, D)],
    )
    assert [r[:2] for r in standing(found, "R31", "R37")] == [("R31", A), ("R37", A)]


def test_single_stays() -> None:
    stay = {"med_type": "21"}
    found = tables(
        low_income_member=[entry(A, "jiance")],
        psn_insu_d=[insured(B), insured(D)],
        setl_d=[
            bill(A, "6000.01", "2026-11-01", **stay),
            bill(B, "10000.01", "2026-11-01", med_type="11"),
            bill(C, "30000.01", "2026-11-01", **stay),
            bill(D, "31000.00", "2026-11-02", **stay),
            bill(D, "-31000.00", "2026-11-03", **stay),
        ],
        benefit=[aid(C, "2026-10-31")],
    )
    assert standing(found, "R07", "R12") == [
        ("R07", A, "S2026-11-016000.01", "yellow", None),
        ("R12", C, "S2026-11-0130000.01", "red", None),
    ]
    assert standing(found, "R12", today=date(2026, 12, 2)) == []


def test_insurance_and_subsidies_of_the_roster() -> None:
    found = tables(
        low_income_member=[entry(A, "dibao"), entry(B, "bianyuan"), entry(C, "jiance"), entry(D, "qita")],
        psn_insu_d=[insured(A), insured(B, status="2")],
        disabled_card=[card(A, 4, 4), card(B, 4, 2), card(C, 4, 3), card(D, 4, 1)],
    )
    assert [r[1] for r in standing(found, "R11")] == [B, C, D]
    assert [r[:2] for r in standing(found, "R14", "R14S", "R15")] == [("R14", A), ("R14S", B), ("R15", B)]


def test_subsidies_that_no_card_earns_and_benefits_that_run_twice() -> None:
    found = tables(
        disabled_card=[card(A, 4, 3), card(B, 4, 2), card(C, 4, 4, status="cancelled")],
        benefit=[
            gift(A, "care_subsidy"),
            gift(B, "care_subsidy"),
            gift(C, "living_subsidy"),
            gift(D, "dibao"),
            gift(D, "dibao", start="2026-02-01", benefit_id="again"),
            gift(B, "tekun"),
            gift(B, "dibao"),
        ],
    )
    assert [r[1:3] for r in standing(found, "R16")] == [(A, "care_subsidy"), (C, "living_subsidy")]
    assert [r[1:3] for r in standing(found, "R41")] == [(B, "dibao"), (D, "dibao")]


def test_subsidies_below_the_standard_and_dibao_for_the_destitute() -> None:
    found = tables(
        low_income_member=[entry(A, "tekun"), entry(B, "tekun"), entry(C, "dibao"), entry(D, "tekun")],
        benefit=[
            gift(A, "living_subsidy", amount="99.99"),
            gift(A, "care_subsidy", amount="60.00"),
            gift(A, "care_subsidy", amount="40.00", benefit_id="rest"),
            gift(B, "care_subsidy", amount="50.00", end="2026-11-01"),
            gift(C, "living_subsidy"),
            gift(A, "dibao", amount="779.99"),
            gift(B, "dibao", amount="780.00"),
            gift(C, "dibao", amount="100.00"),
            gift(D, "dibao", amount="500.00"),
            gift(D, "tekun", amount="780.00"),
        ],
    )
    assert [r[1:3] for r in standing(found, "R43")] == [(A, "living_subsidy")]
    assert [r[1:3] for r in standing(found, "R44")] == [(A, "dibao")]


def test_custody_moves_accidents_and_the_end_of_destitute_support() -> None:
    found = tables(
        low_income_member=[entry(A, "dibao"), entry(C, "tekun", end="2026-11-01", status="exited")],
        life_event=[
            event(A, "收押"),
            event(B, "收押"),
            event(A, "迁出"),
            event(B, "受灾"),
            event(D, "交通事故", "2026-10-01"),
        ],
    )
    assert [r[:2] for r in standing(found, "R34", "R42")] == [("R34", A), ("R42", A)]
    assert standing(found, "R35") == [("R35", B, f"SW{B}受灾", "orange", None)]
    assert [r[1] for r in standing(found, "R38")] == [C]
    assert standing(found, "R38", today=date(2027, 1, 31)) == []


def test_tapers_and_reviews() -> None:
    days = {"taper_until": date(2026, 12, 22), "verify_date": date(2026, 11, 21)}  # 30 days on, and 31 before that
    found = tables(
        low_income_member=[
            entry(A, "dibao", **days),
            entry(B, "dibao", taper_until=date(2026, 12, 23)),
            entry(C, "tekun", end="2026-01-01", status="exited", taper_until=date(2026, 12, 1)),
            entry(D, "dibao", **{**days, "verify_date": date(2026, 11, 22)}),
            entry(B, "jiance", verify_date=date(2026, 5, 23)),
            entry(C, "qita", verify_date=date(2025, 11, 23)),
            entry(D, "qita", verify_date=date(2025, 11, 22)),
        ]
    )
    assert [r[1:3] for r in standing(found, "R30T")] == [(A, "Edibao2025-01-01"), (C, "Etekun2025-01-01")]
    assert [r[1:3] for r in standing(found, "R30V")] == [(B, "Ejiance2025-01-01"), (D, "Eqita2025-01-01")]
    # who tapers off is on the roster until the end
    assert [r[1] for r in standing(found, "R11") if r[2].startswith("Etekun")] == [C]
    later = standing(found, "R11", "R30T", today=date(2026, 12, 1))
    assert [r[:2] for r in later if r[2].startswith("Etekun")] == []
    assert [r[1] for r in later if r[0] == "R30T"] == [A, B]


@pytest.mark.parametrize(
    ("tier", "written", "days", "stands"),
    [
        *(("gangxing", "A", 365, True), ("gangxing", "A", 364, False), ("jiance", "Ｂ类", 365, True)),
        *(("jiance", "b", 364, False), ("dibao", "C", 183, True), ("dibao", "C", 182, False)),
        *(("dibao", " ｃ类　", 183, True), ("dibao", "D", 183, False), ("dibao", "CC", 364, False)),
        *(("gangxing", "其他", 183, True), ("gangxing", "", 183, True), ("gangxing", None, 182, False)),
    ],
)
def test_the_class_of_an_entry_counts_before_its_tier(tier: str, written: str | None, days: int, stands: bool) -> None:
    found = tables(low_income_member=[entry(A, tier, class_code=written, verify_date=TODAY - timedelta(days=days))])
    assert [r[1] for r in standing(found, "R30V")] == [A] * stands


def test_the_tier_that_is_abolished_counts_no_more() -> None:
    found = tables(low_income_member=[entry(A, "jiance"), entry(B, "qita")])
    assert [r[1] for r in standing(found, "R11", today=date(2030, 12, 31))] == [A, B]
    assert [r[1] for r in standing(found, "R11", today=date(2031, 1, 1))] == [B]


def pupil(who: str, stage: str, **more: Any) -> dict[str, Any]:
    start = {"student_no": f"T{who}{stage}", "certno": who, "stage": stage, "status": "enrolled", "deleted": False}
    return {**start, "enrol_date": date(2026, 9, 1), "absent_days": 0, **more}


def job(who: str, status: str, since: str, **more: Any) -> dict[str, Any]:
    start = {"reg_no": f"J{who}", "certno": who, "status": status, "since_date": date.fromisoformat(since)}
    return {**start, "able": True, "refusals": 0, "wage": "0.00", "deleted": False, **more}


def house(who: str, grade: str, **more: Any) -> dict[str, Any]:
    start = {"appraisal_no": f"F{who}", "certno": who, "grade": grade, "appraise_date": date(2026, 5, 1)}
    return {**start, "built_year": 2010, "deleted": False, **more}


def check(who: str, finding: str, income: str, **more: Any) -> dict[str, Any]:
    start = {"check_id": f"K{who}", "id_number": who, "finding": finding, "checked_on": date(2026, 10, 1)}
    return {**start, "auth_no": "SQ1", "income_month": income, "assets_ok": True, "deleted": False, **more}


def test_schools_by_tier_stage_and_absence() -> None:
    found = tables(
        low_income_member=[entry(A, "dibao"), entry(B, "jiance"), entry(C, "bianyuan")],
        student=[
            pupil(A, "primary", absent_days=6, student_aid=True),
            pupil(B, "vocational", student_aid=True),
            pupil(C, "higher"),
            pupil(D, "primary", absent_days=9),
        ],
    )
    rows = [("R19", C), ("R20", C), ("R21", A), ("R22", B)]
    assert [r[:2] for r in standing(found, "R19", "R20", "R21", "R22")] == rows


def test_work_lost_refused_and_found() -> None:
    found = tables(
        low_income_member=[entry(A, "dibao"), entry(B, "jiance"), entry(C, "bianyuan"), entry(D, "dibao")],
        job_status=[
            job(A, "unemployed", "2026-11-01", refusals=3),
            job(B, "unemployed", "2026-08-24"),
            job(C, "unemployed", "2026-08-25"),
            job(D, "employed", "2026-11-01", wage="600.01"),
        ],
    )
    rows = [("R27", A), ("R29", A), ("R30", D), ("R31", B)]
    assert [r[:2] for r in standing(found, "R27", "R29", "R30", "R31")] == rows


def relation(who: str, last: str | None, code: str = "110", **more: Any) -> dict[str, Any]:
    start = {"relation_no": f"C{who}{last}{code}", "certno": who, "insurance_code": code, "last_month": last}
    return {**start, "deleted": False, **more}


def test_whose_contributions_ended() -> None:
    """On 22 November: 202608 is 82 days unpaid, 202607 is 113, 202605 is 174, 202604 is 205."""
    ids = [body + check_digit(body) for body in (f"99010119700102{n:03}" for n in range(14))]
    found = tables(
        low_income_member=[entry(i, "dibao") for i in ids[:13]],
        life_event=[death(ids[9], "2026-11-01")],
        benefit=[aid(ids[10], "2026-08-01"), aid(ids[11], "2026-07-31")],
        job_status=[job(ids[7], "unemployed", "2026-08-24"), job(ids[8], "unemployed", "2026-08-25")],
        insured_relation=[
            relation(ids[0], "202608"),
            relation(ids[1], "202607"),
            relation(ids[2], "202605", "410"),
            relation(ids[3], "202604"),
            relation(ids[4], "202607"),
            relation(ids[4], "202610", "210"),
            relation(ids[5], "202607"),
            relation(ids[5], "202607", "210"),
            relation(ids[6], "202607", stop_reason="退休"),
            relation(ids[7], "202607"),
            relation(ids[8], "202607"),
            relation(ids[9], "202607"),
            relation(ids[10], "202607"),
            relation(ids[11], "202607"),
            relation(ids[12], "202607"),
            relation(ids[12], None),
            relation(ids[13], "202607"),
        ],
    )
    stand = [r[1:3] for r in standing(found, "R31C")]
    assert stand == sorted(
        (i, f"C{i}{last}")
        for i, last in (
            *((ids[1], "202607110"), (ids[2], "202605410"), (ids[5], "202607210")),
            *((ids[8], "202607110"), (ids[11], "202607110")),
        )
    )
    assert standing(found, "R31C")[0][3:] == ("yellow", None)


def lodging(who: str, tenure: str, area: str | None, **more: Any) -> dict[str, Any]:
    start = {"reg_no": f"Z{who}{area}", "certno": who, "tenure": tenure, "area_per_head": area}
    return {**start, "support": "无", "deleted": False, **more}


def test_who_has_no_home_or_a_crowded_one() -> None:
    ids = MANY[:7]
    tiers = ("dibao", "dibao", "tekun", "bianyuan", "dibao", "dibao", "dibao")
    paid = {"support": "租赁补贴", "support_from": date(2026, 1, 1)}
    found = tables(
        low_income_member=[entry(i, tier) for i, tier in zip(ids, tiers, strict=True)],
        life_event=[death(ids[6], "2026-11-01")],
        tenancy=[
            lodging(ids[0], "租赁", "12.99"),
            lodging(ids[1], "租赁", "13.00"),
            lodging(ids[2], "无房", None),
            lodging(ids[3], "无房", None),
            lodging(ids[4], "租赁", "9.00"),
            lodging(ids[4], "租赁", "20.00", **paid),
            lodging(ids[5], "租赁", "9.00", **paid, support_until=date(2026, 11, 22)),
            lodging(ids[6], "无房", None),
        ],
    )
    assert [r[1] for r in standing(found, "R25")] == [ids[0], ids[2], ids[5]]


def supply(who: str, grade: str, day: str = "2026-05-01", **more: Any) -> dict[str, Any]:
    start = {"supply_no": f"W{who}{grade}{day}", "certno": who, "grade": grade, "assess_date": date.fromisoformat(day)}
    return {**start, "deleted": False, **more}


def test_whose_water_is_unsafe() -> None:
    ids = MANY[:8]
    found = tables(
        low_income_member=[entry(i, "qita" if i == ids[1] else "dibao") for i in ids[:7]],
        life_event=[death(ids[6], "2026-11-01")],
        water_supply=[
            supply(ids[0], "基本安全"),
            supply(ids[1], "不安全"),
            supply(ids[2], "不安全", repair_date=date(2026, 5, 1)),
            supply(ids[3], "不安全", repair_date=date(2026, 4, 30)),
            supply(ids[4], "不安全"),
            supply(ids[4], "安全"),
            supply(ids[5], "不安全"),
            supply(ids[5], "安全", "2026-04-30"),
            supply(ids[6], "不安全"),
            supply(ids[7], "不安全"),
        ],
    )
    assert [r[1] for r in standing(found, "R45")] == [ids[1], ids[3], ids[5]]
    assert standing(found, "R45")[0] == ("R45", ids[1], f"W{ids[1]}不安全2026-05-01", "orange", None)


def wish(who: str, willing: bool | None, day: str | None = "2026-05-01", **more: Any) -> dict[str, Any]:
    start = {"reg_no": f"N{who}{day}", "certno": who, "willing": willing, "ask_date": day and date.fromisoformat(day)}
    return {**start, "kind": "无", "deleted": False, **more}


def test_who_is_able_and_willing_and_without_industry_support() -> None:
    ids = MANY[:8]
    sixty, nearly = "990101196611220010", "990101196611230017"
    old, fit = (n[:17] + check_digit(n) for n in (sixty, nearly))
    runs = {"kind": "养殖", "start_date": date(2026, 11, 22)}
    found = tables(
        low_income_member=[entry(i, "bianyuan" if i == ids[1] else "dibao") for i in (*ids, old, fit, A)],
        disabled_card=[card(ids[2], 4, 2), card(ids[3], 4, 3)],
        job_status=[job(A, "unemployed", "2026-11-01")],
        industry_support=[
            wish(ids[0], True),
            wish(ids[1], True),
            wish(ids[2], True),
            wish(ids[3], True),
            wish(ids[4], True),
            wish(ids[4], False, "2026-05-02"),
            wish(ids[4], None, "2026-05-03"),
            wish(ids[5], True, None),
            wish(ids[6], True, **runs),
            wish(ids[7], True),
            wish(ids[7], None, None, **runs, end_date=date(2026, 11, 22)),
            wish(old, True),
            wish(fit, True),
            wish(A, True),
        ],
    )
    assert [r[1] for r in standing(found, "R46")] == sorted([ids[0], ids[3], ids[7], fit, A])


def test_houses_and_checks_of_means() -> None:
    found = tables(
        low_income_member=[entry(A, "dibao"), entry(B, "jiance"), entry(C, "bianyuan")],
        house_appraisal=[house(A, "D"), house(B, "A", built_year=1995), house(C, "A", built_year=1996), house(D, "D")],
        means_check=[
            check(A, "vehicle", "300.00"),
            check(B, "vehicle", "300.00"),
            check(C, "tax", "300.00", auth_no=None),
            check(D, "none", "899.99"),
        ],
    )
    assert [r[:2] for r in standing(found, "R23", "R24")] == [("R23", A), ("R24", B)]
    assert [r[:2] for r in standing(found, "R26", "R39")] == [("R26", A), ("R39", D)]


def test_households_that_lost_their_head_or_have_nobody_in_work() -> None:
    found = tables(
        low_income_member=[entry(B, "dibao"), entry(D, "dibao")],
        household_member=[
            member(A, "H1", is_head=True),
            member(B, "H1"),
            member(C, "H2", is_head=True),
            member(D, "H2"),
        ],
        life_event=[death(A, "2026-11-01")],
        job_status=[
            job(A, "employed", "2026-01-01"),
            job(B, "unemployed", "2026-11-01"),
            job(C, "employed", "2026-11-01"),
            job(D, "unemployed", "2026-11-01"),
        ],
    )
    assert standing(found, "R28", "R33") == [
        ("R28", "H1", "work", "orange", None),
        ("R33", "H1", "2026-11-01", "orange", None),
    ]


def test_twelve_months_of_expenses_beside_an_income() -> None:
    # Two people with 1,000 yuan a month each: 24,000 yuan a year; half is 12,000, three fifths are 14,400.
    pairs = {house: (house + "1", house + "2") for house in ("H1", "H2", "H3", "H4")}
    ids = dict(zip([i for pair in pairs.values() for i in pair], MANY, strict=True))
    homes = [member(ids[i], house) for house, pair in pairs.items() for i in pair]
    checks = [check(ids[f"{house}1"], "none", "1000.00") for house in pairs]
    checks[2]["education_year"] = "2400.00"
    found = tables(
        household_member=homes,
        means_check=checks,
        setl_d=[
            bill(ids["H11"], "7000.00", "2025-11-23"),
            bill(ids["H12"], "5000.00", "2026-11-22"),
            bill(ids["H21"], "12000.00", "2025-11-22"),
            bill(ids["H22"], "12000.00", "2026-11-23"),
            {
                **bill(ids["H31"], "15000.00", fulamt_ownpay_amt="2000.00", overlmt_selfpay="500.00"),
                "preselfpay_amt": "500.01",
            },
            bill(ids["H41"], "14399.99"),
        ],
    )
    # H2: a day too old and a day too early. H3: 11,999.99 within the policy, 17,400 with schooling.
    assert standing(found, "R08", "R40") == [
        ("R08", "H1", "means", "orange", None),
        ("R08", "H4", "means", "orange", None),
        ("R40", "H3", "means", "yellow", None),
    ]


def test_expenses_of_the_listed_the_aided_and_those_without_a_sound_check() -> None:
    ids = dict(zip("ABCDEFGH", MANY, strict=True))
    whole = [
        check(ids["A"], "none", "1000.00"),
        check(ids["B"], "none", "1000.00"),
        check(ids["C"], "none", "1000.00"),
        check(ids["D"], "none", "1000.00", auth_no=None),
        check(ids["E"], "none", "1000.00", checked_on=date(2026, 5, 25)),
        check(ids["F"], "none", "1000.00", assets_ok=False),
        check(ids["G"], "none", "1000.00"),
        check(ids["G"], "none", "5000.00", checked_on=date(2026, 10, 2)),
        check(ids["H"], "none", "1000.00"),
    ]
    found = tables(
        household_member=[
            *(member(i, f"H{n}") for n, i in ids.items() if n != "H"),
            member(ids["H"], "HH", joined_on=date(2026, 10, 2)),
        ],
        means_check=whole,
        setl_d=[bill(i, "6000.00") for i in ids.values()] + [bill(i, "3000.00", "2026-05-01") for i in ids.values()],
        low_income_member=[entry(ids["A"], "gangxing"), entry(ids["B"], "bianyuan")],
        benefit=[aid(ids["C"], "2026-03-01", benefit_code="medical_aid")],
    )
    # One person each: 12,000 yuan a year. C: the aid followed 6,000 yuan, half of it. E: 181 days old.
    # G: the newer check. H: checked the day before he joined.
    assert [r[:2] for r in standing(found, "R08", "R40")] == [("R08", "HA"), ("R40", "HC")]


@pytest.mark.parametrize(
    ("more", "rules"),
    [
        ({"income_month": "1000.01"}, ["R08"]),  # three fifths of 12,000.12 yuan are a few fen more
        ({"income_month": "999.99"}, ["R08", "R40"]),
        ({"income_month": None}, []),
        ({"assets_ok": None}, []),
    ],
)
def test_a_second_check_of_the_day(more: dict[str, Any], rules: list[str]) -> None:
    found = tables(
        household_member=[member(A, "H1")],
        means_check=[check(A, "none", "1000.00"), {**check(A, "none", "1000.00", check_id="again"), **more}],
        setl_d=[bill(A, "7200.01")],
    )
    assert [r[0] for r in standing(found, "R08", "R40")] == rules


def test_what_is_left_must_be_less_than_the_residents_income() -> None:
    found = tables(
        household_member=[member(A, "H1"), member(B, "H2"), member(C, "H3"), member(C, "H4"), member(D, "H4")],
        means_check=[check(i, "none", "7000.00") for i in (A, B, C)],
        setl_d=[bill(A, "42686.00"), bill(B, "42686.01"), bill(C, "50400.00")],
        life_event=[death(D, "2026-05-01")],
    )
    # 84,000 yuan a year, of which 41,314 are left for A. None is below 41,314 before, so R40 has nothing to say.
    assert [r[:2] for r in standing(found, "R08", "R40")] == [("R08", "H2"), ("R08", "H3"), ("R08", "H4")]


ELDER, ALMOST, YOUTH, CHILD = "99010119661122001X", "990101196611230015", "99010120101122001X", "990101201611220013"
"""Born on 22 and 23 November 1966, on 22 November 2010 and 2016: 60 today and tomorrow, 16 and 10 today."""
LEAP = "99010120080229001X"
"""Born on 29 February 2008."""


def test_birthdays_that_ask_for_a_check() -> None:
    found = tables(
        low_income_member=[entry(ELDER, "dibao"), entry(ALMOST, "dibao"), entry(YOUTH, "tekun"), entry(LEAP, "tekun")]
    )
    assert standing(found, "R36") == [
        ("R36", ELDER, "60", "yellow", None),
        ("R36", YOUTH, "16", "yellow", None),
    ]
    assert [r[1] for r in standing(found, "R36", today=date(2027, 1, 21))] == [ELDER, ALMOST, YOUTH]
    assert [r[1] for r in standing(found, "R36", today=date(2027, 1, 22))] == [ALMOST]
    days = (date(2026, 2, 28), date(2026, 3, 1), date(2026, 4, 30), date(2026, 5, 1))
    assert [len(standing(found, "R36", today=day)) for day in days] == [0, 1, 1, 0]


def test_at_sixteen_a_pupil_stays_and_at_sixty_the_destitute() -> None:
    found = tables(
        low_income_member=[entry(ELDER, "tekun"), entry(YOUTH, "tekun"), entry(CHILD, "tekun")],
        student=[pupil(YOUTH, "senior")],
    )
    assert standing(found, "R36") == []


def test_disabled_children_of_school_age_at_no_school() -> None:
    found = tables(
        disabled_card=[card(CHILD, 5, 3), card(YOUTH, 5, 3), card(A, 5, 3)],
        student=[pupil(CHILD, "primary", status="left")],
    )
    assert standing(found, "R18") == [("R18", CHILD, f"{CHILD}53", "yellow", None)]
    assert [r[1] for r in standing(found, "R18", today=date(2026, 11, 21))] == [YOUTH, CHILD]
    again = {**found, "student": tables(student=[pupil(CHILD, "primary")])["student"]}
    assert standing(again, "R18") == []


def test_households_without_anybody_able_to_work() -> None:
    homes = [member(ELDER, "H1"), member(ALMOST, "H2"), member(B, "H3"), member(YOUTH, "H3"), member(C, "H4")]
    found = tables(
        household_member=[*homes, member(CHILD, "H4"), member(D, "H5")],
        means_check=[
            check(ELDER, "none", "599.99"),
            check(ALMOST, "none", "599.99"),
            check(B, "none", "300.00"),
            check(C, "none", "300.00", checked_on=date(2026, 5, 26)),
            check(D, "none", "600.00"),
        ],
    )
    assert standing(found, "R17") == [
        ("R17", "H1", "means", "orange", None),
        ("R17", "H4", "means", "orange", None),
    ]
    assert [r[1] for r in standing(found, "R17", today=date(2026, 11, 23))] == ["H1", "H2"]
    assert [r[1] for r in standing(found, "R17", today=date(2026, 11, 21))] == ["H3", "H4"]


def test_the_newest_check_counts_and_certificates_by_kind_and_grade() -> None:
    people = [f"99010119800101{n:03}" for n in range(1, 6)]
    ids = [first + check_digit(first) for first in people]
    found = tables(
        household_member=[member(i, f"H{n}") for n, i in enumerate(ids)] + [member(ELDER, "H0")],
        disabled_card=[card(i, c, g) for i, c, g in zip(ids, (4, 4, 1, 6, 2), (2, 3, 1, 3, 1), strict=True)],
        means_check=[check(i, "none", "300.00") for i in ids]
        + [check(ELDER, "none", "700.00", checked_on=date(2026, 10, 2))],
        low_income_member=[entry(ids[3], "tekun")],
    )
    assert [r[1] for r in standing(found, "R17")] == ["H2"]


def test_households_whose_means_nobody_knows() -> None:
    ids = dict(zip("ABCDEFGH", MANY, strict=True))
    found = tables(
        household_member=[
            *(member(i, f"H{n}") for n, i in ids.items() if n != "B"),
            member(ids["B"], "HA"),
            member(ids["H"], "HI", joined_on=date(2026, 10, 2)),
        ],
        setl_d=[
            bill(ids["A"], "15000.00", "2025-11-23"),
            bill(ids["B"], "10000.01", "2026-11-22"),
            bill(ids["C"], "25000.00"),
            bill(ids["C"], "9999.99", "2025-11-22"),
            bill(ids["D"], "15000.01"),
            bill(ids["E"], "30000.00"),
            bill(ids["F"], "30000.00"),
            bill(ids["G"], "30000.00"),
            bill(ids["H"], "30000.00"),
        ],
        low_income_member=[entry(ids["D"], "qita"), entry(ids["E"], "gangxing")],
        means_check=[
            check(ids["F"], "none", "1000.00", checked_on=date(2026, 5, 26)),
            check(ids["G"], "none", "1000.00", auth_no=None),
            check(ids["H"], "none", "1000.00"),
        ],
    )
    # HA: two members together. F: 180 days ago. G: nobody authorised it. H was checked before he joined HI.
    assert standing(found, "R47") == [("R47", h, "means", "yellow", None) for h in ("HA", "HD", "HG", "HI")]
    tomorrow = [r[1] for r in standing(found, "R47", today=date(2026, 11, 23))]
    assert tomorrow == ["HD", "HF", "HG", "HI"]  # A's bill is a year old, F's check a day too old
    assert (
        standing({**found, "life_event": tables(life_event=[death(ids["D"], "2026-10-01")])["life_event"]}, "R47")[1][1]
        == "HG"
    )


@pytest.mark.parametrize(
    ("day", "more", "asked"),
    [
        ("2026-09-23", {"income_month": None}, False),
        ("2026-09-22", {"income_month": None}, True),
        ("2026-09-22", {"assets_ok": None}, True),
        ("2026-09-22", {}, False),
        ("2026-05-25", {}, True),
    ],
)
def test_a_check_without_a_result_is_under_way_for_sixty_days(day: str, more: dict[str, Any], asked: bool) -> None:
    found = tables(
        household_member=[member(A, "H1"), member(ELDER, "H2")],
        setl_d=[bill(A, "25000.01")],
        disabled_card=[card(ELDER, 2, 1)],
        means_check=[check(i, "none", "1000.00", checked_on=date.fromisoformat(day)) | more for i in (A, ELDER)],
    )
    assert [r[:2] for r in standing(found, "R47", "R48")] == ([("R47", "H1"), ("R48", "H2")] if asked else [])


@pytest.mark.parametrize(
    ("state", "day", "house", "asked"),
    [
        ("受理", "2026-09-13", "", False),
        ("核对", "2026-09-12", "", True),
        ("公示", "2026-11-01", "", False),
        ("确认", "2026-11-01", "", True),
        ("不予确认", "2026-11-01", "", True),
        ("撤回", "2026-11-01", "", True),
        ("受理", "2026-11-01", "Z", True),
    ],
)
def test_an_open_application_is_under_way_for_seventy_days(state: str, day: str, house: str, asked: bool) -> None:
    found = tables(
        household_member=[member(A, "H1"), member(B, "H1"), member(ELDER, "H2")],
        setl_d=[bill(A, "25000.01")],
        disabled_card=[card(ELDER, 2, 1)],
        aid_application=[application(B, state, day, "H1" + house), application(ELDER, state, day, "H2" + house)],
    )
    assert [r[:2] for r in standing(found, "R47", "R48")] == ([("R47", "H1"), ("R48", "H2")] if asked else [])


def test_the_severely_disabled_of_whom_nobody_can_work() -> None:
    people = [f"99010119800101{n:03}" for n in range(1, 6)]
    one, two, three, four, five = (first + check_digit(first) for first in people)
    found = tables(
        household_member=[
            *(member(one, "H1"), member(two, "H2"), member(three, "H3"), member(CHILD, "H3"), member(four, "H4")),
            *(member(A, "H4"), member(five, "H5"), member(ELDER, "H6"), member(ALMOST, "H7"), member(B, "H8")),
        ],
        disabled_card=[
            *(card(one, 4, 2), card(two, 4, 3), card(three, 6, 1), card(four, 4, 1), card(five, 5, 2)),
            *(card(ELDER, 3, 1), card(ALMOST, 3, 1)),
        ],
        low_income_member=[entry(five, "tekun"), entry(one, "dibao")],
        job_status=[job(four, "unemployed", "2026-11-01")],
    )
    # H2, H8: nobody severely disabled. H4: able to work by registration. H7: 60 tomorrow.
    assert standing(found, "R48") == [("R48", h, "means", "yellow", None) for h in ("H1", "H3", "H6")]
    assert [r[1] for r in standing(found, "R48", today=date(2026, 11, 23))] == ["H1", "H3", "H6", "H7"]


def test_guardians_of_other_households() -> None:
    gone = {"end": "2026-11-01", "status": "exited"}
    found = tables(
        low_income_member=[entry(A, "dibao"), entry(B, "jiance"), entry(C, "dibao", **gone), entry(D, "dibao")],
        life_event=[death(D, "2026-11-01")],
        student=[
            pupil(CHILD, "primary", absent_days=6, guardian_certno=A),
            pupil(YOUTH, "vocational", guardian_certno=B, student_aid=True),
            pupil(LEAP, "senior", guardian_certno=C),
            pupil(ELDER, "higher", guardian_certno=D),
            pupil(ALMOST, "higher"),
        ],
        disabled_card=[card(ALMOST, 4, 4, guardian_certno=A)],
    )
    rows = [("R19", ALMOST), ("R19", CHILD), ("R21", CHILD), ("R22", YOUTH)]
    assert [r[:2] for r in standing(found, "R19", "R21", "R22")] == rows
