"""Applies records of hub topics to Redis: effects and position together or not at all.

Redis is a copy. The position is kept in it, so a Redis that lost its last seconds, or everything,
is told again what it forgot, and two projections at once cannot apply one record twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
import polars as pl
import redis
import stamina

from agents.columns import instants
from agents.projection.effects import (
    CaseEffects,
    Command,
    Document,
    heartbeats,
    identities,
    quarantined,
    unidentified,
)
from wire.rediskeys import RedisKeys

log = logging.getLogger("doudi.projection")

TOPICS = ("hub.case", "hub.identity", "hub.unidentified", "hub.quarantine", "hub.heartbeat")
EPOCH = "epoch:hub.case"
_HELD = "held"
_UNREAD = {"hub.identity": ("index",)}
"""Columns that nothing here needs. The search entries stay in the topic for whoever searches: a set in Redis for each
of them was a fifth of a first load, and nobody asked."""
_APPLY = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 'held' end
local at = redis.call('HGET', KEYS[1], ARGV[1]) or '0'
if at ~= ARGV[2] then return at end
local n = 4
while n <= #ARGV do
  local last = n + ARGV[n]
  local answer = redis.call(unpack(ARGV, n + 1, last))
  if ARGV[n + 1] == 'HINCRBY' and answer == 0 then redis.call('HDEL', ARGV[n + 2], ARGV[n + 3]) end
  n = last + 1
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return ARGV[3]
"""
"""Compare the position, apply (each command behind the number of its words), move it on.

One script is one unit in memory and in the append-only file.
A count that is back at nothing goes, so that a rebuild, which never saw it rise, gives the same."""

AGAIN = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.BusyLoadingError)
"""Redis is away or loading: wait for it; meanwhile Kafka keeps everything."""


class Moved(Exception):
    """Redis stands elsewhere: it lost its tail (smaller), or somebody else applied this (greater)."""

    def __init__(self, position: int) -> None:
        super().__init__(f"Redis stands at {position}")
        self.position = position


@dataclass(slots=True)
class Projector:
    """Writes one namespace of one Redis. ``chunk``: records applied at once; ``clock``: ms UTC."""

    client: redis.Redis
    keys: RedisKeys
    chunk: int = 500
    clock: Callable[[], int] = lambda: int(time.time() * 1000)
    refused: int = 0

    def position(self, topic: str, partition: int) -> int:
        """Next offset to apply, as Redis has it."""
        found = self._retry(lambda: self.client.hget(self.keys.position, f"{topic}:{partition}"))
        return int(cast("bytes", found or b"0"))

    def apply(self, topic: str, partition: int, frame: pl.DataFrame, at: int, end: int) -> int:
        """Apply decoded records (schema columns and ``_offset``) that lie between positions at and end.

        Offsets without a record (undecodable) are passed over. Returns ``end``. Raises Moved where
        Redis does not stand at ``at``; nothing of that chunk is applied then.
        """
        rows = instants(frame.drop(_UNREAD.get(topic, ()))).to_dicts()
        for n in range(0, max(len(rows), 1), self.chunk):
            part = rows[n : n + self.chunk]
            last = n + self.chunk >= len(rows)
            until = end if last else part[-1]["_offset"] + 1
            self._retry(lambda part=part, at=at, until=until: self._chunk(topic, partition, part, at, until))  # type: ignore[misc]
            at = until
        return end

    def _chunk(self, topic: str, partition: int, rows: list[Document], at: int, until: int) -> None:
        commands = self._commands(topic, rows)
        name = f"{topic}:{partition}"
        while True:
            answer = self.client.eval(
                _APPLY,
                2,
                self.keys.position,
                self.keys.hold,
                name,
                str(at),
                str(until),
                *(word for command in commands for word in (str(len(command)), *command)),
            )
            found = cast("bytes", answer).decode()
            if found != _HELD:
                break
            time.sleep(0.05)  # a rebuild is clearing away; its hold expires if it dies
        # Also where the answer to an earlier attempt was lost on the way: it was applied then.
        if int(found) != until:
            raise Moved(int(found))

    def _commands(self, topic: str, rows: list[Document]) -> list[Command]:
        if topic == "hub.case":
            return self._cases(rows)
        if topic == "hub.identity":
            return identities(self.keys, rows)
        if topic == "hub.unidentified":
            return unidentified(self.keys, rows)
        if topic == "hub.quarantine":
            return quarantined(self.keys, rows)
        rows = [{k: v for k, v in row.items() if k != "_offset"} for row in rows]
        feeds = {(r["source"], r["topic"]) for r in rows}
        return heartbeats(self.keys, rows, self._documents(feeds, lambda f: self.keys.heartbeat(*f)))

    def _cases(self, rows: list[Document]) -> list[Command]:
        known = self._documents({r["case_id"] for r in rows if r["kind"]}, self.keys.case)
        epoch = int(cast("bytes", self.client.hget(self.keys.position, EPOCH) or b"-1"))
        effects = CaseEffects(self.keys, known, epoch, self.clock())
        for row in rows:
            effects.read(dict(row))
        self.refused += effects.refused
        return [*effects.commands(), ["HSET", self.keys.position, EPOCH, str(effects.epoch)]]

    def _documents(self, ids: Iterable[Any], key: Callable[[Any], str]) -> dict[Any, Document | None]:
        wanted = list(ids)
        if not wanted:
            return {}
        found = cast("Sequence[bytes | None]", self.client.mget([key(i) for i in wanted]))
        return {i: orjson.loads(d) if d else None for i, d in zip(wanted, found, strict=True)}

    def _retry(self, call: Callable[[], Any]) -> Any:
        for attempt in _attempts():
            with attempt:
                return call()
        raise AssertionError("unreachable: attempts have no end")

    def clear(self) -> None:
        """Remove everything that was projected, so that it is projected again from the beginning.

        While keys go, nothing is applied; the positions go last, and with them the hold.
        """
        keep = (self.keys.position, self.keys.hold)
        gateways = (self.keys.ticket(""), self.keys.attempts(""), self.keys.sheet(""), self.keys.saved(""))
        own = (*gateways, self.keys.metrics("", "")[:-1])
        self.client.set(self.keys.hold, "1", ex=60)
        doomed: list[str] = []
        for raw in self.client.scan_iter(match=self.keys.everything, count=1000):
            name = cast("bytes", raw).decode()
            if name in keep or name.startswith(own):
                continue
            doomed.append(name)
            if len(doomed) == 1000:  # noqa: PLR2004
                self.client.unlink(*doomed)
                self.client.expire(self.keys.hold, 60)
                doomed.clear()
        with self.client.pipeline(transaction=True) as pipe:
            if doomed:
                pipe.unlink(*doomed)
            pipe.delete(self.keys.position, self.keys.hold)
            pipe.execute()


def _attempts() -> Iterable[Any]:
    return stamina.retry_context(on=AGAIN, attempts=None, timeout=None, wait_initial=0.05, wait_max=2.0)
