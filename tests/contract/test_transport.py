"""What the slices transport relies on inside Faust and aiokafka, and that it reads a real broker exactly.

When a pinned version changes and this fails, read agents/transport.py and agents/slices.py again.
"""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from types import SimpleNamespace

import aiokafka
import faust
import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.tables.recovery import Recovery
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver

from agents.slices import Slice, unpack
from agents.transport import SliceThread, now
from wire.kafka import producer
from wire.settings import Settings


def test_the_pinned_versions() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("aiokafka") == "0.14.0"


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (fetcher.FetchResult, "check_assignment", ["self", "tp"]),
        (fetcher.FetchResult, "has_more", ["self"]),
        (fetcher.FetchResult, "_update_position", ["self"]),
        (fetcher.FetchError, "check_raise", ["self"]),
        (fetcher.Fetcher, "_notify", ["self", "future"]),
        (fetcher.Fetcher, "_create_fetch_waiter", ["self"]),
        (fetcher.Fetcher, "_get_actions_per_node", ["self", "assignment"]),
        (faust.Worker, "_sentinel_task", ["self"]),
        (GroupCoordinator, "_do_heartbeat", ["self"]),
        (base.Consumer, "perform_seek", ["self"]),
        (base.Consumer, "getmany", ["self", "timeout"]),
        (base.Consumer, "ack", ["self", "message"]),
        (base.Consumer, "_new_offset", ["self", "tp"]),
        (base.Consumer, "_add_gap", ["self", "tp", "offset_from", "offset_to"]),
        (base.Consumer, "_filter_tps_with_pending_acks", ["self", "topics"]),
        (base.Consumer, "_wait_next_records", ["self", "timeout"]),
        (base.ThreadDelegateConsumer, "_getmany", ["self", "active_partitions", "timeout"]),
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
        (
            driver.AIOKafkaConsumerThread,
            "_fetch_records",
            ["self", "consumer", "active_partitions", "timeout", "max_records"],
        ),
        (driver.AIOKafkaConsumerThread, "verify_event_path", ["self", "now", "tp"]),
    ],
)
def test_what_is_called_or_replaced_is_there(owner: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_each_fetch_asks_anew_how_long_the_broker_may_collect() -> None:
    assert "self._fetch_max_wait_ms" in inspect.getsource(fetcher.Fetcher._get_actions_per_node)


def test_faust_seeks_after_each_assignment_and_before_the_flow_resumes() -> None:
    source = inspect.getsource(Recovery._resume_streams)
    assert source.index("perform_seek()") < source.index("resume_flow()")


def test_wrong_checksum_is_noticed() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, 0, 1 << 16)
    builder.append(0, 1, b"k", b"v" * 50, [])
    good = bytes(builder.build())
    bad = bytearray(good)
    bad[-5] ^= 1
    for raw, right in ((good, True), (bytes(bad), False)):
        records = SimpleNamespace(
            _records=MemoryRecords(raw), next_fetch_offset=0, _isolation_level=0, _check_crcs=True
        )
        if right:
            part = unpack("t", 0, records)
            assert part is not None
            assert (part.keys, part.values) == ([b"k"], [b"v" * 50])
        else:
            with pytest.raises(CorruptRecordException):
                unpack("t", 0, records)


async def _read(settings: Settings, topic: str, count: int) -> tuple[list[Slice], list[tuple[int, bytes, bytes]]]:
    """The same partition by slices and by aiokafka's own records."""
    tp = aiokafka.TopicPartition(topic, 0)
    parts: list[Slice] = []
    plain: list[tuple[int, bytes, bytes]] = []
    for lean in (True, False):
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=settings.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=20_000,
        )
        await consumer.start()
        try:
            consumer.assign([tp])
            consumer.seek(tp, 7)
            thread = SliceThread.__new__(SliceThread)
            while len(plain) < count if not lean else sum(map(len, parts)) < count:
                if lean:
                    for some in (await thread._drain(consumer._fetcher, {tp}, now() + 5)).values():
                        parts += some
                else:
                    for records in (await consumer.getmany(tp, timeout_ms=5000)).values():
                        plain += [(r.offset, r.key, r.value) for r in records]
        finally:
            await consumer.stop()
    return parts, plain


def test_slices_hold_exactly_what_the_broker_has(hub: Settings) -> None:
    topic = hub.topic("hub.case")
    client = producer(hub)  # lz4, several batches
    for number in range(3000):
        client.produce(topic, b"value %d" % number * 5, b"key %d" % number, 0)
        if number % 500 == 0:
            client.flush()
    client.flush()
    parts, plain = asyncio.run(_read(hub, topic, 2993))
    assert [(o, k, v) for p in parts for o, k, v in zip(p.offsets, p.keys, p.values, strict=True)] == plain
    assert [p.start for p in parts] == [7, *(p.next for p in parts[:-1])]
    assert parts[-1].next == 3000
    assert all(p.contiguous for p in parts)
    assert len(parts) > 1
