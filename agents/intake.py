"""What an external producer may put into its fields: the topic's, of the right type, codes only."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, TypeVar

import polars as pl

from domain.persons import ID_INSIDE
from schemas import load

LOCAL = timezone(timedelta(hours=8))
ENVELOPE = frozenset(
    {
        "event_id", "source", "source_epoch", "record_id", "record_version", "op", "person_key", "division",
        "occurred_at", "published_at",
    }
)  # fmt: skip
DERIVED = frozenset({"household_key", "guardian_key", "born_on"})
"""Fields that only the hub can know: it makes them from the sealed identity."""
CODE = re.compile(r"[0-9A-Za-z_.:\-]{0,64}")
_YEARS = (1850, 2200)
_INT: dict[pl.DataType, int] = {pl.Int32(): 2**31, pl.Int64(): 2**63}


class Refused(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def fields_of(topic: str, text: str) -> dict[str, Any]:
    """The department's fields as the topic's schema wants them. Refuses what is unknown or does not fit."""
    try:
        given = json.loads(text)
    except ValueError:
        raise Refused("undecodable", "fields is not JSON") from None
    if not isinstance(given, dict):
        raise Refused("undecodable", "fields is not a JSON object")
    known = {n: t for n, t in load.of_topic(topic).dtypes.items() if n not in ENVELOPE and n not in DERIVED}
    if given.keys() - known.keys():
        # not named: a field's name is the producer's text, and may be anything
        raise Refused("wrong_schema", f"fields holds {len(given.keys() - known.keys())} unknown to {topic}")
    return {name: _value(topic, name, known[name], value) for name, value in given.items() if value is not None}


def _value(topic: str, name: str, dtype: pl.DataType, value: Any) -> Any:
    no = Refused("wrong_schema", f"{name} of {topic} is not of type {dtype}")
    try:
        if dtype == pl.Date:
            return _plausible(date.fromisoformat(value))
        if isinstance(dtype, pl.Datetime):
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
            moment = moment or datetime.fromtimestamp(value / 1000, UTC)
            return _plausible(moment if moment.tzinfo else moment.replace(tzinfo=LOCAL))
    except (ValueError, TypeError, OverflowError, OSError):
        raise no from None
    if dtype in _INT:
        if type(value) is int and -_INT[dtype] <= value < _INT[dtype]:
            return value
    elif dtype == pl.Boolean:
        if isinstance(value, bool):
            return value
    elif dtype == pl.Float64:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, str):
        if CODE.fullmatch(value) and not ID_INSIDE.search(value):
            return value
        raise Refused("wrong_schema", f"{name} of {topic} is not a code: free text and numbers of persons stay out")
    raise no


_Day = TypeVar("_Day", date, datetime)


def _plausible(day: _Day) -> _Day:
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise ValueError("no year of ours")
    return day
