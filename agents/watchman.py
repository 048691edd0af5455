"""Watches hub.condition for announcements of owners: a sleeper may announce itself late, after we did.

Then readers refuse us, rightly as far as they can know, so we must take the partition over anew: at the next start.
"""

from __future__ import annotations

import logging
import threading
import uuid

from confluent_kafka import KafkaError, TopicPartition

from agents.coding import OWNER_MARK
from wire.kafka import consumer
from wire.settings import Settings

log = logging.getLogger(__name__)

MOST = 20_000


class Watchman:
    """Greatest announcement heard of each partition of a stage."""

    def __init__(self, settings: Settings, stage: str) -> None:
        self._topic = settings.topic("hub.condition")
        self._prefix = f"{OWNER_MARK}{stage}:".encode()
        self._consumer = consumer(
            settings,
            f"watch-{uuid.uuid4().hex}",
            enable_auto_offset_store=False,
            queued_max_messages_kbytes=8192,
        )
        self._lock = threading.Lock()
        self._began: int | None = None
        self._heard: dict[int, int] = {}

    def from_offset(self, offset: int) -> None:
        """Begin to watch from here, unless watching from before it already."""
        with self._lock:
            if self._began is None or offset < self._began:
                self._consumer.assign([TopicPartition(self._topic, 0, offset)])
                self._began = offset

    def look(self) -> dict[int, int]:
        """Read what is new; greatest announced epoch by state partition."""
        with self._lock:
            while self._began is not None:
                messages = self._consumer.consume(MOST, 0.01)
                for message in messages:
                    if (error := message.error()) is not None:
                        if error.code() != KafkaError._PARTITION_EOF:
                            log.warning("hub.condition cannot be watched: %s", error.str())
                        continue
                    key = message.key()
                    if isinstance(key, bytes) and key.startswith(self._prefix):
                        partition = int(key[len(self._prefix) :])
                        self._heard[partition] = max(self._heard.get(partition, -1), message.offset() or 0)
                if len(messages) < MOST:
                    break
            return dict(self._heard)

    def close(self) -> None:
        """Stop watching."""
        with self._lock:
            self._began = None
            self._consumer.close()
