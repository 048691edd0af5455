"""Both stages wired together in memory, without Kafka: for trying data, for a rule's cases, for tests.

What the persons' stage forwards comes back in; what it says of households goes to theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import duckdb
import polars as pl

from domain.households import HouseholdStage
from domain.rules import Case, Expected, Rule, RuleBook
from domain.screening import PersonStage, Screening
from domain.stage import Stamp
from schemas.load import of_topic
from schemas.topics import DEPARTMENT_TOPICS

DIVISION = "990101001001"
SOURCE = "case"
DEFAULTS: dict[str, dict[str, Any]] = {
    "civil.roster": {"status": "active"},
    "civil.benefit": {"status": "active"},
    "disability.card": {"status": "active"},
    "medical.insurance": {"insured": True},
    "medical.settlement": {"vali_flag": "1"},
    "vital.life_event": {"event": "death"},
}
"""Fields that a case leaves out."""


class Trial:
    """A hub of one partition in memory. ``published`` holds every condition row, in order."""

    def __init__(self, book: RuleBook, division_default: str = "") -> None:
        self.book = book
        self.division_default = division_default
        self.stages: tuple[Screening, Screening] = (PersonStage(book), HouseholdStage(book))
        self.connections = tuple(_connection() for _ in self.stages)
        for stage, con in zip(self.stages, self.connections, strict=True):
            stage.create(con)
        self.published: list[dict[str, Any]] = []
        self._offset, self._seq = count(), count(1)

    def tick(self, day: date) -> None:
        """A day has begun."""
        frame = pl.DataFrame({"day": [day], "sent_at": [_midnight(day)]})
        for stage, con in zip(self.stages, self.connections, strict=True):
            stage.ingest(con, "hub.tick", frame)

    def cover(self, *topics: str, prefix: str = "", since: date = date(2000, 1, 1), source: str = SOURCE) -> None:
        """A feed says that it covers topics for a place from a day on."""
        frame = pl.DataFrame([{
            "source": source, "topic": topic, "source_epoch": 1, "seq": next(self._seq), "division_prefix": prefix,
            "covers_from": since, "complete": True, "position": "", "sent_at": _midnight(since),
        } for topic in topics])
        if topics:
            self.stages[0].ingest(self.connections[0], "hub.heartbeat", frame)

    def give(self, topic: str, rows: pl.DataFrame) -> None:
        """Records of a department topic: a frame with the schema's columns."""
        n = rows.height
        start = next(self._offset)
        self._offset = count(start + n)
        self.stages[0].ingest(self.connections[0], topic, rows.with_columns(
            _lane=pl.lit(1, pl.Int8), _partition=pl.lit(0, pl.Int32),
            _offset=pl.int_range(start, start + n, dtype=pl.Int64)))

    def evaluate(self) -> list[dict[str, Any]]:
        """Work out the difference, members and guardians included; the condition rows that it consists of."""
        persons, households = zip(self.stages, self.connections, strict=True)
        rows: list[dict[str, Any]] = []
        while True:
            out = persons[0].evaluate(persons[1], self._stamp("persons"))
            rows += out["hub.condition"].to_dicts()
            if out["hub.member"].height:
                households[0].ingest(households[1], "hub.member", self._positions(out["hub.member"]))
            if not out["hub.relation"].height:
                break
            persons[0].ingest(persons[1], "hub.relation", self._positions(out["hub.relation"]))
        rows += households[0].evaluate(households[1], self._stamp("households"))["hub.condition"].to_dicts()
        self.published += rows
        return rows

    def unknown(self) -> dict[str, int]:
        """Rule to the number of subjects and episodes of which it cannot say whether it stands."""
        return {k: v for con in self.connections for k, v in Screening.unknown(con).items()}

    def close(self) -> None:
        """Forget everything."""
        for con in self.connections:
            con.close()

    def _positions(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(
            _lane=pl.lit(1, pl.Int8), _partition=pl.lit(0, pl.Int32),
            _offset=pl.int_range(frame.height, dtype=pl.Int64) + next(self._seq) * 1_000_000)

    def _stamp(self, stage: str) -> Stamp:
        return Stamp(stage, 0, 1, next(self._seq), datetime(2000, 1, 1, tzinfo=UTC), False, self.division_default)


def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1})


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def frame_of(topic: str, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """A frame with the columns and types of the topic's schema; what a row leaves out is null."""
    dtypes = of_topic(topic).dtypes
    full = [{name: row.get(name) for name in dtypes} for row in rows]
    return pl.DataFrame(full, schema=dtypes, orient="row")


def run(case: Case, rule: Rule, book: RuleBook) -> str:
    """Try a case of a rule. Empty where it comes out as expected, else what came instead."""
    trial = Trial(book)
    try:
        trial.cover(*(topic.name for topic in DEPARTMENT_TOPICS if topic.name not in case.uncovered))
        trial.tick(case.day)
        versions = count(1)
        for step, day in ((case.given, None), (case.then, case.then_day)):
            if day is not None:
                trial.tick(day)
            for number, given in enumerate(step, 1):
                for topic, fields in given.items():
                    trial.give(topic, frame_of(topic, [_record(topic, fields, number, next(versions), case)]))
            trial.evaluate()
        return _differs(case.expect, [r for r in trial.published if r["rule"] == rule.id], trial.unknown().get(rule.id, 0))
    finally:
        trial.close()


def _record(topic: str, fields: Mapping[str, Any], number: int, version: int, case: Case) -> dict[str, Any]:
    at = _midnight(case.day)
    row = {
        "event_id": f"{SOURCE}-{version}", "source": SOURCE, "source_epoch": 1, "record_version": version,
        "record_id": fields.get("id", f"{topic}-{number}-{version}"), "op": "create", "division": DIVISION,
        "person_key": fields.get("who", "A"), "occurred_at": at, "published_at": at, **DEFAULTS.get(topic, {}),
    }
    return row | {name: _value(topic, name, value) for name, value in fields.items() if name not in ("id", "who")}


def _value(topic: str, name: str, value: Any) -> Any:
    if isinstance(of_topic(topic).dtypes.get(name), pl.Datetime):
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        at = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day)  # noqa: DTZ001 - made UTC below
        return at.replace(tzinfo=UTC)
    return value


def _differs(expect: Expected, rows: list[dict[str, Any]], unknown: int) -> str:
    last = {row["condition_id"]: row for row in rows}
    standing = [row for row in last.values() if row["state"] == "standing"]
    ended = [row for row in last.values() if row["state"] == "ended"]
    found = "standing" if standing else "ended" if ended else "unknown" if unknown else "nothing"
    if found != expect.state:
        return f"expected {expect.state}, came {found}"
    for row in standing or ended:
        evidence = json_of(row["evidence"])
        wanted = {k: v for k, v in expect.model_dump(exclude={"state", "evidence"}).items() if v is not None}
        wrong = [f"{k}: expected {v!r}, came {row[k]!r}" for k, v in wanted.items() if row[k] != v]
        wrong += [f"{k}: expected {v!r}, came {evidence.get(k)!r}" for k, v in expect.evidence.items()
                  if evidence.get(k) != (v.isoformat() if isinstance(v, date) else v)]
        if wrong:
            return "; ".join(wrong)
    return ""


def json_of(text: str) -> dict[str, Any]:
    """A JSON object."""
    import json  # noqa: PLC0415

    found: dict[str, Any] = json.loads(text)
    return found
