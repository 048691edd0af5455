"""Sees conditions appear in Redis, and tells when the hub has nothing left to do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import redis
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from schemas import topics
from wire.kafka import admin, consumer, partitions_of
from wire.rediskeys import RedisKeys
from wire.settings import Settings


class Observer(threading.Thread):
    """Follows the stream of cases; remembers when each condition could first be read (UTC seconds)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="observer", daemon=True)
        self._client = redis.Redis.from_url(settings.redis)
        self._keys = RedisKeys(settings.namespace)
        self._end = threading.Event()
        self.seen: dict[str, float] = {}
        self._from = self._last()

    def _last(self) -> bytes:
        newest: Any = self._client.xrevrange(self._keys.stream, count=1)
        return newest[0][0] if newest else b"0-0"

    def run(self) -> None:
        """Until `stop`. Redis may go away meanwhile: reading goes on behind the last entry seen."""
        while not self._end.is_set():
            try:
                self._read()
            except redis.ConnectionError:
                self._end.wait(0.2)

    def _read(self) -> None:
        found: Any = self._client.xread({self._keys.stream: self._from}, count=500, block=200)
        if not found:
            return
        entries = found[0][1] if isinstance(found, list) else next(iter(found.values()))[0]
        cases = {fields[b"case_id"].decode() for _, fields in entries}
        documents = self._client.mget([self._keys.case(c) for c in cases])
        at = time.time()
        self._from = entries[-1][0]
        for document in documents:
            for condition in json.loads(document)["conditions"] if document else ():
                if condition["state"] == "standing":
                    self.seen.setdefault(condition["condition_id"], at)

    def stop(self) -> None:
        """End following."""
        self._end.set()
        self.join()
        self._client.close()


@dataclass(frozen=True)
class Look:
    """One look at the hub: end of every topic partition, and whoever has still to read."""

    ends: dict[tuple[str, int], int]
    behind: dict[str, int]

    @property
    def words(self) -> str:
        """Who is behind, and by how much."""
        return ", ".join(f"{who} by {n}" for who, n in sorted(self.behind.items())) or "nobody is behind"


CONTROL = ("hub.tick", "hub.heartbeat")
"""Come whether anything happens or not."""
READ_BY = {
    "persons": (*(t.name for t in topics.DEPARTMENT_TOPICS), *CONTROL),
    "households": ("hub.member",),
    "casework": ("hub.condition", "hub.command"),
    "tasks-position": ("hub.case",),
}
"""What each stage has to have read, both lanes; its group's offsets follow its positions within a second."""
SAY_S = 5.0
PROJECTED = ("hub.case", "hub.identity", "hub.unidentified", "hub.quarantine")


class Hub:
    """Looks at Kafka and Redis from outside. Names are logical (without the namespace)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin(settings)
        self._redis = redis.Redis.from_url(settings.redis)
        self._keys = RedisKeys(settings.namespace)
        self._askers: dict[str, Consumer] = {}

    def close(self) -> None:
        """Close the connections to Redis and Kafka."""
        self._redis.close()
        while self._askers:
            self._askers.popitem()[1].close()

    def stands(self, condition_id: str) -> bool:
        """Whether a condition stands, as Redis shows it."""
        return bool(self._redis.hexists(self._keys.standing, condition_id))

    def ends(self, names: Iterable[str]) -> dict[tuple[str, int], int]:
        """Next offset of every partition of these topics."""
        wanted = {
            TopicPartition(self._settings.topic(n), p): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for n in names
            for p in range(partitions_of(self._settings, topics.of(n)))
        }
        try:
            return self._listed(wanted)
        except KafkaException:
            # After a broker's unclean restart a client asks with the old leader's epoch until it ends.
            self._admin = admin(self._settings)
            return self._listed(wanted)

    def _listed(self, wanted: dict[TopicPartition, OffsetSpec]) -> dict[tuple[str, int], int]:
        cut = len(self._settings.namespace)
        return {
            (tp.topic[cut:], tp.partition): future.result(10).offset
            for tp, future in self._admin.list_offsets(wanted).items()
        }

    def published(self) -> int:
        """Records of departments on their topics, both lanes."""
        names = [n for t in topics.DEPARTMENT_TOPICS for n in (t.name, t.backlog)]
        return sum(self.ends(names).values())

    def look(self, control: dict[tuple[str, int], int] | None = None) -> Look:
        """Ends, and lags of stages (by their groups) and of the projection (by its positions).

        ``control``: ends of ticks and heartbeats that have to be read (they come without end); now, if not given.
        """
        ends = {
            k: v for k, v in self.ends(topics.names()).items() if not k[0].startswith(("task.", "intake.", "hub.audit"))
        }
        behind: dict[str, int] = {}
        for stage, names in READ_BY.items():
            places = [place for place in ends if place[0].removesuffix(topics.BACKLOG) in names]
            committed = self._committed(stage, places)
            for place in places:
                lag = (control or {}).get(place, ends[place]) - committed.get(place, 0)
                if lag > 0:
                    behind[f"{stage} on {place[0]}"] = behind.get(f"{stage} on {place[0]}", 0) + lag
        positions: dict[bytes, bytes] = self._redis.hgetall(self._keys.position)  # type: ignore[assignment]
        lag = sum(
            max(0, end - int(positions.get(f"{topic}:{p}".encode(), 0)))
            for (topic, p), end in ends.items()
            if topic in PROJECTED
        )
        if lag:
            behind["projection"] = lag
        return Look({k: v for k, v in ends.items() if k[0] not in CONTROL}, behind)

    def _committed(self, stage: str, places: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Offsets of the stage's group for these topic partitions, asked by a consumer that never joins it.

        Not by the admin client: librdkafka 2.16 ends the process (a null pointer) where the answer to that is that
        the broker, just back, is not the group's coordinator.
        """
        if stage not in self._askers:
            self._askers[stage] = consumer(self._settings, stage)
        wanted = [TopicPartition(self._settings.topic(name), p) for name, p in places]
        cut = len(self._settings.namespace)
        found = self._askers[stage].committed(wanted, 10)
        return {(tp.topic[cut:], tp.partition): tp.offset for tp in found if tp.offset >= 0}

    def wait_quiet(
        self,
        timeout_s: float,
        settle_s: float,
        say: Callable[[str], None] | None = None,
        pause_s: float = 0.25,
    ) -> float:
        """Wait until nobody is behind and nothing was added for `settle_s`; returns when it became quiet.

        Raises TimeoutError that says who is not quiet.
        """
        control = self.ends(CONTROL)
        until, since, before = time.time() + timeout_s, time.time(), self.look(control)
        said = since
        while time.time() < until:
            time.sleep(pause_s)
            now = self.look(control)
            if say is not None and time.time() - said > SAY_S and now.behind:
                said = time.time()
                say(f"waiting: {now.words}")
            if now != before or now.behind:
                since, before = time.time(), now
            elif time.time() - since >= settle_s:
                return since
        raise TimeoutError(f"the hub is not quiet after {timeout_s:.0f} s: {before.words}")
