"""What happens in the county from now on: an endless, seeded sequence of changes to the departments' rows.

Bills mostly; among them reversals, corrections, invalid and vanished rows, rows without an ID and their
mending, people who enter and leave the roster, identity corrections, moves, deaths and their revocation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from doudi.demo import happens_civil, happens_elsewhere, happens_medical
from doudi.demo.changes import Change, Statement
from doudi.demo.county import County
from doudi.demo.world import Maker, World

MIX: dict[Maker, float] = {**happens_medical.MIX, **happens_civil.MIX, **happens_elsewhere.MIX}
"""Kinds of change and how often each happens, relative to the others."""
MARK = "0MARK"


class Stream:
    """The changes after `county`, in order. Knows no rule and no clock."""

    def __init__(self, county: County, seed: int) -> None:
        self._world = World(county, seed)
        self._makers, weights = list(MIX), np.array(list(MIX.values()))
        self._weights = weights / weights.sum()

    @property
    def unidentified(self) -> int:
        """Rows without a usable ID after everything taken so far."""
        return self._world.unidentified

    @property
    def marker(self) -> str:
        """ID number of a person that the stream never touches."""
        return str(self._world.id[self._world.marker])

    def mark(self) -> Statement:
        """The INSERT of a bill that raises an alert for that person; its key is MARK, before every other."""
        return happens_medical.setl(self._world, self._world.marker, 1_600_000, key=MARK)[1]

    def __iter__(self) -> Iterator[Change]:
        """Endless."""
        while True:
            for maker in self._world.rng.choice(len(self._makers), size=1000, p=self._weights):
                if (change := self._makers[maker](self._world)) is not None:
                    yield change

    def take(self, rows: int) -> list[Change]:
        """The next changes, together of at least so many rows."""
        found: list[Change] = []
        for change in self:
            found.append(change)
            rows -= change.rows
            if rows <= 0:
                break
        return found
