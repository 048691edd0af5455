"""The roster on any day, the reclassification of an abolished tier, and the coverage of a duty, over copies or files.

A copy names people by their person_key. Files name them by ID number, and so do the answers (as with ``doudi screen``).
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
import polars as pl

from domain import coverage, roster
from domain.divisions import Reach
from domain.errors import Permanent
from domain.records import columns_of
from domain.rules import RuleBook
from domain.trial import Trial
from doudi import copies, screen

_KEY: Final = bytes(32)
"""Under which files are read: keys stay in memory, and equal files give equal answers."""
COLUMNS: Final = ("person", "tier", "entry", "division", "from", "to", "status", "standing", "published_at")
POSITION: Final = ("lane", "partition", "offset")
DUE: Final = ("month", "due_on", "person", "tier", "review_class", "entry", "division", "why", "last")
MEMBER: Final = ("person", "division", "entry", "since", "new_tier", "basis", "rules", "reason_zh", "reason_en")


class BadSource(Permanent):
    """The records cannot be read, or cannot answer what is asked: what, where, how to mend it."""

    code = "roster_source"


class Source(Protocol):
    """Kept records. ``names``: ID number by person key, empty where only keys are known; ``until``: the day of the
    oldest copy, after which nothing is known for certain (None: no such day)."""

    names: Mapping[str, str]
    until: date | None

    def frames(self, topics: Collection[str], people: Collection[str] | None) -> Iterator[tuple[str, pl.DataFrame]]:
        """All versions of the records of these topics (of these persons), with their positions in the log."""

    def cover(self, trial: Trial) -> None:
        """Tell a trial what the feeds cover."""


class Files:
    """Records in files, as ``doudi screen`` reads them. A line without ``published_on`` was known from the first."""

    until: date | None = None

    def __init__(self, folder: Path, as_of: date) -> None:
        self._load = screen.read(folder, as_of, _KEY)
        self.names: Mapping[str, str] = self._load.names

    def frames(self, topics: Collection[str], people: Collection[str] | None) -> Iterator[tuple[str, pl.DataFrame]]:
        """The lines of the files; a line's number stands for its position."""
        for topic in sorted(self._load.records.keys() & set(topics)):
            frame = self._load.records[topic].drop("published_on")
            frame = frame.with_columns(
                _lane=pl.lit(1, pl.Int8),
                _partition=pl.lit(0, pl.Int32),
                _offset=pl.int_range(2, frame.height + 2, dtype=pl.Int64),
            )
            yield topic, frame if people is None else frame.filter(pl.col("person_key").is_in(list(people)))

    def cover(self, trial: Trial) -> None:
        """By coverage.csv, or everything that there is a file of."""
        for topic, prefix, since in self._load.coverage:
            trial.cover(topic, prefix=prefix, since=since)


class Copies:
    """Copies of the state files of the persons' stage, one a partition: snapshots, or copies made of closed files."""

    def __init__(self, folder: Path, partitions: int, live: Path) -> None:
        self.names: Mapping[str, str] = {}
        self._con = _attached(_newest(folder, partitions, live))
        days = [self._ask(f"select max(day) from p{p}.clock")[0][0] for p in range(partitions)]
        self._partitions = range(partitions)
        self.until = min((day for day in days if day is not None), default=date.min)

    def frames(self, topics: Collection[str], people: Collection[str] | None) -> Iterator[tuple[str, pl.DataFrame]]:
        """The kept tables, partition by partition; a column that an older copy lacks is null."""
        for topic in sorted(topics):
            table, wanted = f"kept_{topic.replace('.', '_')}", columns_of(topic)
            for p in self._partitions:
                there = {
                    name
                    for (name,) in self._ask(
                        "select column_name from duckdb_columns() where database_name = ? and table_name = ?",
                        [f"p{p}", table],
                    )
                }
                if not there:
                    continue
                columns = ", ".join(f'"{c}"' if c in there else f'null::{kind} as "{c}"' for c, kind in wanted.items())
                whom = "" if people is None else " where person_key in (select unnest(?::varchar[]))"
                found = self._con.execute(
                    f'select lane as _lane, "partition" as _partition, "offset" as _offset, {columns} '
                    f"from p{p}.{table}{whom}",
                    [] if people is None else [list(people)],
                )
                yield topic, found.pl()

    def cover(self, trial: Trial) -> None:
        """What the feeds had said by the time of the copies."""
        said = " union ".join(f"select * from p{p}.heartbeat" for p in self._partitions)
        frame = self._con.execute(said).pl().with_columns(sent_at=pl.lit(datetime(2000, 1, 1, tzinfo=UTC)))
        if frame.height:
            trial.stages[0].ingest(trial.connections[0], [("hub.heartbeat", frame)])

    def close(self) -> None:
        """Let go of the files."""
        self._con.close()

    def _ask(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return self._con.execute(sql, parameters or []).fetchall()


def _newest(folder: Path, partitions: int, live: Path) -> dict[int, Path]:
    """The newest copy of each partition in a folder."""
    if not folder.is_dir():
        raise BadSource(f"{folder}: no such folder; give one with copies of state files, such as the hub's snapshots")
    if folder.resolve() == live.resolve():
        raise BadSource(
            f"{folder}: this is the folder of the live state files (DOUDI_STATE); give the folder of the snapshots"
        )
    found = copies.newest(folder)
    missing = [str(p) for p in range(partitions) if p not in found]
    if missing or len(found) > partitions:
        raise BadSource(
            f"{folder}: there are copies of the partitions {', '.join(map(str, sorted(found))) or '(none)'} of the "
            f"persons' stage, expected are all of {partitions} (DOUDI_PARTITIONS); "
            "without one of them people would be missing from the answer"
        )
    return found


def _attached(files: Mapping[int, Path]) -> duckdb.DuckDBPyConnection:
    """A connection that has each copy open for reading, as ``p<partition>``. Never opens a file that is in use."""
    con = duckdb.connect(config={"threads": 1})
    for partition, path in files.items():
        if path.with_name(f"{path.name}.wal").exists():
            raise BadSource(f"{path}: in use, or copied while it was (there is a .wal beside it); give a snapshot")
        quoted = str(path).replace("'", "''")
        try:
            con.execute(f"attach '{quoted}' as p{partition} (read_only)")
            noted = dict(con.execute(f"select k, v from p{partition}.meta").fetchall())
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise BadSource(f"{path}: cannot be read as a state file ({first}); give a whole copy") from error
        if (noted.get("stage"), noted.get("partition")) != ("persons", str(partition)):
            raise BadSource(f"{path}: holds another stage or partition than its name says; give it its own name back")
    return con


def on_day(
    source: Source, on: date, book: RuleBook, region: str = "", known: date | None = None, division: str = ""
) -> pl.DataFrame:
    """Everybody's tiers on a day (see ``domain.roster.history``) with column person, by what was known by the end of
    ``known``; in places whose code begins with ``division``. Raises BadSource."""
    if known and source.until and known > source.until:
        raise BadSource(f"the copies end on {source.until}: what was known on {known} is not in them; take newer ones")
    with closing(Trial(book, region)) as trial:
        _give(trial, source.frames((roster.ROSTER,), None), known)
        return _named(_within(roster.history(trial, on), division), source.names)


def calendar(
    source: Source, on: date, until: date, book: RuleBook, region: str = "", division: str = ""
) -> pl.DataFrame:
    """Which entries are to be re-certified when (see ``domain.roster.calendar``) with column person, in places whose
    code begins with ``division``. Raises BadSource."""
    with closing(Trial(book, region)) as trial:
        _give(trial, source.frames((roster.ROSTER,), None))
        con, stage = trial.connections[0], trial.stages[0]
        rows = roster.calendar(con, stage, on, until, Reach.of({division: True}), trial.division_default)
    return rows.with_columns(person=pl.col("person_key").replace(source.names))


def reclassified(
    source: Source, on: date, book: RuleBook, region: str = "", division: str = ""
) -> list[tuple[str, roster.Member]]:
    """What becomes of each member of the abolished tier on a day: person and answer, by person. Raises BadSource."""
    book = roster.abolishing(book, on)
    with closing(Trial(book, region)) as trial:
        _give(trial, source.frames((roster.ROSTER, roster.HOUSEHOLD), None))
        rows = _within(roster.history(trial, on), division)
        people = roster.household_of(trial, roster.members(rows)["person_key"].to_list())
    with closing(Trial(book, region)) as trial:
        source.cover(trial)
        _give(trial, source.frames(trial.stages[0].kept.keys(), people))
        trial.tick(on)
        trial.evaluate()
        found = roster.reclassify(trial, rows)
    return sorted((source.names.get(m.person_key, m.person_key), m) for m in found)


def covered(
    source: Source, rule: str, on: date, book: RuleBook, region: str = "", division: str = ""
) -> list[coverage.Covered]:
    """How many of those who need what a rule asks for have it on a day, by town (``domain.coverage``).

    Raises BadSource where the rule has no target, or the records cannot be read.
    """
    counted = [r.id for r in book.rules.values() if r.target]
    if rule not in counted:
        raise BadSource(f"{rule}: no rule with a target; coverage is counted of {', '.join(counted) or 'none'}")
    with closing(Trial(book, region)) as trial:
        stage = trial.stages[0]
        topic = coverage.topic_of(stage, book.rules[rule].facts)
        people = sorted({key for _, frame in source.frames((topic,), None) for key in frame["person_key"]})
        source.cover(trial)
        _give(trial, source.frames(stage.kept.keys(), people))
        trial.tick(on)
        trial.evaluate()
        return coverage.counts(trial, rule, people, division)


def _give(trial: Trial, frames: Iterable[tuple[str, pl.DataFrame]], known: date | None = None) -> None:
    for topic, frame in frames:
        trial.stages[0].ingest(trial.connections[0], [(topic, roster.known_by(frame, known) if known else frame)])


def _within(rows: pl.DataFrame, division: str) -> pl.DataFrame:
    return rows.filter(pl.col("division").str.starts_with(division))


def _named(rows: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    return rows.with_columns(person=pl.col("person_key").replace(names)).sort("person", maintain_order=True)


def write_rows(path: Path, rows: pl.DataFrame) -> None:
    """The day's roster as CSV, one line a person and tier. Raises BadSource."""
    _write(path, (*COLUMNS, *POSITION), rows.select(*COLUMNS, *POSITION).iter_rows())


def write_due(path: Path, rows: pl.DataFrame) -> None:
    """The calendar as CSV, one line an entry and reason, overdue ones first. Raises BadSource."""
    _write(path, DUE, rows.select(DUE).iter_rows())


def write_members(path: Path, found: Iterable[tuple[str, roster.Member]]) -> None:
    """The reclassification as CSV, one line a member. Raises BadSource."""
    _write(
        path,
        MEMBER,
        ((who, m.division, m.entry, m.since, m.tier, m.basis, " ".join(m.rules), m.zh, m.en) for who, m in found),
    )


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
    except OSError as error:
        raise BadSource(f"{path}: cannot be written ({error.strerror}); give a path in a folder that exists") from error
