"""Figures of casework and the projection for /metrics: what they did, and how far behind they are."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from agents.metrics import Board, Figures
from schemas.topics import TOPICS
from wire.kafka import consumer, partitions_of
from wire.settings import Settings

log = logging.getLogger(__name__)

EVERY_S = 1.0


@dataclass(slots=True)
class Counted(Figures):
    """Figures with counters of the stage's own."""

    more: dict[str, int] = field(default_factory=dict)

    def fields(self) -> dict[Any, Any]:
        """As written to Redis."""
        return {**super(Counted, self).fields(), **{name: str(n) for name, n in self.more.items()}}


class Gauge:
    """Counts slices and compares positions with the ends of the logs, once a second."""

    def __init__(
        self, settings: Settings, stage: str, topics: Sequence[str], position: Callable[[str, int], int]
    ) -> None:
        self._settings, self._stage, self._position = settings, stage, position
        self._partitions = [(t, p) for t in topics for p in range(partitions_of(settings, TOPICS[t]))]
        self._newest_ms = 0
        self._task: asyncio.Task[None] | None = None
        self.figures = Counted()

    def slice(self, records: int, outputs: int, newest_ms: int, began: float) -> None:
        """A slice is done: its newest record's time (ms UTC) and when work on it began (monotonic)."""
        self.figures.cycle(records, 0, outputs, (time.monotonic() - began) * 1000)
        self._newest_ms = max(self._newest_ms, newest_ms)

    def start(self) -> None:
        """Begin to write, on the running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        board = Board(self._settings, self._stage)
        client = consumer(self._settings, f"{self._stage}-lag")
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                self.figures.lag = await asyncio.to_thread(self._lag, client)
            except Exception as error:
                # Figures are best effort: Kafka, Redis or the state may be away just now.
                log.debug("the lag is not known: %s", type(error).__name__)
            behind = self.figures.lag and self._newest_ms
            self.figures.oldest_ms = round(time.time() * 1000) - self._newest_ms if behind else 0
            await board.write({0: self.figures})

    def _lag(self, client: Any) -> int:
        lag = 0
        for topic, partition in self._partitions:
            where = TopicPartition(self._settings.topic(topic), partition)
            try:
                end = client.get_watermark_offsets(where, timeout=1)[1]
            except KafkaException:
                continue
            lag += max(0, end - self._position(topic, partition))
        return lag
