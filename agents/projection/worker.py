"""The projection in its process: each topic at its own pace, so a first load never delays an alert."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NoReturn

import redis
from faust.types import TP

from agents.app import build, die, logical, run
from agents.columns import Columns
from agents.gauge import Gauge
from agents.projection.projector import TOPICS, Moved, Projector
from agents.slices import Slice, joined
from agents.tasks import CASES, TaskThread
from wire.reading import read_all
from wire.rediskeys import RedisKeys
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger("doudi.projection")

GATHER_S = 0.25
"""For so long what comes by other topics than cases is gathered: a slice costs the same with one record as with many,
and identities are on their way long before the alert that needs them."""
REST_S = 0.5
"""Who finds that a rebuild beside it was faster leaves it the next moments: reading anew costs more than waiting."""
LOOK_S = 3.0
"""So often Redis is asked where it stands: what it lost comes back although nothing new is published."""

Handed = tuple[Slice, Callable[[], None]]


def connect(settings: Settings) -> redis.Redis:
    """A client whose waits end, so that a Redis that hangs is noticed and asked again."""
    return redis.Redis.from_url(settings.redis, socket_timeout=10, socket_connect_timeout=5, retry=None)


class Views:
    """Applies slices of hub topics, and reads again what Redis has forgotten."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = Registry(settings.registry, settings.namespace)
        self._columns = Columns(self._registry)
        self.projector = Projector(connect(settings), RedisKeys(settings.namespace))
        self.gauge = Gauge(settings, "projection", TOPICS, self.projector.position)

    def close(self) -> None:
        """Leave Redis and the registry."""
        self.projector.client.close()
        self._registry.close()

    def positions(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Next offset to apply of each partition, as Redis has it."""
        return {tp: self.projector.position(logical(self._settings, tp.topic), tp.partition) for tp in partitions}

    def apply(self, part: Slice) -> None:
        """Apply one slice; Redis ends at its end, wherever it stood before."""
        began = time.monotonic()
        topic = logical(self._settings, part.topic)
        while True:
            at = self.projector.position(topic, part.partition)
            if at >= part.next:
                return
            if at < part.start:
                self.replay(topic, part.partition, part.start)
                continue
            try:
                self._apply(topic, part.after(at), at)
            except Moved as moved:
                log.warning("%s-%d: %s", topic, part.partition, moved)
                continue
            break
        if topic == CASES:
            self.gauge.figures.more.update(delay_ms=_now() - part.last_ms, stale_epoch=self.projector.refused)
        self.gauge.slice(len(part), 0, part.last_ms, began)

    def replay(self, topic: str, partition: int, until: int) -> None:
        """Bring Redis from where it stands to ``until`` by reading the topic anew (lost tail, rebuild)."""
        while (start := self.projector.position(topic, partition)) < until:
            log.info("%s-%d: reading again from %d to %d", topic, partition, start, until)
            try:
                self._read_again(topic, partition, start, until)
            except Moved as moved:
                log.warning("%s-%d: %s", topic, partition, moved)
                time.sleep(REST_S)

    def _read_again(self, topic: str, partition: int, start: int, until: int) -> None:
        at = start
        for batch in read_all(
            self._settings,
            self._settings.topic(topic),
            partitions=[partition],
            start=lambda _: start,
            until={partition: until},
        ):
            end = batch.offsets[-1] + 1
            frame, _ = self._columns.frame(topic, batch.keys, batch.values, batch.offsets)
            at = self.projector.apply(topic, partition, frame, at, end)
        if at < until:
            # What lies between was removed by retention, or cannot be read.
            self.projector.apply(topic, partition, self._columns.empty(topic), at, until)

    def _apply(self, topic: str, part: Slice, at: int) -> None:
        frame, _ = self._columns.frame(topic, part.keys, part.values, part.offsets)
        self.projector.apply(topic, part.partition, frame, at, part.next)


class Tails:
    """Of each partition that this process reads, the empty slice behind what was handed to it.

    Applied, it brings back whatever Redis has lost before it, and changes nothing otherwise.
    """

    def __init__(self) -> None:
        self._tails: dict[TP, Slice] = {}

    @property
    def partitions(self) -> list[TP]:
        """What is read."""
        return list(self._tails)

    def begin(self, positions: Mapping[TP, int]) -> None:
        """Exactly these partitions are read, from these positions on."""
        self._tails = {tp: Slice(tp.topic, tp.partition, at, at, (), [], [], 0, 0) for tp, at in positions.items()}

    def handed(self, part: Slice) -> None:
        """A slice was handed over; one of a partition that is another's by now is passed over."""
        tp = TP(part.topic, part.partition)
        if tp in self._tails:
            self._tails[tp] = replace(part, start=part.next, offsets=(), keys=[], values=[], hole=False)

    def forget(self, lost: Iterable[TP]) -> None:
        """Another process reads these."""
        for tp in lost:
            self._tails.pop(tp, None)

    def ahead_of(self, positions: Mapping[TP, int]) -> list[Slice]:
        """Those of partitions of which Redis has less."""
        return [tail for tp, tail in self._tails.items() if positions.get(tp, tail.next) < tail.next]


def _now() -> int:
    return int(time.time() * 1000)


def serve(settings: Settings) -> NoReturn:
    """Run the projection until a signal; exits the process."""
    views = Views(settings)
    tasks = TaskThread(settings)
    queues: dict[str, asyncio.Queue[Handed]] = {}
    workers: set[asyncio.Task[None]] = set()
    tails = Tails()

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                stands = await asyncio.to_thread(views.positions, tails.partitions)
            except Exception as error:
                die(error, "projection, asking Redis where it stands")
            for tail in tails.ahead_of(stands):
                await handle(tail, lambda: None)

    async def work(queue: asyncio.Queue[Handed], bench: ThreadPoolExecutor) -> None:
        while True:
            handed = [await queue.get()]
            while not queue.empty():
                handed.append(queue.get_nowait())
            for part in joined(part for part, _ in handed):
                try:
                    await asyncio.get_running_loop().run_in_executor(bench, views.apply, part)
                except Exception as error:
                    die(
                        error,
                        f"projection, {part.topic}-{part.partition}, offsets {part.start} to {part.next - 1}",
                    )
            for _, done in handed:
                done()
            if logical(settings, handed[0][0].topic) != CASES:
                await asyncio.sleep(GATHER_S)

    async def handle(part: Slice, done: Callable[[], None]) -> None:
        tails.handed(part)
        if part.topic not in queues:
            queues[part.topic] = asyncio.Queue()
            # One thread a topic, always the same: what its allocator keeps at hand is used again.
            workers.add(asyncio.create_task(work(queues[part.topic], ThreadPoolExecutor(1))))
        await queues[part.topic].put((part, done))

    async def positions(assigned: frozenset[TP]) -> Mapping[TP, int | None]:
        views.gauge.start()
        if any(logical(settings, tp.topic) == CASES for tp in assigned):
            await asyncio.to_thread(tasks.start)
        if not workers:
            workers.add(asyncio.create_task(look()))
        stands = await asyncio.to_thread(views.positions, assigned)
        tails.begin(stands)
        return stands

    async def revoked(lost: frozenset[TP]) -> None:
        tails.forget(lost)
        if any(logical(settings, tp.topic) == CASES for tp in lost):
            await asyncio.to_thread(tasks.stop)

    async def stop() -> None:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await views.gauge.stop()
        await asyncio.to_thread(tasks.stop)

    run(
        build(settings, "projection", TOPICS, handle, positions=positions, on_revoked=revoked, on_stop=stop),
        settings,
    )
