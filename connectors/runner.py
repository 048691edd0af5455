"""One process for one department: its feeds in turn, heartbeats, an orderly stop."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import stamina
from sqlalchemy import Engine

from connectors.catalogue import Catalogue, Feed, mappings
from connectors.errors import SourceDown, Transient
from connectors.folders import FolderFeed
from connectors.outflow import Outflow
from connectors.publish import Outlet, utc_now
from connectors.sending import Stopped
from connectors.sources.sql import Cap, Table, engine
from connectors.state import State
from connectors.tables import TableFeed
from domain.sealing import derive
from schemas.topics import of
from wire import memory
from wire.errors import WireError
from wire.kafka import check_reachable, partitions_of
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

log = logging.getLogger("doudi.connector")

HEARTBEAT_SECONDS = 10.0
OUTFLOW_SECONDS = 30.0
_LONGEST_SLEEP = 0.5


class Running(Protocol):
    """A feed as the loop sees it."""

    feed: Feed

    @property
    def complete(self) -> bool: ...
    def position(self) -> str: ...
    def step(self) -> float: ...


class Connector:
    """All feeds of one department. ``run`` returns when ``stop`` is set."""

    def __init__(
        self,
        catalogue: Catalogue,
        settings: Settings,
        *,
        stop: threading.Event,
        clock: Callable[[], datetime] = utc_now,
        home: Path | None = None,
    ) -> None:
        """Opens the state file; the database and Kafka only in ``run``. Raises ConfigError."""
        self.catalogue, self.settings, self.stop = catalogue, settings, stop
        home = home or settings.home
        secrets = Secrets.load(settings.secrets_dir)
        known = mappings(catalogue.department)
        path = home / "connectors" / f"{catalogue.department}.state"
        self.state = State(path, derive(secrets.linking, b"doudi.position"))
        self.outflow = Outflow(
            home / "outflow" / f"{catalogue.department}.jsonl",
            {f.source: known[f.mapping].columns for f in catalogue.feeds},
        )
        self.outlet = Outlet(
            settings,
            Registry(settings.registry, settings.namespace),
            secrets,
            self.state,
            self.outflow,
            stop,
            clock,
        )
        self.feeds: list[Running] = []
        self.compare = threading.Event()
        """Set it to have all keys compared now, not only when it is due."""
        self._engine: Engine | None = None
        self._due: dict[str, float] = {}
        self._beaten: tuple[float, tuple[bool, ...]] = (float("-inf"), ())
        self._written_at = time.monotonic()

    def run(self) -> None:
        """Run until stopped. Transient failures are told and waited out; permanent ones are raised."""
        memory.settle()
        try:
            self._again(self._reach_kafka)
            self._again(self._open)
            while not self.stop.is_set():
                self._again(self.cycle)
                pause = min(self._due.values(), default=_LONGEST_SLEEP) - time.monotonic()
                self.stop.wait(min(max(pause, 0.0), _LONGEST_SLEEP))
        except Stopped:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Write the outflow log and give up files and connections."""
        self.outflow.close()
        self.state.close()
        self.outlet.registry.close()
        if self._engine is not None:
            self._engine.dispose()

    def cycle(self) -> None:
        """One turn: each feed that is due, then heartbeats. A failure is raised after all had their turn."""
        failure: Transient | None = None
        if self.compare.is_set():
            self.compare.clear()
            for running in self.feeds:
                if isinstance(running, TableFeed):
                    running.compare_soon()
        for running in self.feeds:
            source = running.feed.source
            if self._due.get(source, 0.0) > time.monotonic() or self.stop.is_set():
                continue
            try:
                self._due[source] = time.monotonic() + running.step()
            except SourceDown as error:
                failure = failure or error
        if failure is not None:
            raise failure
        self._heartbeat()
        if time.monotonic() - self._written_at > OUTFLOW_SECONDS:
            self.outflow.write()
            self._written_at = time.monotonic()

    def _reach_kafka(self) -> None:
        check_reachable(self.settings)
        for feed in self.catalogue.feeds:
            self.outlet.registry.id_of(feed.topic)

    def _open(self) -> None:
        """Connect to the sources and check the tables."""
        known = mappings(self.catalogue.department)
        if self._engine is None and any(f.kind == "sql" for f in self.catalogue.feeds):
            self._engine = engine(self.catalogue.url)
        feeds: list[Running] = []
        for feed in self.catalogue.feeds:
            mapping = known[feed.mapping]
            if feed.kind == "files" or self._engine is None:
                feeds.append(FolderFeed(feed, mapping, Path(feed.folder), self.outlet))
                continue
            columns = [*mapping.columns, *([feed.deleted] if feed.deleted else [])]
            table = Table(
                self._engine,
                feed.table,
                key=feed.key,
                updated_at=feed.updated_at,
                columns=columns,
                cap=Cap(feed.rows_per_second, feed.pause_seconds, self.stop),
                page=feed.rows_per_query,
            )
            feeds.append(TableFeed(feed, mapping, table, self.outlet))
        self.feeds = feeds

    def _again(self, work: Callable[[], None]) -> None:
        """Do it until it succeeds, with growing pauses; each failure says what, where and how to mend it."""
        for attempt in stamina.retry_context(
            on=self._worth_another, attempts=None, timeout=None, wait_initial=0.2, wait_max=3.0
        ):
            with attempt:
                if self.stop.is_set():
                    raise Stopped
                work()

    def _worth_another(self, error: Exception) -> bool:
        passing = isinstance(error, Transient) or (isinstance(error, WireError) and error.family == "transient")
        if passing and not self.stop.is_set():
            log.warning("connector %s: %s", self.catalogue.department, error)
        return passing

    # heartbeats

    def _heartbeat(self) -> None:
        """Every ten seconds, and at once when a first load has become complete."""
        complete = tuple(f.complete for f in self.feeds)
        beaten_at, then = self._beaten
        if complete == then and time.monotonic() - beaten_at < HEARTBEAT_SECONDS:
            return
        rows = [row for running in self.feeds for row in heartbeats(running, self.outlet.clock())]
        self.outlet.heartbeats(rows, partitions_of(self.settings, of("hub.heartbeat")))
        self._beaten = (time.monotonic(), complete)


def together(connectors: Sequence[Callable[[], None]], stop: threading.Event) -> None:
    """Run several in threads until ``stop``. The first that fails stops the others, and its error is raised."""
    if len(connectors) == 1:
        connectors[0]()
        return
    with ThreadPoolExecutor(len(connectors), thread_name_prefix="connector") as pool:
        futures = [pool.submit(run) for run in connectors]
        wait(futures, return_when=FIRST_EXCEPTION)
        stop.set()
    for future in futures:
        future.result()


def heartbeats(running: Running, now: datetime) -> Sequence[dict[str, Any]]:
    """A feed's heartbeats: one for each division that it covers. ``seq`` is the time in µs."""
    feed = running.feed
    position = json.dumps({"at": running.position()})
    return [
        {
            "source": feed.source,
            "topic": feed.topic,
            "source_epoch": feed.epoch,
            "seq": int(now.timestamp() * 1_000_000),
            "division_prefix": cover.division,
            "covers_from": cover.covers_from,
            "complete": running.complete,
            "position": position,
            "sent_at": now,
        }
        for cover in feed.covers
    ]
