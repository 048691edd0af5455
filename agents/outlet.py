"""Publishes rows of the outbox and waits for every acknowledgement; only while the partition is ours."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from agents.errors import BrokerError, NotOwner
from agents.state import Row
from wire.kafka import producer
from wire.settings import Settings

log = logging.getLogger(__name__)

CHUNK = 500
PATIENCE_S = 120.0
"""Brokers away for longer end the worker; nothing is lost, the outbox is published at the next start."""


class _Delivery:
    """Counts down the acknowledgements of one call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent = 0
        self._heard = 0
        self._complete = False
        self.done = threading.Event()
        self.error: KafkaError | None = None
        self.offset = -1

    def sent(self, count: int) -> None:
        with self._lock:
            self._sent += count

    def complete(self) -> None:
        with self._lock:
            self._complete = True
            if self._heard >= self._sent:
                self.done.set()

    def heard(self, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            self._heard += 1
            if error is not None:
                self.error = self.error or error
            else:
                self.offset = message.offset() or 0
            if self.error is not None or (self._complete and self._heard >= self._sent):
                self.done.set()


class Outlet:
    """One producer for all partitions of a worker. Safe for threads; order holds within each call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = producer(settings, message_timeout_ms=int(PATIENCE_S * 1000))
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="outlet", daemon=True)
        self._poller.start()

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(0.2)

    def publish(self, rows: Sequence[Row], mine: Callable[[], bool]) -> int:
        """Publish in order and wait for every acknowledgement; returns the offset of the last.

        ``mine`` is asked before each chunk. Raises NotOwner, BrokerError.
        """
        delivery = _Delivery()
        for start in range(0, len(rows), CHUNK):
            if not mine():
                raise NotOwner("the partition was lost before its decisions were published")
            chunk = rows[start : start + CHUNK]
            delivery.sent(len(chunk))
            for row in chunk:
                self._produce(row, delivery)
        delivery.complete()
        self._producer.flush(PATIENCE_S)  # at once: the linger is for what comes in between
        if not delivery.done.wait(PATIENCE_S + 10):
            raise BrokerError(self._away("no acknowledgement came"))
        if delivery.error is not None:
            raise BrokerError(self._away(delivery.error.str()))
        return delivery.offset

    def _produce(self, row: Row, delivery: _Delivery) -> None:
        topic = self._settings.topic(row.topic)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._producer.produce(topic, row.value, row.key, row.partition, on_delivery=delivery.heard)
                return
            except BufferError as error:
                if time.monotonic() > until:
                    raise BrokerError(self._away("the producer's queue stays full")) from error
                time.sleep(0.01)
            except KafkaException as error:
                raise BrokerError(self._away(error.args[0].str())) from error

    def _away(self, reason: str) -> str:
        return (
            f"decisions could not be published to Kafka at {self._settings.kafka}: {reason}. They are kept "
            f"in the state's outbox and go out at the next start; check the brokers."
        )

    def close(self) -> None:
        """Stop serving acknowledgements."""
        self._stop.set()
        self._poller.join(2)
        self._producer.flush(1)
