"""The income sheet: every kind of income and deduction, by hand; unknown stays unknown; regional, dated values."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain import rules
from domain.rules import SHIPPED
from domain.sheet import ABILITIES, KINDS, MOST_MEMBERS, TRANSFERS, Kind, Reckoned, Sheet, reckon

BOOK = rules.load()
DAY = date(2026, 6, 1)
PLACE = "990101001001"


def sheet(*members: dict[str, Any], **more: Any) -> Sheet:
    spent = {"medical_year_fen": 0, "schooling_year_fen": 0, "care_year_fen": 0, "assets_ok": True}
    return Sheet.model_validate({"checked_on": DAY, "members": list(members), **spent, **more})


def member(*incomes: tuple[Any, ...], age: int = 40, ability: str = "full", **more: Any) -> dict[str, Any]:
    rows = [dict(zip(("kind", "year_fen", "cost_year_fen"), i, strict=False)) for i in incomes]
    return {"age": age, "ability": ability, "incomes": rows, "no_income": not rows, **more}


def amounts(found: Reckoned) -> dict[str, int | None]:
    return {line.code: line.amount_fen for line in found.lines}


def of(*members: dict[str, Any], **more: Any) -> Reckoned:
    return reckon(BOOK, sheet(*members, **more), PLACE)


@pytest.mark.parametrize(
    ("kind", "year", "cost", "counted"),
    [
        ("wages", 2_400_000, 0, 2_400_000),
        ("wages", 2_400_000, 360_000, 2_040_000),
        ("wages", 2_400_000, 360_001, 2_040_000),  # no more than the cap
        ("wages", 100_000, 200_000, 0),  # never below nothing
        ("business", 5_000_000, 3_000_000, 2_000_000),
        ("business", 1_000_000, 3_000_000, 0),
        ("property", 120_000, 0, 120_000),
        ("pension", 120_000, 0, 120_000),
        ("farm_subsidy", 120_000, 0, 120_000),
        ("support", 120_000, 0, 120_000),
        ("basic_pension", 120_000, 0, 0),
        ("preferential", 120_000, 0, 0),
        ("award", 120_000, 0, 0),
        ("aid", 120_000, 0, 0),
        ("disability", 120_000, 0, 0),
        ("old_age", 120_000, 0, 0),
    ],
)
def test_each_kind_of_income(kind: str, year: int, cost: int, counted: int) -> None:
    found = of(member((kind, year, cost)))
    assert amounts(found)[kind] == counted
    assert found.income_year_fen == counted
    assert found.income_month_fen == counted // 12


@pytest.mark.parametrize(
    ("age", "ability", "percent"),
    [
        (15, "full", 0),
        (16, "full", 100),
        (49, "full", 100),
        (50, "full", 50),
        (59, "full", 50),
        (60, "full", 0),
        (40, "partial", 50),
        (40, "none", 0),
        (20, "student", 0),
        (40, "carer", 50),
        (55, "none", 0),  # of two the lower
    ],
)
def test_the_labour_coefficient_by_age_and_ability(age: int, ability: str, percent: int) -> None:
    found = of(member(("wages_reference",), age=age, ability=ability))
    assert found.income_year_fen == 12 * 100_000 * percent // 100
    (line,) = [x for x in found.lines if x.code == "wages_reference"]
    used = {p["name"]: p for p in line.parameters}
    assert used["sheet_wage_month_fen"]["product_default"] is True
    assert [p["value"] for n, p in used.items() if n.startswith("sheet_labour")] == [percent]
    assert found.referred


def test_no_wage_is_taken_by_the_reference_unless_the_officer_says_so() -> None:
    found = of(member(("wages", 600_000)), member(age=45))
    assert not found.referred
    assert found.income_year_fen == 600_000


def test_one_unknown_income_makes_all_unknown() -> None:
    for unknown in (member(("wages", None)), {"age": 40, "ability": "full"}):
        found = of(member(("wages", 600_000)), unknown)
        assert (found.income_year_fen, found.income_month_fen, found.after_rigid_month_fen) == (None, None, None)
        assert found.proposal == ""


def test_what_does_not_count_may_stay_unknown() -> None:
    assert of(member(("aid", None), ("wages", 600_000))).income_year_fen == 600_000


def test_necessary_expenditure_is_deducted_up_to_its_caps_for_the_dibao_line_alone() -> None:
    found = of(
        member(("wages", 3_000_000)),
        medical_year_fen=6_000_001,
        schooling_year_fen=1_500_001,
        care_year_fen=1_200_001,
    )
    lines = amounts(found)
    assert [lines[f"rigid_{k}"] for k in ("medical", "schooling", "care")] == [6_000_000, 1_500_000, 1_200_000]
    assert found.income_month_fen == 250_000  # what a check records: R08 and R40 set the expenditure beside it
    assert found.after_rigid_month_fen == 0
    assert found.proposal == "dibao"


TIERS = [
    # line 600.00 a month; borderline 150 %; resident income 41,314 a year; expenditure 60 % of income
    ({"age": 70, "year": 719_999}, {}, "tekun"),  # 599.99 a month
    ({"age": 70, "year": 720_000}, {}, "bianyuan"),
    ({"age": 40, "year": 719_999}, {}, "dibao"),
    ({"age": 40, "year": 720_000}, {}, "bianyuan"),
    ({"age": 40, "year": 1_079_999}, {}, "bianyuan"),
    ({"age": 40, "year": 1_080_000}, {}, "none"),
    ({"age": 40, "year": 4_000_000}, {"medical_year_fen": 2_400_000}, "gangxing"),
    ({"age": 40, "year": 4_000_000}, {"medical_year_fen": 2_399_999}, "none"),
    ({"age": 40, "year": 4_131_400}, {"medical_year_fen": 2_600_000}, "gangxing"),  # 344,283 fen × 12 is below
    ({"age": 40, "year": 4_131_412}, {"medical_year_fen": 2_600_000}, "none"),
    ({"age": 40, "year": 1_079_999}, {"medical_year_fen": 400_000}, "dibao"),
    ({"age": 70, "year": 600_000}, {"assets_ok": False}, "none"),
    ({"age": 70, "year": 600_000}, {"assets_ok": None}, ""),
    ({"age": 40, "year": 600_000}, {"medical_year_fen": None}, ""),
]


@pytest.mark.parametrize(("who", "more", "tier"), TIERS)
def test_the_tier_proposed(who: dict[str, int], more: dict[str, Any], tier: str) -> None:
    assert of(member(("support", who["year"]), age=who["age"]), **more).proposal == tier


def test_what_a_tier_would_make_up() -> None:
    fits = {f.tier: f for f in of(member(("support", 600_000), age=70)).fits}
    assert fits["tekun"].standard_fen == 78_000  # 130 % of the line
    assert fits["dibao"].standard_fen == 10_000  # 600.00 less 500.00
    assert "无履行义务能力" in fits["tekun"].formula_zh


def test_one_who_can_work_takes_the_household_out_of_state_care() -> None:
    assert of(member(age=70), member(age=40)).proposal == "dibao"
    assert of(member(age=70), member(age=40, ability="none")).proposal == "tekun"


def test_a_region_and_a_date_of_their_own(tmp_path: Path) -> None:
    book = tmp_path / "rules"
    shutil.copytree(SHIPPED, book)
    file = book / "parameters" / "sheet_transfer_old_age_percent.yaml"
    file.write_text(
        file.read_text()
        + '  - {value: 50, from: 2026-06-01, region: "9901", product_default: true}\n'
        + '  - {value: 90, from: 2026-06-02, region: "9901", product_default: true}\n'
    )
    loaded = rules.load(book)
    given_ = sheet(member(("old_age", 120_000)))
    assert reckon(loaded, given_, PLACE).income_year_fen == 60_000
    assert reckon(loaded, given_, "990201001001").income_year_fen == 0
    later = given_.model_copy(update={"checked_on": date(2026, 6, 2)})
    assert reckon(loaded, later, PLACE).income_year_fen == 108_000
    with pytest.raises(LookupError, match="no value for 2019-12-31"):
        reckon(loaded, given_.model_copy(update={"checked_on": date(2019, 12, 31)}), PLACE)


@pytest.mark.parametrize(
    "bad",
    [
        {"members": []},
        {"members": [member()] * (MOST_MEMBERS + 1)},
        {"members": [member(("property", 1, 1))]},
        {"members": [member(("wages_reference", 1))]},
        {"members": [member(("wages", -1))]},
        {"members": [member(("wages", 1), no_income=True)]},
        {"members": [member(("lottery", 1))]},
        {"members": [member(age=131)]},
        {"members": [member(name="x")]},
    ],
)
def test_what_is_no_sheet(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Sheet.model_validate({"checked_on": DAY, **bad})


INCOME = st.tuples(
    st.sampled_from([k for k in KINDS if k != "wages_reference"]), st.none() | st.integers(0, 10_000_000)
)
MEMBER = st.builds(
    lambda incomes, age, ability: member(*incomes, age=age, ability=ability),
    st.lists(INCOME, max_size=4),
    st.integers(0, 100),
    st.sampled_from(sorted(ABILITIES)),
)


@given(st.lists(MEMBER, min_size=1, max_size=5), st.integers(0, 5_000_000), st.none() | st.booleans())
def test_lines_add_up_and_a_fen_more_never_makes_poorer(
    members: list[dict[str, Any]], medical: int, assets: bool | None
) -> None:
    found = of(*members, medical_year_fen=medical, assets_ok=assets)
    own = [x.amount_fen for x in found.lines if x.member]
    assert found.income_year_fen == (None if None in own else sum(a for a in own if a is not None))
    richer = of(*members, member(("wages", 100_000)), medical_year_fen=medical, assets_ok=assets)
    if found.income_year_fen is not None and richer.income_year_fen is not None:
        assert richer.income_year_fen == found.income_year_fen + 100_000
        assert found.after_rigid_month_fen is not None
        assert found.income_month_fen is not None
        assert found.after_rigid_month_fen <= found.income_month_fen
    if found.proposal not in ("", "none"):
        assert assets is True
    for line in found.lines:
        assert all(p["from"] and (p["source"] or p["product_default"]) for p in line.parameters)


def test_words_for_every_kind() -> None:
    assert set(KINDS) == set(get_args(Kind))
    for kind in TRANSFERS:
        assert f"sheet_transfer_{kind}_percent" in BOOK.parameters
