"""Casework's state in one SQLite file: cases, who holds which condition, answers, epochs, positions, outbox.

What a slice needs is loaded into a `Docket`, and what changed is written back in one transaction
together with the positions and the events to publish. All of it is single rows looked up by their
keys, for which SQLite takes a tenth of the time of the columns of screening (docs/adr/0020).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from agents.state import damaged, explain, full, unusable
from domain.cases import Answer, Case, CaseCondition, CaseEvent, Docket
from wire.rows import exclusive

_TABLES = """
CREATE TABLE IF NOT EXISTS cases (case_id TEXT PRIMARY KEY, group_key TEXT, joinable INTEGER, body BLOB);
CREATE INDEX IF NOT EXISTS cases_group ON cases (group_key) WHERE joinable;
CREATE TABLE IF NOT EXISTS members (condition_id TEXT PRIMARY KEY, case_id TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (command_id TEXT PRIMARY KEY, case_id TEXT, refusal TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS openings (tally TEXT PRIMARY KEY, opened INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (stage TEXT, state_partition INTEGER, epoch INTEGER,
    PRIMARY KEY (stage, state_partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, event BLOB);
"""
CONDITIONS, COMMANDS, CASES = "hub.condition", "hub.command", "hub.case"
_EPOCH = "epoch"
_LOG_PAGES = 4_000
"""So many pages (of 4 KiB) SQLite's log holds before they are copied to the file: a page that changes in each slice
is copied once."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNUSABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY)

Epochs = dict[tuple[str, int], int]
Event = dict[str, Any]
"""A row of hub.case without its epoch, which is stamped when it is published."""


def open_store(path: Path) -> CaseStore | None:
    """Open or create the file. None: another process holds it.

    Raises CorruptStateError, StateFullError, StateFolderError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return CaseStore(exclusive(path, _TABLES, synchronous="FULL", log_pages=_LOG_PAGES), path)
    except (sqlite3.Error, OSError) as error:
        if _code(error) == sqlite3.SQLITE_BUSY:
            return None
        raise _explain(error, path) from error


class CaseStore:
    """Casework's tables in an open file. The outbox holds events as JSON, not yet stamped.

    Used by one thread at a time.
    """

    def __init__(self, con: sqlite3.Connection, path: Path) -> None:
        self._con, self._path = con, path
        self._numbers: dict[str, int] = dict(con.execute("SELECT name, value FROM numbers"))
        self._epochs: Epochs = {
            (s, p): e for s, p, e in con.execute("SELECT stage, state_partition, epoch FROM owners")
        }
        self._case_position = self.position(CASES)
        self._published = False

    @property
    def epochs(self) -> Epochs:
        """The greatest epoch seen of each owner of a state partition."""
        return dict(self._epochs)

    @property
    def epoch(self) -> int:
        """The last epoch under which this file was used; -1: never."""
        return self._numbers.get(_EPOCH, -1)

    @property
    def case_position(self) -> int:
        """Offset of hub.case behind the last event known to be published."""
        return self._case_position

    def position(self, topic: str) -> int:
        """Next offset to read of hub.condition or hub.command."""
        return self._numbers.get(topic, 0)

    def own(self, epoch: int) -> None:
        """Keep the epoch under which the file is used from now on."""
        with self._transaction():
            self._note({_EPOCH: epoch})

    def close(self) -> None:
        """Give the file back."""
        with contextlib.suppress(sqlite3.Error):
            self._con.close()

    def docket(
        self,
        condition_ids: Iterable[str],
        groups: Iterable[tuple[str, ...]],
        case_ids: Iterable[str],
        command_ids: Iterable[str],
        tallies: Iterable[str] = (),
    ) -> Docket:
        """The cases that these conditions, groups and commands touch, and how many were opened under these tallies."""
        wanted = set(case_ids)
        wanted.update(r[0] for r in self._find("SELECT case_id FROM members WHERE condition_id", condition_ids))
        keys = (_group_key(g) for g in groups)
        wanted.update(r[0] for r in self._find("SELECT case_id FROM cases WHERE joinable AND group_key", keys))
        docket = Docket(
            condition_position=self.position(CONDITIONS),
            command_position=self.position(COMMANDS),
        )
        for (body,) in self._find("SELECT body FROM cases WHERE case_id", wanted):
            docket.take(_case(body))
        docket.tallies.update(self._find("SELECT tally, opened FROM openings WHERE tally", tallies))
        for command_id, case_id, refusal in self._find(
            "SELECT command_id, case_id, refusal FROM answers WHERE command_id", command_ids
        ):
            docket.answers[command_id] = Answer(case_id, refusal)
        return docket

    def save(self, docket: Docket, events: Sequence[CaseEvent], epochs: Epochs) -> list[Event]:
        """Write what a slice changed, in one transaction, and return what is to be published."""
        rows = [event_row(e) for e in events]
        with self._transaction():
            self._write(docket, _given(events))
            self._queue(rows)
            self._move(docket, epochs)
        return rows

    def adopt(self, docket: Docket, case_position: int, epochs: Epochs) -> None:
        """Replace everything by what hub.case holds: the file was lost, is old, or had another owner."""
        docket.touched.update(docket.cases)
        docket.joined.update(docket.case_of)
        with self._transaction():
            for table in ("cases", "members", "answers", "openings", "numbers", "owners", "outbox"):
                self._con.execute(f"DELETE FROM {table}")
            self._numbers.clear()
            self._epochs.clear()
            self._case_position = case_position
            self._write(docket, ((c, *given) for c, given in docket.answers.items()))
            self._move(docket, epochs)

    def waiting(self) -> list[Event]:
        """What is still to be published, in order."""
        if self._published:
            return []
        return [_dated(orjson.loads(event)) for (event,) in self._con.execute("SELECT event FROM outbox ORDER BY id")]

    def published(self, case_position: int) -> None:
        """Everything in the outbox is acknowledged; ``case_position``: the offset of hub.case behind it.

        The rows go with the next transaction: until then a new start finds them on hub.case, and drops them.
        """
        self._case_position = max(case_position, self._case_position)
        self._published = True

    def drop(self, event_ids: set[str]) -> None:
        """Take out of the outbox what turned out to be published already."""
        left = [row for row in self.waiting() if row["event_id"] not in event_ids]
        with self._transaction():
            self._con.execute("DELETE FROM outbox")
            self._queue(left)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. Raises StateFullError, CorruptStateError, StateFolderError, or what the body raises."""
        try:
            self._con.execute("BEGIN")
            if self._published:
                self._con.execute("DELETE FROM outbox")
            yield
            self._con.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._con.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _explain(error, self._path) from error
            raise
        self._published = False

    def _queue(self, rows: Sequence[Event]) -> None:
        self._con.executemany("INSERT INTO outbox (event) VALUES (?)", [(orjson.dumps(r),) for r in rows])

    def _move(self, docket: Docket, epochs: Epochs) -> None:
        newer = {owner: epoch for owner, epoch in epochs.items() if self._epochs.get(owner) != epoch}
        self._con.executemany("INSERT OR REPLACE INTO owners VALUES (?, ?, ?)", [(*o, e) for o, e in newer.items()])
        self._epochs.update(newer)
        self._note(
            {
                CONDITIONS: docket.condition_position,
                COMMANDS: docket.command_position,
                CASES: self._case_position,
            }
        )

    def _note(self, numbers: Mapping[str, int]) -> None:
        self._con.executemany("INSERT OR REPLACE INTO numbers VALUES (?, ?)", numbers.items())
        self._numbers.update(numbers)

    def _write(self, docket: Docket, answered: Iterable[tuple[str, str, str]]) -> None:
        touched = (docket.cases[c] for c in docket.touched)
        put = self._con.executemany
        put(
            # In place: a row that is replaced moves, and every index with it.
            "INSERT INTO cases VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET group_key = excluded.group_key, joinable = excluded.joinable, body = excluded.body",
            ((c.case_id, _group_key(c.group), c.joinable, orjson.dumps(c)) for c in touched),
        )
        put("INSERT OR REPLACE INTO openings VALUES (?, ?)", ((t, docket.tallies[t]) for t in docket.counted))
        # A condition stays with its first case, and a command with its first answer.
        put("INSERT OR IGNORE INTO members VALUES (?, ?)", docket.joined.items())
        put("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", answered)

    def _find(self, select: str, keys: Iterable[str]) -> list[tuple[Any, ...]]:
        wanted = orjson.dumps(list(set(keys))).decode()
        return self._con.execute(f"{select} IN (SELECT value FROM json_each(?))", (wanted,)).fetchall()


def _explain(error: Exception, path: Path) -> Exception:
    """The error to raise for one of SQLite or the file system: what, where, how to mend it."""
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return full(path)
    if code in _DAMAGED:
        return damaged(path, str(error))
    return unusable(path, str(error)) if code in _UNUSABLE else explain(error, path)


def _code(error: Exception) -> int:
    """SQLite's plain code, which the extended ones carry in their last byte."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def event_row(event: CaseEvent) -> Event:
    """The event as a row of hub.case."""
    case = event.case
    row: Event = {f: getattr(case, f) for f in _CASE_FIELDS}
    row["conditions"] = [{f: getattr(c, f) for f in _CONDITION_FIELDS} for c in case.conditions]
    row.update(
        event_id=event.event_id,
        event=event.event,
        condition_position=event.condition_position,
        command_position=event.command_position,
        command_id=event.command_id,
        refusal=event.refusal,
        at=event.at,
    )
    return row


def case_of(row: Mapping[str, Any]) -> Case:
    """The case in a row of hub.case; dates as dates or ISO strings, instants in ms."""
    values = {f: row[f] for f in _CASE_FIELDS}
    values["due_on"] = _day(values["due_on"])
    values["conditions"] = tuple(
        CaseCondition(**{**{f: c[f] for f in _CONDITION_FIELDS}, "as_of": _day(c["as_of"])}) for c in row["conditions"]
    )
    return Case(**values)


_CASE_FIELDS = tuple(f.name for f in fields(Case))
_CONDITION_FIELDS = tuple(f.name for f in fields(CaseCondition))


def _case(body: bytes) -> Case:
    return case_of(orjson.loads(body))


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def answers(command_id: str, event: str, refusal: str) -> bool:
    """Whether an event gives a command its answer: it neither repeats one nor refuses a key that was used before."""
    return bool(command_id) and event != "repeated" and refusal != "key_reused"


def _given(events: Iterable[CaseEvent]) -> Iterator[tuple[str, str, str]]:
    return ((e.command_id, e.case.case_id, e.refusal) for e in events if answers(e.command_id, e.event, e.refusal))


def _dated(row: Event) -> Event:
    """A row that was kept as JSON, with its dates as dates again."""
    conditions = [{**c, "as_of": _day(c["as_of"])} for c in row["conditions"]]
    return {**row, "due_on": _day(row["due_on"]), "conditions": conditions}


def _group_key(group: tuple[str, ...]) -> str:
    return "\x1f".join(group)
