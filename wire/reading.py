"""Reading a Kafka topic from some place to its end, in batches."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import stamina
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from wire.errors import KafkaUnreachable
from wire.kafka import LOG, consumer, fault
from wire.settings import Settings

_PASSING = {
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._TRANSPORT,
}
"""What a reader meets while a broker comes back, another takes over or a topic is new."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive messages of one partition; the three lists are parallel."""

    partition: int
    keys: list[bytes | None]
    values: list[bytes | None]
    offsets: list[int]


def read_all(
    settings: Settings,
    topic: str,
    *,
    partitions: Sequence[int] | None = None,
    start: Callable[[int], int] | None = None,
    until: dict[int, int] | None = None,
    batch: int = 20_000,
    patience_s: float = 30.0,
) -> Iterator[Batch]:
    """Every message of a Kafka topic (its full name) up to the end offsets as they are now, or to ``until``.

    ``start``: first offset of a partition (the beginning if not given). Raises KafkaUnreachable when nothing
    arrives for ``patience_s``.
    """
    client = consumer(
        settings,
        f"read-{uuid.uuid4().hex}",
        **{
            "enable_partition_eof": True,
            "fetch_wait_max_ms": 100,
            "queued_max_messages_kbytes": 65_536,
            "fetch_max_bytes": 16_777_216,
            "max_partition_fetch_bytes": 8_388_608,
            "enable_auto_offset_store": False,
            "logger": LOG,
        },
    )
    try:
        ends = end_offsets(settings, client, topic, partitions, patience_s=patience_s)
        ends |= {p: min(end, ends[p]) for p, end in (until or {}).items() if p in ends}
        first = {p: start(p) if start is not None else OFFSET_BEGINNING for p in ends}
        waiting = {p for p, end in ends.items() if end > max(first[p], 0)}
        client.assign([TopicPartition(topic, p, first[p]) for p in sorted(waiting)])
        heard = time.monotonic()
        while waiting:
            messages = client.consume(batch, 0.2)
            some = any(m.error() is None for m in messages)
            if not some and time.monotonic() - heard > patience_s:
                raise KafkaUnreachable(
                    f"nothing arrives of {topic} from {settings.kafka} for "
                    f"{patience_s:g} s; check the brokers, then read again"
                )
            yield from _batches(settings, messages, ends, waiting)
            if some:
                heard = time.monotonic()  # the time that the caller took is not the broker's
    finally:
        client.close()


def end_offsets(
    settings: Settings,
    client: Consumer,
    topic: str,
    partitions: Sequence[int] | None = None,
    *,
    patience_s: float = 30.0,
) -> dict[int, int]:
    """Where each partition of a Kafka topic (its full name) ends now; all its partitions if none are given.

    Waits up to ``patience_s`` for a leader. Raises KafkaUnreachable or KafkaRefused.
    """
    try:
        for attempt in stamina.retry_context(
            on=_passes, attempts=None, timeout=patience_s, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                if partitions is None:
                    known = client.list_topics(topic, timeout=10).topics[topic]
                    if known.error is not None:
                        raise KafkaException(known.error)
                    partitions = sorted(known.partitions)
                return {p: client.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in partitions}
    except KafkaException as error:
        raise fault(settings, error.args[0]) from error
    raise AssertionError  # the loop returns or raises


def _passes(error: Exception) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _PASSING


def _batches(settings: Settings, messages: list[Message], ends: dict[int, int], waiting: set[int]) -> Iterator[Batch]:
    found: dict[int, Batch] = {}
    for message in messages:
        partition, offset = message.partition() or 0, message.offset() or 0
        if (error := message.error()) is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                waiting.discard(partition)
                continue
            if error.code() in _PASSING:
                continue  # the client finds the new leader by itself; for how long is `patience_s`
            raise fault(settings, error)
        if offset + 1 >= ends[partition]:
            waiting.discard(partition)
        if offset < ends[partition]:
            some = found.get(partition)
            if some is None:
                some = found[partition] = Batch(partition, [], [], [])
            some.keys.append(message.key())
            some.values.append(message.value())
            some.offsets.append(offset)
    yield from found.values()
