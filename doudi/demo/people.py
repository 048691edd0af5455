"""Who lives in the synthetic county: people with valid but impossible ID numbers, households, villages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

COUNTY = "990101"
"""No such division exists, so no ID number here can be anybody's."""
TOWNS, VILLAGES = 10, 12
CODES = [f"{COUNTY}{101 + town}{201 + village}" for town in range(TOWNS) for village in range(VILLAGES)]
"""Divisions of the villages, town by town."""
SIZES = {1: 0.25, 2: 0.30, 3: 0.21, 4: 0.13, 5: 0.07, 6: 0.04}
"""Share of households by size (shape of the 2020 census; mean 2.6)."""
RESERVED = 0.14
"""Share of households that chance leaves alone: actors of the planted cases and of the steady phase."""

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECK = np.frombuffer(b"10X98765432", dtype="u1")
STEMS, BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class People:
    """One row a person: person, id_number, name, born, age, household_no, division, head, reserved."""

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height


def id_numbers(born: Ints) -> npt.NDArray[np.str_]:
    """Distinct valid numbers for birth dates given as days since 1970: the sequence counts within a day."""
    order = np.argsort(born, kind="stable")
    days = born[order]
    starts = np.flatnonzero(np.r_[True, days[1:] != days[:-1]])
    within = np.arange(len(days)) - np.repeat(starts, np.diff(np.r_[starts, len(days)]))
    if len(within) and within.max() > 999:
        raise ValueError("More than 1000 people born on one day: choose fewer --people.")
    sequence = np.empty(len(born), dtype=np.int64)
    sequence[order] = within
    civil = born.astype("datetime64[D]")
    years = civil.astype("datetime64[Y]").astype(int) + 1970
    months = civil.astype("datetime64[M]").astype(int) % 12 + 1
    day_of_month = (civil - civil.astype("datetime64[M]")).astype(int) + 1
    digits = np.empty((len(born), 17), dtype=np.int64)
    digits[:, :6] = [int(c) for c in COUNTY]
    birth = years * 10_000 + months * 100 + day_of_month
    for column, value, power in ((slice(6, 14), birth, 7), (slice(14, 17), sequence, 2)):
        digits[:, column] = value[:, None] // 10 ** np.arange(power, -1, -1) % 10
    text = np.empty((len(born), 18), dtype="u1")
    text[:, :17] = digits + ord("0")
    text[:, 17] = _CHECK[(digits @ _WEIGHTS) % 11]
    return text.view("S18")[:, 0].astype("U18")


def settle(count: int, today: date, rng: np.random.Generator, births: Sequence[date] = ()) -> People:
    """A county of `count` people in households spread over towns and villages.

    `births`: dates of birth for so many of those whom chance leaves alone and who head no household.
    """
    sizes = rng.choice(list(SIZES), size=count, p=list(SIZES.values()))
    household = np.repeat(np.arange(count), sizes)[:count]
    houses = int(household[-1]) + 1
    place = rng.integers(0, TOWNS * VILLAGES, size=houses)
    division = np.array(CODES)
    first_of_house = np.r_[True, household[1:] != household[:-1]]
    age_days = (rng.beta(1.6, 1.9, size=count) * 96 * 365.25).astype(np.int64)
    # Nobody's household is headed by a child.
    young = first_of_house & (age_days < 22 * 366)
    age_days[young] = rng.integers(22 * 366, 70 * 366, size=int(young.sum()))
    reserved = rng.permutation(houses) < max(round(houses * RESERVED), min(350, houses))
    free = np.flatnonzero(reserved[household] & ~first_of_house)[: len(births)]
    age_days[free] = [(today - day).days for day in births[: len(free)]]
    born = (today - date(1970, 1, 1)) // timedelta(days=1) - age_days
    syllables = np.array([f"测{s}{b}" for s in STEMS for b in BRANCHES])
    numbers = id_numbers(born)
    return People(
        pl.DataFrame(
            {
                "person": np.arange(count),
                "id_number": numbers,
                "name": syllables[rng.integers(0, len(syllables), size=count)],
                "born": pl.Series(born.astype("datetime64[D]")),
                "age": (age_days // 365.25).astype(np.int32),
                "house": household,
                "household_no": np.char.add("H", np.char.zfill(household.astype("U7"), 7)),
                "division": division[place[household]],
                "head": first_of_house,
                "reserved": reserved[household],
                "tel": np.char.add("990", np.char.zfill(rng.integers(0, 10**8, size=count).astype("U8"), 8)),
            }
        )
    )
