"""Which decoded rows may go on: values in range, message key equal to the row's own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from schemas.load import Schema

FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31: what dates can hold in every reader
MOST_FEN = 10**15
"""Ten trillion yuan. A larger amount is a fault of the sender and would overflow sums in the state."""
_DAY_MS = 86_400_000
_FEW = 2_000


@lru_cache(maxsize=512)
def _ranges(schema: Schema) -> dict[str, tuple[int, int]]:
    found = {}
    for field in schema.fields:
        if field.node.logical == "date":
            found[field.name] = (FIRST_DAY, LAST_DAY)
        elif field.node.logical == "timestamp-millis":
            found[field.name] = (FIRST_DAY * _DAY_MS, (LAST_DAY + 1) * _DAY_MS - 1)
        elif field.name.endswith("_fen"):
            found[field.name] = (-MOST_FEN, MOST_FEN)
    return found


def out_of_range(frame: pl.DataFrame, schema: Schema) -> dict[int, str]:
    """Row number to the first column whose value no later step could hold."""
    ranges = _ranges(schema)
    if not ranges or not frame.height:
        return {}
    found: dict[int, str] = {}
    for name, (least, most) in ranges.items():
        column = frame[name].cast(pl.Int64)  # series by series: a query over all costs small slices more
        low, high = column.min(), column.max()
        if low is not None and (low < least or high > most):  # type: ignore[operator]
            for row in (~column.is_between(least, most)).fill_null(value=False).arg_true().to_list():
                found.setdefault(row, name)
    return found


def strange_keys(frame: pl.DataFrame, keys: Sequence[bytes | None], fields: Sequence[str]) -> list[int]:
    """Rows whose fields, joined by a colon, are not the message key."""
    if not fields or not frame.height:
        return []
    if len(fields) == 1 and frame[fields[0]].dtype == pl.String:
        own = frame[fields[0]]
    else:
        texts = [pl.col(f).cast(pl.String) for f in fields]
        own = frame.select(pl.concat_str(texts, separator=":")).to_series()
    if frame.height <= _FEW:
        pairs = zip(own.to_list(), keys, strict=True)
        return [row for row, (text, given) in enumerate(pairs) if given is None or text.encode() != given]
    same = own.cast(pl.Binary).eq_missing(pl.Series(keys, dtype=pl.Binary))
    return (~same).arg_true().to_list()
