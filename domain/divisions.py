"""Divisions by day, from a county's own table: what a place is called, and what a code became.

A record, a condition and a case keep the code that was valid on their day. A row that ends may say ``into``: the codes
that it became. `Divisions.reach` then says which codes a scope reaches on a day, new and old; everything that asks
whether a division lies within a scope asks a `Reach`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from domain.errors import Permanent
from domain.parameters import Strict

_KEPT_REACHES: Final = 4096
_RULE: Final = re.compile(r"(-?)(\d{0,12})")


class DivisionsError(Permanent):
    """A table of divisions that cannot be used."""

    code = "divisions"


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("put the code in quotes, YAML reads it as a number｜代码须加引号")
    return value


Code = Annotated[str, BeforeValidator(_text), Field(pattern=r"^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})$")]
"""Digits of a province, prefecture, county, township or village (GB/T 2260, 10114)."""


class Name(Strict):
    """What a division is called from a day on, until before another; ``into``: the codes that it then became."""

    code: Code
    zh: str = Field(min_length=1)
    en: str = ""
    since: date = Field(alias="from")
    until: date | None = None
    into: tuple[Code, ...] = ()

    def holds(self, day: date) -> bool:
        """Whether the division has this code and name on a day."""
        return self.since <= day and (self.until is None or day < self.until)


class _Table(Strict):
    divisions: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """Which divisions a scope reaches: prefixes with yes or no. The longest that a division begins with counts.

    Always in its shortest form (`of`): a rule says otherwise than what lies around it, so the outermost are yes.
    """

    rules: tuple[tuple[str, bool], ...]

    @classmethod
    def of(cls, rules: Mapping[str, bool]) -> Reach:
        """Those of the rules that say something; without any nothing is reached."""
        found: dict[str, bool] = {}
        for prefix, yes in sorted(rules.items()):
            if yes is not _longest(found, prefix):
                found[prefix] = yes
        return cls(tuple(found.items()))

    @classmethod
    def parse(cls, text: str) -> Reach:
        """A reach out of its `text`; a single prefix is the text of what begins with it. Raises ValueError."""
        read = [_RULE.fullmatch(part) for part in text.split(" ")]
        if not all(read):
            raise ValueError("prefixes of up to 12 digits between spaces, those left out with a hyphen before them")
        return cls.of({m[2]: not m[1] for m in read if m})

    @property
    def text(self) -> str:
        """Its prefixes with spaces between, one that is left out with a hyphen before it.

        Everything is the empty text, nothing a hyphen.
        """
        return " ".join(f"{'' if yes else '-'}{prefix}" for prefix, yes in self.rules or (("", False),))

    @property
    def tops(self) -> tuple[str, ...]:
        """The prefixes that no other one contains: all that is reached lies in them."""
        return tuple(p for n, (p, _) in enumerate(self.rules) if not any(p.startswith(q) for q, _ in self.rules[:n]))

    def holds(self, division: str) -> bool:
        """Whether a division (0 to 12 digits) is reached."""
        return _longest(dict(self.rules), division)

    def both(self, other: Reach) -> Reach:
        """What both reach."""
        return Reach.of({p: self.holds(p) and other.holds(p) for p, _ in self.rules + other.rules})

    def widened(self, lengths: Sequence[int]) -> Reach:
        """The least that holds all of it and has prefixes of these lengths only; one of them is 0."""
        rules = {p: False for p, yes in self.rules if not yes and len(p) in lengths}
        rules |= {p[: max(n for n in lengths if n <= len(p))]: True for p, yes in self.rules if yes}
        return Reach.of(rules)

    def sql(self, column: str) -> str:
        """The same question of a column of text, in DuckDB."""
        whens = [
            f"when starts_with({column}, '{p.replace(chr(39), chr(39) * 2)}') then {str(yes).lower()}"
            for p, yes in sorted(self.rules, key=lambda rule: -len(rule[0]))
        ]
        return f"case {' '.join(whens)} else false end" if whens else "false"


@dataclass(frozen=True, slots=True)
class Change:
    """On a day a code became others. ``one``: it is the same place under one new code, so that what lies within it
    keeps its last digits."""

    day: date
    code: str
    into: tuple[str, ...]
    one: bool


@dataclass(frozen=True, slots=True, eq=False)
class Divisions:
    """Names by code, earliest first, no two of a code on the same day; and changes of codes, earliest first."""

    names: dict[str, tuple[Name, ...]] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Name]) -> Divisions:
        """The table of these rows. Raises DivisionsError with code and remedy."""
        by_code: dict[str, list[Name]] = defaultdict(list)
        for row in sorted(rows, key=lambda r: (r.code, r.since)):
            _check(row, by_code[row.code])
            by_code[row.code].append(row)
        names = {code: tuple(held) for code, held in by_code.items()}
        return cls(names, tuple(sorted(_changes(names), key=lambda c: (c.day, c.code))))

    def on(self, day: date, prefix: str = "") -> list[Name]:
        """The names that hold on a day, of the codes that a prefix reaches, by code."""
        reach = self.reach(prefix, day)
        return [n for code, held in sorted(self.names.items()) if reach.holds(code) for n in held if n.holds(day)]

    def ended(self, day: date, prefix: str = "") -> list[Name]:
        """The last names of codes that have none any more on a day, of the codes that a prefix reaches, by code."""
        reach = self.reach(prefix, day)
        return [
            before[-1]
            for code, held in sorted(self.names.items())
            if reach.holds(code) and (before := [n for n in held if n.since <= day]) and not before[-1].holds(day)
        ]

    def reach(self, scope: str, day: date) -> Reach:
        """What a scope (a prefix of 0 to 12 digits) reaches on a day.

        A scope with an ended code is worth those of its successors. A division is reached if it lies in one of
        them on that day, under whichever code it was written. Without a change: whatever begins with the scope.
        """
        return _reach(self, scope, day)

    def again(self, code: str, after: date, day: date) -> bool:
        """Whether a code that had ended was given again after a day, by another."""
        return any(after < name.since <= day for name in self.names[code])


def _longest(rules: Mapping[str, bool], division: str, beyond: int = -1) -> bool:
    """What the longest prefix says that is longer than ``beyond`` digits; no where there is none."""
    return next((rules[p] for n in range(len(division), beyond, -1) if (p := division[:n]) in rules), False)


class _Day:
    """The changes of one day, and how they carry a code."""

    def __init__(self, divisions: Divisions, changes: Iterable[Change], asked: date) -> None:
        self.changes = {c.code: c for c in changes}
        self._taken = {new for c in self.changes.values() for new in c.into}
        self._again = {c.code for c in self.changes.values() if divisions.again(c.code, c.day, asked)}

    def change(self, code: str) -> Change | None:
        """The most specific change that a code underwent."""
        return next((self.changes[code[:n]] for n in range(len(code), 0, -1) if code[:n] in self.changes), None)

    def carried(self, code: str, change: Change) -> str:
        """The one code that a code became; empty where nobody wrote it, or where another place got that code."""
        if not change.one:
            return ""
        moved = change.into[0] + code[len(change.code) :]
        named = any(moved[:n] in self._taken for n in range(len(change.into[0]) + 1, len(moved) + 1))
        return "" if named else moved

    def scopes(self, scope: str) -> tuple[str, ...]:
        """The scopes that a scope became. A village of which nobody wrote what it became stays as it is: it is never
        worth a whole town. A code that was given again means the place that has it now."""
        change = self.change(scope)
        if change is None or change.code in self._again:
            return (scope,)
        if scope == change.code:
            return change.into
        return (self.carried(scope, change) or scope,)

    def before(self, after: Reach) -> Reach:
        """What is reached by the codes of before these changes, from what is reached by those after them."""
        rules = dict(after.rules)
        prefixes = {*rules, *self.changes}
        for change in self.changes.values():
            if change.one:
                new = change.into[0]
                prefixes |= {change.code + p[len(new) :] for p in {*rules, *self._taken} if p.startswith(new)}
        return Reach.of({prefix: self._reached(prefix, rules) for prefix in prefixes})

    def _reached(self, code: str, rules: Mapping[str, bool]) -> bool:
        change = self.change(code)
        if change is None:
            return _longest(rules, code)
        if moved := self.carried(code, change):
            found = _longest(rules, moved)
        else:
            # A place of which nobody wrote what it became is in all of them, and in its own scope as before.
            found = any(_longest(rules, new) for new in change.into) or _longest(rules, code, len(change.code))
        return found or (change.code in self._again and _longest(rules, code))


@lru_cache(_KEPT_REACHES)
def _reach(divisions: Divisions, scope: str, day: date) -> Reach:
    past = divisions.changes[: bisect_right(divisions.changes, day, key=lambda c: c.day)]
    days = [_Day(divisions, some, day) for _, some in groupby(past, key=lambda c: c.day)]
    scopes = [scope]
    for changed in days:
        scopes = [s for one in scopes for s in changed.scopes(one)]
    reach = Reach.of(dict.fromkeys(scopes, True))
    for changed in reversed(days):
        reach = changed.before(reach)
    return reach


def _check(row: Name, before: Sequence[Name]) -> None:
    """Whether a row fits those of its code that begin earlier."""
    if row.until is not None and row.until <= row.since:
        raise DivisionsError(f"{row.code} from {row.since}: until ({row.until}) must be later than from")
    if not before:
        return
    last = before[-1]
    if last.until is None or row.since < last.until:
        raise DivisionsError(
            f"{row.code} has two names on {row.since} ({last.zh}, {row.zh}): "
            f"end the earlier one with until: {row.since}"
        )
    if last.into and row.since == last.until:
        raise DivisionsError(
            f"{row.code} became {', '.join(last.into)} on {row.since} and goes on from that day: a code that goes on "
            "becomes no other; take its into away, and give one to each village that left it"
        )


def _changes(names: Mapping[str, Sequence[Name]]) -> Iterable[Change]:
    """What the rows say of changes. Raises DivisionsError."""
    became: dict[tuple[date, str], set[str]] = defaultdict(set)
    said = [(_until(row), row) for held in names.values() for row in held if row.into]
    for day, row in said:
        for new in row.into:
            _check_successor(row, new, day, names.get(new, ()))
            became[day, new].add(row.code)
    for day, row in said:
        into = tuple(dict.fromkeys(row.into))
        # The same place under a new code: nothing else became part of it, and it was not there before.
        new_place = became[day, into[0]] == {row.code} and not _named(names[into[0]], day - timedelta(days=1))
        yield Change(day, row.code, into, len(into) == 1 and new_place)


def _until(row: Name) -> date:
    if row.until is None:
        raise DivisionsError(
            f"{row.code} from {row.since}: into says what the code became when it ended; give the day with until"
        )
    return row.until


def _check_successor(row: Name, new: str, day: date, held: Sequence[Name]) -> None:
    if new == row.code:
        raise DivisionsError(
            f"{row.code} until {day}: into names the code itself; leave it out, or, where the code goes on, "
            "take into away and give one to each village that left it"
        )
    if len(new) != len(row.code):
        raise DivisionsError(
            f"{row.code} until {day}: into names {new}, which has {len(new)} digits and not {len(row.code)}; "
            "name divisions of the same kind"
        )
    if not _named(held, day):
        raise DivisionsError(
            f"{row.code} until {day}: into names {new}, which has no name on that day; "
            f"add a row for {new} with from: {day}"
        )


def _named(held: Sequence[Name], day: date) -> bool:
    return any(name.holds(day) for name in held)


def load(path: Path | None) -> Divisions:
    """The table in a file; without one no division has a name, and no code changes.

    Raises DivisionsError with file, code and remedy.
    """
    if path is None:
        return Divisions()
    try:
        rows = _Table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).divisions
    except (OSError, UnicodeError, yaml.YAMLError, ValidationError) as error:
        raise DivisionsError(f"{path}: {error}; see DOUDI_DIVISIONS in docs/operations.md") from error
    try:
        return Divisions.of(rows)
    except DivisionsError as error:
        raise DivisionsError(f"{path}: {error}") from None
