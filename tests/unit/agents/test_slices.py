"""What a slice covers, and what the ledger says may be committed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiokafka.errors import CorruptRecordException
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.slices import Ledger, Slice, joined, unpack


def slice_of(start: int, end: int, offsets: list[int] | None = None) -> Slice:
    held = range(start, end) if offsets is None else offsets
    keys: list[bytes | None] = [b"k%d" % o for o in held]
    values: list[bytes | None] = [b"v%d" % o for o in held]
    return Slice("t", 0, start, end, held, keys, values, 1, 2)


class FakeBatch(list[SimpleNamespace]):
    def __init__(self, base: int, offsets: list[int], *, control: bool = False, good: bool = True) -> None:
        super().__init__(SimpleNamespace(offset=o, key=b"k%d" % o, value=b"v%d" % o, timestamp=o * 10) for o in offsets)
        self.base_offset = base
        self.next_offset = (offsets[-1] if offsets else base) + 1
        self.is_control_batch = control
        self.validate_crc = lambda: good


def fetched(position: int, batches: list[FakeBatch]) -> SimpleNamespace:
    waiting = list(batches)
    log = SimpleNamespace(has_next=lambda: bool(waiting), next_batch=lambda: waiting.pop(0))
    return SimpleNamespace(_records=log, next_fetch_offset=position, _isolation_level=0, _check_crcs=True)


def test_unpack_joins_batches_and_skips_what_was_read() -> None:
    records = fetched(5, [FakeBatch(3, [3, 4, 5, 6]), FakeBatch(7, [7], control=True), FakeBatch(8, [8, 9])])
    part = unpack("t", 1, records)
    assert part is not None
    assert list(part.offsets) == [5, 6, 8, 9]
    assert (part.start, part.next, part.first_ms, part.last_ms) == (5, 10, 50, 90)
    assert not part.contiguous
    assert records.next_fetch_offset == 10


def test_unpack_of_a_plain_log_is_contiguous_and_keeps_a_range() -> None:
    part = unpack("t", 1, fetched(0, [FakeBatch(0, [0, 1]), FakeBatch(2, [2, 3])]))
    assert part is not None
    assert part.contiguous
    assert part.offsets == range(4)


def test_unpack_meets_a_wrong_checksum_only_when_it_comes_first() -> None:
    records = fetched(0, [FakeBatch(0, [0, 1]), FakeBatch(2, [2], good=False)])
    part = unpack("t", 1, records)
    assert part is not None
    assert part.next == records.next_fetch_offset == 2
    with pytest.raises(CorruptRecordException, match="t-1 offset 2"):
        unpack("t", 1, fetched(2, [FakeBatch(2, [2], good=False)]))


def test_unpack_refuses_transactions() -> None:
    records = fetched(0, [])
    records._isolation_level = 1
    with pytest.raises(RuntimeError, match="uncommitted"):
        unpack("t", 1, records)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 10))
def test_split_covers_the_same_positions(count: int, most: int) -> None:
    parts = list(slice_of(100, 100 + count).split(most))
    assert [o for p in parts for o in p.offsets] == list(range(100, 100 + count))
    assert [p.start for p in parts] == [100, *(p.next for p in parts[:-1])]
    assert parts[-1].next == 100 + count
    assert all(0 < len(p) <= most for p in parts)


def test_after_drops_what_is_known_also_where_compaction_left_holes() -> None:
    part = slice_of(10, 20, [10, 13, 19]).after(14)
    assert (part.start, part.next, list(part.offsets), part.values) == (14, 20, [19], [b"v19"])


def test_commits_all_that_is_acknowledged_in_order() -> None:
    ledger = Ledger(expected=0)
    for start in (0, 100, 200, 300):
        ledger.deliver(slice_of(start, start + 100))
    for end in (100, 200, 300, 400):
        ledger.acknowledge(end)
    assert ledger.committable() == 400
    assert ledger.committable() == 400, "a commit that failed is tried again"
    assert ledger.outstanding == 0


def test_where_reading_begins_is_committed_before_anything_is_read() -> None:
    assert Ledger(expected=70).committable() == 70
    assert Ledger().committable() is None


def test_what_is_not_decided_upon_yet_is_not_committed_but_makes_room() -> None:
    ledger = Ledger(expected=70, settled=False)
    ledger.deliver(slice_of(70, 100))
    ledger.acknowledge(100)
    assert (ledger.committable(), ledger.outstanding) == (70, 0)
    ledger.settled = True
    assert ledger.committable() == 100


def test_never_commits_past_a_slice_in_flight() -> None:
    ledger = Ledger(expected=100)
    ledger.deliver(slice_of(100, 200))
    ledger.deliver(slice_of(200, 300))
    ledger.acknowledge(300)
    assert ledger.committable() == 100
    assert (ledger.outstanding, ledger.slices) == (200, 2)
    ledger.acknowledge(200)
    assert ledger.committable() == 300


@settings(deadline=None)
@given(st.permutations(range(8)))
def test_whatever_the_order_of_acknowledgements_only_a_prefix_is_committed(order: list[int]) -> None:
    ledger = Ledger(expected=0)
    for number in range(8):
        ledger.deliver(slice_of(number * 10, number * 10 + 10))
    done: set[int] = set()
    committed = 0
    for number in order:
        ledger.acknowledge(number * 10 + 10)
        done.add(number)
        committed = ledger.committable() or 0
        prefix = next((n for n in range(8) if n not in done), 8)
        assert committed == prefix * 10


def test_repeated_records_are_dropped_and_lost_ones_asked_again() -> None:
    ledger = Ledger(expected=100)
    assert ledger.accept(slice_of(50, 100)) is None
    trimmed = ledger.accept(slice_of(90, 110))
    assert trimmed is not None
    assert list(trimmed.offsets) == list(range(100, 110))
    late = slice_of(120, 130)
    assert ledger.accept(late) is None
    assert ledger.lost(late) == 100
    again = ledger.accept(late)  # the log itself begins later
    assert again is not None
    assert again.hole


def test_slices_that_follow_on_each_other_become_one() -> None:
    parts = [slice_of(0, 3), slice_of(3, 5, [3]), slice_of(9, 10), slice_of(10, 12)]
    first, second = joined(iter(parts))
    assert (first.start, first.next, list(first.offsets)) == (0, 5, [0, 1, 2, 3])
    assert first.values == [b"v0", b"v1", b"v2", b"v3"]
    assert (second.start, second.next, list(second.offsets)) == (9, 12, [9, 10, 11])
    assert [len(part) for part in parts] == [3, 1, 1, 2]  # what was handed in is as it was
    assert list(joined([])) == []


def test_slices_of_other_partitions_are_not_joined() -> None:
    other = slice_of(3, 5)
    other.partition = 1
    assert [p.next for p in joined([slice_of(0, 3), other])] == [3, 5]
