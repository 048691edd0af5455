"""Kafka clients of the whole hub: one configuration, one partitioner, errors that say how to mend them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
)
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas import topics
from wire.errors import DeliveryFailed, KafkaRefused, KafkaUnreachable, TopicMismatch
from wire.settings import Settings

LOG = logging.getLogger("doudi.kafka")
_DAY_MS = 86_400_000
_REFUSALS = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
_PLAIN = {"log_level", "error_cb", "stats_cb", "throttle_cb", "on_delivery", "logger"}
_QUEUE_FULL_WAIT_S = 0.05


def client_config(settings: Settings, **extra: Any) -> dict[str, Any]:
    """What every client has in common. Keywords are added, their underscores read as dots."""
    if not settings.kafka:
        raise KafkaUnreachable("no Kafka address: set DOUDI_KAFKA=host:port, or start the embedded stack")
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka,
        "client.id": "doudi",
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        # With the default, a client that finds no broker forgets them all, and a call that waits for the group's
        # coordinator then waits for ever, whatever its time-out (librdkafka issues 5511, 5301).
        "metadata.recovery.strategy": "none",
        "logger": LOG,
    }
    if settings.kafka_user:
        config |= {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password.get_secret_value(),
        }
    return config | {n if n in _PLAIN else n.replace("_", "."): value for n, value in extra.items()}


def producer(settings: Settings, **extra: Any) -> Producer:
    """A producer as every one in the hub must be: nothing lost, nothing twice, Java's partitioner."""
    return Producer(
        client_config(
            settings,
            **{
                "acks": "all",
                "enable_idempotence": True,
                "partitioner": "murmur2_random",
                "compression_type": "lz4",
                "message_max_bytes": topics.MESSAGE_MAX_BYTES,
                "linger_ms": 5,
                "queue_buffering_max_messages": 500_000,
                **extra,
            },
        )
    )


def consumer(settings: Settings, group: str, **extra: Any) -> Consumer:
    """A consumer of the group ``{namespace}doudi-{group}`` that commits only when told."""
    session = int(settings.session_timeout_s * 1000)
    return Consumer(
        client_config(
            settings,
            **{
                "group_id": f"{settings.namespace}doudi-{group}",
                "enable_auto_commit": False,
                "auto_offset_reset": "earliest",
                "fetch_queue_backoff_ms": 1,
                "fetch_wait_max_ms": 500,
                "session_timeout_ms": session,
                "heartbeat_interval_ms": max(session // 6, 100),
                **extra,
            },
        )
    )


def admin(settings: Settings) -> AdminClient:
    """An admin client."""
    return AdminClient(client_config(settings))


def check_reachable(settings: Settings, timeout_s: float = 8.0) -> None:
    """Return once a broker answers. Raises KafkaUnreachable or KafkaRefused within ``timeout_s``."""
    seen: list[KafkaError] = []
    probe = Producer(client_config(settings, error_cb=seen.append, log_level=0))
    until = time.monotonic() + timeout_s
    last = "no answer"
    while True:
        try:
            probe.list_topics(timeout=min(1.0, timeout_s))
            return
        except KafkaException as error:
            last = str(error.args[0].str())
        probe.poll(0.1)
        if refused := next((e for e in seen if e.code() in _REFUSALS), None):
            raise _refused(settings, refused)
        if time.monotonic() > until:
            raise KafkaUnreachable(
                f"Kafka at {settings.kafka} does not answer ({last}). Is it running, and is DOUDI_KAFKA "
                f"right? Nothing is lost: start again when it answers."
            )


def _refused(settings: Settings, error: KafkaError) -> KafkaRefused:
    if error.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
        who = f"user {settings.kafka_user}" if settings.kafka_user else "a client without user"
        return KafkaRefused(
            f"Kafka at {settings.kafka} refuses {who}: {error.str()}. "
            f"Set DOUDI_KAFKA_USER and DOUDI_KAFKA_PASSWORD to a SCRAM user of that cluster."
        )
    return KafkaRefused(
        f"Kafka at {settings.kafka} denies {settings.kafka_user or 'this client'} an access: {error.str()}. "
        f"Grant the ACL that schemas/topics.py derives for it."
    )


def fault(settings: Settings, error: KafkaError) -> KafkaRefused | KafkaUnreachable:
    """The hub's error for one of a client."""
    if error.code() in _REFUSALS:
        return _refused(settings, error)
    return KafkaUnreachable(f"Kafka at {settings.kafka}: {error.str()}. Check that it runs; retry.")


def topic_config(topic: topics.Topic, replication: int) -> dict[str, str]:
    """Kafka's settings of a topic."""
    config = {
        "min.insync.replicas": "2" if replication > 2 else "1",  # noqa: PLR2004
        "max.message.bytes": str(topics.MESSAGE_MAX_BYTES),
    }
    if topic.retention == "compact":
        return config | {
            "cleanup.policy": "compact",
            "delete.retention.ms": str(7 * _DAY_MS),
            "min.cleanable.dirty.ratio": "0.2",
            "segment.ms": str(7 * _DAY_MS),
        }
    keep = -1 if topic.retention == "forever" else topic.retention * _DAY_MS
    return config | {"cleanup.policy": "delete", "retention.ms": str(keep), "retention.bytes": "-1"}


def partitions_of(settings: Settings, topic: topics.Topic) -> int:
    """How many partitions a topic has."""
    return settings.partitions if topic.partitions == "state" else 1


def create_topics(settings: Settings, timeout_s: float = 30.0) -> list[str]:
    """Create what is missing of all topics, lanes included; returns the names created.

    Raises TopicMismatch if one exists with another number of partitions than the settings say.
    """
    client = admin(settings)
    try:
        there = client.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise fault(settings, error.args[0]) from error
    missing = []
    for name in topics.names():
        topic, full = topics.of(name), settings.topic(name)
        count = partitions_of(settings, topic)
        if full not in there:
            missing.append(
                NewTopic(full, count, settings.replication, config=topic_config(topic, settings.replication))
            )
        elif len(there[full].partitions) != count:
            raise TopicMismatch(
                f"topic {full} has {len(there[full].partitions)} partitions, the settings say {count}. "
                f"The number is chosen once: set DOUDI_PARTITIONS back, or do the re-partitioning run of "
                f"docs/operations.md."
            )
    if not missing:
        return []
    created = []
    futures = client.create_topics(missing, operation_timeout=timeout_s, request_timeout=timeout_s)
    for name, future in futures.items():
        try:
            future.result(timeout_s)
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise fault(settings, error.args[0]) from error
    return created


class Publisher:
    """A producer with a bounded queue: waits while it is full, and tells of every failed delivery.

    Not for use by several threads at once. ``flush`` before taking anything as published.
    """

    def __init__(self, settings: Settings, **extra: Any) -> None:
        self._settings = settings
        self._failed: list[tuple[str, KafkaError]] = []
        self._producer = producer(
            settings,
            **{
                "delivery_report_only_error": True,
                "on_delivery": self._report,
                "error_cb": self._error,
                **extra,
            },
        )
        self._refusal: KafkaError | None = None

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append((str(message.topic()), error))

    def _error(self, error: KafkaError) -> None:
        if error.code() in _REFUSALS:
            self._refusal = error

    def send(self, topic: str, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
        """Queue one message for a Kafka topic (its full name); -1: the partition by the key."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition)
                return
            except BufferError:
                self._producer.poll(_QUEUE_FULL_WAIT_S)
                self._raise()
            except KafkaException as error:
                raise fault(self._settings, error.args[0]) from error

    def send_all(
        self, topic: str, keys: Sequence[bytes | None], values: Iterable[bytes | None], partition: int = -1
    ) -> None:
        """Queue many."""
        for key, value in zip(keys, values, strict=True):
            self.send(topic, key, value, partition)
        self._producer.poll(0)

    def poll(self) -> None:
        """Serve callbacks. Raises DeliveryFailed if a delivery failed since the last look."""
        self._producer.poll(0)
        self._raise()

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait until everything queued is acknowledged. Raises DeliveryFailed, KafkaRefused."""
        left = self._producer.flush(timeout_s)
        self._raise()
        if left:
            if self._refusal is not None:
                raise _refused(self._settings, self._refusal)
            raise DeliveryFailed(
                f"{left} messages were not acknowledged within {timeout_s:g} s by Kafka at "
                f"{self._settings.kafka}; they stay queued: check the brokers, then flush again"
            )

    def __len__(self) -> int:
        return len(self._producer)

    def _raise(self) -> None:
        if not self._failed:
            return
        failed, self._failed = self._failed, []
        if refusal := next((e for _, e in failed if e.code() in _REFUSALS), None):
            raise _refused(self._settings, refusal)
        topic, error = failed[0]
        raise DeliveryFailed(
            f"{len(failed)} messages were not delivered, the first to {topic}: {error.str()}; publish them again"
        )


def publish_and_wait(
    settings: Settings,
    topic: str,
    key: bytes | None,
    value: bytes,
    *,
    partition: int = -1,
    timeout_s: float = 30.0,
) -> tuple[int, int]:
    """Publish one message and return (partition, offset) of its acknowledgement. Raises DeliveryFailed."""
    answers: list[tuple[KafkaError | None, Message]] = []
    client = producer(settings, linger_ms=0)
    client.produce(topic, value, key, partition, on_delivery=lambda *answer: answers.append(answer))
    client.flush(timeout_s)
    error, message = answers[0] if answers else (None, None)
    if message is None or error is not None:
        reason = error.str() if error is not None else f"no answer in {timeout_s:g} s"
        raise DeliveryFailed(f"a message to {topic} at {settings.kafka} was not acknowledged: {reason}; try again")
    return message.partition() or 0, message.offset() or 0
