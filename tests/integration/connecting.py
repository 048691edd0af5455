"""What connector tests share: a database of one's own, a connector stepped by hand, a reader."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from connectors.catalogue import Catalogue, Feed, load
from connectors.runner import Connector
from connectors.tables import TableFeed
from schemas import codec
from schemas import load as schema
from schemas.topics import MESSAGE_MAX_BYTES
from wire.reading import read_all
from wire.registry import Registry
from wire.settings import Settings

DDL = Path("connectors")


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """URL of a new PostgreSQL database."""
    server = sa.create_engine(settings.postgres, isolation_level="AUTOCOMMIT")
    name = f"t_{uuid.uuid4().hex[:10]}"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield sa.make_url(settings.postgres).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


@dataclass
class Clock:
    """Seconds that pass only when told, for what a feed does by time."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A department's connector under test. Each `turn` is one step of every feed, `pause` lets time pass."""

    settings: Settings
    catalogue: Catalogue
    clock: Clock = field(default_factory=Clock)
    stop: threading.Event = field(default_factory=threading.Event)
    connector: Connector | None = None

    def start(self) -> Connector:
        """A new process, so to say: nothing in memory, the state from its file."""
        self.close()
        self.connector = Connector(self.catalogue, self.settings, stop=self.stop)
        self.connector._open()
        for running in self.connector.feeds:
            if isinstance(running, TableFeed):
                running.monotonic = self.clock
        return self.connector

    @property
    def source(self) -> str:
        """Name of the first feed."""
        return self.catalogue.feeds[0].source

    def close(self) -> None:
        """End it."""
        if self.connector is not None:
            self.connector.close()
            self.connector = None

    def turn(self, times: int = 1, pause: float = 1.0) -> None:
        """Let time pass and every feed do its steps until none has more to do at once."""
        connector = self.connector or self.start()
        for _ in range(times):
            self.clock.now += pause
            for running in connector.feeds:
                until = time.monotonic() + 60
                while running.step() == 0.0:
                    assert time.monotonic() < until, "a feed that never rests"

    def rows(self, topic: str) -> pl.DataFrame:
        """The bench's own messages in a topic or lane, decoded and checked against their keys."""
        registry = Registry(self.settings.registry, self.settings.namespace)
        frames = [schema.of_topic(topic).empty()]
        for batch in read_all(self.settings, self.settings.topic(topic)):
            decoded = codec.decode(
                batch.values,
                batch.keys,
                schema.of_topic(topic),
                registry.writers(topic),
                key=schema.key_fields(topic),
                max_bytes=MESSAGE_MAX_BYTES,
            )
            assert not decoded.bad, decoded.bad
            frames.append(decoded.frame)
        registry.close()
        whole = pl.concat(frames)
        mine = [f.source for f in self.catalogue.feeds]
        if "source" in whole.columns:
            return whole.filter(pl.col("source").is_in(mine))
        return whole.filter(pl.col("detail").str.split(":").list.first().is_in(mine))

    def bytes(self, topic: str) -> bytes:
        """Everything in a topic, keys and values."""
        return b"".join(
            (k or b"") + (v or b"")
            for batch in read_all(self.settings, self.settings.topic(topic))
            for k, v in zip(batch.keys, batch.values, strict=True)
        )


def bench(settings: Settings, department: str, url: str, **feed: Any) -> Bench:
    """A bench for a department; keywords change every feed."""
    read = load(department)
    feeds = tuple(Feed.model_validate({**f.model_dump(), **feed}) for f in read.feeds)
    return Bench(settings, read.model_copy(update={"url": url, "feeds": feeds}))


def only(made: Bench, source: str) -> Bench:
    """The same with one feed, under a name of its own: many benches share the topics of one hub."""
    name = f"{source}.{uuid.uuid4().hex[:8]}"
    feeds = tuple(f.model_copy(update={"source": name}) for f in made.catalogue.feeds if f.source == source)
    made.catalogue = made.catalogue.model_copy(update={"feeds": feeds})
    return made


def wait(until: Callable[[], bool], seconds: float = 20.0) -> None:
    """Poll until it holds."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
