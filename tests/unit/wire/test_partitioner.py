"""murmur2 as Java computes it; vectors of Kafka's own UtilsTest."""

from __future__ import annotations

import random

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.partitioner import murmur2, partition_for, partitions_for

VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), VECTORS.items())
def test_javas_vectors(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected % 2**32
    assert partition_for(key, 7) == (expected & 0x7FFFFFFF) % 7


def test_many_at_once_are_each_as_alone() -> None:
    generator = random.Random(3)  # noqa: S311 - not for secrets
    keys = [generator.randbytes(length) for length in range(40) for _ in range(20)]
    generator.shuffle(keys)
    assert partitions_for(keys, 13) == [partition_for(k, 13) for k in keys]
    assert partitions_for([], 4) == []


@settings(deadline=None)
@given(st.lists(st.binary(max_size=70), max_size=30), st.integers(1, 64))
def test_the_same_partition_as_other_clients(keys: list[bytes], count: int) -> None:
    every = list(range(count))
    assert partitions_for(keys, count) == [DefaultPartitioner()(k, every, every) for k in keys]
