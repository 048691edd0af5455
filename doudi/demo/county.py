"""The synthetic county's records, as each department keeps them: seeded, vectorised, ignorant of the rules.

Shares come from the published figures (docs/demo.md names them); what is not published is stated there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from doudi.demo import bills, civil, edges, elsewhere, keys, others, people, scene

LOCAL = timedelta(hours=8)

Frames = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class County:
    """Everything before the hub first looks. `unidentified`: rows planted without a usable ID, exactly."""

    people: people.People
    tables: Frames
    now: datetime
    today: date
    unidentified: int
    actors: tuple[int, ...]
    """Persons that nothing has happened to yet, for the changes to come."""

    @property
    def rows(self) -> int:
        """Rows in all departments together."""
        return sum(frame.height for frame in self.tables.values())


def local_day(now: datetime) -> date:
    """The county's calendar day (UTC+8, no summer time)."""
    return (now.astimezone(UTC) + LOCAL).date()


def generate(count: int, seed: int, now: datetime) -> County:
    """The county of `count` people at the instant `now` (aware). Equal arguments give equal counties."""
    rng = np.random.default_rng([seed, 1])
    today = local_day(now)
    each = max(1, round(20 * count / keys.FULL))
    births = [scene.birthday(today, *age) for age, needed in edges.AGES.items() for _ in range(needed * each)]
    county = people.settle(count, today, rng, births)
    folk = county.frame
    roster = civil.roster(folk, today, rng)
    tables: Frames = {"low_income_member": roster, "disabled_card": elsewhere.cards(folk, roster, today, rng)}
    tables["household_member"] = civil.households(folk, roster, today, rng)
    tables["setl_d"] = bills.settlements(folk, civil.on_roster(roster), today, now, rng)
    tables["psn_insu_d"] = elsewhere.insurance(folk, roster, today, rng)
    tables["benefit"] = civil.benefits(roster, tables, today, rng)
    tables["life_event"] = elsewhere.deaths(folk, roster, today, rng)
    tables = civil.after_death(tables, today, rng)
    more = elsewhere.events(folk, today, rng).select(tables["life_event"].columns)
    tables["life_event"] = pl.concat([tables["life_event"], more])
    tables |= others.tables(folk, roster, today, rng)
    heads = folk.filter(pl.col("head") & pl.col("reserved"))["person"].to_numpy()
    planted = edges.plant(folk, rng.permutation(heads), each, today, now)
    tables = {
        name: pl.concat([frame, planted.tables[name].select(frame.columns)]) if name in planted.tables else frame
        for name, frame in tables.items()
    }
    tables = {name: keys.numbered(keys.spelled(frame, folk, rng), name) for name, frame in tables.items()}
    tables, bad = keys.without_id(tables, count, rng)
    stamped = {name: keys.stamped(frame, name, now, rng) for name, frame in tables.items()}
    return County(county, stamped, now, today, bad, planted.unused)
