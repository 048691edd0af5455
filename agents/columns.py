"""From slices of the hub's own topics to frames for Python: offsets beside, instants as numbers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from schemas import load
from schemas.codec import Bad, decode
from wire.registry import Registry

log = logging.getLogger("doudi.columns")

MAX_BYTES = 8 << 20
"""The hub's own records may be large: a case carries the evidence of all its conditions."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Decodes hub topics by their registered schemas."""

    registry: Registry

    def frame(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        offsets: Sequence[int],
    ) -> tuple[pl.DataFrame, list[Bad]]:
        """Good records with their ``_offset``, and the bad ones by place. ``topic``: the logical name."""
        decoded = decode(
            values,
            keys,
            load.of_topic(topic),
            self.registry.writers(topic),
            key=load.key_fields(topic),
            max_bytes=MAX_BYTES,
        )
        where = pl.Series("_offset", [offsets[i] for i in decoded.index.tolist()], dtype=pl.Int64)
        for bad in decoded.bad:
            log.error("%s, offset %d: %s (%s)", topic, offsets[bad.index], bad.reason, bad.detail)
        return decoded.frame.hstack([where]), decoded.bad

    @staticmethod
    def empty(topic: str) -> pl.DataFrame:
        """No record of a topic."""
        return load.of_topic(topic).empty().with_columns(pl.Series("_offset", [], dtype=pl.Int64))


def instants(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every instant as ms since 1970, also inside lists of records."""
    return pl.DataFrame([_as_number(column) for column in frame])


def _as_number(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if _instant(dtype):
        return column.cast(pl.Int64)
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        inner = [pl.field(f.name).cast(pl.Int64) for f in dtype.inner.fields if _instant(f.dtype)]
        return column.list.eval(pl.element().struct.with_fields(inner))
    return column


def _instant(dtype: object) -> bool:
    return isinstance(dtype, pl.Datetime)
