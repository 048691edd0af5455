"""The vectorised murmur2 is the one of Kafka's clients."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.partitioning import partitions
from wire.partitioner import partition_for


@settings(deadline=None)
@given(st.lists(st.binary(max_size=70), max_size=30), st.integers(1, 64))
def test_same_partition_as_other_clients(keys: list[bytes], count: int) -> None:
    found = partitions(keys, count).tolist()
    assert found == [partition_for(k, count) for k in keys]
    every = list(range(count))
    assert found == [DefaultPartitioner()(k, every, every) for k in keys]
