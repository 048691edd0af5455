"""The generator: equal seeds, equal counties; every ID is valid and impossible; shares are as published."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from domain.persons import normalise_id
from doudi.demo import civil, county, elsewhere, keys
from doudi.demo.stream import Stream

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def some() -> county.County:
    return county.generate(20_000, 7, NOW)


def test_a_seed_makes_one_county() -> None:
    first, again, other = (county.generate(3000, seed, NOW) for seed in (1, 1, 2))
    assert all(first.tables[name].equals(again.tables[name]) for name in first.tables)
    assert first.unidentified == again.unidentified
    assert not first.tables["setl_d"].equals(other.tables["setl_d"])
    assert Stream(first, 1).take(2000) == Stream(again, 1).take(2000)


def test_nothing_happens_to_the_marker_however_long_the_stream_goes() -> None:
    """Else the mark raises no alert, and whoever waits for it waits in vain: a small county runs out of actors."""
    small = county.generate(2000, 1, NOW)
    stream = Stream(small, 1)
    changes = stream.take(40_000)
    marker = stream.marker[:17]
    for change in changes:
        said = [*change.line, *(str(v) for _, values in change.statements for v in values)]
        assert not any(marker in value for value in said), change


def test_every_number_is_valid_distinct_and_nobodys(some: county.County) -> None:
    numbers = some.people.frame["id_number"]
    assert numbers.n_unique() == len(some.people) == 20_000
    for number in numbers:
        assert normalise_id(number).clear == number
        assert number.startswith("990101")
    assert some.people.frame["division"].str.contains(r"^990101\d{6}$").all()
    assert some.people.frame["name"].str.starts_with("测").all()


def test_the_roster_has_its_share_and_its_mix(some: county.County) -> None:
    chance = some.tables["low_income_member"].join(
        some.people.frame.filter("reserved").select("person"), on="person", how="anti"
    )
    active = chance.filter(pl.col("status").eq("active") | pl.col("exit_reason").eq("02"))
    assert active["person"].n_unique() / 20_000 == pytest.approx(0.047, rel=0.05)
    total = sum(civil.TIER_MILLIONS.values())
    mix = dict(active.unique("person", keep="first", maintain_order=True)["tier_code"].value_counts().iter_rows())
    for tier, millions in civil.TIER_MILLIONS.items():
        assert mix[tier] / active["person"].n_unique() == pytest.approx(millions / total, abs=0.02)


def test_planted_rows_without_an_id_are_counted_exactly(some: county.County) -> None:
    def bad(number: str | None) -> bool:
        try:
            normalise_id(number)
        except Exception:
            return True
        return False

    found = sum(sum(map(bad, frame[keys.ID_COLUMN[name]])) for name, frame in some.tables.items())
    assert found == some.unidentified


def test_there_are_reversals_shared_timestamps_and_other_spellings(some: county.County) -> None:
    bills = some.tables["setl_d"]
    assert bills.filter(pl.col("psn_part_amt") < 0).height > 100
    assert bills.filter(pl.col("vali_flag") == "0").height > 50
    assert bills["touched"].value_counts()["count"].max() > 500
    assert bills.filter(pl.col("certno") != pl.col("canonical")).height > 20
    assert bills["touched"].max() < NOW  # type: ignore[operator]
    parts = bills.select(pl.col("fund_pay_sumamt") + pl.col("psn_part_amt") == pl.col("medfee_sumamt"))
    assert parts.to_series().all()


def test_the_stream_has_every_kind_of_change(some: county.County) -> None:
    stream = Stream(some, 3)
    changes = stream.take(20_000)
    assert {c.database for c in changes} == {"medical", "civil", "disability", "vital"}
    said = [s for c in changes for s, _ in c.statements]
    for part in (
        "DELETE FROM setl_d",
        "vali_flag = '0'",
        "SET certno",
        "deleted = true",
        "SET left_on",
        "'exited'",
        "SET id_number",
        "SET idet_enddate",
        "SET grade",
    ):
        assert any(part in s for s in said), part
    assert any(c.late for c in changes)
    assert {c.line[3] for c in changes if c.line} >= {"死亡", "撤销", *elsewhere.EVENTS}
    assert len({c.begins for c in changes if c.begins}) >= 150
    nobody = sum(
        1 for c in changes for s, p in c.statements if s.startswith("INSERT INTO setl_d") and p[3] in keys.BAD_IDS
    )
    assert nobody > 20 and some.unidentified < stream.unidentified <= some.unidentified + nobody
