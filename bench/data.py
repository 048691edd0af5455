"""The records of a benchmark: settlements of a county with a roster, seeded, read by every peer."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.tiers import TIERS

SEED = 20261122
DAY = dt.date(2026, 11, 20)
ROSTER_SHARE = 0.047
"""Low-income people per resident: 66 million of 1.4 thousand million (docs/demo.md names the source)."""
COUNTY = "990101"
AGAIN = 0.05
CHUNK = 20_000
FIRST_MS = 1_767_398_400_000
"""3 January 2026, UTC."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many people and settlements a run has."""

    people: int
    settlements: int

    @property
    def roster(self) -> int:
        """People on the roster: the first so many keys."""
        return int(self.people * ROSTER_SHARE)


def person_key(i: int) -> str:
    """A key of the form of a person_key, from a running number."""
    return hashlib.blake2b(b"bench %d" % i, digest_size=16).hexdigest()


Numbers = npt.NDArray[np.int64]


def _envelope(
    who: Numbers, source: str, number: Numbers, start: int, *, keys: pl.Series, at: pl.Series
) -> pl.DataFrame:
    """Envelope columns; ``start``: running number of the first row, which is its version."""
    rows = np.arange(start, start + len(who))
    return pl.DataFrame(
        {
            "event_id": pl.Series(rows).cast(pl.String),
            "source": [source] * len(who),
            "source_epoch": pl.Series(np.ones(len(who), np.int32)),
            "record_id": source + pl.Series(number).cast(pl.String),
            "record_version": rows + 1,
            "op": pl.Series(["create"] * len(who)),
            "person_key": keys.gather(who),
            "division": COUNTY + pl.Series(101_101 + who % 12 * 1000 + who % 7).cast(pl.String),
            "occurred_at": at,
            "published_at": at,
        }
    )


def person_keys(load: Load) -> pl.Series:
    """Keys of everybody, by running number."""
    return pl.Series([person_key(i) for i in range(load.people)])


def roster(load: Load) -> Iterator[pl.DataFrame]:
    """Roster entries, one a person, tiers in turn."""
    who = np.arange(load.roster)
    at = pl.Series([dt.datetime(2026, 1, 2, tzinfo=dt.UTC)] * load.roster, dtype=pl.Datetime("ms", "UTC"))
    yield _envelope(who, "bench.roster", who, 0, keys=person_keys(load), at=at).with_columns(
        tier=pl.Series(np.array(TIERS)[who % len(TIERS)]),
        status=pl.lit("active"),
        start_on=pl.lit(dt.date(2026, 1, 1)),
    )


def settlements(load: Load) -> Iterator[pl.DataFrame]:
    """Settlements over all people; one in twenty is a later version of an earlier record."""
    rng = np.random.default_rng(SEED)
    who = rng.integers(0, load.people, load.settlements)
    fen = rng.lognormal(9.2, 1.5, load.settlements).astype(np.int64)
    number = np.arange(load.settlements)
    again = np.flatnonzero(rng.random(load.settlements) < AGAIN)
    again = again[again > 0]
    earlier = (again * rng.random(len(again))).astype(np.int64)
    number[again], who[again] = number[earlier], who[earlier]
    keys = person_keys(load)
    for start in range(0, load.settlements, CHUNK):
        part = slice(start, start + CHUNK)
        seconds = np.arange(load.settlements)[part] * 25_000_000 // load.settlements
        at = pl.Series(FIRST_MS + seconds * 1000).cast(pl.Datetime("ms", "UTC"))
        pay = pl.Series(fen[part])
        yield _envelope(who[part], "bench.settlement", number[part], start, keys=keys, at=at).with_columns(
            setl_time=at,
            begndate=at.dt.date(),
            enddate=at.dt.date(),
            insutype=pl.lit("390"),
            med_type=pl.lit("21"),
            insu_admdvs=pl.lit(COUNTY),
            fixmedins_code=pl.lit("H00001"),
            medfee_sumamt_fen=pay * 3,
            fulamt_ownpay_amt_fen=pay // 4,
            inscp_scp_amt_fen=pay * 2,
            hifp_pay_fen=pay * 2,
            fund_pay_sumamt_fen=pay * 2,
            psn_part_amt_fen=pay,
            psn_cash_pay_fen=pay,
            refd_setl_flag=pl.lit("0"),
            vali_flag=pl.lit("1"),
            major_disease=pl.lit(value=False),
        )
