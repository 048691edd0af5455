"""Casework's state in one DuckDB file: cases, who holds which condition, answers, epochs, positions, outbox.

What a slice needs is loaded into a `Docket`, and what changed is written back in one transaction
together with the positions and the events to publish.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

import orjson
import polars as pl

from agents.state import PartitionState, Row
from domain.cases import Answer, Case, CaseCondition, CaseEvent, Docket
from domain.records import stream

_TABLES = """
CREATE TABLE IF NOT EXISTS cases (case_id VARCHAR, group_key VARCHAR, joinable BOOLEAN, body BLOB);
CREATE INDEX IF NOT EXISTS cases_id ON cases (case_id);
CREATE INDEX IF NOT EXISTS cases_group ON cases (group_key);
CREATE TABLE IF NOT EXISTS members (condition_id VARCHAR, case_id VARCHAR);
CREATE INDEX IF NOT EXISTS members_id ON members (condition_id);
CREATE TABLE IF NOT EXISTS answers (command_id VARCHAR, case_id VARCHAR, refusal VARCHAR);
CREATE INDEX IF NOT EXISTS answers_id ON answers (command_id);
CREATE TABLE IF NOT EXISTS openings (tally VARCHAR, opened INTEGER);
CREATE INDEX IF NOT EXISTS openings_tally ON openings (tally);
"""
_FEW = 100
"""Up to so many keys are looked up by constants, which use the index; more by a join."""
CONDITIONS, COMMANDS, CASES = "hub.condition", "hub.command", "hub.case"

Epochs = dict[tuple[str, int], int]
Event = dict[str, Any]
"""A row of hub.case without its epoch, which is stamped when it is published."""


class CaseStore:
    """Casework's tables in an open state file. The outbox holds events as JSON, not yet stamped."""

    def __init__(self, state: PartitionState) -> None:
        self._state, self._con = state, state.con
        self._con.execute(_TABLES)
        self._case_position = state.positions.get(CASES, 0)

    @property
    def epochs(self) -> Epochs:
        """The greatest epoch seen of each owner of a state partition."""
        return {(stage, p): e for (_, stage, p), e in self._state.reader_epochs.items()}

    @property
    def epoch(self) -> int:
        """The last epoch under which this file was used; -1: never."""
        return self._state.number("epoch", -1)

    @property
    def case_position(self) -> int:
        """Offset of hub.case behind the last event known to be published."""
        return self._case_position

    def position(self, topic: str) -> int:
        """Next offset to read of hub.condition or hub.command."""
        return self._state.positions.get(topic, 0)

    def own(self, epoch: int) -> None:
        """Keep the epoch under which the file is used from now on."""
        with self._state.transaction():
            self._state.note({"epoch": epoch})

    def close(self) -> None:
        """Give the file back."""
        self._state.close()

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
        wanted.update(r[0] for r in self._find("SELECT case_id FROM members", "condition_id", set(condition_ids)))
        keys = {_group_key(g) for g in groups}
        wanted.update(r[0] for r in self._find("SELECT case_id, joinable FROM cases", "group_key", keys) if r[1])
        docket = Docket(
            condition_position=self.position(CONDITIONS),
            command_position=self.position(COMMANDS),
        )
        for (body,) in self._find("SELECT body FROM cases", "case_id", wanted):
            docket.take(_case(body))
        docket.tallies.update(self._find("SELECT tally, opened FROM openings", "tally", set(tallies)))
        for command_id, case_id, refusal in self._find(
            "SELECT command_id, case_id, refusal FROM answers", "command_id", set(command_ids)
        ):
            docket.answers[command_id] = Answer(case_id, refusal)
        return docket

    def save(self, docket: Docket, events: Sequence[CaseEvent], epochs: Epochs) -> list[Event]:
        """Write what a slice changed, in one transaction, and return what is to be published."""
        rows = [event_row(e) for e in events]
        with self._state.transaction():
            self._write(docket)
            self._tally(docket)
            self._insert("answers", _answers(_given(events)))
            self._queue(rows)
            self._move(docket, epochs)
        return rows

    def adopt(self, docket: Docket, case_position: int, epochs: Epochs) -> None:
        """Replace everything by what hub.case holds: the file was lost, is old, or had another owner."""
        docket.touched.update(docket.cases)
        docket.joined.update(docket.case_of)
        with self._state.transaction():
            for table in ("cases", "members", "answers", "openings", "position", "reader_epoch"):
                self._con.execute(f"DELETE FROM {table}")
            self._state.discard_outbox()
            self._state.positions.clear()
            self._state.reader_epochs.clear()
            self._case_position = case_position
            self._write(docket, fresh=True)
            self._tally(docket)
            self._insert("answers", _answers((c, *given) for c, given in docket.answers.items()))
            self._move(docket, epochs)

    def waiting(self) -> list[Event]:
        """What is still to be published, in order."""
        return [_dated(orjson.loads(row.value)) for row in self._state.waiting()]

    def published(self, case_position: int) -> None:
        """Everything in the outbox is acknowledged; ``case_position``: the offset of hub.case behind it."""
        self._case_position = max(case_position, self._case_position)
        self._state.published()

    def drop(self, event_ids: set[str]) -> None:
        """Take out of the outbox what turned out to be published already."""
        left = [row for row in self.waiting() if row["event_id"] not in event_ids]
        with self._state.transaction():
            self._state.discard_outbox()
            self._queue(left)

    def _queue(self, rows: Sequence[Event]) -> None:
        self._state.queue(0, [Row(CASES, r["case_id"].encode(), 0, orjson.dumps(r)) for r in rows])

    def _move(self, docket: Docket, epochs: Epochs) -> None:
        known = self.epochs
        self._state.remember_epochs(
            {(CONDITIONS, *owner): epoch for owner, epoch in epochs.items() if known.get(owner) != epoch}
        )
        moved = {
            CONDITIONS: docket.condition_position,
            COMMANDS: docket.command_position,
            CASES: self._case_position,
        }
        self._state.move({t: p for t, p in moved.items() if self._state.positions.get(t) != p})

    def _write(self, docket: Docket, *, fresh: bool = False) -> None:
        touched = [docket.cases[c] for c in docket.touched]
        old = [] if fresh else [c.case_id for c in touched if c.version > 1]
        self._delete("cases", "case_id", old)
        self._insert(
            "cases",
            pl.DataFrame(
                [(c.case_id, _group_key(c.group), c.joinable, orjson.dumps(c)) for c in touched],
                schema={
                    "case_id": pl.String,
                    "group_key": pl.String,
                    "joinable": pl.Boolean,
                    "body": pl.Binary,
                },
                orient="row",
            ),
        )
        self._insert(
            "members",
            pl.DataFrame(
                list(docket.joined.items()),
                schema={"condition_id": pl.String, "case_id": pl.String},
                orient="row",
            ),
        )

    def _tally(self, docket: Docket) -> None:
        self._delete("openings", "tally", list(docket.counted))
        rows = [(tally, docket.tallies[tally]) for tally in docket.counted]
        self._insert("openings", pl.DataFrame(rows, schema={"tally": pl.String, "opened": pl.Int32}, orient="row"))

    def _find(self, select: str, column: str, keys: set[str]) -> list[tuple[Any, ...]]:
        if not keys:
            return []
        if len(keys) <= _FEW:
            marks = ",".join("?" * len(keys))
            return self._con.execute(f"{select} WHERE {column} IN ({marks})", list(keys)).fetchall()
        wanted = stream(pl.DataFrame({column: list(keys)}))  # noqa: F841 - read by the SQL
        return self._con.execute(f"{select} SEMI JOIN wanted USING ({column})").fetchall()

    def _delete(self, table: str, column: str, keys: list[str]) -> None:
        if not keys:
            return
        if len(keys) <= _FEW:
            marks = ",".join("?" * len(keys))
            self._con.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", keys)
            return
        old = stream(pl.DataFrame({column: keys}))  # noqa: F841 - read by the SQL
        self._con.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT {column} FROM old)")

    def _insert(self, table: str, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        rows = stream(frame)  # noqa: F841 - read by the SQL
        self._con.execute(f"INSERT INTO {table} SELECT * FROM rows")


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


def _answers(rows: Iterable[tuple[str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        list(rows), schema={"command_id": pl.String, "case_id": pl.String, "refusal": pl.String}, orient="row"
    )


def _dated(row: Event) -> Event:
    """A row that was kept as JSON, with its dates as dates again."""
    conditions = [{**c, "as_of": _day(c["as_of"])} for c in row["conditions"]]
    return {**row, "due_on": _day(row["due_on"]), "conditions": conditions}


def _group_key(group: tuple[str, ...]) -> str:
    return "\x1f".join(group)
