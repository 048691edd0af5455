"""Screening: facts and rules over the subjects touched, and the difference to publish. The persons' stage.

Conditions standing = rules(facts). Nothing is accumulated: whatever arrives, in whatever order, the
facts of the subjects touched are asked anew of the records kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cached_property, reduce

import duckdb
import polars as pl

from domain import difference, facts
from domain.compile import Compiled, compiled
from domain.forward import MEMBERS, RELATIONS, Forwarded
from domain.plans import count, expect, forget, keep, run
from domain.records import Kept, outgoing, stream, zoneless
from domain.rules import RuleBook
from domain.stage import Stamp
from schemas.load import of_topic

Connection = duckdb.DuckDBPyConnection
FEW = 200
"""Up to so many subjects their records are looked up by index, more by a scan of the table."""
CHUNK = 2_000
"""A sweep takes everybody in chunks of so many subjects."""
AT_ONCE = 25
"""So many chunks are evaluated together at most, which bounds memory."""

PLANS_AT_ONCE = 10
"""So many plans take some 25 ms: a record that comes then waits no longer."""

_DUE = "select (select max(day) from clock), count(*), max(caused_at) from pending"
_TOUCHED = "insert into subjects select subject, max(caused_at), bool_and(baseline) from touched group by 1"
_UNSWEPT = "select coalesce(sum(chunks - chunk), 0) from sweeping"

_TICK, _HEARTBEAT, _CONDITION = "hub.tick", "hub.heartbeat", "hub.condition"


class Screening:
    """A stage over the facts of one folder. Holds no state of its own: everything is in the connection."""

    name: str
    subject_kind: str
    subject: str
    outputs: tuple[str, ...]
    forwarded: tuple[Forwarded, ...] = ()
    extra_inputs: tuple[str, ...] = ()

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self.rules_version = book.digest
        self.facts = facts.load(self.name)
        self.kept: dict[str, Kept] = facts.kept_of(self.name)
        self.inputs = (*self.kept, _TICK, *self.extra_inputs)
        self._fillings: dict[tuple[str, str], str] = {}

    @cached_property
    def compiled(self) -> dict[str, Compiled]:
        """The stage's rules as SQL, by id."""
        return compiled(self.book, self.name)

    @cached_property
    def recorded(self) -> str:
        """SQL of every subject of whom records are kept."""
        return " union ".join(f"select {k.subject} as subject from {k.table}" for k in self.kept.values())

    @cached_property
    def traces(self) -> dict[str, difference.Trace]:
        """Where the records behind a condition are found, by topic."""
        known = facts.columns(self.name)
        return {f.topic: difference.Trace(f.name, self.subject, "day" in known[f.name]) for f in self.facts if f.topic}

    # ------------------------------------------------------------------ tables

    def create(self, con: Connection) -> None:
        """Create tables and indexes where absent, and the temp tables of this connection."""
        for kept in self.kept.values():
            kept.create(con)
        con.execute("create table if not exists clock (day date)")
        con.execute(
            "create table if not exists sweep (subject varchar, caused_at timestamp, baseline boolean, chunk integer)"
        )
        con.execute("create table if not exists sweeping (chunk integer, chunks integer)")
        con.execute(
            "create table if not exists heartbeat (source varchar, topic varchar, division_prefix varchar, "
            "source_epoch integer, seq bigint, covers_from date, complete boolean)"
        )
        difference.create(con)
        self.attach(con)
        for view in self.forwarded:
            view.create(con)

    def attach(self, con: Connection) -> None:
        """Create what a connection needs of its own to look at tables that are there; changes none of them."""
        con.execute(f"set dynamic_or_filter_threshold = {FEW}")
        con.execute("create temp table if not exists touched (subject varchar, caused_at timestamp, baseline boolean)")
        con.execute("create temp table if not exists subjects (subject varchar, caused_at timestamp, baseline boolean)")
        con.execute("create temp table if not exists pending (caused_at timestamp)")
        facts.create(con, self.name, self.kept)
        self._define(con, self.today(con))
        difference.attach(con, self.compiled.values())

    # ------------------------------------------------------------------ in

    def ingest(self, con: Connection, frames: Iterable[tuple[str, pl.DataFrame]]) -> None:
        """Keep the records of a slice, with their topic, and remember whom they touch. Evaluates nothing."""
        touched: list[pl.DataFrame] = []
        for topic, frame in frames:
            if frame.is_empty():
                continue
            if topic == _TICK:
                self._tick(con, frame)
            elif topic == _HEARTBEAT:
                self._heartbeat(con, frame)
            else:
                touched.append(self.kept[topic].append(con, frame))
        if touched:
            whom = stream(reduce(pl.DataFrame.extend, touched))  # noqa: F841 - read by the SQL
            con.execute("insert into touched from whom")

    def _tick(self, con: Connection, frame: pl.DataFrame) -> None:
        latest = frame.sort("day").row(-1, named=True)
        today = self.today(con)
        if today is None or latest["day"] > today:
            con.execute("delete from clock")
            con.execute("insert into clock values (?)", [latest["day"]])
            con.execute("insert into pending values (?)", [_utc(latest["sent_at"])])

    def _heartbeat(self, con: Connection, frame: pl.DataFrame) -> None:
        before = self.covered(con)
        rows = stream(frame)  # noqa: F841 - read by the SQL
        con.execute(
            "insert into heartbeat "
            "select source, topic, division_prefix, source_epoch, seq, covers_from, complete from rows"
        )
        con.execute(
            "delete from heartbeat where rowid not in (select arg_max(rowid, row(source_epoch, seq)) from heartbeat "
            "group by source, topic, division_prefix)"
        )
        if self.covered(con) != before:
            sent_at: datetime = frame.sort("sent_at")["sent_at"][-1]
            con.execute("insert into pending values (?)", [_utc(sent_at)])

    def today(self, con: Connection) -> date | None:
        """The greatest day seen in hub.tick; None before the first."""
        rows = con.execute("select max(day) from clock").fetchall()
        return rows[0][0] if rows else None

    @staticmethod
    def covered(con: Connection) -> list[tuple[str, str, date]]:
        """Topic, division prefix, and the day from which a feed covers it."""
        return con.execute(
            "select topic, division_prefix, min(covers_from) from heartbeat where complete group by all order by all"
        ).fetchall()

    # ------------------------------------------------------------------ out

    def evaluate(
        self, con: Connection, stamp: Stamp, *, everybody: bool = False, chunks: int | None = None
    ) -> dict[str, pl.DataFrame]:
        """Recompute the touched subjects, store the difference and return it by topic; everybody in a sweep.

        A new day, a feed that now covers a place, or ``everybody`` begins a sweep anew. ``chunks`` of it are taken
        now (None: all that is left); the rest stays in the file for later calls (`unswept`).
        """
        found: dict[str, list[pl.DataFrame]] = {topic: [] for topic in self.outputs}
        ((today, pending, caused_at),) = run(con, _DUE).fetchall()
        if pending:
            self._define(con, today)
            run(con, "truncate pending")
        if today is not None:
            if everybody or pending:
                self._begin_sweep(con, caused_at or _utc(stamp.decided_at), stamp.baseline)
                if chunks is None:
                    con.execute("truncate touched")  # they are in the sweep, which is taken whole
            for _ in self._parts(con, chunks):
                self._decide(con, stamp, today, found)
        run(con, "truncate touched")
        return {topic: pl.concat(frames) if frames else of_topic(topic).empty() for topic, frames in found.items()}

    @staticmethod
    def unswept(con: Connection) -> int:
        """Chunks of a sweep that are still to be evaluated."""
        return count(con, _UNSWEPT)

    def _define(self, con: Connection, day: date | None) -> None:
        """Tell facts and rules the day and what the feeds cover on it."""
        today = day or date.min
        coverage = [(topic, prefix) for topic, prefix, since in self.covered(con) if since <= today]
        for statement in facts.macros(today.isoformat(), coverage, self.book.tier_kept):
            con.execute(statement)
        forget(con)

    def _begin_sweep(self, con: Connection, caused_at: datetime, baseline: bool) -> None:
        """Note everybody of whom anything is known, to be evaluated chunk by chunk.

        Those touched come first, then whom an earlier sweep did not reach, each as it was noted there.
        """
        everybody = con.execute(
            f"""
            select e.subject, coalesce(t.at, s.caused_at, ?) as caused_at,
                   coalesce(t.first_load, s.baseline, false) or ? as baseline,
                   ((row_number() over (order by t.subject is null, s.chunk nulls last, e.subject) - 1) // {CHUNK})
                   ::integer as chunk
            from ({self.recorded} union select subject from verdict
                  {"".join(v.known_subjects for v in self.forwarded)}) e
            left join (select subject, max(caused_at) as at, bool_and(baseline) as first_load from touched group by 1) t
            using (subject)
            left join (select * from sweep where chunk >= (select coalesce(max(chunk), 0) from sweeping)) s
            using (subject)""",
            [caused_at, baseline],
        ).pl()
        con.execute("delete from sweep")
        con.execute("delete from sweeping")
        if everybody.height:
            rows = stream(everybody)  # noqa: F841 - read by the SQL
            con.execute("insert into sweep from rows")
            con.execute("insert into sweeping values (0, ?)", [int(everybody["chunk"].max()) + 1])  # type: ignore[arg-type]

    def _parts(self, con: Connection, chunks: int | None) -> Iterator[None]:
        """Fill ``subjects`` with those to evaluate, part by part: the touched ones, then the sweep's next chunks."""
        run(con, "truncate subjects")
        if subjects := count(con, _TOUCHED):
            expect(con, subjects)
            yield
        if chunks == 0:
            return
        for at, end in con.execute("from sweeping").fetchall():
            last = end if chunks is None else min(end, at + chunks)
            for first in range(at, last, AT_ONCE):
                behind = min(last, first + AT_ONCE)
                con.execute("truncate subjects")
                con.execute(
                    "insert into subjects select subject, caused_at, baseline from sweep "
                    "where chunk >= ? and chunk < ?",
                    [first, behind],
                )
                expect(con, (behind - first) * CHUNK)
                yield
            con.execute("delete from sweeping")
            if last == end:
                con.execute("delete from sweep")
            else:
                con.execute("insert into sweeping values (?, ?)", [last, end])  # an update would hold up checkpoints

    def _decide(self, con: Connection, stamp: Stamp, today: date, found: dict[str, list[pl.DataFrame]]) -> None:
        filled = self._facts(con, stamp.division_default)
        said = difference.ask(con, self.compiled.values())
        if (said or _speaks(con, "verdict", "subject")) and difference.compare(con):
            found[_CONDITION].append(self._publish(con, stamp, today))
        for view in self.forwarded:
            if not view.drivers.isdisjoint(filled) or _speaks(con, view.published, view.of):
                changed = view.publish(con, stamp, filled)
                if changed is not None:
                    found[view.topic].append(changed)
        views = {fact.name for fact in self.facts if fact.view}
        for table in (*sorted(filled - views), *difference.SCRATCH):
            run(con, f"truncate {table}")

    @contextmanager
    def facts_of(
        self, con: Connection, subjects: Iterable[str], division_default: str, day: date | None = None
    ) -> Iterator[None]:
        """Fill the facts of these subjects to be looked at, between cycles; afterwards they are empty again.

        ``day``: another day than the stage's, for which the records kept are looked at.
        """
        asked = list(subjects)
        con.execute("begin")
        try:
            if day is not None:
                self._define(con, day)
            con.execute("truncate subjects")
            con.execute("insert into subjects select unnest(?::varchar[]), timestamp '2000-01-01', false", [asked])
            expect(con, len(asked))
            self._facts(con, division_default)
            yield
        finally:
            con.execute("rollback")
            if day is not None:
                forget(con)

    def _facts(self, con: Connection, division_default: str) -> set[str]:
        """Fill the facts of the ``subjects``; the names of those that have rows."""
        filled: set[str] = set()
        for fact in self.facts:
            if fact.driver and fact.driver not in filled:
                continue
            if fact.view or count(con, self._filling(fact, division_default)):
                filled.add(fact.name)
        return filled

    def _filling(self, fact: facts.Fact, division_default: str) -> str:
        if (key := (fact.name, division_default)) not in self._fillings:
            rows = fact.over(self.kept, "select subject from subjects", division_default)
            self._fillings[key] = f"insert into {fact.name} {rows}"
        return self._fillings[key]

    def rehearse(self, con: Connection, division_default: str) -> bool:
        """Make plans that a small evaluation would else make while somebody waits, some at a time; whether any were.

        Nothing is executed. Call again until there is nothing left to make.
        """
        expect(con, 0)
        made = 0
        for statement in self._statements(division_default):
            made += keep(con, statement)
            if made == PLANS_AT_ONCE:
                break
        return made > 0

    def _statements(self, division_default: str) -> Iterator[str]:
        yield from (_DUE, _TOUCHED, _UNSWEPT, self._decided, _about("verdict", "subject"))
        filled = [fact for fact in self.facts if not fact.view]
        yield from (self._filling(fact, division_default) for fact in filled)
        yield from difference.statements(self.compiled.values(), self.book, self.traces)
        for view in self.forwarded:
            yield _about(view.published, view.of)
            yield from view.statements()
        tables = ("touched", "subjects", *(fact.name for fact in filled), *difference.SCRATCH)
        yield from (f"truncate {table}" for table in tables)

    def _publish(self, con: Connection, stamp: Stamp, today: date) -> pl.DataFrame:
        ended, standing = difference.rules_changed(con)
        difference.find_causes(con, self.book, self.compiled, ended)
        difference.trace(con, self.book, standing, self.traces)
        difference.apply(con)
        return outgoing(con, _CONDITION, self._decided, stamp, as_of=today)

    @cached_property
    def _decided(self) -> str:
        """SQL of what is said of each change, with ``baseline``."""
        return f"""
            select c.rule || ':' || c.subject || ':' || c.episode as condition_id,
                   if(c.stands, 'standing', 'ended') as state,
                   c.rule, c.rule_version, '{self.subject_kind}' as subject_kind, c.subject as subject_key, c.episode,
                   c.household_key, c.division, c.tier, r.rule_class, r.kind, r.department, c.level, c.step,
                   r.deadline_days,
                   coalesce(e.cause, '') as cause, coalesce(e.superseded_by, '') as superseded_by,
                   c.evidence, coalesce(a.thresholds, '{{}}') as thresholds, coalesce(t.records, '[]') as records,
                   s.caused_at, s.baseline
            from change c
            join subjects s using (subject)
            left join ending e using (rule, subject, episode)
            left join ({difference.USED}) t using (rule, subject, episode)
            left join ({difference.THRESHOLDS}) a using (rule, subject, episode)
            left join (values {self._rules_table}) r(rule, rule_class, kind, department, deadline_days) using (rule)
            where c.stood or c.stands
            order by c.subject, c.stands, c.rule, c.episode"""

    @cached_property
    def _rules_table(self) -> str:
        return ", ".join(
            f"('{r.id}', '{r.rule_class}', '{r.kind}', '{r.department}', {r.deadline_days})"
            for r in self.book.rules.values()
        )

    # ------------------------------------------------------------------ read-back

    def adopt(self, con: Connection, topic: str, frame: pl.DataFrame) -> None:
        """Replace what this partition has published on a topic by what stands in Kafka."""
        con.register("_adopted", zoneless(frame))
        try:
            if topic == _CONDITION:
                difference.adopt(con)
            else:
                next(v for v in self.forwarded if v.topic == topic).adopt(con)
        finally:
            con.unregister("_adopted")
            forget(con)

    @staticmethod
    def unknown(con: Connection) -> dict[str, int]:
        """Rule to the number of rows of its facts of which it cannot say whether it stands."""
        return difference.unknown(con)


class PersonStage(Screening):
    """Rules about persons; forwards what a person contributes to households, to a guardian and to wards."""

    name = "persons"
    subject_kind = "person"
    subject = "person_key"
    outputs = (_CONDITION, MEMBERS.topic, RELATIONS.topic)
    forwarded = (MEMBERS, RELATIONS)
    extra_inputs = (_HEARTBEAT,)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def _speaks(con: Connection, table: str, of: str) -> bool:
    """Whether a table of what was said or published speaks of any of the ``subjects``."""
    return count(con, _about(table, of)) > 0


def _about(table: str, of: str) -> str:
    return f"select count(*) from {table} where {of} in (select subject from subjects)"
