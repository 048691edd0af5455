"""Publishing of hub.case: events in order, stamped with the owner's epoch, each acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, Message

from agents.casework.store import Event
from schemas import load
from schemas.codec import encode
from wire.errors import DeliveryFailed
from wire.kafka import producer
from wire.registry import Registry
from wire.settings import Settings

TOPIC = "hub.case"
OWNER = "owner"
OWNER_ID = "owner:casework"
_FLUSH_S = 60.0


class CasePublisher:
    """The single writer's producer. Not for several threads at once."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._topic = settings.topic(TOPIC)
        self._schema = load.of_topic(TOPIC)
        self._schema_id = registry.id_of(TOPIC)
        self._producer = producer(settings, linger_ms=0)
        self._last = -1
        self._failed: KafkaError | None = None

    def own(self, at: int) -> int:
        """Say that a new owner writes; returns its epoch, the offset of that record."""
        return self._send([(OWNER_ID, self._bytes(_owner_row(at)))])

    def publish(self, events: Sequence[Event], epoch: int) -> int:
        """Publish events of the outbox; returns the offset of the last one. Raises DeliveryFailed."""
        return self._send([(e["case_id"], self._bytes({**e, "epoch": epoch})) for e in events])

    def _bytes(self, row: Event) -> bytes:
        # One by one: for records with nested lists this is faster than building columns first.
        return encode(self._schema, [row], self._schema_id)[0]

    def _send(self, messages: Sequence[tuple[str, bytes]]) -> int:
        self._last, self._failed = -1, None
        for key, value in messages:
            while True:
                try:
                    self._producer.produce(self._topic, value, key.encode(), on_delivery=self._delivered)
                    break
                except BufferError:
                    self._producer.poll(0.05)
        left = self._producer.flush(_FLUSH_S)
        if left or self._failed is not None:
            why = self._failed.str() if self._failed is not None else f"{left} without answer in {_FLUSH_S:g} s"
            raise DeliveryFailed(
                f"Case events were not acknowledged on {self._topic}: {why}. They wait in the outbox; "
                "casework publishes them at its next start."
            )
        return self._last

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed = self._failed or error
        else:
            self._last = max(self._last, message.offset() or 0)


def _owner_row(at: int) -> dict[str, Any]:
    schema = load.of_topic(TOPIC)
    zero: dict[str, Any] = {"string": "", "int": 0, "long": 0, "boolean": False, "array": []}
    row = {f.name: None if f.nullable else zero[f.node.kind] for f in schema.fields}
    return {**row, "event_id": OWNER_ID, "event": OWNER, "case_id": OWNER_ID, "epoch": 0, "at": at}
