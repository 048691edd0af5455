"""Where each value of a column lies in the Avro bytes: exact lengths, a check against bytes, and packing.

A ``Piece`` stands for one value per row and knows how many bytes each takes in canonical Avro. The
codec uses the lengths to prove that a columnar decode kept every record's boundary, and packs with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.load import Field, Node

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
_SIZES = [np.uint64(1) << np.uint64(7 * k) for k in range(1, 10)]
_SEVEN = np.uint64(7)


class Piece(Protocol):
    """One value per row. ``lengths``: bytes of each (rows)."""

    lengths: Ints

    def check(self, data: Bytes, at: Ints) -> bool:
        """Whether the bytes at these positions are canonical, as far as lengths do not already prove it."""

    def write(self, out: Bytes, at: Ints) -> None:
        """Write each value at its position."""


class Codes:
    """One byte a row: a boolean or an enum's symbol."""

    def __init__(self, codes: Bytes) -> None:
        self.codes = codes
        self.lengths = np.ones(len(codes), np.int64)

    def check(self, data: Bytes, at: Ints) -> bool:
        """Compares the byte itself: decoders differ on booleans other than 0 and 1."""
        return bool((data[at] == self.codes).all())

    def write(self, out: Bytes, at: Ints) -> None:
        """Write the byte."""
        out[at] = self.codes


class Numbers:
    """Zigzag varints of int64 values."""

    def __init__(self, values: Ints) -> None:
        self.zigzag = ((values << 1) ^ (values >> 63)).view(np.uint64)
        self.lengths = np.ones(len(values), np.int64)
        top = self.zigzag.max() if len(values) else np.uint64(0)
        self.widest = 1
        for size in _SIZES:
            if top < size:
                break
            self.lengths += self.zigzag >= size
            self.widest += 1

    def check(self, data: Bytes, at: Ints) -> bool:
        """A varint of canonical length is canonical."""
        return True

    def write(self, out: Bytes, at: Ints) -> None:
        """Write seven bits at a time, the rows that have so many bytes."""
        rest, where, lengths = self.zigzag, at, self.lengths
        for k in range(self.widest):
            more = lengths > k + 1
            out[where] = rest.astype(np.uint8) & 0x7F | (more.view(np.uint8) << 7)
            if k + 1 < self.widest:
                if not more.all():
                    rest, where, lengths = rest[more], where[more], lengths[more]
                rest, where = rest >> _SEVEN, where + 1


class Blobs:
    """Runs of bytes without a prefix, one a row, lying one after the other in ``data``."""

    def __init__(self, lengths: Ints, series: pl.Series | None = None, data: Bytes | None = None) -> None:
        self.lengths, self._series, self._data = lengths, series, data

    def check(self, data: Bytes, at: Ints) -> bool:
        """Any bytes will do; text has been decoded as UTF-8 already."""
        return True

    def write(self, out: Bytes, at: Ints) -> None:
        """Copy each run: by rectangle where all are of one length, else by index."""
        source = self._bytes()
        if not len(source):
            return
        first = int(self.lengths[0])
        if (self.lengths == first).all():
            out[at[:, None] + np.arange(first)] = source.reshape(-1, first)
            return
        begin = np.cumsum(self.lengths) - self.lengths
        out[np.repeat(at - begin, self.lengths) + np.arange(len(source))] = source

    def _bytes(self) -> Bytes:
        if self._data is not None:
            return self._data
        assert self._series is not None  # noqa: S101 - one of the two is given
        array: Any = self._series.rechunk().to_arrow()
        offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset:array.offset + len(array) + 1]
        buffer = array.buffers()[2]
        whole = np.frombuffer(buffer, np.uint8) if buffer is not None else np.empty(0, np.uint8)
        return whole[offsets[0]:offsets[-1]]


class Fixed:
    """Eight bytes a row: doubles."""

    def __init__(self, values: npt.NDArray[np.float64]) -> None:
        self.bytes = values.astype("<f8").view(np.uint8).reshape(-1, 8)
        self.lengths = np.full(len(values), 8, np.int64)

    def check(self, data: Bytes, at: Ints) -> bool:
        """Any eight bytes are a double."""
        return True

    def write(self, out: Bytes, at: Ints) -> None:
        """Copy them."""
        out[at[:, None] + np.arange(8)] = self.bytes


class Chain:
    """Pieces one after the other: a length and its text, or the fields of a record."""

    def __init__(self, pieces: Sequence[Piece], rows: int) -> None:
        self.pieces = pieces
        self.lengths = np.zeros(rows, np.int64)
        for piece in pieces:
            self.lengths += piece.lengths

    def check(self, data: Bytes, at: Ints) -> bool:
        """Each piece at its place."""
        for piece in self.pieces:
            if not piece.check(data, at):
                return False
            at = at + piece.lengths
        return True

    def write(self, out: Bytes, at: Ints) -> None:
        """Each piece at its place."""
        for piece in self.pieces:
            piece.write(out, at)
            at = at + piece.lengths


class Optional:
    """A tag, and the value in the rows that have one (``rows``: their numbers; None: all)."""

    def __init__(self, count: int, rows: Ints | None, inner: Piece | None) -> None:
        self.rows, self.inner, self.count = rows, inner, count
        self.lengths = np.ones(count, np.int64)
        if inner is not None and rows is None:
            self.lengths += inner.lengths
        elif inner is not None:
            self.lengths[rows] += inner.lengths

    def check(self, data: Bytes, at: Ints) -> bool:
        """The tag is exactly 2 where there is a value; decoders take other numbers for it too."""
        if self.inner is None:
            return True  # a one-byte tag that decodes to null is 0
        there = at if self.rows is None else at[self.rows]
        return bool((data[there] == 2).all()) and self.inner.check(data, there + 1)  # noqa: PLR2004

    def write(self, out: Bytes, at: Ints) -> None:
        """Tag and value."""
        if self.inner is None:
            out[at] = 0
            return
        there = at
        if self.rows is not None:
            out[at] = 0
            there = at[self.rows]
        out[there] = 2
        self.inner.write(out, there + 1)


class Array:
    """One block of items and the closing zero; an empty array is the zero alone."""

    def __init__(self, counts: Ints, items: Piece) -> None:
        self.items, self.counts = items, counts
        self.full = np.flatnonzero(counts)
        self.count = Numbers(counts[self.full])
        ends = np.cumsum(counts)
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(items.lengths)])
        self.body = sums[ends] - sums[ends - counts]
        self.before = sums[ends - counts]
        self.lengths = np.ones(len(counts), np.int64)
        self.lengths[self.full] += self.count.lengths + self.body[self.full]

    def _places(self, at: Ints) -> Ints:
        """Position of each item."""
        first = at.copy()
        first[self.full] += self.count.lengths
        begin = np.cumsum(self.items.lengths) - self.items.lengths
        places: Ints = np.repeat(first - self.before, self.counts) + begin
        return places

    def check(self, data: Bytes, at: Ints) -> bool:
        """The items; block counts are proved by length."""
        return self.items.check(data, self._places(at))

    def write(self, out: Bytes, at: Ints) -> None:
        """Count, items, zero."""
        self.count.write(out, at[self.full])
        self.items.write(out, self._places(at))
        out[at + self.lengths - 1] = 0


def of_frame(fields: Sequence[Field], frame: pl.DataFrame) -> Chain:
    """The piece of a record's rows. ``frame`` has a column of the field's type for every field."""
    return Chain([_of_field(field, frame[field.name]) for field in fields], frame.height)


def _of_field(field: Field, series: pl.Series) -> Piece:
    if not field.nullable:
        return _of_node(field.node, series)
    nulls = series.null_count()
    if nulls == len(series):
        return Optional(len(series), None, None)
    if nulls == 0:
        return Optional(len(series), None, _of_node(field.node, series))
    rows = np.flatnonzero(series.is_not_null().to_numpy())
    return Optional(len(series), rows, _of_node(field.node, series.drop_nulls()))


def _of_node(node: Node, series: pl.Series) -> Piece:
    if node.kind in ("string", "bytes"):
        sizes = series.str.len_bytes() if node.kind == "string" else series.bin.size()
        lengths = sizes.to_numpy().astype(np.int64)
        source = series.cast(pl.Binary) if node.kind == "string" else series
        return Chain([Numbers(lengths), Blobs(lengths, source)], len(series))
    if node.kind in ("int", "long"):
        return Numbers(series.to_physical().to_numpy().astype(np.int64, copy=False))
    if node.kind == "boolean":
        return Codes(series.to_numpy().view(np.uint8))
    if node.kind == "enum":
        codes = series.replace_strict(node.symbols, [2 * k for k in range(len(node.symbols))], return_dtype=pl.UInt8)
        return Codes(codes.to_numpy())
    if node.kind == "double":
        return Fixed(series.to_numpy())
    if node.kind == "record":
        return of_frame(node.fields, series.struct.unnest())
    assert node.items is not None  # noqa: S101 - an array has items
    counts = series.list.len().to_numpy().astype(np.int64)
    items = series.filter(series.list.len() > 0).explode()
    return Array(counts, _of_node(node.items.node, items))
