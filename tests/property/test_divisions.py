"""Codes that change, in histories made up at random: what a scope reaches is what a place by place account says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.divisions import Divisions, Name, Reach

FIRST = date(2020, 1, 1)
COUNTY, NEIGHBOUR = "990101", "990102"
CODES = st.text("0129", max_size=12)


@dataclass
class History:
    """A table in the making: towns that live, and rows by code. No code is given twice."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    days: list[date] = field(default_factory=list)
    named: int = 0

    def begin(self, code: str, day: date) -> str:
        self.rows[code] = {"code": code, "zh": code, "from": day, "until": None, "into": ()}
        return code

    def town(self, county: str, day: date) -> str:
        self.named += 1
        return self.begin(f"{county}{self.named:03}", day)

    def end(self, code: str, day: date, into: tuple[str, ...]) -> None:
        self.rows[code] |= {"until": day, "into": into}

    def live(self, day: date) -> list[str]:
        """The towns of a day."""
        return [c for c, r in self.rows.items() if len(c) == 9 and _holds(r, day)]

    @property
    def table(self) -> Divisions:
        return Divisions.of([Name.model_validate(r) for r in self.rows.values()])


def _holds(row: dict[str, Any], day: date) -> bool:
    return row["from"] <= day and (row["until"] is None or day < row["until"])


@st.composite
def histories(draw: st.DrawFn, *, counties: tuple[str, ...]) -> History:
    """Up to three days of changes: towns renamed, split, merged, moved, and villages that go elsewhere."""
    made = History()
    for county in counties:
        made.begin(county, FIRST)
    for _ in range(draw(st.integers(2, 4))):
        made.town(draw(st.sampled_from(counties)), FIRST)
    for n in range(draw(st.integers(1, 3))):
        day = FIRST + timedelta(days=100 * (n + 1))
        made.days.append(day)
        before = made.live(day - timedelta(days=1))
        ends = draw(st.lists(st.sampled_from(before), unique=True, max_size=2))
        fresh = [made.town(draw(st.sampled_from(counties)), day) for _ in range(draw(st.integers(0, 2)))]
        heirs = fresh + [t for t in before if t not in ends]
        for town in ends:
            if heirs:
                made.end(town, day, tuple(draw(st.lists(st.sampled_from(heirs), min_size=1, max_size=2, unique=True))))
        for village in draw(st.lists(st.sampled_from([f"{t}00{v}" for t in before for v in (1, 2)]), max_size=2)):
            since = made.rows[village[:9]]["from"]
            new = f"{draw(st.sampled_from(heirs or before))}{draw(st.sampled_from(('001', '003', '004')))}"
            known = made.rows.get(village, {"from": since, "until": None})
            if heirs and new not in {*made.rows, village} and known["from"] < day and known["until"] is None:
                made.begin(new, day)
                if village not in made.rows:
                    made.begin(village, since)
                made.end(village, day, (new,))
    return made


class Account:
    """Where a code lies on a day, carried forward change by change; "!" before a code that nobody knows more of."""

    def __init__(self, made: History) -> None:
        self.rows = made.rows
        self.days = made.days

    def changed(self, code: str, day: date) -> str:
        """The most specific code that became others on a day and that a code begins with."""
        ended = [c for c, r in self.rows.items() if r["until"] == day and r["into"] and code.startswith(c)]
        return max(ended, key=len, default="")

    def same(self, code: str, day: date) -> bool:
        """Whether a code became another one that is the same place."""
        into = self.rows[code]["into"]
        from_others = [r for r in self.rows.values() if r["until"] == day and set(into) & set(r["into"])]
        return len(into) == 1 and len(from_others) == 1 and self.rows[into[0]]["from"] == day

    def taken(self, code: str, day: date) -> bool:
        """Whether a village's code was given on a day by a row."""
        return any(code in r["into"] for r in self.rows.values() if r["until"] == day and len(r["code"]) == 12)

    def step(self, code: str, day: date, *, scope: bool) -> set[str]:
        old = "" if code.startswith("!") else self.changed(code, day)
        if not old:
            return {code}
        into = self.rows[old]["into"]
        moved = into[0] + code[len(old) :]
        if code == old:
            return set(into) if scope else {*into}
        if self.same(old, day) and not self.taken(moved, day):
            return {moved}
        return {f"!{code}"} if scope else {*into, f"!{code}"}

    def places(self, code: str, on: date, *, scope: bool) -> set[str]:
        """The places of a division on a day, or what a scope is worth."""
        found = {code}
        for day in self.days:
            if day <= on:
                found = {p for one in found for p in self.step(one, day, scope=scope)}
        return found

    def reached(self, scope: str, division: str, on: date) -> bool:
        scopes = self.places(scope, on, scope=True)
        return any(d.startswith(s) for d in self.places(division, on, scope=False) for s in scopes)


def samples(made: History) -> list[str]:
    """Divisions: all that are named, and villages of every town of which nobody wrote."""
    towns = [c for c in made.rows if len(c) == 9]
    return sorted({*made.rows, *(f"{t}{v}" for t in towns for v in ("001", "002", "003"))})


@given(histories(counties=(COUNTY, NEIGHBOUR)))
@settings(max_examples=150, deadline=None)
def test_what_is_reached_is_what_a_place_by_place_account_says(made: History) -> None:
    table, account = made.table, Account(made)
    codes = samples(made)
    for day in (FIRST, *made.days):
        for scope in ("", "9901", *codes):
            reach = table.reach(scope, day)
            assert reach.holds(scope)
            assert Reach.parse(reach.text) == reach
            for division in codes:
                assert reach.holds(division) is account.reached(scope, division, day), (scope, division, day)


@given(histories(counties=(COUNTY,)))
@settings(max_examples=150, deadline=None)
def test_nobody_is_lost_to_the_towns_and_the_county(made: History) -> None:
    table = made.table
    for day in made.days:
        eve = day - timedelta(days=1)
        towns = [table.reach(town, day) for town in made.live(day)]
        for division in samples(made):
            begun = made.rows.get(division[:9], {"from": FIRST})["from"] <= eve
            if begun and table.reach(COUNTY, eve).holds(division):
                assert table.reach(COUNTY, day).holds(division)
                assert len(division) == 6 or any(reach.holds(division) for reach in towns), (division, day)


@given(CODES, CODES, st.booleans())
def test_without_changes_a_reach_is_a_prefix(scope: str, division: str, named: bool) -> None:
    rows = [Name.model_validate({"code": "990101", "zh": "县", "from": FIRST})] if named else []
    assert Divisions.of(rows).reach(scope, FIRST).holds(division) is division.startswith(scope)


RULES = st.dictionaries(CODES, st.booleans(), max_size=6).map(Reach.of)


@given(RULES, RULES, CODES)
def test_what_is_made_of_reaches(one: Reach, other: Reach, division: str) -> None:
    assert one.both(other).holds(division) is (one.holds(division) and other.holds(division))
    wide = one.widened((0, 2, 4, 6, 9, 12))
    assert wide.holds(division) or not one.holds(division)
    assert any(division.startswith(top) for top in wide.tops) or not wide.holds(division)
    assert not any(a != b and a.startswith(b) for a in wide.tops for b in wide.tops)
    assert {len(prefix) for prefix, _ in wide.rules} <= {0, 2, 4, 6, 9, 12}
    signed = sum((1 if yes else -1) * division.startswith(prefix) for prefix, yes in wide.rules)
    assert signed == wide.holds(division)  # lists that are added and taken off count each division once
