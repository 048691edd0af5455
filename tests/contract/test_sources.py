"""What every SQL source guarantees, on PostgreSQL and on SQLite: nothing skipped, nothing invented."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from connectors.catalogue import Feed
from connectors.errors import ConfigError, KafkaDown, SourceDown
from connectors.mapping import TOO_LONG
from connectors.sources.sql import Cap, Table, engine
from connectors.state import State
from domain.quarantine import ROOM
from domain.sealing import open_sealed
from tests.ids import test_id as some_id
from tests.integration.connecting import bench, database, only
from tests.stack import own_hub
from wire.errors import DeliveryFailed
from wire.kafka import Publisher
from wire.secrets import Secrets
from wire.settings import Settings

T0 = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
SOURCE, TOPIC = "civil.benefit", "civil.benefit"
METADATA = sa.MetaData()


class Department:
    """A benefit table in some dialect, and a connector on it. Subclasses say where."""

    def __init__(self, settings: Settings, url: str, aware: bool) -> None:
        self.url = url
        self.writer = sa.create_engine(url)
        self.table = sa.Table(
            "benefit",
            sa.MetaData(),
            *(sa.Column(c, sa.String) for c in ("id_number", "name", "benefit_code", "status")),
            sa.Column("benefit_id", sa.String, primary_key=True),
            *(sa.Column(c, sa.Date) for c in ("granted_on", "start_on", "end_on")),
            sa.Column("amount", sa.Numeric(16, 2)),
            sa.Column("division", sa.String(12)),
            sa.Column("deleted", sa.Boolean, default=False),
            sa.Column("updated_at", sa.DateTime(timezone=aware)),
        )
        self.aware = aware
        self.table.metadata.create_all(self.writer)
        self.bench = only(
            bench(
                settings,
                "civil",
                url,
                rows_per_query=10,
                near_seconds=0.0,
                overlap_seconds=60,
                sweep_seconds=5,
                poll_seconds=0.1,
            ),
            SOURCE,
        )

    def at(self, seconds: float) -> datetime:
        moment = T0 + timedelta(seconds=seconds)
        return moment if self.aware else (moment + timedelta(hours=8)).replace(tzinfo=None)

    def row(self, number: int, seconds: float, **other: object) -> dict[str, object]:
        return {
            "benefit_id": f"B{number:04d}",
            "id_number": some_id(number),
            "name": "测试甲",
            "benefit_code": "dibao",
            "status": "active",
            "division": "990101001001",
            "deleted": False,
            "updated_at": self.at(seconds),
            **other,
        }

    def put(self, *rows: dict[str, object]) -> None:
        with self.writer.begin() as connection:
            connection.execute(self.table.insert(), list(rows))

    def change(self, number: int, seconds: float, **values: object) -> None:
        with self.writer.begin() as connection:
            connection.execute(
                self.table.update()
                .where(self.table.c.benefit_id == f"B{number:04d}")
                .values(updated_at=self.at(seconds), **values)
            )

    def remove(self, *numbers: int) -> None:
        with self.writer.begin() as connection:
            connection.execute(self.table.delete().where(self.table.c.benefit_id.in_([f"B{n:04d}" for n in numbers])))

    def live(self) -> list[tuple[str, str, int]]:
        frame = self.bench.rows(TOPIC)
        return sorted(zip(frame["record_id"], frame["op"], frame["record_version"], strict=True))

    def change_feed(self, **values: object) -> None:
        feeds = tuple(Feed.model_validate({**f.model_dump(), **values}) for f in self.bench.catalogue.feeds)
        self.bench.catalogue = self.bench.catalogue.model_copy(update={"feeds": feeds})


@pytest.fixture(scope="module")
def shared(stack: Settings) -> Iterator[Settings]:
    """One hub for all: each department has a source of its own there."""
    with own_hub(stack) as settings:
        yield settings


@pytest.fixture(params=["postgresql", "sqlite"])
def department(request: pytest.FixtureRequest, shared: Settings, tmp_path: Path) -> Iterator[Department]:
    hub = shared.model_copy(update={"home": tmp_path / "home"})
    with contextlib.ExitStack() as stack:
        if request.param == "postgresql":
            made = Department(hub, stack.enter_context(database(hub)), aware=True)
        else:
            made = Department(hub, f"sqlite:///{tmp_path}/department.db", aware=False)
        stack.callback(made.writer.dispose)
        stack.callback(made.bench.close)
        yield made


def versions(department: Department, number: int) -> list[int]:
    return [v for r, _, v in department.live() if r == f"B{number:04d}"]


def test_first_load_goes_behind_then_changes_go_ahead(department: Department) -> None:
    department.put(*(department.row(n, n % 3) for n in range(35)))
    department.bench.turn(3)
    load = department.bench.rows(f"{TOPIC}.backlog")
    assert sorted(load["record_id"]) == [f"B{n:04d}" for n in range(35)]
    assert set(load["op"]) == {"snapshot"}
    department.put(department.row(90, 100))
    department.change(3, 101, status="stopped")
    department.bench.turn()
    micros = int(T0.timestamp() * 1_000_000)
    assert department.live() == [
        ("B0003", "update", micros + 101_000_000),
        ("B0090", "create", micros + 100_000_000),
    ]


def test_many_rows_of_one_timestamp_across_pages(department: Department) -> None:
    department.bench.turn(2)
    department.put(*(department.row(n, 50) for n in range(47)))
    department.bench.turn(2)
    assert [r for r, _, _ in department.live()] == [f"B{n:04d}" for n in range(47)]


def test_two_changes_with_one_timestamp_stay_in_order(department: Department) -> None:
    department.change_feed(near_seconds=2.0)  # longer than the column's clock stands still
    department.bench.turn(2)
    department.put(department.row(1, 50))
    department.bench.turn()
    department.change(1, 50, status="stopped")
    department.bench.turn(3)
    first, second = versions(department, 1)
    assert second == first + 1


def test_a_transaction_that_commits_late_is_not_skipped(department: Department) -> None:
    department.bench.turn(2)
    department.put(department.row(1, 100))
    department.bench.turn()
    department.put(department.row(2, 70))  # its clock was read 30 s before it became visible
    department.bench.turn()
    assert [r for r, _, _ in department.live()] == ["B0001"]
    department.bench.turn(2, pause=6.0)
    assert [r for r, _, _ in department.live()] == ["B0001", "B0002"]
    department.bench.turn(4, pause=6.0)
    assert len(department.live()) == 2


def test_what_committed_late_while_the_connector_was_down_is_not_skipped(department: Department) -> None:
    department.bench.turn(2)
    department.put(department.row(1, 100))
    department.bench.turn(2, pause=6.0)
    department.bench.close()
    department.put(department.row(2, 70), department.row(3, 4000))
    department.bench.turn(3, pause=6.0)
    assert [r for r, _, _ in department.live()] == ["B0001", "B0002", "B0003"]


def test_what_committed_late_during_the_first_load_is_not_skipped(department: Department) -> None:
    department.put(*(department.row(n, 50) for n in range(5, 30)))
    connector = department.bench.start()
    feed = connector.feeds[0]
    feed.step()  # the first page
    department.put(department.row(1, 20), department.row(99, 3000))
    department.bench.turn(3, pause=6.0)
    assert department.bench.rows(f"{TOPIC}.backlog").height == 25
    assert [r for r, _, _ in department.live()] == ["B0001", "B0099"]


def test_first_load_goes_on_where_it_was(department: Department) -> None:
    department.put(*(department.row(n, 50) for n in range(35)))
    connector = department.bench.start()
    connector.feeds[0].step()
    connector.feeds[0].step()
    department.bench.turn(2)
    assert department.bench.rows(f"{TOPIC}.backlog")["record_id"].n_unique() == 35
    department.bench.turn(3, pause=6.0)
    assert department.bench.rows(f"{TOPIC}.backlog").height == 35


def test_delete_by_flag(department: Department) -> None:
    department.put(department.row(1, 10))
    department.bench.turn(2)
    department.change(1, 20, deleted=True)
    department.bench.turn()
    (frame,) = department.bench.rows(TOPIC).to_dicts()
    (loaded,) = department.bench.rows(f"{TOPIC}.backlog").to_dicts()
    assert (frame["op"], frame["person_key"], frame["status"]) == ("delete", loaded["person_key"], None)


def test_delete_by_comparison_and_rows_that_no_timestamp_betrays(department: Department) -> None:
    department.change_feed(deleted="", compare_seconds=100)
    department.put(*(department.row(n, 10) for n in range(25)))
    department.bench.turn(2)
    department.remove(3, 17)
    department.put(department.row(80, -100_000))  # written with an old time
    department.bench.turn(2)
    assert not department.live()
    department.bench.turn(2, pause=101)
    found = [("B0003", "delete"), ("B0017", "delete"), ("B0080", "create")]
    assert [(r, op) for r, op, _ in department.live()] == found
    department.put(department.row(3, 10))  # restored, with its old time
    department.bench.turn(2, pause=101)
    ops = {op: v for r, op, v in department.live() if r == "B0003"}
    assert ops["create"] == ops["delete"] + 1
    department.bench.turn(3, pause=101)
    assert len(department.live()) == 4


def test_a_comparison_asked_for_does_not_wait_until_it_is_due(department: Department) -> None:
    department.change_feed(deleted="", compare_seconds=100_000)
    department.put(*(department.row(n, 10) for n in range(25)))
    department.bench.turn(2)
    department.remove(3)
    department.bench.turn(2)
    assert not department.live()
    connector = department.bench.connector
    assert connector is not None
    connector.compare.set()
    connector.cycle()
    department.bench.turn(2)
    assert [(r, op) for r, op, _ in department.live()] == [("B0003", "delete")]
    assert not connector.compare.is_set()


def test_a_table_that_empties_at_once_is_not_believed(
    department: Department, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("connectors.tables._MASS_ROWS", 10)
    department.change_feed(deleted="", compare_seconds=100)
    department.put(*(department.row(n, 10) for n in range(25)))
    department.bench.turn(2)
    department.remove(*range(20))
    department.bench.turn(2, pause=101)
    assert not department.live()
    assert "20 of 25 records are no longer in table benefit" in caplog.text
    department.bench.close()
    department.change_feed(allow_mass_delete=True)
    department.bench.turn(3, pause=101)
    assert len(department.live()) == 20


def test_a_corrected_id_moves_the_record(department: Department) -> None:
    department.put(department.row(1, 10))
    department.bench.turn(2)
    (before,) = department.bench.rows(f"{TOPIC}.backlog").to_dicts()
    department.change(1, 20, id_number=some_id(2))
    department.bench.turn()
    after = {r["op"]: r for r in department.bench.rows(TOPIC).to_dicts()}
    assert after["delete"]["person_key"] == before["person_key"] != after["create"]["person_key"]
    assert after["delete"]["record_version"] == after["create"]["record_version"] > before["record_version"]


def test_unidentified_then_mended_then_broken_again(department: Department) -> None:
    department.put(department.row(1, 10, id_number="无"), department.row(2, 10, id_number=None))
    department.bench.turn(2)
    rows = department.bench.rows("hub.unidentified").to_dicts()
    assert sorted((r["record_id"], r["state"], r["reason"]) for r in rows) == [
        ("B0001", "unidentified", "malformed"),
        ("B0002", "unidentified", "missing"),
    ]
    originals = [json.loads(kept(department, r["sealed"])) for r in rows]
    assert {r["benefit_id"]: r.get("id_number") for r in originals} == {"B0001": "无", "B0002": None}
    department.change(1, 20, id_number=some_id(1))
    department.change(2, 21, deleted=True)
    department.bench.turn()
    states = department.bench.rows("hub.unidentified").to_dicts()
    assert sorted(r["record_id"] for r in states if r["state"] == "resolved") == ["B0001", "B0002"]
    assert [(r, op) for r, op, _ in department.live()] == [("B0001", "create")]
    department.change(1, 30, id_number="1")
    department.bench.turn()
    assert [op for _, op, _ in department.live()] == ["create", "delete"]


def test_a_crash_between_publishing_and_the_state_loses_nothing_and_changes_nothing(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    department.bench.turn(2)
    department.put(*(department.row(n, 50) for n in range(7)))

    def crash(*_: object) -> None:
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(State, "commit", crash)
        with pytest.raises(RuntimeError):
            department.bench.turn()
    department.bench.turn(2)
    frame = department.bench.rows(TOPIC)
    assert frame.height == 14
    assert frame["event_id"].n_unique() == 7


def standing(department: Department) -> dict[str, set[str]]:
    """Persons who have each record, as readers fold both lanes."""
    frame = pl.concat([department.bench.rows(f"{TOPIC}.backlog"), department.bench.rows(TOPIC)])
    last = (
        frame.with_row_index("place")
        .sort("record_version", "place")
        .unique(["person_key", "record_id"], keep="last", maintain_order=True)
    )
    found: dict[str, set[str]] = {}
    for person, record, op in last.select("person_key", "record_id", "op").rows():
        if op != "delete":
            found.setdefault(record, set()).add(person)
    return found


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_row_that_changes_hands_or_goes_while_a_crash_is_mended_is_nobody_elses(
    department: Department, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """What was published just before a crash is not forgotten: else a second change of the row would leave it there."""
    department.change_feed(compare_seconds=100.0)
    department.put(*(department.row(n, 10) for n in range(1, 5)))
    department.bench.turn(2)
    first = standing(department)
    department.change(1, 20, id_number=some_id(21))  # to another person, and on to a third
    department.change(2, 21, id_number=some_id(22))  # to another person, and back
    department.change(3, 22, id_number="无")  # to nobody, and to another person
    department.put(
        department.row(5, 23), department.row(6, 24), department.row(7, 25, id_number="无")
    )  # new, then gone

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        if moment == "before":
            patch.setattr("connectors.sending.Sender.frame", crash)
        else:
            patch.setattr(State, "commit", crash)
        with pytest.raises(RuntimeError):
            department.bench.turn()
    department.bench.close()
    department.change(1, 30, id_number=some_id(31))
    department.change(2, 31, id_number=some_id(2))
    department.change(3, 32, id_number=some_id(33))
    department.remove(5, 7)
    department.bench.turn(3)
    department.bench.turn(2, pause=101)

    now = standing(department)
    people = {r: p for r, p in now.items() if p}
    assert people.keys() == {"B0001", "B0002", "B0003", "B0004", "B0006"}
    assert all(len(p) == 1 for p in people.values()), people
    assert people["B0002"] == first["B0002"]
    assert people["B0004"] == first["B0004"]
    assert not people["B0001"] & first["B0001"]
    assert not people["B0003"] & first["B0003"]
    said = department.bench.rows("hub.unidentified").unique("record_id", keep="last", maintain_order=True)
    assert set(said["state"]) <= {"resolved"}


def test_kafka_that_refuses_leaves_the_position_where_it_was(
    department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    department.bench.turn(2)
    department.put(*(department.row(n, 50) for n in range(7)))

    def refuse(self: Publisher, timeout_s: float = 0) -> None:
        self._producer.purge()
        self._producer.poll(0)
        raise DeliveryFailed("not acknowledged")

    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "flush", refuse)
        patch.setattr(Publisher, "__len__", lambda _: 0)
        with pytest.raises(KafkaDown):
            department.bench.turn()
    department.bench.turn(2)
    assert {r for r, _, _ in department.live()} == {f"B{n:04d}" for n in range(7)}


def test_a_lost_state_publishes_the_same_again(department: Department) -> None:
    department.put(*(department.row(n, 10) for n in range(5)))
    department.bench.turn(2)
    department.bench.close()
    (department.bench.settings.home / "connectors" / "civil.state").unlink()
    department.bench.turn(2)
    frame = department.bench.rows(f"{TOPIC}.backlog")
    assert frame.height == 10
    assert frame["event_id"].n_unique() == 5


def test_touched_rows_are_not_published_nor_read_again_for_ever(department: Department) -> None:
    department.put(department.row(1, 10))
    department.bench.turn(2)
    department.change(1, 20)
    department.bench.turn(3, pause=6.0)
    assert not department.live()
    assert department.bench.connector is not None
    read = department.bench.connector.feeds[0].counts.read  # type: ignore[attr-defined]
    department.bench.turn(3, pause=6.0)
    assert department.bench.connector.feeds[0].counts.read == read  # type: ignore[attr-defined]


def test_a_clock_ahead_does_not_hide_what_follows(department: Department) -> None:
    def now() -> float:
        return (datetime.now(UTC) - T0).total_seconds()

    department.bench.turn(2)
    department.put(department.row(1, now() + 86_400 * 3650))
    for number in (2, 3):
        department.bench.turn()
        department.put(department.row(number, now()))
    department.bench.turn()
    assert [r for r, _, _ in department.live()] == ["B0001", "B0002", "B0003"]


def test_no_clear_identity_leaves(department: Department) -> None:
    department.put(
        department.row(1, 10, name="金丝雀甲"),
        department.row(2, 10, id_number="canary-9901", name="金丝雀甲"),
        department.row(3, 10, benefit_code="不详", name="金丝雀甲"),
    )
    department.bench.turn(2)
    department.change(1, 20, id_number=some_id(4))
    department.bench.turn(2)
    topics = (
        TOPIC,
        f"{TOPIC}.backlog",
        "hub.identity",
        "hub.unidentified",
        "hub.quarantine",
        "hub.heartbeat",
    )
    department.bench.close()
    home = department.bench.settings.home
    everything = b"".join(department.bench.bytes(t) for t in topics)
    everything += b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file() and "secrets" not in p.parts)
    assert len(everything) > 1000
    for canary in (some_id(1), some_id(2), some_id(3), some_id(4), "金丝雀甲", "canary-9901"):
        assert canary.encode() not in everything
        assert canary.encode("utf-16-le") not in everything


def test_rows_that_do_not_fit_are_kept_sealed_and_read_again_when_mended(department: Department) -> None:
    department.put(department.row(1, 10, benefit_code="不详"), department.row(2, 10))
    department.bench.turn(2)
    department.bench.turn(3, pause=6.0)
    (bad,) = quarantined(department)
    assert (bad["topic"], bad["reason"]) == (TOPIC, "bad_row")
    assert bad["detail"].startswith(f"{department.bench.source}: benefit_code is none of dibao")
    assert kept(department, bad["sealed_key"]) == b"B0001"
    row = json.loads(kept(department, bad["sealed_value"]))
    assert {c: row[c] for c in ("benefit_id", "benefit_code", "id_number", "name")} == {
        "benefit_id": "B0001",
        "benefit_code": "不详",
        "id_number": some_id(1),
        "name": "测试甲",
    }
    department.change(1, 20, benefit_code="无")
    department.bench.turn()
    assert json.loads(kept(department, quarantined(department)[-1]["sealed_value"]))["benefit_code"] == "无"
    department.change(1, 30, benefit_code="tekun")
    department.bench.turn()
    assert [(r, op) for r, op, _ in department.live()] == [("B0001", "create")]


def test_a_row_larger_than_a_message_costs_its_neighbours_nothing(department: Department) -> None:
    huge = "甲" * 2_000_000
    department.put(department.row(1, 10), department.row(2, 10, name=huge), department.row(3, 10, benefit_code=huge))
    department.bench.turn(2)
    department.put(department.row(4, 20, id_number="无", name=huge), department.row(5, 20))
    department.bench.turn()
    assert department.bench.rows(f"{TOPIC}.backlog")["record_id"].to_list() == ["B0001"]
    assert [r for r, _, _ in department.live()] == ["B0005"]
    assert not department.bench.rows("hub.unidentified").height
    found = {kept(department, row["sealed_key"]).decode(): row for row in quarantined(department)}
    assert found.keys() == {"B0002", "B0003", "B0004"}
    assert "benefit_code is none of" in found["B0003"]["detail"]
    for record_id, row in found.items():
        assert TOO_LONG in row["detail"] or record_id == "B0003"
        assert f"the first {ROOM} are kept" in row["detail"]
        value = kept(department, row["sealed_value"])
        assert len(value) == ROOM - len(record_id)
        assert value.startswith(b'{"benefit_code":"')
    department.change(2, 30, name="测试乙")
    department.bench.turn()
    assert [r for r, _, _ in department.live()] == ["B0002", "B0005"]


def quarantined(department: Department) -> list[dict[str, Any]]:
    return department.bench.rows("hub.quarantine").to_dicts()


def kept(department: Department, sealed: bytes) -> bytes:
    return open_sealed(Secrets.load(department.bench.settings.secrets_dir).hub.private, sealed)


# the table itself


@pytest.fixture
def engines() -> Iterator[Callable[[str], sa.Engine]]:
    """Makes engines and closes them."""
    made: list[sa.Engine] = []

    def make(url: str) -> sa.Engine:
        made.append(engine(url))
        return made[-1]

    yield make
    for one in made:
        one.dispose()


Engines = Callable[[str], sa.Engine]


def opened(department: Department, engines: Engines, **other: object) -> Table:
    given = {
        "key": "benefit_id",
        "updated_at": "updated_at",
        "columns": ["name"],
        "page": 10,
        "cap": Cap(0, 0, department.bench.stop),
        **other,
    }
    return Table(engines(department.url), "benefit", **given)  # type: ignore[arg-type]


def test_awkward_text_comes_out_as_it_is(department: Department, engines: Engines) -> None:
    names = [
        "a,b",
        'say "x"',
        "back\\slash",
        "two\nlines",
        "(brackets)",
        "",
        None,
        " space ",
        "\\N",
        "NULL",
        "'",
    ]
    department.put(*(department.row(n, 1, name=name) for n, name in enumerate(names)))
    table = opened(department, engines, page=100)
    assert table.everything("", 2**52)["name"].to_list() == names


def test_missing_columns_and_tables_are_named(department: Department, engines: Engines) -> None:
    with pytest.raises(ConfigError, match=r"Table benefit has no column tel, vanished\. It has: .*benefit_id"):
        opened(department, engines, columns=["tel", "vanished"])
    with pytest.raises(ConfigError, match="nowhere"):
        Table(
            engines(department.url),
            "nowhere",
            key="a",
            updated_at="b",
            columns=[],
            cap=Cap(0, 0, department.bench.stop),
            page=10,
        )


def test_the_load_cap_spreads_reading(
    department: Department, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    department.put(*(department.row(n, 1) for n in range(30)))
    waits: list[float] = []
    monkeypatch.setattr(department.bench.stop, "wait", waits.append)
    table = opened(department, engines, cap=Cap(100, 0.05, department.bench.stop))
    key = ""
    while (page := table.everything(key, 2**52)).height:
        key = page["benefit_id"][-1]
    assert waits[0] == pytest.approx(0.1, abs=0.01)
    assert waits[2] > waits[1] > waits[0]  # nothing waited here, so each page has to wait for those before, too


def test_a_database_that_is_down_says_so(stack: Settings, engines: Engines) -> None:
    url = sa.make_url(stack.postgres).set(port=1)
    table = engines(url.render_as_string(hide_password=False))
    with pytest.raises(SourceDown, match=r"table benefit: .*Check that the database runs") as caught:
        Table(table, "benefit", key="a", updated_at="b", columns=[], cap=Cap(0, 0, None), page=1)  # type: ignore[arg-type]
    assert (url.password or "?") not in str(caught.value)


def test_an_account_without_rights_says_so(stack: Settings, engines: Engines) -> None:
    with database(stack) as url:
        owner = sa.create_engine(url)
        with owner.begin() as connection:
            connection.execute(sa.text("CREATE TABLE secret(a text primary key, b timestamptz)"))
            connection.execute(sa.text("CREATE ROLE t_nobody LOGIN PASSWORD 'x'"))
        try:
            poor = sa.make_url(url).set(username="t_nobody", password="x").render_as_string(hide_password=False)
            table = Table(engines(poor), "secret", key="a", updated_at="b", columns=[], page=1, cap=Cap(0, 0, None))  # type: ignore[arg-type]
            with pytest.raises(ConfigError, match=r"refuses \(42501\)\. Grant SELECT"):
                table.newest()
        finally:
            with owner.begin() as connection:
                connection.execute(sa.text("DROP ROLE t_nobody"))
            owner.dispose()
