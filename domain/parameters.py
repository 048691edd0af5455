"""Dated parameters of the law: amounts, days and grades, by region and roster tier, each with its source.

A region is a division prefix. The most specific region wins, then the latest date; a value holds
until a later one of the same region and tier replaces it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.tiers import OFF_ROSTER, TIERS

Unit = Literal["fen", "days", "working_days", "months", "grade", "steps", "percent", "count", "area"]
Show = Callable[["Value", str], str]
_LITERAL = re.compile(r"'[a-z]*'")
TIERS_OF_PARAMETERS = (*TIERS, OFF_ROSTER)
LAW_FROM = date(2020, 1, 1)
"""Every parameter has a value for the whole country (region "") and each tier from this day on."""


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Words(Strict):
    """A text in Chinese and English."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Source(Strict):
    """Where a rule or a value comes from: what it says, and where it can be read."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)
    ref: str = Field(min_length=1)

    @property
    def text_zh(self) -> str:
        """What the source says, in Chinese."""
        return self.zh

    @property
    def text_en(self) -> str:
        """What the source says, in English."""
        return self.en


class Value(Strict):
    """One value: from when, where, for whom, and on what authority (a source or a product default)."""

    value: int
    from_: Annotated[date, Field(alias="from")]
    region: str = Field("", pattern=r"^[0-9]{0,12}$")
    tiers: tuple[str, ...] = ()
    source: Source | None = None
    product_default: bool = False

    @model_validator(mode="after")
    def _has_authority(self) -> Self:
        if self.source is None and not self.product_default:
            raise ValueError("a value without authority; give its source, or say product_default: true")
        return self

    def key(self, name: str, tier: str) -> str:
        """How a decision remembers which value it used: all that people see of it, on one line."""
        return f"{name}={self.value}@{self.from_}/{self.region}/{tier}"

    def authority(self, tier: str) -> dict[str, str | int | bool]:
        """What a decision says of the value: {value, from, region, tier, source, …}."""
        source = self.source
        return {
            "value": self.value,
            "from": self.from_.isoformat(),
            "region": self.region,
            "tier": tier,
            "source": source.ref if source else "",
            "source_zh": source.zh if source else "产品默认值",
            "source_en": source.en if source else "product default",
            "product_default": self.product_default,
        }


class Parameter(Strict):
    """A named parameter. ``by_tier``: it differs by roster tier, people off the roster being "none"."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: Words
    unit: Unit
    by_tier: bool = False
    values: tuple[Value, ...] = Field(min_length=1)

    def value_sql(self, tier: str) -> str:
        """SQL of the value in force for the row's ``division`` and ``law_on``; ``tier`` is an SQL expression."""
        return self._case(tier, lambda value, _: str(value.value))

    def key_sql(self, name: str, tier: str) -> str:
        """SQL of the key of the value in force, under the name that the decision gives it."""
        return self._case(tier, lambda value, of: f"'{value.key(name, of)}'")

    def in_force(self, division: str, day: date, tier: str = "") -> Value:
        """The value for a place, a day and (``by_tier``) a tier. Raises LookupError where none is in force yet."""
        values = [
            v
            for v in self.values
            if division.startswith(v.region)
            and v.from_ <= day
            and (not self.by_tier or (tier or OFF_ROSTER) in v.tiers)
        ]
        if not values:
            raise LookupError(f"{self.id}: no value for {day}; the book's law begins on {LAW_FROM}")
        return max(values, key=lambda v: (len(v.region), v.from_))

    def authorities(self, name: str) -> dict[str, str]:
        """Key to JSON member ("name": {…}) of every value, under the name that a decision gives it."""
        return {
            value.key(name, tier): f'"{name}":{json.dumps(value.authority(tier), ensure_ascii=False)}'
            for value in self.values
            for tier in (value.tiers if self.by_tier else ("",))
        }

    def _case(self, tier: str, shown: Show) -> str:
        literal = tier.strip("'") or OFF_ROSTER if _LITERAL.fullmatch(tier) else None
        whens = []
        for value in sorted(self.values, key=lambda v: (len(v.region), v.region, v.from_), reverse=True):
            tests = [f"starts_with(division, '{value.region}')"] if value.region else []
            tests.append(f"law_on >= date '{value.from_}'")
            if not self.by_tier:
                whens.append((tests, shown(value, "")))
            for name in value.tiers if self.by_tier else ():
                if literal is None:
                    written = "" if name == OFF_ROSTER else name
                    whens.append(([f"{tier} = '{written}'", *tests], shown(value, name)))
                elif literal == name:
                    whens.append((tests, shown(value, name)))
        cases = " ".join(f"when {' and '.join(tests)} then {then}" for tests, then in whens)
        return f"(case {cases} end)" if cases else "null"

    def gaps(self) -> list[str]:
        """Tiers (or "" for a parameter without tiers) that have no value for the whole country from LAW_FROM on."""
        wanted = TIERS_OF_PARAMETERS if self.by_tier else ("",)
        return [
            tier
            for tier in wanted
            if not any(not v.region and v.from_ <= LAW_FROM and (not tier or tier in v.tiers) for v in self.values)
        ]
