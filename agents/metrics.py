"""Figures of each partition, written to Redis each second. Best effort: screening never waits for Redis."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio as redis

from wire.rediskeys import RedisKeys
from wire.settings import Settings

log = logging.getLogger(__name__)

WINDOW_S = 10.0
EXPIRE_S = 60
PATIENCE_S = 0.5


@dataclass(slots=True)
class Figures:
    """What one partition counts. Times in ms, rates over the last ten seconds."""

    records: int = 0
    quarantined: int = 0
    outputs: int = 0
    cycles: int = 0
    slice_ms: float = 0.0
    lag: int = 0
    oldest_ms: int = 0
    catching_up: bool = False
    unknown: dict[int | str, int] = field(default_factory=dict)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def cycle(self, records: int, quarantined: int, outputs: int, ms: float) -> None:
        """Count one cycle."""
        self.records += records
        self.quarantined += quarantined
        self.outputs += outputs
        self.cycles += 1
        self.slice_ms = ms
        self._recent.append((time.monotonic(), records))

    def rate(self) -> float:
        """Records per second."""
        now = time.monotonic()
        while self._recent and self._recent[0][0] < now - WINDOW_S:
            self._recent.popleft()
        return sum(n for _, n in self._recent) / WINDOW_S

    def fields(self) -> dict[Any, Any]:
        """As written to Redis."""
        return {
            "lag": str(self.lag),
            "oldest_ms": str(self.oldest_ms),
            "slice_ms": f"{self.slice_ms:.1f}",
            "records": str(self.records),
            "records_per_s": f"{self.rate():.1f}",
            "cycles": str(self.cycles),
            "outputs": str(self.outputs),
            "quarantined": str(self.quarantined),
            "catching_up": str(int(self.catching_up)),
            "unknown": str(sum(self.unknown.values())),
            **{f"unknown:{rule}": str(n) for rule, n in self.unknown.items()},
            "at": str(int(time.time() * 1000)),
        }


class Board:
    """Writes figures to Redis; a failure is logged once until it works again."""

    def __init__(self, settings: Settings, stage: str) -> None:
        self._stage = stage
        self._keys = RedisKeys(settings.namespace)
        self._client = (
            redis.Redis.from_url(settings.redis, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
            if settings.redis
            else None
        )
        self._failing = False

    async def write(self, figures: dict[int, Figures]) -> None:
        """Replace the hashes of these partitions; they vanish when no worker owns the partition."""
        if self._client is None:
            return
        try:
            pipe = self._client.pipeline(transaction=False)
            for partition, one in figures.items():
                key = self._keys.metrics(self._stage, partition)
                pipe.delete(key)
                pipe.hset(key, mapping=one.fields())
                pipe.expire(key, EXPIRE_S)
            await pipe.execute()
        except (redis.RedisError, OSError) as error:
            if not self._failing:
                log.warning("metrics cannot be written to Redis (%s); trying on", type(error).__name__)
            self._failing = True
        else:
            self._failing = False

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()
