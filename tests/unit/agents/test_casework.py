"""Casework made anew from hub.case: what it keeps of the log, and how far it reads it."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from agents.casework import worker as casework
from agents.casework.core import Rebuild
from agents.casework.store import CaseStore
from agents.casework.worker import Worker
from agents.columns import Columns
from agents.state import open_file
from domain.cases import Answer, Case
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

    state = open_file(tmp_path / "casework.duckdb")
    assert state is not None
    store = CaseStore(state)
    store.adopt(rebuild.docket, 33, {})
    given = {f"c{n}": Answer("case-1", "") for n in range(2, 30)} | {"c99": Answer("case-1", "already_closed")}
    assert store.docket((), (), (), [*given, "c1"]).answers == given
    assert state.con.execute("SELECT count(*) FROM answers").fetchone() == (len(given),)
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
