"""Casework made anew from hub.case: what it keeps of the log, and how far it reads it."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from agents.casework import worker as casework
from agents.casework.core import Rebuild
from agents.casework.store import CONDITIONS, CaseStore, case_of, open_store
from agents.casework.worker import FILE, Worker
from agents.columns import Columns
from agents.errors import CorruptStateError, StateFolderError, StateFullError
from agents.state import suspect
from domain.cases import Answer, Case, CaseEvent, Docket
from schemas import load, samples
from schemas.codec import encode, fixed
from wire.reading import Batch
from wire.registry import Registry
from wire.settings import Settings

CASE = load.of_topic("hub.case")
REGISTRY = SimpleNamespace(writers=lambda _: fixed({1: CASE}))
COLUMNS = Columns(cast("Registry", REGISTRY))


def event(name: str, version: int, epoch: int = 0, **changes: Any) -> dict[str, Any]:
    row = samples.row_of(CASE) | {"case_id": "case-1", "command_id": "", "refusal": "", "kind": "alert"}
    return row | {"event": name, "event_id": f"case-1:{version}", "version": version, "epoch": epoch, **changes}


def batch(rows: Sequence[dict[str, Any]], start: int = 0) -> Batch:
    keys: list[bytes | None] = [r["case_id"].encode() for r in rows]
    return Batch(0, keys, list(encode(CASE, rows, 1)), list(range(start, start + len(rows))))


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    read = batch(rows)
    found, bad = COLUMNS.frame("hub.case", read.keys, read.values, read.offsets)
    assert not bad
    return found


def opened(path: Path) -> CaseStore:
    store = open_store(path)
    assert store is not None
    return store


def told(case: Case, version: int) -> CaseEvent:
    return CaseEvent(f"{case.case_id}:{version}", "opened", case, condition_position=0, command_position=0, at=1)


def saved(store: CaseStore, name: str, position: int) -> list[dict[str, Any]]:
    """A case of this name kept with the event that opened it."""
    case, docket = case_of(event("opened", 1, case_id=name)), Docket(condition_position=position)
    docket.put(case)
    docket.count("R01|9901|1")
    return store.save(docket, [told(case, 1)], {("persons", 0): 7})


def cases_in_memory() -> int:
    gc.collect()
    return sum(isinstance(o, Case) for o in gc.get_objects())


def test_a_command_keeps_its_first_answer_and_not_the_case_of_that_moment(tmp_path: Path) -> None:
    rows = [event("opened", 1), *(event("signed", n, command_id=f"c{n}") for n in range(2, 30))]
    rows += [
        rows[1],  # published twice
        event("repeated", 29, command_id="c3", event_id="again"),
        event("refused", 29, command_id="c4", refusal="key_reused", event_id="c4"),
        event("refused", 29, command_id="c99", refusal="already_closed", event_id="c99"),
    ]
    read, rebuild, before = frame(rows), Rebuild(), cases_in_memory()
    rebuild.read(read)
    assert cases_in_memory() - before == 1

    store = opened(tmp_path / FILE)
    store.adopt(rebuild.docket, 33, {})
    given = {f"c{n}": Answer("case-1", "") for n in range(2, 30)} | {"c99": Answer("case-1", "already_closed")}
    assert store.docket((), (), (), [*given, "c1"]).answers == given
    assert store._con.execute("SELECT count(*) FROM answers").fetchone() == (len(given),)
    store.close()


class Log:
    """hub.case with one event a batch: how many were read, and whether the reader was closed."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows, self.read, self.closed = rows, 0, False

    def __call__(self, *_: object, **__: object) -> Iterator[Batch]:
        try:
            for n, row in enumerate(self.rows):
                self.read += 1
                yield batch([row], n)
        finally:
            self.closed = True


@pytest.mark.parametrize(("foreign", "caught_up", "read"), [(2, False, 3), (None, True, 20)])
def test_the_log_is_read_only_until_another_owner_is_met(
    monkeypatch: pytest.MonkeyPatch, foreign: int | None, caught_up: bool, read: int
) -> None:
    log = Log([event("changed", n + 1, epoch=7 if n == foreign else 0) for n in range(20)])
    monkeypatch.setattr(casework, "read_all", log)
    worker, dropped = Worker.__new__(Worker), set[str]()
    worker._settings, worker._columns, worker._epoch = Settings(), COLUMNS, 20
    store = SimpleNamespace(epoch=0, case_position=0, drop=dropped.update)
    assert worker._catch_up(cast("CaseStore", store)) is caught_up
    assert (log.read, log.closed) == (read, True)
    assert len(dropped) == (20 if caught_up else 0)


def test_cases_positions_epochs_and_outbox_move_together(tmp_path: Path) -> None:
    store = opened(tmp_path / FILE)
    first = saved(store, "case-1", 10)
    with pytest.raises(ZeroDivisionError), store._transaction():
        store._con.execute("DELETE FROM cases")
        raise ZeroDivisionError
    store._con.close()  # as a crash leaves it
    again = opened(tmp_path / FILE)
    assert [row["event_id"] for row in again.waiting()] == [row["event_id"] for row in first] == ["case-1:1"]
    assert (again.position(CONDITIONS), again.epochs) == (10, {("persons", 0): 7})
    kept = again.docket((), (), ["case-1", "case-2"], (), ["R01|9901|1", "R02|9901|1"])
    assert list(kept.cases) == ["case-1"]
    assert kept.tallies == {"R01|9901|1": 1}
    by_group = again.docket((), [kept.cases["case-1"].group], (), ())
    assert list(by_group.cases) == ["case-1"]
    by_condition = again.docket(list(kept.case_of), (), (), ())
    assert list(by_condition.cases) == ["case-1"]

    again.published(34)
    assert again.waiting() == []
    assert [row["event_id"] for row in saved(again, "case-2", 11)] == ["case-2:1"]
    assert [row["event_id"] for row in again.waiting()] == ["case-2:1"]
    assert again.case_position == 34
    again.drop({"case-2:1"})
    assert again.waiting() == []
    again.close()


def test_a_file_that_another_process_holds_is_not_opened(tmp_path: Path) -> None:
    opened(tmp_path / FILE).close()
    hold = (
        "import sys; from pathlib import Path; from agents.casework.store import open_store;"
        "s = open_store(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / FILE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert open_store(tmp_path / FILE) is None
        other.kill()
    opened(tmp_path / FILE).close()


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(b"garbage" * 5000)
    with pytest.raises(CorruptStateError, match="set aside"):
        open_store(path)
    assert suspect(path).exists()
    store = Worker._opened(path)
    assert store is not None
    assert (store.epoch, store.waiting()) == (-1, [])
    store.close()
    assert list(tmp_path.glob(f"{FILE}.bad-*"))
    assert not suspect(path).exists()


def test_an_error_of_the_program_is_not_called_one_of_the_folder(tmp_path: Path) -> None:
    store = opened(tmp_path / FILE)
    with pytest.raises(sqlite3.OperationalError, match="no such table"), store._transaction():
        store._con.execute("DELETE FROM unknown_table")
    store.close()


def test_a_full_disk_and_a_wrong_folder_say_what_to_do(tmp_path: Path) -> None:
    store = opened(tmp_path / FILE)
    (pages,) = store._con.execute("PRAGMA page_count").fetchone()
    store._con.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StateFullError, match="Free space"):
        saved(store, "case-1" + "x" * 100_000, 10)
    assert (store.waiting(), store.position(CONDITIONS)) == ([], 0)
    store._con.execute("PRAGMA max_page_count=100000")
    saved(store, "case-1", 10)
    assert store.position(CONDITIONS) == 10
    store.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFolderError, match="DOUDI_STATE"):
        open_store(tmp_path / "file" / FILE)
