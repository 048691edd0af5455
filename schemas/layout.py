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
import pyarrow as pa
import pyarrow.compute as pc

from schemas.load import Field, Node

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
_SIZES = [np.uint64(1) << np.uint64(7 * k) for k in range(1, 10)]
_SEVEN = np.uint64(7)


class Piece(Protocol):
    """One value per row. ``lengths``: bytes of each (rows). ``proved``: right lengths alone prove it canonical."""

    lengths: Ints
    proved: bool

    def check(self, data: Bytes, at: Ints) -> bool:
        """Whether the bytes at these positions are canonical; need not be asked where ``proved``."""

    def write(self, out: Bytes, at: Ints) -> None:
        """Write each value at its position."""


class Codes:
    """One byte a row: a boolean."""

    proved = False

    def __init__(self, codes: Bytes) -> None:
        self.codes = codes
        self.lengths = np.ones(len(codes), np.int64)

    def check(self, data: Bytes, at: Ints) -> bool:
        """Compares the byte itself: decoders differ on booleans other than 0 and 1."""
        return bool((data[at] == self.codes).all())

    def write(self, out: Bytes, at: Ints) -> None:
        """Write the byte."""
        out[at] = self.codes


class Symbols:
    """One byte a row: an enum's symbol. Enums have at most 64 symbols: a number of one byte is canonical."""

    proved = True

    def __init__(self, array: Any, symbols: tuple[str, ...]) -> None:
        self.array, self.symbols = array, symbols
        self.lengths = np.ones(len(array), np.int64)

    def check(self, data: Bytes, at: Ints) -> bool:
        """Nothing is left to check."""
        return True

    def write(self, out: Bytes, at: Ints) -> None:
        """Write the symbol's zigzag number."""
        found = pc.index_in(self.array, value_set=pa.array(self.symbols, self.array.type))
        out[at] = found.to_numpy(zero_copy_only=False).astype(np.uint8) << 1


class Numbers:
    """Zigzag varints of int64 values; ``most``: how many bytes the longest of the type has.

    A varint of canonical length is canonical, unless it is of the greatest length: its last byte has room for
    bits that the type has not, and decoders drop them.
    """

    def __init__(self, values: Ints, most: int = 10) -> None:
        self.most = most
        self.zigzag = ((values << 1) ^ (values >> 63)).view(np.uint64)
        lengths = np.ones(len(values), np.int8)  # added up in one byte each, the type of what a comparison gives
        top = self.zigzag.max() if len(values) else np.uint64(0)
        self.widest = 1
        for size in _SIZES:
            if top < size:
                break
            lengths += (self.zigzag >= size).view(np.int8)
            self.widest += 1
        self.lengths = lengths.astype(np.int64)
        self.proved = self.widest < most

    def check(self, data: Bytes, at: Ints) -> bool:
        """Compares the last byte of the longest."""
        longest, last = np.flatnonzero(self.lengths == self.most), self.most - 1
        return bool((data[at[longest] + last] == self.zigzag[longest] >> np.uint64(7 * last)).all())

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
    """Runs of bytes without a prefix, one a row: the texts of an Arrow array that are not null.

    Any bytes will do: text has been decoded as UTF-8 already.
    """

    proved = True

    def __init__(self, lengths: Ints, array: Any) -> None:
        self.lengths, self.array = lengths, array

    def check(self, data: Bytes, at: Ints) -> bool:
        """Nothing is left to check."""
        return True

    def write(self, out: Bytes, at: Ints) -> None:
        """Copy each run: by rectangle where all are of one length, else by index."""
        offsets, buffer = _offsets(self.array), self.array.buffers()[2]
        if buffer is None or offsets[0] == offsets[-1]:
            return
        source = np.frombuffer(buffer, np.uint8)[offsets[0] : offsets[-1]]  # null rows take no bytes of it
        first = int(self.lengths[0])
        if (self.lengths == first).all():
            out[at[:, None] + np.arange(first)] = source.reshape(-1, first)
            return
        begin = np.cumsum(self.lengths) - self.lengths
        out[np.repeat(at - begin, self.lengths) + np.arange(len(source))] = source


class Fixed:
    """Eight bytes a row: doubles, and any eight bytes are one."""

    proved = True

    def __init__(self, values: npt.NDArray[np.float64]) -> None:
        self.bytes = values.astype("<f8").view(np.uint8).reshape(-1, 8)
        self.lengths = np.full(len(values), 8, np.int64)

    def check(self, data: Bytes, at: Ints) -> bool:
        """Nothing is left to check."""
        return True

    def write(self, out: Bytes, at: Ints) -> None:
        """Copy them."""
        out[at[:, None] + np.arange(8)] = self.bytes


class Chain:
    """Pieces one after the other: a length and its text, or the fields of a record."""

    def __init__(self, pieces: Sequence[Piece], rows: int) -> None:
        self.pieces = pieces
        self.proved = all(piece.proved for piece in pieces)
        self.lengths = np.zeros(rows, np.int64)
        for piece in pieces:
            self.lengths += piece.lengths

    def check(self, data: Bytes, at: Ints) -> bool:
        """Each piece at its place."""
        for piece in self.pieces:
            if not piece.proved and not piece.check(data, at):
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
        self.proved = inner is None  # a one-byte tag that decodes to null is 0
        self.lengths = np.ones(count, np.int64)
        if inner is not None and rows is None:
            self.lengths += inner.lengths
        elif inner is not None:
            self.lengths[rows] += inner.lengths

    def check(self, data: Bytes, at: Ints) -> bool:
        """The tag is exactly 2 where there is a value; decoders take other numbers for it too."""
        if self.inner is None:
            return True
        there = at if self.rows is None else at[self.rows]
        tagged = bool((data[there] == 2).all())  # noqa: PLR2004
        return tagged and (self.inner.proved or self.inner.check(data, there + 1))

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
        self.proved = items.proved  # block counts are, by their length
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
        """The items."""
        return self.items.check(data, self._places(at))

    def write(self, out: Bytes, at: Ints) -> None:
        """Count, items, zero."""
        self.count.write(out, at[self.full])
        self.items.write(out, self._places(at))
        out[at + self.lengths - 1] = 0


def of_frame(fields: Sequence[Field], frame: pl.DataFrame, *, write: bool) -> Chain:
    """The piece of a record's rows. ``frame`` has a column of the field's type for every field.

    ``write``: whether the piece is to be written; without it text is not copied, only measured.
    """
    level = pl.CompatLevel.oldest() if write else pl.CompatLevel.newest()
    # Series by series: handing a small frame to the thread pool takes longer than the work.
    columns = frame.to_dict()
    return _chain(fields, [columns[f.name].to_arrow(compat_level=level) for f in fields], frame.height)


def _chain(fields: Sequence[Field], columns: Sequence[Any], rows: int) -> Chain:
    return Chain([_of_field(field, column) for field, column in zip(fields, columns, strict=True)], rows)


def _of_field(field: Field, array: Any) -> Piece:
    count, nulls = len(array), array.null_count
    if not field.nullable:
        return _of_node(field.node, array, None)
    if nulls == count:
        return Optional(count, None, None)
    if nulls == 0:
        return Optional(count, None, _of_node(field.node, array, None))
    rows = np.flatnonzero(_bits(array, 0))
    return Optional(count, rows, _of_node(field.node, array, rows))


def _of_node(node: Node, array: Any, rows: Ints | None) -> Piece:
    """The piece of an Arrow array's values, or of those in ``rows`` (the others are null)."""
    if node.kind in ("string", "bytes"):
        lengths = _text_lengths(array)
        lengths = lengths if rows is None else lengths[rows]
        return Chain([Numbers(lengths), Blobs(lengths, array)], len(lengths))
    if node.kind in ("int", "long"):
        values = _numbers(array, np.int32 if node.kind == "int" else np.int64)
        values = (values if rows is None else values[rows]).astype(np.int64, copy=False)
        return Numbers(values, most=5 if node.kind == "int" else 10)
    if node.kind == "boolean":
        codes = _bits(array, 1)
        return Codes(codes if rows is None else codes[rows])
    if node.kind == "enum":
        return Symbols(array, node.symbols)
    if node.kind == "double":
        values = _numbers(array, np.float64)
        return Fixed(values if rows is None else values[rows])
    if node.kind == "record":
        return _chain(node.fields, array.flatten(), len(array))
    assert node.items is not None  # noqa: S101 - an array has items
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    items = array.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    return Array(np.diff(offsets), _of_node(node.items.node, items, None))


def _numbers(array: Any, kind: Any) -> Any:
    """The value buffer of a numeric, date or timestamp array."""
    return np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)]


def _bits(array: Any, buffer: int) -> Bytes:
    """A bitmap (0: validity, 1: booleans) as one byte a row."""
    some = np.frombuffer(array.buffers()[buffer], np.uint8)
    return np.unpackbits(some, count=array.offset + len(array), bitorder="little")[array.offset :]


def _text_lengths(array: Any) -> Ints:
    """Bytes of each text; what null rows say is of no account."""
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        views = np.frombuffer(array.buffers()[1], np.int32).reshape(-1, 4)  # a view begins with its length
        return views[array.offset : array.offset + len(array), 0].astype(np.int64)
    return np.diff(_offsets(array))


def _offsets(array: Any) -> Ints:
    if not len(array):
        return np.zeros(1, np.int64)
    return np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
