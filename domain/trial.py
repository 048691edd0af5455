"""Both stages wired together in memory, without Kafka: for trying data, for a rule's cases, for tests.

What the persons' stage forwards comes back in; what it says of households goes to theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from itertools import count, groupby
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from domain.households import HouseholdStage
from domain.rules import Case, Expected, RuleBook
from domain.screening import PersonStage, Screening
from domain.stage import Stamp
from domain.whynot import Answer, why_not
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
    """A hub of one partition, in memory or (``folder``) in files. ``published`` holds every condition row, in order."""

    def __init__(self, book: RuleBook, division_default: str = "", folder: Path | None = None) -> None:
        self.book = book
        self.division_default = division_default
        self.folder = folder
        self.stages: tuple[Screening, Screening] = (PersonStage(book), HouseholdStage(book))
        self.published: list[dict[str, Any]] = []
        self._offset, self._seq = count(), count(1)
        self._open()

    def _open(self) -> None:
        self.connections = tuple(self._connection(stage) for stage in self.stages)

    def _connection(self, stage: Screening) -> duckdb.DuckDBPyConnection:
        path = str(self.folder / f"{stage.name}.duckdb") if self.folder else ":memory:"
        con = duckdb.connect(path, config={"threads": 1})
        stage.create(con)
        return con

    def restart(self) -> None:
        """Close the files and open them again."""
        self.close()
        self._open()

    def tick(self, day: date) -> None:
        """A day has begun."""
        frame = pl.DataFrame({"day": [day], "sent_at": [_midnight(day)]})
        for stage, con in zip(self.stages, self.connections, strict=True):
            stage.ingest(con, [("hub.tick", frame)])

    def cover(self, *topics: str, prefix: str = "", since: date = date(2000, 1, 1), source: str = SOURCE) -> None:
        """A feed says that it covers topics for a place from a day on."""
        frame = pl.DataFrame(
            [
                {
                    "source": source,
                    "topic": topic,
                    "source_epoch": 1,
                    "seq": next(self._seq),
                    "division_prefix": prefix,
                    "covers_from": since,
                    "complete": True,
                    "position": "",
                    "sent_at": _midnight(since),
                }
                for topic in topics
            ]
        )
        if topics:
            self.stages[0].ingest(self.connections[0], [("hub.heartbeat", frame)])

    def give(self, topic: str, rows: pl.DataFrame, lane: int = 1) -> None:
        """Records of a department topic: a frame with the schema's columns. ``lane``: 1 live, 0 backlog."""
        start = next(self._offset)
        self._offset = count(start + rows.height)
        placed = rows.with_columns(
            _lane=pl.lit(lane, pl.Int8),
            _partition=pl.lit(0, pl.Int32),
            _offset=pl.int_range(start, start + rows.height, dtype=pl.Int64),
        )
        self.stages[0].ingest(self.connections[0], [(topic, placed)])

    def evaluate(self) -> list[dict[str, Any]]:
        """Work out the difference, members and guardians included; the condition rows that it consists of."""
        persons, households = zip(self.stages, self.connections, strict=True)
        rows: list[dict[str, Any]] = []
        while True:
            out = persons[0].evaluate(persons[1], self._stamp("persons"))
            rows += out["hub.condition"].to_dicts()
            if out["hub.member"].height:
                households[0].ingest(households[1], [("hub.member", self._positions(out["hub.member"]))])
            if not out["hub.relation"].height:
                break
            persons[0].ingest(persons[1], [("hub.relation", self._positions(out["hub.relation"]))])
        rows += households[0].evaluate(households[1], self._stamp("households"))["hub.condition"].to_dicts()
        self.published += rows
        return rows

    def unknown(self) -> dict[str, int]:
        """Rule to the number of subjects and episodes of which it cannot say whether it stands."""
        return {k: v for con in self.connections for k, v in Screening.unknown(con).items()}

    def unknown_rows(self) -> list[dict[str, Any]]:
        """What it cannot say: rule, subject_kind, subject_key, household_key (may be None) and episode."""
        return [
            {
                "rule": rule,
                "subject_kind": stage.subject_kind,
                "subject_key": subject,
                "household_key": household,
                "episode": episode,
            }
            for stage, con in zip(self.stages, self.connections, strict=True)
            for rule, subject, household, episode in con.execute(
                "select rule, subject, nullif(household_key, ''), episode from verdict where holds is null "
                "order by subject, rule, episode"
            ).fetchall()
        ]

    def why_not(self, rule: str, subjects: Iterable[str]) -> list[Answer]:
        """Why a rule does not stand for these subjects (see ``domain.whynot``)."""
        for stage, con in zip(self.stages, self.connections, strict=True):
            if rule in stage.compiled:
                return why_not(con, stage, rule, subjects, self.division_default)
        raise KeyError(rule)

    def close(self) -> None:
        """Forget everything."""
        for con in self.connections:
            con.close()

    def _positions(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(
            _lane=pl.lit(1, pl.Int8),
            _partition=pl.lit(0, pl.Int32),
            _offset=pl.int_range(frame.height, dtype=pl.Int64) + next(self._seq) * 1_000_000,
        )

    def _stamp(self, stage: str) -> Stamp:
        return Stamp(stage, 0, 1, next(self._seq), datetime(2000, 1, 1, tzinfo=UTC), False, self.division_default)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def frame_of(topic: str, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """A frame with the columns and types of the topic's schema; what a row leaves out is null."""
    dtypes = of_topic(topic).dtypes
    full = [{name: row.get(name) for name in dtypes} for row in rows]
    return pl.DataFrame(full, schema=dtypes, orient="row")


def run(cases: Iterable[tuple[str, Case]], book: RuleBook) -> list[str]:
    """Try cases, each given with its rule's id. One answer each: empty as expected, else what came instead.

    Cases of the same days and coverage share one hub: each is about persons and households of its own.
    A case that is asked of several rules is played once.
    """
    tried = list(cases)
    played = {id(each[1]): (number, each) for number, each in enumerate(tried)}
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    unknown: set[tuple[str, int]] = set()
    for _, group in groupby(sorted(played.values(), key=_setting), key=_setting):
        trial = Trial(book)
        try:
            _play(trial, [(number, case) for number, (_, case) in group])
            for row in trial.published:
                found.setdefault((row["rule"], _number(row)), []).append(row)
            unknown |= {(row["rule"], _number(row)) for row in trial.unknown_rows()}
        finally:
            trial.close()
    asked = [(rule, played[id(case)][0], case.expect) for rule, case in tried]
    return [_differs(expect, found.get((rule, n), []), (rule, n) in unknown) for rule, n, expect in asked]


def _setting(tried: tuple[int, tuple[str, Case]]) -> tuple[date, date, tuple[str, ...]]:
    case = tried[1][1]
    return case.day, case.then_day or case.day, case.uncovered


def _number(row: Mapping[str, Any]) -> int:
    return int(row["subject_key"].partition("-")[0])


def _play(trial: Trial, cases: list[tuple[int, Case]]) -> None:
    first = cases[0][1]
    trial.cover(*(topic.name for topic in DEPARTMENT_TOPICS if topic.name not in first.uncovered))
    trial.tick(first.day)
    versions = count(1)
    for later in (False, True):
        if later and first.then_day:
            trial.tick(first.then_day)
        rows: dict[str, list[dict[str, Any]]] = {}
        for number, case in cases:
            for position, given in enumerate(case.then if later else case.given, 1):
                for topic, fields in given.items():
                    rows.setdefault(topic, []).append(
                        _record(topic, fields, f"{number}-", position, next(versions), case)
                    )
        for topic, records in rows.items():
            trial.give(topic, frame_of(topic, records))
        trial.evaluate()


def _record(
    topic: str, fields: Mapping[str, Any], prefix: str, position: int, version: int, case: Case
) -> dict[str, Any]:
    at = _midnight(case.day)
    row = {
        "event_id": f"{SOURCE}-{version}",
        "source": SOURCE,
        "source_epoch": 1,
        "record_version": version,
        "record_id": fields.get("id", f"{position}-{version}"),
        "op": "create",
        "division": DIVISION,
        "person_key": prefix + fields.get("who", "A"),
        "occurred_at": at,
        "published_at": at,
        **DEFAULTS.get(topic, {}),
    }
    row |= {name: _value(topic, name, value) for name, value in fields.items() if name not in ("id", "who")}
    for key in ("household_key", "guardian_key"):
        if row.get(key):
            row[key] = prefix + row[key]
    return row


def _value(topic: str, name: str, value: Any) -> Any:
    if value is not None and isinstance(of_topic(topic).dtypes.get(name), pl.Datetime):
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        return datetime(at.year, at.month, at.day, getattr(at, "hour", 0), getattr(at, "minute", 0), tzinfo=UTC)
    return value


def _differs(expect: Expected, rows: list[dict[str, Any]], unknown: bool) -> str:
    last = {row["condition_id"]: row for row in rows}
    standing = [row for row in last.values() if row["state"] == "standing"]
    ended = [row for row in last.values() if row["state"] == "ended"]
    found = "standing" if standing else "ended" if ended else "unknown" if unknown else "nothing"
    if found != expect.state:
        return f"expected {expect.state}, came {found}"
    wanted = {k: v for k, v in expect.model_dump(exclude={"state", "evidence"}).items() if v is not None}
    for row in standing or ended:
        evidence = json.loads(row["evidence"])
        wrong = [f"{k}: expected {v!r}, came {row[k]!r}" for k, v in wanted.items() if row[k] != v]
        wrong += [
            f"{k}: expected {v!r}, came {evidence.get(k)!r}"
            for k, v in expect.evidence.items()
            if evidence.get(k) != (v.isoformat() if isinstance(v, date) else v)
        ]
        if wrong:
            return "; ".join(wrong)
    return ""
