"""What the gateway says to Kafka: commands and the audit log, acknowledged before anything is answered."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from gateway.errors import Problem
from schemas import load
from schemas.codec import encode
from wire.errors import WireError
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger("doudi.gateway")

WAIT_S = 5.0


class Outgoing(Protocol):
    """Publishes one record and returns when Kafka has it."""

    async def publish(self, topic: str, row: Mapping[str, Any]) -> None:
        """``topic``: the logical name; the key follows from the row. Raises Problem unavailable."""


class KafkaOutgoing:
    """An `Outgoing` on a producer whose callbacks are served by a thread of its own."""

    def __init__(self, settings: Settings, registry: Registry, producer: Producer) -> None:
        self._settings, self._registry, self._producer = settings, registry, producer
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="outgoing", daemon=True)
        self._thread.start()

    async def publish(self, topic: str, row: Mapping[str, Any]) -> None:
        """Publish and wait for the acknowledgement."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: KafkaError | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(KafkaException(error))

        def delivered(error: KafkaError | None, _: Message) -> None:
            loop.call_soon_threadsafe(settle, error)

        try:
            value = await asyncio.to_thread(self._encode, topic, row)
            key = ":".join(str(row[f]) for f in load.key_fields(topic)).encode()
            self._producer.produce(self._settings.topic(topic), value, key, on_delivery=delivered)
            await asyncio.wait_for(done, WAIT_S)
        except (TimeoutError, BufferError, KafkaException, WireError) as error:
            log.warning("%s was not acknowledged: %s", topic, type(error).__name__)
            raise Problem("unavailable") from error

    def close(self) -> None:
        """Send what is queued and stop."""
        self._stopping.set()
        self._thread.join(timeout=2)
        self._producer.flush(5)

    def _encode(self, topic: str, row: Mapping[str, Any]) -> bytes:
        return encode(load.of_topic(topic), [row], self._registry.id_of(topic))[0]

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(0.1)
