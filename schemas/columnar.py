"""Decode many bodies of one schema at once, or not at all.

The bodies become one block of an Avro container for Polars, with a sentinel row behind them. Polars does
not say how many bytes it took for a row, so the lengths that the decoded values have in canonical Avro are
computed and compared with the bodies' own. No value takes fewer bytes than that: if every length agrees, a
row that began late could never be caught up before the sentinel, so all boundaries were kept.
"""

from __future__ import annotations

import io
import json
import secrets
from functools import lru_cache
from typing import Any

import fastavro
import numpy as np
import polars as pl

from schemas import layout
from schemas.load import Node, Schema

_SYNC = secrets.token_bytes(16)


def read(schema: Schema, bodies: list[bytes]) -> pl.DataFrame | None:
    """The rows of the bodies, or None on any doubt: then read them one by one."""
    if (frame_of := _frame_of(schema)) is None:
        return None
    head, sentinel, expected = frame_of
    lengths = np.fromiter(map(len, bodies), np.int64, len(bodies))
    total = int(lengths.sum())
    size = _varint(len(bodies) + 1) + _varint(total + len(sentinel))
    block = b"".join((head, size, *bodies, sentinel, _SYNC))
    try:
        frame = pl.read_avro(io.BytesIO(block))
    except (Exception, pl.exceptions.PanicException):
        return None
    if frame.height != len(bodies) + 1:
        return None
    for place, field in enumerate(schema.fields):
        if field.node.kind == "enum":
            frame.replace_column(place, frame[field.name].cast(pl.String))
    if frame.schema != schema.dtypes or frame.row(-1) != expected:
        return None
    frame = frame.head(len(bodies))
    chain = layout.of_frame(schema.fields, frame, write=False)
    if not (chain.lengths == lengths).all():
        return None
    first = len(block) - len(_SYNC) - len(sentinel) - total
    if not chain.check(np.frombuffer(block, np.uint8), first + np.cumsum(lengths) - lengths):
        return None
    return frame


@lru_cache(maxsize=512)
def _frame_of(schema: Schema) -> tuple[bytes, bytes, tuple[Any, ...]] | None:
    """Container header, sentinel body, and the sentinel as decoded; None if Polars cannot read the schema."""
    text = json.dumps(_bare(dict(schema.raw))).encode()
    head = b"".join(
        (
            b"Obj\x01",
            _varint(2),
            _varint(11),
            b"avro.schema",
            _varint(len(text)),
            text,
            _varint(10),
            b"avro.codec",
            _varint(4),
            b"null",
            _varint(0),
            _SYNC,
        )
    )
    row = {f.name: _random(f.node) for f in schema.fields}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema.parsed, row)
    body = out.getvalue()
    try:
        frame = pl.read_avro(io.BytesIO(b"".join((head, _varint(1), _varint(len(body)), body, _SYNC))))
    except (Exception, pl.exceptions.PanicException):
        return None
    return head, body, frame.row(0)


def _bare(kind: Any) -> Any:
    """A type without documentation and defaults: a writer's schema needs none, and Polars refuses some."""
    if isinstance(kind, list):
        return [_bare(some) for some in kind]
    if isinstance(kind, dict):
        return {k: v if k == "symbols" else _bare(v) for k, v in kind.items() if k not in ("doc", "default")}
    return kind


def _random(node: Node) -> Any:
    """A value that no sender can guess, of a length that does not depend on it."""
    if node.kind == "string":
        return secrets.token_hex(8)
    if node.kind == "bytes":
        return secrets.token_bytes(8)
    if node.kind == "enum":
        return secrets.choice(node.symbols)
    if node.kind == "boolean":
        return secrets.choice((True, False))
    if node.kind == "array":
        return []
    if node.kind == "record":
        return {f.name: _random(f.node) for f in node.fields}
    return 8_192 + secrets.randbelow(8_192)  # three bytes; a day in 1992 or later


def _varint(value: int) -> bytes:
    zigzag, out = value << 1, bytearray()
    while zigzag > 0x7F:  # noqa: PLR2004
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)
