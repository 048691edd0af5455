"""Slices of a partition: lean unpack of fetched batches, and the bookkeeping of what was handled.

One slice stands for many records, because Faust's cost is per event. Offsets are therefore kept
here and not by Faust, whose gap arithmetic is wrong for one message a slice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import CorruptRecordException

READ_UNCOMMITTED = 0


@dataclass(slots=True, eq=False)
class Slice:
    """Consecutive records of one partition.

    ``start`` is the log position read from and ``next`` the one to read on from: together slices
    cover the log without a hole, also where compaction has removed records. ``offsets`` has one
    entry per record. Timestamps are the producers', ms since 1970. ``hole``: the log itself began
    later than asked for, records before ``start`` no longer exist.
    """

    topic: str
    partition: int
    start: int
    next: int
    offsets: Sequence[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    first_ms: int
    last_ms: int
    hole: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def contiguous(self) -> bool:
        """No offset between ``start`` and ``next`` is without a record."""
        return self.next - self.start == len(self.values)

    def after(self, position: int) -> Slice:
        """The part from ``position`` on."""
        drop = sum(1 for _ in _while_below(self.offsets, position))
        return self._part(drop, len(self.values), max(self.start, position), self.next)

    def split(self, most: int) -> Iterator[Slice]:
        """Parts of at most ``most`` records that cover the same positions."""
        total = len(self.values)
        if total <= most:
            yield self
            return
        start = self.start
        for low in range(0, total, most):
            high = min(low + most, total)
            end = self.next if high == total else self.offsets[high - 1] + 1
            yield self._part(low, high, start, end)
            start = end

    def _part(self, low: int, high: int, start: int, end: int) -> Slice:
        return Slice(
            self.topic,
            self.partition,
            start,
            end,
            self.offsets[low:high],
            self.keys[low:high],
            self.values[low:high],
            self.first_ms,
            self.last_ms,
            self.hole and low == 0,
        )


def joined(parts: Iterable[Slice]) -> Iterator[Slice]:
    """The same records in fewer slices: those of one partition that follow on each other as one."""
    row: list[Slice] = []
    for part in parts:
        if row and (row[-1].topic, row[-1].partition, row[-1].next) != (part.topic, part.partition, part.start):
            yield _one(row)
            row = []
        row.append(part)
    if row:
        yield _one(row)


def _one(row: Sequence[Slice]) -> Slice:
    first, last = row[0], row[-1]
    if first is last:
        return first
    offsets = [offset for part in row for offset in part.offsets]
    keys = [key for part in row for key in part.keys]
    values = [value for part in row for value in part.values]
    return Slice(
        first.topic,
        first.partition,
        first.start,
        last.next,
        offsets,
        keys,
        values,
        first.first_ms,
        last.last_ms,
        first.hole,
    )


def _while_below(offsets: Sequence[int], position: int) -> Iterator[int]:
    for offset in offsets:
        if offset >= position:
            return
        yield offset


def unpack(topic: str, partition: int, fetched: Any) -> Slice | None:
    """Empty aiokafka's ``PartitionRecords`` into one slice without an object per record.

    Moves ``fetched.next_fetch_offset`` on, so that the fetcher asks for the following batch. None
    if only control batches or nothing new was there. A batch whose checksum fails raises
    ``CorruptRecordException``, unless good ones came before it: then it is met at the next fetch.
    """
    if fetched._isolation_level != READ_UNCOMMITTED:
        raise RuntimeError("the slices transport reads uncommitted only: it skips no aborted transactions")
    batches = fetched._records
    start = position = fetched.next_fetch_offset
    keys: list[bytes | None] = []
    values: list[bytes | None] = []
    offsets: list[int] | range = range(0)
    first_ms = last_ms = 0
    while batches.has_next():
        batch = batches.next_batch()
        if fetched._check_crcs and not batch.validate_crc():
            if position > start:
                break
            raise CorruptRecordException(f"wrong checksum, {topic}-{partition} offset {batch.base_offset}")
        if not batch.is_control_batch:
            records = list(batch)
            if batch.base_offset < position:
                records = [r for r in records if r.offset >= position]
            if records:
                if not values:
                    first_ms = records[0].timestamp or 0
                last_ms = records[-1].timestamp or 0
                offsets = _extend(offsets, records)
                keys += [r.key for r in records]
                values += [r.value for r in records]
        position = max(position, batch.next_offset)
    fetched.next_fetch_offset = position
    if position == start:
        return None
    return Slice(topic, partition, start, position, offsets, keys, values, first_ms, last_ms)


def _extend(offsets: list[int] | range, records: list[Any]) -> list[int] | range:
    """Offsets stay a range while they are consecutive: they nearly always are."""
    low, high = records[0].offset, records[-1].offset + 1
    if high - low == len(records):
        if not offsets:
            return range(low, high)
        if isinstance(offsets, range) and offsets.stop == low:
            return range(offsets.start, high)
    return [*offsets, *(r.offset for r in records)]


@dataclass(slots=True)
class Ledger:
    """What was handed out and acknowledged of one partition, in order of the log.

    ``expected``: the position that is handed out next; all before it is done when the ledger begins.
    ``settled``: what is acknowledged has had its consequences; while not, the group is told of nothing more.
    """

    expected: int | None = None
    settled: bool = True
    _order: deque[tuple[int, int]] = field(default_factory=deque)  # (next, records) of slices handed out
    _acked: set[int] = field(default_factory=set)
    _records: int = 0
    _done: int | None = None
    _began: int | None = None
    _tried: int | None = None

    def __post_init__(self) -> None:
        self._done = self._began = self.expected

    @property
    def outstanding(self) -> int:
        """Records handed out and not yet acknowledged in order."""
        return self._records

    @property
    def slices(self) -> int:
        """Slices handed out and not yet acknowledged in order."""
        return len(self._order)

    def accept(self, fetched: Slice) -> Slice | None:
        """What of a fetched slice follows on what was handed out before.

        None: nothing new, or there is a hole before it (see ``lost``).
        """
        if self.expected is None or fetched.start == self.expected:
            return fetched
        if fetched.next <= self.expected:
            return None
        if fetched.start < self.expected:
            return fetched.after(self.expected)
        if self._tried == self.expected:  # asked again and got the same: the log begins later
            fetched.hole = True
            return fetched
        return None

    def lost(self, fetched: Slice) -> int | None:
        """The position to seek back to if fetched records between were dropped on the way, else None."""
        if self.expected is None or fetched.start <= self.expected:
            return None
        self._tried = self.expected
        return self.expected

    def deliver(self, handed: Slice) -> None:
        """A slice goes out."""
        self.expected = handed.next
        self._tried = None
        self._order.append((handed.next, len(handed)))
        self._records += len(handed)

    def acknowledge(self, end: int) -> None:
        """The slice that ends before position ``end`` is done."""
        self._acked.add(end)
        while self._order and self._order[0][0] in self._acked:
            self._done, records = self._order.popleft()
            self._acked.discard(self._done)
            self._records -= records

    def committable(self) -> int | None:
        """The position up to which everything is done; None before anything is known."""
        return self._done if self.settled else self._began
