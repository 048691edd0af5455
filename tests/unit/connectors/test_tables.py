"""A table's feed on SQLite, with Kafka left out: when it sweeps, how keys become record ids."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from connectors.catalogue import Feed, load, mappings
from connectors.errors import SourceDown
from connectors.outflow import Outflow
from connectors.publish import Outlet
from connectors.sources.sql import Cap, Table, engine
from connectors.state import State
from connectors.tables import TableFeed
from tests.ids import test_id as some_id
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

T0 = datetime(2026, 5, 1, 10, 0)  # noqa: DTZ001 - as the department writes it
TOPIC = "civil.benefit"


class Kept:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def frame(self, topic: str, frame: pl.DataFrame, _key: str) -> None:
        self.sent += [(topic, row) for row in frame.to_dicts()]

    def rows(self, topic: str, rows: Sequence[dict[str, Any]], _partition: int = -1) -> None:
        self.sent += [(topic, row) for row in rows]


class Department:
    """A benefit table and its feed. Time passes when told."""

    def __init__(self, folder: Path) -> None:
        self.mapping = mappings("civil")["benefit"]
        shipped = next(f for f in load("civil").feeds if f.mapping == "benefit")
        self.feed = Feed.model_validate({**shipped.model_dump(), "overlap_seconds": 60})
        self.now = 1000.0
        self.engine = engine(f"sqlite:///{folder}/department.db")
        texts = [c for c in self.mapping.columns if c != "amount"]
        self.rows = sa.Table(
            "benefit",
            sa.MetaData(),
            sa.Column("benefit_id", sa.String, primary_key=True),
            sa.Column("updated_at", sa.DateTime),
            sa.Column("deleted", sa.Boolean),
            sa.Column("amount", sa.Numeric(16, 2)),
            *(sa.Column(c, sa.String) for c in texts),
        )
        self.rows.metadata.create_all(self.engine)
        settings, stop = Settings(home=folder), threading.Event()
        self.state = State(folder / "civil.state", b"k" * 32)
        registry = Registry("http://nowhere", "")
        secrets = Secrets.load(folder / "secrets")
        self.outlet = Outlet(
            settings, registry, secrets, self.state, Outflow(None), stop, lambda: T0.replace(tzinfo=UTC)
        )
        self.kept = Kept()
        self.outlet.sender = self.kept  # type: ignore[assignment]
        columns = [*self.mapping.columns, "deleted"]
        table = Table(
            self.engine,
            "benefit",
            key="benefit_id",
            updated_at="updated_at",
            columns=columns,
            cap=Cap(0, 0, stop),
            page=100,
        )
        self.running = TableFeed(self.feed, self.mapping, table, self.outlet, lambda: self.now)

    def put(self, key: str, seconds: float) -> None:
        row = {
            "benefit_id": key,
            "id_number": some_id(1),
            "benefit_code": "dibao",
            "deleted": False,
            "updated_at": T0 + timedelta(seconds=seconds),
        }
        with self.engine.begin() as connection:
            connection.execute(self.rows.insert(), row)

    def turn(self, pause: float = 1.0, times: int = 1) -> None:
        for _ in range(times):
            self.now += pause
            while self.running.step() == 0.0:
                pass

    def published(self) -> list[str]:
        return [row["record_id"] for topic, row in self.kept.sent if topic in (TOPIC, f"{TOPIC}.backlog")]


@pytest.fixture
def department(tmp_path: Path) -> Iterator[Department]:
    made = Department(tmp_path)
    yield made
    made.state.close()
    made.outlet.registry.close()
    made.engine.dispose()


def test_what_committed_late_is_looked_for_however_long_the_source_was_away(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    department.put("A", 0)
    department.turn(times=2)
    department.put("B", 100)
    department.turn()
    with monkeypatch.context() as patch:

        def away(*_: object) -> None:
            raise SourceDown("away")

        patch.setattr(Table, "_read", away)
        with pytest.raises(SourceDown):
            department.turn(pause=10_000)
    department.put("C", 70)  # its time was taken before B's, its commit was seen by nobody
    department.turn(pause=6.0, times=2)
    assert department.published() == ["A", "B", "C"]


def test_once_nothing_can_commit_late_any_more_the_sweeps_end(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps: list[float] = []
    stamps = Table.stamps
    monkeypatch.setattr(Table, "stamps", lambda *given: sweeps.append(department.now) or stamps(*given))
    department.put("A", 0)
    moved = department.now + 1
    department.turn(pause=1.0, times=200)
    assert moved + department.feed.overlap_seconds < sweeps[-1] < moved + 2 * department.feed.overlap_seconds
    department.put("B", 100)
    department.turn(pause=6.0)
    assert sweeps[-1] == department.now


def test_a_key_that_is_an_id_number_leaves_as_its_hash_and_is_known_again(department: Department) -> None:
    department.running.feed = department.feed.model_copy(update={"compare_seconds": 1000})
    key = some_id(7)
    department.put(key, 0)
    department.put("B1", 0)
    department.turn(times=2)
    hashed, plain = sorted(department.published(), key=len, reverse=True)
    assert (len(hashed), plain) == (32, "B1")
    department.turn(pause=1001.0, times=2)  # all keys are compared: neither missed nor vanished
    assert len(department.published()) == 2
    assert key not in repr([row for _, row in department.kept.sent])
    with department.engine.begin() as connection:
        connection.execute(department.rows.delete().where(department.rows.c.benefit_id == key))
    department.turn(pause=1001.0, times=2)
    assert department.published()[2:] == [hashed]


def test_a_last_row_without_a_time_that_can_be_said_does_not_send_reading_back_to_the_beginning(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    department.put("A", 0)
    department.turn(times=2)
    department.put("B", 100)
    split = Table.split
    monkeypatch.setattr(Table, "split", lambda *given: (split(*given)[0], [*split(*given)[1][:-1], None]))
    department.turn()
    assert department.state.note(department.feed.source, "live") == [department.running._now(), ""]
