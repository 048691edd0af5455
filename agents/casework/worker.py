"""Casework in its process: acquires the one partition, catches up, then applies slice by slice.

On acquisition an owner record is published to hub.case; its offset is the epoch. What stands before
it is read: other owners' events mean that the file is old, and it is made anew from hub.case.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
from faust.types import TP

from agents import faults
from agents.app import build, die, logical
from agents.app import run as run_app
from agents.casework.core import Casework, Rebuild, epochs_of
from agents.casework.policy import closings, policy
from agents.casework.publish import OWNER, CasePublisher
from agents.casework.store import CaseStore, Event, open_store
from agents.columns import Columns
from agents.errors import CorruptStateError, StateFolderError
from agents.gauge import Gauge
from agents.slices import Slice
from agents.state import set_aside, suspect
from wire.lawbook import Lawbook
from wire.reading import read_all
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger("doudi.casework")

TOPICS = ("hub.condition", "hub.command")
FILE = "casework.sqlite"


class Worker:
    """The one casework of a hub. Its methods block and are called one at a time, off the event loop."""

    def __init__(self, settings: Settings) -> None:
        """Raises RuleError, CalendarError, WireError."""
        self._settings = settings
        self._registry = Registry(settings.registry, settings.namespace)
        self._lawbook = Lawbook(settings, self._registry, checked=False)
        self._law = self._lawbook.law
        self._policy = policy(settings, self._law)
        self._columns = Columns(self._registry)
        self._publisher = CasePublisher(settings, self._registry)
        self._casework: Casework | None = None
        self._epoch = -1
        self.gauge = Gauge(settings, "casework", TOPICS, lambda topic, _: self.casework.store.position(topic))

    @property
    def casework(self) -> Casework:
        """What is applied to; only between acquire and release."""
        if self._casework is None:
            raise RuntimeError("casework was used without owning its partition")
        return self._casework

    def acquire(self) -> dict[str, int]:
        """Own the partition; returns where to read on, by topic. Raises StateFolderError, WireError."""
        self.release()
        store = self._open()
        self._casework = Casework(store, self._policy)
        started = time.monotonic()
        self._epoch = self._publisher.own(_now())
        if not self._catch_up(store):
            self._rebuild(store)
        store.own(self._epoch)
        self._publish(store.waiting())
        log.info("casework owns its partition, epoch %d, after %.1f s", self._epoch, time.monotonic() - started)
        return {
            "hub.condition": self._casework.condition_position,
            "hub.command": self._casework.command_position,
        }

    def release(self) -> None:
        """Give the file back."""
        if self._casework is not None:
            self._casework.store.close()
            self._casework = None

    def close(self) -> None:
        """Give the file back and leave the registry."""
        self.release()
        self._registry.close()

    def apply(self, part: Slice) -> None:
        """Apply one slice and publish what follows from it."""
        began = time.monotonic()
        topic = logical(self._settings, part.topic)
        frame, _ = self._columns.frame(topic, part.keys, part.values, part.offsets)
        conditions, commands = (frame, None) if topic == "hub.condition" else (None, frame)
        if conditions is not None:
            self._follow(conditions)
        events = self.casework.apply(conditions, commands)
        self._publish(events)
        self.gauge.figures.more.update(self.casework.counts)
        self.gauge.slice(len(part), len(events), part.last_ms, began)

    def _follow(self, conditions: pl.DataFrame) -> None:
        """A version of a rule that was not met before may have come into force since the start."""
        said = set(zip(conditions["rule"].to_list(), conditions["rule_version"].to_list(), strict=True))
        law = self._lawbook.known([(rule, version) for rule, version in said if rule])
        if law is not self._law:
            self._law = law
            self._policy = self.casework.policy = replace(self._policy, closes=closings(law))

    def _open(self) -> CaseStore:
        path = self._settings.state_dir / FILE
        if suspect(path).exists():
            set_aside(path, "bad")
        until = time.monotonic() + self._settings.lock_wait_s
        while (store := self._opened(path)) is None:
            # Another process on this machine may be letting go of it just now.
            if time.monotonic() > until:
                raise StateFolderError(
                    f"The state file {path} is held by another process, and was waited for "
                    f"{self._settings.lock_wait_s:g} s. Casework runs once: stop the other one."
                )
            time.sleep(0.05)
        return store

    @staticmethod
    def _opened(path: Path) -> CaseStore | None:
        try:
            return open_store(path)
        except CorruptStateError as error:
            log.error("%s", error)
            set_aside(path, "bad")  # hub.case has everything
            return open_store(path)

    def _catch_up(self, store: CaseStore) -> bool:
        """Whether the file is this log's and nobody else wrote since; drops what was already published."""
        mine, seen = store.epoch, store.case_position
        if mine < 0 or max(mine, seen) > self._epoch:
            return False  # a new file, or one of another log
        published = set()
        with closing(self._case_log(max(seen, mine))) as frames:
            for frame in frames:
                foreign = frame.filter((pl.col("event") != OWNER) & (pl.col("epoch") != mine))
                others = frame.filter((pl.col("event") == OWNER) & ~pl.col("_offset").is_in([mine, self._epoch]))
                if not foreign.is_empty() or not others.is_empty():
                    log.warning("another casework wrote since this file was used: made anew from hub.case")
                    return False
                published.update(frame["event_id"].to_list())
        if published:
            store.drop(published)
        return True

    def _rebuild(self, store: CaseStore) -> None:
        rebuild = Rebuild()
        for frame in self._case_log(0):
            rebuild.read(frame)
        epochs: dict[tuple[str, int], int] = {}
        until = rebuild.docket.condition_position
        if until:
            topic = self._settings.topic("hub.condition")
            for batch in read_all(self._settings, topic, partitions=[0], until={0: until}):
                frame, _ = self._columns.frame("hub.condition", batch.keys, batch.values, batch.offsets)
                epochs_of(frame, epochs)
        store.adopt(rebuild.docket, self._epoch, epochs)
        log.info("casework's state was made anew: %d cases", len(rebuild.docket.cases))

    def _case_log(self, start: int) -> Generator[pl.DataFrame, None, None]:
        """hub.case from an offset up to and with our own owner record."""
        topic, until = self._settings.topic("hub.case"), {0: self._epoch + 1}
        for batch in read_all(self._settings, topic, partitions=[0], start=lambda _: start, until=until):
            yield self._columns.frame("hub.case", batch.keys, batch.values, batch.offsets)[0]

    def _publish(self, events: Sequence[Event]) -> None:
        if not events:
            return
        faults.point("after_commit")
        last = self._publisher.publish(events, self._epoch)
        faults.point("after_publish")
        self.casework.store.published(last + 1)


def _now() -> int:
    return int(time.time() * 1000)


def run(settings: Settings) -> NoReturn:
    """Run casework until a signal; exits the process. Raises what a missing rule, calendar or table raises."""
    worker = Worker(settings)
    bench = ThreadPoolExecutor(1, thread_name_prefix="casework")

    async def work(function: Callable[..., Any], *args: Any) -> Any:
        """In the one thread that works with the state, in turn: what its allocator keeps at hand is used again."""
        return await asyncio.get_running_loop().run_in_executor(bench, function, *args)

    async def positions(assigned: frozenset[TP]) -> Mapping[TP, int | None]:
        if not assigned:
            return {}
        worker.gauge.start()
        try:
            at = await work(worker.acquire)
        except Exception as error:
            die(error, "casework, acquiring its partition")
        return {tp: at[logical(settings, tp.topic)] for tp in assigned}

    async def handle(part: Slice, done: Callable[[], None]) -> None:
        await work(worker.apply, part)
        done()

    async def release(*_: object) -> None:
        await work(worker.release)

    async def stop() -> None:
        await worker.gauge.stop()
        await release()

    run_app(
        build(settings, "casework", TOPICS, handle, positions=positions, on_revoked=release, on_stop=stop),
        settings,
    )
