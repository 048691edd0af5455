"""What a scope reaches where codes change: renamings, splits, mergers, moves, chains of them, and bad tables."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from domain.divisions import Divisions, DivisionsError, Name, Reach, load

FIRST, DAY, LATER = date(2000, 1, 1), date(2026, 7, 1), date(2026, 10, 1)
COUNTY, NEXT_COUNTY = "990101", "990102"
OLD, OTHER, NEW, NEWER = "990101201", "990101202", "990101101", "990101102"


def row(code: str, since: date = FIRST, until: date | None = None, into: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"code": code, "zh": f"名{code}", "from": since, "until": until, "into": into}


def table(*rows: dict[str, Any]) -> Divisions:
    return Divisions.of([Name.model_validate(r) for r in rows])


def ended(code: str, *into: str, day: date = DAY, since: date = FIRST) -> dict[str, Any]:
    return row(code, since, day, into)


def reached(divisions: Divisions, scope: str, day: date = DAY) -> str:
    return divisions.reach(scope, day).text


RENAMED = table(row(COUNTY), ended(OLD, NEW), row(NEW, DAY))
SPLIT = table(
    ended(OLD, NEW, NEWER),
    row(NEW, DAY),
    row(NEWER, DAY),
    ended(f"{OLD}001", f"{NEW}001"),
    row(f"{NEW}001", DAY),
    ended(f"{OLD}002", f"{NEWER}007"),
    row(f"{NEWER}007", DAY),
)


def test_a_renaming_keeps_the_last_digits_of_villages() -> None:
    for scope in (OLD, NEW):
        assert reached(RENAMED, scope) == f"{NEW} {OLD}"
    for scope in (f"{OLD}003", f"{NEW}003"):
        assert reached(RENAMED, scope) == f"{NEW}003 {OLD}003"
    for scope in ("", "99", "9901", COUNTY, OTHER):
        assert reached(RENAMED, scope) == scope


def test_a_code_that_a_row_gives_to_a_village_is_no_other_s() -> None:
    numbered = table(ended(OLD, NEW), row(NEW, DAY), ended(f"{OLD}005", f"{NEW}001"), row(f"{NEW}001", DAY))
    assert reached(numbered, f"{NEW}001") == f"{NEW}001 {OLD}005"
    assert reached(numbered, f"{OLD}001") == f"{OLD}001"
    assert reached(numbered, NEW) == f"{NEW} {OLD}"


def test_nothing_applies_before_its_day() -> None:
    for scope in ("", COUNTY, OLD, NEW, f"{OLD}003"):
        assert reached(RENAMED, scope, DAY - timedelta(days=1)) == scope
    assert reached(RENAMED, NEW, LATER) == f"{NEW} {OLD}"


def test_a_split_leaves_to_each_town_its_villages_and_those_of_which_nobody_wrote() -> None:
    assert reached(SPLIT, NEW) == f"{NEW} {OLD} -{OLD}002"
    assert reached(SPLIT, NEWER) == f"{NEWER} {OLD} -{OLD}001"
    assert reached(SPLIT, OLD) == f"{NEW} {NEWER} {OLD}"
    assert reached(SPLIT, f"{OLD}002") == f"{NEWER}007 {OLD}002"
    assert reached(SPLIT, f"{NEWER}007") == f"{NEWER}007 {OLD}002"
    assert reached(SPLIT, f"{OLD}003") == f"{OLD}003"  # never worth a whole town
    assert reached(SPLIT, f"{NEW}003") == f"{NEW}003"


def test_a_merger_does_not_take_one_village_for_another() -> None:
    into_new = table(ended(OLD, NEW), ended(OTHER, NEW), row(NEW, DAY))
    for scope in (OLD, OTHER, NEW):
        assert reached(into_new, scope) == f"{NEW} {OLD} {OTHER}"
    assert reached(into_new, f"{NEW}001") == f"{NEW}001"
    assert reached(into_new, f"{OLD}001") == f"{OLD}001"
    into_one_that_was_there = table(ended(OLD, OTHER), row(OTHER))
    assert reached(into_one_that_was_there, OTHER) == f"{OLD} {OTHER}"
    assert reached(into_one_that_was_there, f"{OTHER}001") == f"{OTHER}001"


def test_a_village_that_goes_elsewhere_is_no_longer_seen_by_its_old_town() -> None:
    moved = table(row(OLD), row(OTHER), ended(f"{OLD}005", f"{OTHER}009"), row(f"{OTHER}009", DAY))
    assert reached(moved, OLD) == f"{OLD} -{OLD}005"
    assert reached(moved, OTHER) == f"{OLD}005 {OTHER}"
    assert reached(moved, COUNTY) == COUNTY
    both = table(ended(OLD, NEW), row(NEW, DAY), row(OTHER), ended(f"{OLD}005", f"{OTHER}009"), row(f"{OTHER}009", DAY))
    for scope in (OLD, NEW):
        assert reached(both, scope) == f"{NEW} {OLD} -{OLD}005"


def test_a_place_that_moves_to_another_county_is_that_county_s_alone() -> None:
    there = f"{NEXT_COUNTY}101"
    moved = table(row(COUNTY), row(NEXT_COUNTY), ended(OLD, there), row(there, DAY))
    assert reached(moved, COUNTY) == f"{COUNTY} -{OLD}"
    assert reached(moved, NEXT_COUNTY) == f"{OLD} {NEXT_COUNTY}"
    assert reached(moved, "9901") == "9901"
    stays = table(
        row(COUNTY), ended(OLD, there), row(there, DAY), ended(f"{OLD}005", f"{OTHER}009"), row(f"{OTHER}009", DAY)
    )
    assert reached(stays, COUNTY) == f"{COUNTY} -{OLD} {OLD}005"


def test_a_county_with_a_new_code_takes_its_towns_along() -> None:
    county = "990181"
    renamed = table(
        ended(COUNTY, county), row(county, DAY), ended(OLD, f"{county}001"), row(f"{county}001", DAY), row(OTHER)
    )
    assert reached(renamed, county) == f"{COUNTY} {county}"
    assert reached(renamed, OLD) == f"{OLD} {county}001"
    assert reached(renamed, OTHER) == f"{OTHER} {county}202"
    assert reached(renamed, f"{county}001003") == f"{OLD}003 {county}001003"
    assert reached(renamed, f"{COUNTY}001") == f"{COUNTY}001"  # its last digits became another town's


def test_changes_follow_on_each_other() -> None:
    chain = table(
        ended(OLD, NEW),
        row(NEW, DAY, LATER, (NEWER,)),
        ended(OTHER, NEWER, day=LATER),
        row(NEWER, LATER),
        row(f"{NEW}004", DAY, LATER, (f"{OTHER[:6]}103001",)),
        row(f"{OTHER[:6]}103001", LATER),
    )
    assert reached(chain, NEW) == f"{NEW} {OLD}"
    for scope in (OLD, NEW, NEWER):
        assert reached(chain, scope, LATER) == f"{NEW} -{NEW}004 {NEWER} {OLD} -{OLD}004 {OTHER}"
    for scope in (f"{OLD}004", f"{NEW}004", "990101103"):
        assert chain.reach(scope, LATER).holds(f"{OLD}004")
    assert reached(chain, f"{OLD}003", LATER) == f"{NEW}003 {OLD}003"


def test_a_restored_town_has_its_code_again() -> None:
    restored = table(ended(OLD, NEW), row(NEW, DAY, LATER, (OLD,)), row(OLD, LATER))
    for scope in (OLD, NEW):
        assert reached(restored, scope, LATER) == f"{NEW} {OLD}"
    assert reached(restored, f"{OLD}001", LATER) == f"{NEW}001 {OLD}001"


def test_a_code_that_is_given_to_another_place_is_of_both() -> None:
    given = table(ended(OLD, NEW), row(NEW, DAY), row(OLD, LATER))
    assert reached(given, NEW, LATER) == f"{NEW} {OLD}"
    assert reached(given, OLD, LATER) == OLD


def test_an_end_that_says_nothing_changes_nothing() -> None:
    assert reached(table(row(OLD, until=DAY)), OLD) == OLD


def test_names_of_a_place_are_those_that_it_reaches() -> None:
    assert [n.code for n in RENAMED.on(DAY, OLD)] == [NEW]
    assert [n.code for n in RENAMED.ended(DAY, NEW)] == [OLD]
    assert RENAMED.ended(DAY, OTHER) == RENAMED.ended(DAY - timedelta(days=1)) == []
    assert [n.code for n in RENAMED.ended(DAY)] == [OLD]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row(OLD, into=(NEW,)), row(NEW)], f"{OLD} from {FIRST}: .* give the day with until"),
        ([ended(OLD, COUNTY), row(COUNTY)], f"{OLD} until {DAY}: into names {COUNTY}, which has 6 digits and not 9"),
        ([ended(OLD, NEW)], f"into names {NEW}, which has no name on that day; add a row for {NEW} with from: {DAY}"),
        ([ended(OLD, NEW), row(NEW, LATER)], f"{NEW}, which has no name on that day"),
        ([ended(OLD, OTHER), row(OTHER, until=DAY)], f"{OTHER}, which has no name on that day"),
        ([ended(OLD, OLD)], f"{OLD} until {DAY}: into names the code itself; leave it out"),
        ([ended(OLD, NEW), row(NEW, DAY), row(OLD, DAY)], f"{OLD} became {NEW} on {DAY} and goes on from that day"),
        ([row(OLD, until=DAY, into=("99010",))], "into"),
        ([row(OLD, until=DAY, into=(990101101,))], "put the code in quotes"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_change_says_what_where_and_how_to_mend(tmp_path: Path, rows: list[dict[str, Any]], says: str) -> None:
    path = tmp_path / "divisions.yaml"
    plain = [{n: list(v) if n == "into" else v for n, v in r.items()} for r in rows]
    path.write_text(yaml.safe_dump({"divisions": plain}, allow_unicode=True), encoding="utf-8")
    with pytest.raises(DivisionsError, match=says) as error:
        load(path)
    assert str(path) in str(error.value)


def test_the_example_of_the_manual(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    (example,) = [text for text in manual.split("```")[1::2] if "into:" in text]
    path = tmp_path / "divisions.yaml"
    path.write_text(example.removeprefix("yaml"), encoding="utf-8")
    divisions = load(path)
    assert divisions.reach("990101102", DAY).text == "990101102 990101202 -990101202002 -990101202003"
    assert divisions.reach("990101103", DAY).text == "990101103 990101202 -990101202001 -990101202003"
    assert divisions.reach("990101104", DAY).text == "990101104 990101202003"
    assert divisions.reach("990101202", DAY).text == "990101102 990101103 990101202 -990101202003"


# ---------------------------------------------------------------------- a reach by itself

SOME = Reach.of({"9901": True, "990101": False, "990101001": True, "990101001002": False, "9902": False, "99030": True})


def test_a_reach_is_kept_in_its_shortest_form_and_goes_through_its_text() -> None:
    assert SOME.text == "9901 -990101 990101001 -990101001002 99030"
    assert Reach.parse(SOME.text) == SOME
    for rules, text in (({"": True}, ""), ({"": True, "99": False}, " -99"), ({}, "-")):
        assert Reach.of(rules).text == text
        assert Reach.parse(text) == Reach.of(rules)
    assert Reach.parse("990101").holds("990101001001")
    assert not Reach.of({}).holds("99")


@pytest.mark.parametrize("text", ["99a", "--99", "99,98", "9901011010010", "99'"])
def test_what_is_no_text_of_a_reach(text: str) -> None:
    with pytest.raises(ValueError, match="prefixes of up to 12 digits"):
        Reach.parse(text)


def test_what_two_reaches_share() -> None:
    assert SOME.both(Reach.of({"990101": True})).text == "990101001 -990101001002"
    assert SOME.both(Reach.of({"99": True})) == SOME
    assert SOME.both(Reach.of({"98": True})).text == "-"


def test_lists_of_standard_prefixes_hold_all_of_it() -> None:
    wide = SOME.widened((0, 2, 4, 6, 9, 12))
    assert wide.text == "9901 -990101 990101001 -990101001002 9903"
    assert wide.tops == ("9901", "9903")
    assert Reach.of({"": True, "99": False}).tops == ("",)
    finer = Reach.of({"990101": True, "990101001": False, "9901010010": True, "9901010011": False})
    assert finer.widened((0, 2, 4, 6, 9, 12)).text == "990101"


def test_sql_says_the_same() -> None:
    codes = ["", "99", "9901", "9901010", "990101001", "990101001002", "990101001003", "990102", "990302", "98"]
    for reach in (SOME, Reach.of({}), Reach.of({"": True}), Reach.of({"9'": True})):
        found = duckdb.sql(f"select {reach.sql('d')} from (select unnest({codes}) as d)").fetchall()
        assert [yes for (yes,) in found] == [reach.holds(code) for code in codes]
