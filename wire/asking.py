"""Asking a question of the workers: on hub.question, answered on hub.answer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas import load
from schemas.codec import decode, encode
from wire.errors import NoAnswer
from wire.kafka import consumer, fault, publish_and_wait
from wire.partitioner import partition_for
from wire.reading import end_offsets
from wire.registry import Registry
from wire.settings import Settings

QUESTION, ANSWER = "hub.question", "hub.answer"
_POLL_S = 0.2
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom, as in hub.question.

    ``kind``: explain, why_not, members (of a household; no rule) or calendar (of a place: ``Reach.text``; no rule,
    up to ``day``).
    """

    kind: str
    subject_kind: str
    subject_key: str
    rule: str
    episode: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer: ``content``, or with a ``problem`` (a code) what is wrong in "zh" and "en"."""

    problem: str
    content: dict[str, Any]


def ask(settings: Settings, registry: Registry, question: Question, wait_s: float) -> Answered:
    """Ask the partition of the subject and wait for the answer; the first one counts, however many come.

    Raises NoAnswer after ``wait_s``, and what Kafka and the registry raise: WireError.
    """
    partition = partition_for(question.subject_key.encode(), settings.partitions)
    (answer,) = _asked(settings, registry, question, [partition], wait_s)
    return answer


def ask_all(settings: Settings, registry: Registry, question: Question, wait_s: float) -> list[Answered]:
    """Ask every partition and wait for an answer of each. Raises as `ask`."""
    return _asked(settings, registry, question, range(settings.partitions), wait_s)


def _asked(
    settings: Settings, registry: Registry, question: Question, partitions: Sequence[int], wait_s: float
) -> list[Answered]:
    question_id = uuid.uuid4().hex
    row = {
        "question_id": question_id,
        **{name: getattr(question, name) for name in Question.__slots__},
        "asked_at": datetime.now(UTC),
    }
    value = encode(load.of_topic(QUESTION), [row], registry.id_of(QUESTION))[0]
    reader = consumer(settings, f"ask-{question_id}", fetch_wait_max_ms=100, enable_auto_offset_store=False)
    found: dict[int, Answered] = {}
    try:
        topic = settings.topic(ANSWER)
        (end,) = end_offsets(settings, reader, topic).values()
        reader.assign([TopicPartition(topic, 0, end)])
        for partition in partitions:
            publish_and_wait(settings, settings.topic(QUESTION), question_id.encode(), value, partition=partition)
        until = time.monotonic() + wait_s
        while len(found) < len(partitions) and (message := _next(settings, reader, question_id, until)) is not None:
            partition, answer = _read(registry, message)
            found.setdefault(partition, answer)
    finally:
        reader.close()
    if silent := [str(p) for p in partitions if p not in found]:
        stage = "households" if question.subject_kind == "household" else "persons"
        raise NoAnswer(
            f"no answer within {wait_s:g} s: the worker of stage {stage} that owns partition {', '.join(silent)} is "
            f"away, starting, or behind. See that `doudi worker {stage}` runs (doudi status), then ask again."
        )
    return [found[p] for p in partitions]


def _next(settings: Settings, reader: Consumer, question_id: str, until: float) -> tuple[bytes, bytes] | None:
    """The next answer to a question; None when its time is over."""
    while (left := until - time.monotonic()) > 0:
        message = reader.poll(min(_POLL_S, left))
        if message is None:
            continue
        if (error := message.error()) is not None:
            if not error.retriable() and error.code() != KafkaError._PARTITION_EOF:
                raise fault(settings, error)
            continue
        key, value = message.key(), message.value()
        if isinstance(key, bytes) and key == question_id.encode() and value is not None:
            return key, value
    return None


def _read(registry: Registry, answer: tuple[bytes, bytes]) -> tuple[int, Answered]:
    """Whose partition answered, and what."""
    key, value = answer
    decoded = decode(
        [value],
        [key],
        load.of_topic(ANSWER),
        registry.writers(ANSWER),
        key=load.key_fields(ANSWER),
        max_bytes=_MOST_BYTES,
    )
    if decoded.bad:
        raise NoAnswer(f"an answer came that cannot be read ({decoded.bad[0].reason}); ask again")
    row: Mapping[str, Any] = decoded.frame.row(0, named=True)
    return int(row["state_partition"]), Answered(row["problem"], orjson.loads(row["content"]))
