"""What a mapping is written with: text of a department's column to a typed column, or a problem.

Each helper gives a ``Field``: the value, where it is unusable, and what to say then. What is said names
the column, never its content. Empty text counts as null everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import polars as pl

from domain.persons import ID_INSIDE

LOCAL_HOURS = 8
"""Times without an offset are China Standard Time (UTC+8, no daylight saving since 1991)."""

_OFFSET = r":[0-9]{2}(?:\.[0-9]+)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_MICROS_PER_MINUTE = 60_000_000
# Polars reads years that Python cannot say; reading such a value out would end the process.
_NO_YEAR = r"^(?:[+-]|0000|0{1,3}[^0-9])"
_FIRST_MICROS, _LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999, UTC


@dataclass(frozen=True, eq=False)
class Field:
    """A typed value; ``bad`` is true where the text is unusable, and ``says`` is then the reason.

    ``strict``: unusable is text of the (one) column that gave no value; what gives it is then asked only once.
    """

    value: pl.Expr
    columns: tuple[str, ...]
    bad: pl.Expr | None = None
    says: str = ""
    strict: bool = False


def text(column: str, pattern: str = r"[0-9A-Za-z_.\-]{1,32}") -> Field:
    """A code that is taken as it is, provided that it looks like one: free text and ID numbers never pass."""
    raw = pl.col(column)
    bad = raw.is_not_null() & (~raw.str.contains(f"^(?:{pattern})$") | raw.str.contains(ID_INSIDE.pattern))
    return Field(raw, (column,), bad, f"{column} is not a code ({pattern}), or holds an ID number")


def code(column: str, codes: Dictionary[str, str] | tuple[str, ...]) -> Field:
    """A code of a known list, translated where the list is a dictionary. An unknown one is a problem."""
    table = dict(codes) if isinstance(codes, Dictionary) else {c: c for c in codes}
    raw, known = pl.col(column), pl.col(column).is_in(list(table))
    value: pl.Expr = pl.when(known).then(raw)  # `replace` costs a small page ten times as much
    if isinstance(codes, Dictionary):
        value = pl.coalesce(pl.when(raw == given).then(pl.lit(meant)) for given, meant in table.items())
    return Field(value, (column,), raw.is_not_null() & ~known, f"{column} is none of {', '.join(table)}")


def truth(column: str, true: tuple[str, ...], false: tuple[str, ...]) -> Field:
    """A boolean out of codes."""
    raw = pl.col(column).str.to_lowercase()
    value = pl.when(raw.is_in(true)).then(True).when(raw.is_in(false)).then(False)
    says = f"{column} is none of {', '.join((*true, *false))}"
    return Field(value, (column,), raw.is_not_null() & value.is_null(), says)


def boolean(column: str) -> Field:
    """A boolean as databases write it."""
    return truth(column, ("t", "true", "1", "y"), ("f", "false", "0", "n"))


def fen(column: str) -> Field:
    """Yuan with at most two decimals to fen, exactly. More decimals are a problem, not rounded away."""
    return _hundredths(column, "an amount in yuan")


def dm2(column: str) -> Field:
    """Square metres with at most two decimals to square decimetres, exactly."""
    return _hundredths(column, "an area in square metres")


def _hundredths(column: str, what: str) -> Field:
    raw = pl.col(column)
    bad = raw.is_not_null() & ~raw.str.contains(r"^-?[0-9]{1,14}(?:\.[0-9]{1,2}0*)?$")
    digits = (
        raw.str.replace(r"^(-?[0-9]+)$", "${1}.00")
        .str.replace(r"\.([0-9])$", ".${1}0")
        .str.replace(r"\.([0-9]{2})0*$", "${1}")
    )
    value = digits.cast(pl.Int64, strict=False)
    return Field(value, (column,), bad, f"{column} is not {what} with at most two decimals")


def integer(column: str, low: int, high: int) -> Field:
    """A whole number within bounds."""
    value = pl.col(column).cast(pl.Int32, strict=False)
    bad = pl.col(column).is_not_null() & (value.is_null() | ~value.is_between(low, high))
    return Field(value, (column,), bad, f"{column} is not a whole number from {low} to {high}")


def day_of(raw: pl.Expr) -> pl.Expr:
    """A date of ``2026-11-22``, ``20261122``, ``2026/11/22`` or the beginning of a timestamp; else null.

    Null too outside the years 1 to 9999.
    """
    read = pl.coalesce(
        raw.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False),
        raw.str.to_date("%Y%m%d", strict=False),
        raw.str.to_date("%Y/%m/%d", strict=False),
    )
    return pl.when(~raw.str.contains(_NO_YEAR)).then(read)


def day(column: str) -> Field:
    """A date."""
    return Field(day_of(pl.col(column)), (column,), says=f"{column} is not a date", strict=True)


def month(column: str) -> Field:
    """The first day of a month of ``202611`` or ``2026-11``."""
    raw = pl.col(column)
    read = (raw.str.replace(r"^([0-9]{4})-?([0-9]{2})$", "${1}${2}") + "01").str.to_date("%Y%m%d", strict=False)
    value = pl.when(~raw.str.contains(_NO_YEAR)).then(read)
    return Field(value, (column,), says=f"{column} is not a month", strict=True)


def moment_of(raw: pl.Expr) -> pl.Expr:
    """UTC microseconds of an ISO timestamp; without ``Z`` or an offset it is local (UTC+8); else null.

    Null too where it lies outside the years 1 to 9999 in UTC.
    """
    return raw.map_batches(moments, return_dtype=pl.Datetime("us", "UTC"), is_elementwise=True)


def moments(texts: pl.Series) -> pl.Series:
    """``moment_of`` of a column, for a few rows at a third of a query's cost.

    As databases write them all at once; whatever else there is, by the slower way.
    """
    read = _moments(texts)
    micros = read.to_physical()
    inside = (micros >= _FIRST_MICROS) & (micros <= _LAST_MICROS)
    return read.zip_with(inside, pl.Series([None], dtype=read.dtype))


def _moments(texts: pl.Series) -> pl.Series:
    usual = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", strict=False, time_unit="us")
    if usual.null_count() == texts.null_count():
        return usual
    local = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    if local.null_count() == texts.null_count():
        return (local - timedelta(hours=LOCAL_HOURS)).dt.replace_time_zone("UTC")
    return pl.select(_any_moment(pl.lit(texts))).to_series()


def _any_moment(raw: pl.Expr) -> pl.Expr:
    offset = raw.str.extract(_OFFSET, 1)
    digits = offset.str.replace("Z", "+00").str.replace(":", "", literal=True)
    minutes = digits.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + (
        digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    )
    signed = pl.when(digits.str.starts_with("-")).then(-minutes).otherwise(minutes)
    naive = (
        raw.str.replace(r"(:[0-9]{2}(?:\.[0-9]+)?)(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$", "${1}")
        .str.replace("T", " ", literal=True)
        .str.replace("/", "-", literal=True, n=2)
        .str.replace(r"^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})$", "${1} 00:00:00")
        .str.replace(r"^(\S+ [0-9]{1,2}:[0-9]{2})$", "${1}:00")
    )
    local = naive.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us").cast(pl.Int64)
    return (
        (local - signed.fill_null(LOCAL_HOURS * 60) * _MICROS_PER_MINUTE)
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
    )


@cache
def moment(column: str) -> Field:
    """A point in time, UTC, milliseconds; the same field for the same column, which is then read once."""
    value = moment_of(pl.col(column)).dt.cast_time_unit("ms")
    return Field(value, (column,), says=f"{column} is not a time", strict=True)


def division(column: str) -> Field:
    """A division code of 2, 4, 6, 9 or 12 digits, filled to 12; empty where the department has none or a bad one."""
    raw = pl.col(column)
    good = raw.str.contains(r"^(?:[0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})$")
    value = pl.when(good).then(raw.str.pad_end(12, "0")).otherwise(pl.lit(""))
    return Field(value, (column,), raw.is_not_null() & ~good, f"{column} is not a division code")


def constant(value: str) -> Field:
    """The same for every row."""
    return Field(pl.lit(value), ())
