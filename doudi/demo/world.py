"""What later changes refer to: people, and the rows that stand in the departments' tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from doudi.demo.changes import Change
from doudi.demo.county import County


class World:
    """The county as the stream knows it. Lists hold (key, person, …) of rows that may change again."""

    def __init__(self, county: County, seed: int) -> None:
        """Take what later changes refer to out of the county's tables."""
        self.today = county.today
        self.rng = np.random.default_rng([seed, 2])
        self.unidentified = county.unidentified
        tables, folk = county.tables, county.people.frame
        self.id, self.name, self.tel, self.division, self.house = (
            folk[c].to_list() for c in ("id_number", "name", "tel", "division", "household_no")
        )
        bills = _known(tables["setl_d"], "setl_id")
        self.bills = list(bills.select("setl_id", "person", "psn_part_amt").iter_rows())
        sums = bills.group_by("person", maintain_order=True).agg(pl.col("psn_part_amt").sum())
        self.heavy: list[int] = sums.filter(pl.col("psn_part_amt") > 500_000)["person"].to_list()
        roster = _known(tables["low_income_member"], "entry_id").filter(pl.col("status") == "active")
        self.entries = list(roster.select("entry_id", "person", "tier_code").iter_rows())
        insured = _known(tables["psn_insu_d"], "psn_no")
        self.policy: dict[int, str] = dict(insured.select("person", "psn_no").iter_rows())
        marked = set(insured.filter(pl.col("psn_idet_type").is_not_null())["person"])
        self.unmarked = [e for e in self.entries if e[1] not in marked and e[1] in self.policy]
        cards = tables["disabled_card"].filter(pl.col("certno").str.len_chars() > 0)
        self.cards = list(
            cards.filter(pl.col("canonical") == pl.col("card_no").str.slice(0, 18))
            .select("card_no", "person")
            .iter_rows()
        )
        members = _known(tables["household_member"], "member_id").filter(pl.col("left_on").is_null())
        self.members = list(members.select("member_id", "person").iter_rows())
        running = _known(tables["benefit"], "benefit_id").filter(pl.col("status") == "active")
        self.benefits = list(running.select("benefit_id", "person").iter_rows())
        self.dead: set[int] = set(tables["life_event"].filter(pl.col("event") == "死亡")["person"])
        self.registered: list[tuple[str, ...]] = []
        self.marker, *self.actors = county.actors
        self.nobody: list[str] = []
        self.count = 0

    def key(self, letter: str) -> str:
        """A new key of a department's row."""
        self.count += 1
        return f"{letter}L{self.count:09d}"

    def pick(self, items: list[Any]) -> Any:
        """Any one, or None."""
        return items[int(self.rng.integers(len(items)))] if items else None

    def pop(self, items: list[Any]) -> Any:
        """Any one, which then is no longer there, or None."""
        if not items:
            return None
        place = int(self.rng.integers(len(items)))
        items[place], items[-1] = items[-1], items[place]
        return items.pop()

    def person(self) -> int:
        """Anybody but the marker, of whom nothing may be known but the mark."""
        chosen = int(self.rng.integers(len(self.id) - 1))
        return chosen + (chosen >= self.marker)

    def who(self, person: int) -> tuple[str, str]:
        """ID number and name."""
        return self.id[person], self.name[person]


Maker = Callable[[World], Change | None]


def _known(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """Without the rows planted with an unusable ID (their keys have an X behind the letter)."""
    return frame.filter(~pl.col(key).str.slice(1, 1).eq("X"))
