"""The records of a benchmark: settlements of a county with a roster, seeded; produced once, read by every peer."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from domain.tiers import TIERS

SEED = 20261122
DAY = dt.date(2026, 11, 20)
ROSTER_SHARE = 0.047
"""Low-income people per resident: 66 million of 1.4 thousand million (docs/demo.md names the source)."""
COUNTY = "990101"


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


def _envelope(i: int, source: str, record_id: str, key: str, version: int, at: dt.datetime) -> dict[str, object]:
    return {
        "event_id": f"{source}-{i:012d}", "source": source, "source_epoch": 1, "record_id": record_id,
        "record_version": version, "op": "create", "person_key": key,
        "division": f"{COUNTY}{i % 12 + 1:03d}{i % 7 + 1:03d}", "occurred_at": at, "published_at": at,
    }


def roster(load: Load) -> Iterator[tuple[str, dict[str, object]]]:
    """Roster entries, one a person, tiers in turn."""
    at = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    for i in range(load.roster):
        key = person_key(i)
        yield key, {
            **_envelope(i, "bench.roster", f"L{i:09d}", key, 1, at), "tier": TIERS[i % len(TIERS)],
            "status": "active", "start_on": dt.date(2026, 1, 1),
        }


def settlements(load: Load) -> Iterator[tuple[str, dict[str, object]]]:
    """Settlements over all people; one in twenty repeats an earlier record with a higher version."""
    rng = np.random.default_rng(SEED)
    who = rng.integers(0, load.people, load.settlements)
    fen = rng.lognormal(9.2, 1.5, load.settlements).astype(np.int64)
    again = rng.random(load.settlements) < 0.05  # noqa: PLR2004
    base = dt.datetime(2026, 1, 3, tzinfo=dt.UTC)
    last: dict[int, int] = {}
    for i in range(load.settlements):
        person = int(who[i])
        number = last.get(person, i) if again[i] else i
        last[person] = number
        at = base + dt.timedelta(seconds=int(i * 25_000_000 / load.settlements))
        pay = int(fen[i])
        yield person_key(person), {
            **_envelope(i, "bench.settlement", f"S{number:012d}", person_key(person), i + 1, at),
            "setl_time": at, "begndate": at.date(), "enddate": at.date(), "insutype": "390", "med_type": "21",
            "insu_admdvs": COUNTY, "fixmedins_code": f"H{i % 40:05d}", "medfee_sumamt_fen": pay * 3,
            "fulamt_ownpay_amt_fen": pay // 4, "inscp_scp_amt_fen": pay * 2, "hifp_pay_fen": pay * 2,
            "fund_pay_sumamt_fen": pay * 2, "psn_part_amt_fen": pay, "psn_cash_pay_fen": pay,
            "refd_setl_flag": "0", "vali_flag": "1", "major_disease": False,
        }


Sender = Callable[[str, str, dict[str, object]], None]
"""(topic, key, row) → queued for Kafka."""
