"""A change of the law tried over kept records before it counts: what it would have begun and ended, and what not.

Both rule books are asked of the same facts, day by day, with the records known by then, for everybody at once.
The facts are those of the hub (their SQL, their fold) and so is the difference (domain/difference.py); only how
they are laid out differs: a record of one version needs no fold, a view is looked at where it is asked once, and
only what the change touches is asked. Nothing is published, and the records are only read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from domain import difference, facts
from domain.compile import DIALECT, Compiled, compiled, conjuncts, content, listed, parse, said
from domain.errors import Permanent
from domain.facts import Fact
from domain.forward import HELD, MEMBERS, NAMED, RELATIONS
from domain.plans import SMALL, expect
from domain.records import Kept, columns_of
from domain.rules import Rule, RuleBook

Connection = duckdb.DuckDBPyConnection
Say = Callable[[str], None]
SIDES = ("before", "after")
PERSONS, HOUSEHOLDS = "persons", "households"
ROSTER = "civil.roster"
OFF_ROSTER = {
    "tier": "''",
    "tiers": "[]::varchar[]",
    "tiers_held": "[]::varchar[]",
    "was_on_roster": "false",
    "on_roster": "if(covered, false, null)",
}
"""What the facts say of a person without an entry of the roster (domain/facts/persons/person.sql)."""
_PLACE = {"published_at": "timestamp", "lane": "tinyint", "partition": "integer", "offset": "bigint"}
"""Where a record stands in the log: nothing is traced here, so it is left out."""
_ALWAYS = {"subject", "episode", "law_on", "division", "tier", "household_key"}
_EVENT = "step, rule, subject, episode, what, cause, superseded_by"


class TryError(Permanent):
    """The change cannot be tried: nothing changes, no day is asked for, or no record is there."""

    code = "try"


@dataclass(frozen=True, eq=False)
class Change:
    """Two rule books, and which rules their difference reaches."""

    before: RuleBook
    after: RuleBook

    @property
    def books(self) -> dict[str, RuleBook]:
        """Side to book."""
        return dict(zip(SIDES, (self.before, self.after), strict=True))

    def _both(self, rule: str) -> list[Rule]:
        return [book.rules[rule] for book in (self.before, self.after) if rule in book.rules]

    def _all(self) -> list[str]:
        return sorted(self.before.rules.keys() | self.after.rules.keys())

    @cached_property
    def changed(self) -> frozenset[str]:
        """Rules that one book has and the other has not, or that do not decide the same in both."""
        return frozenset(r for r in self._all() if _decides(self.before, r) != _decides(self.after, r))

    @cached_property
    def reached(self) -> frozenset[str]:
        """The changed rules, those they silence, and those that end superseded by one of these."""
        silenced = {other for rule in self.changed for r in self._both(rule) for other in r.inhibits}
        differing = self.changed | silenced
        return frozenset(
            differing | {r for r in self._all() if any(differing & {*x.superseded_by} for x in self._both(r))}
        )

    @cached_property
    def asked(self) -> frozenset[str]:
        """The rules reached, those that may supersede them, and whatever silences any of these."""
        takers = {other for rule in self.reached for r in self._both(rule) for other in r.superseded_by}
        known = self.reached | takers
        return frozenset(known | {r for r in self._all() if any(known & {*x.inhibits} for x in self._both(r))})

    def compiled(self, side: str, stage: str) -> dict[str, Compiled]:
        """The asked rules of a stage as SQL, by id."""
        return {r: c for r, c in compiled(self.books[side], stage).items() if r in self.asked}

    def rules(self, stage: str) -> list[Compiled]:
        """The asked rules of a stage in both books."""
        return [c for side in SIDES for c in self.compiled(side, stage).values()]

    def title(self, rule: str) -> Rule:
        """The rule as it would be, or as it was where it is gone."""
        return self._both(rule)[-1]

    def alerts(self) -> list[str]:
        """The rules reached that ask for a visit."""
        return sorted(r for r in self.reached if self.title(r).kind == "alert")


def _decides(book: RuleBook, rule_id: str) -> tuple[object, ...]:
    if rule_id not in book.rules:
        return ()
    rule = book.rules[rule_id]
    shape = book.shapes[rule.facts]
    c = compiled(book, shape.stage)[rule_id]
    return (
        said(rule.facts, [c]),
        content(rule.facts, [c]),
        c.done,
        c.until,
        c.corrected,
        rule.superseded_by,
        rule.inhibits,
        rule.kind,
    )


# ---------------------------------------------------------------------- days


def days(since: date, until: date, every: int = 0) -> list[date]:
    """The days on which is asked: the day before ``since``, then the ends of months, or every so many days; ``until``.

    Raises TryError where ``until`` is before ``since``.
    """
    if until < since:
        raise TryError(f"--to {until} is before --from {since}; give the earlier day as --from")
    before = since - timedelta(days=1)
    if every:
        between = [before + timedelta(days=n) for n in range(every, (until - before).days, every)]
    else:
        all_days = (since + timedelta(days=n) for n in range((until - since).days))
        between = [day for day in all_days if (day + timedelta(days=1)).day == 1]
    return [before, *between, until]


# ---------------------------------------------------------------------- what is needed


def _tree(fact: Fact) -> exp.Expr:
    return sqlglot.parse_one(facts.TOPIC.sub("kept", fact.sql), read=DIALECT)


def _mentioned(sql: str) -> set[str]:
    return {column.name for column in sqlglot.parse_one(sql, read=DIALECT).find_all(exp.Column)}


def _expressions(rule: Rule) -> set[str]:
    """Columns that a rule names anywhere."""
    texts = (rule.when, rule.done_when, rule.until, rule.corrected_when, rule.step, rule.level)
    named = {column.name for text in texts for column in parse(text).find_all(exp.Column)}
    return named | {*rule.evidence}


def _needed(stage: str, roots: Iterable[str]) -> list[Fact]:
    """These facts and those that they read, in reading order."""
    by_name = {fact.name: fact for fact in facts.load(stage)}
    found: set[str] = set()
    ahead = list(roots)
    while ahead:
        name = ahead.pop()
        if name not in found and name in by_name:
            found.add(name)
            ahead += by_name[name].reads
            if by_name[name].topic == RELATIONS.topic:
                ahead += RELATIONS.drivers
    # Those over a topic first, and of these those that others forward last.
    return sorted(
        (fact for fact in facts.load(stage) if fact.name in found),
        key=lambda f: (not f.topic, f.topic.startswith("hub.")),
    )


def _topic_of(stage: str, fact: str) -> str:
    """The topic without whose records a fact has no row; empty where there is none."""
    by_name = {f.name: f for f in facts.load(stage)}
    while not by_name[fact].topic and by_name[fact].driver:
        fact = by_name[fact].driver
    return by_name[fact].topic


class _Known(Kept):
    """Records of a topic of which the current versions are laid out, as far as they are known on the day."""

    def current(self, selected: str, columns: Iterable[str]) -> str:
        """SQL of columns of the current rows."""
        if self.topic == MEMBERS.topic:
            return (
                "(select *, timestamp '1970-01-01' as caused_at, 0::tinyint as lane, "
                f'0::integer as "partition", 0::bigint as "offset" from ({MEMBERS.now}))'
            )
        return f"(select {', '.join(_quoted(c) for c in columns)} from current_{self.table})"


def _quoted(column: str) -> str:
    return f'"{column}"'


# ---------------------------------------------------------------------- the run


@dataclass(frozen=True, slots=True)
class Records:
    """Kept records that a connection can read: topic to the names of its tables, and who covers what since when.

    ``division_default`` fills a missing division.
    """

    tables: Mapping[str, Sequence[str]]
    coverage: Sequence[tuple[str, str, date]]
    division_default: str = ""


class Attempt:
    """A change over records. The connection is the caller's, and new: tables are made in it, none of them temporary."""

    def __init__(self, con: Connection, records: Records, change: Change) -> None:
        if change.before.tier_kept != change.after.tier_kept:
            raise TryError(
                "a tier's abolition changes what all facts say, not one rule; `doudi roster reclassify` shows whom it "
                "concerns and what becomes of each"
            )
        if not change.changed:
            raise TryError(
                "nothing that decides is changed; give a file that says something else than the book in force"
            )
        self.con = con
        self.records = records
        self.change = change
        self.cursors = {side: con.cursor() for side in SIDES}
        self.stages = [s for s in (PERSONS, HOUSEHOLDS) if change.rules(s)]
        roots = {c.rule.facts for c in change.rules(PERSONS)}
        self.households = HOUSEHOLDS in self.stages
        if self.households:
            roots |= {"membership", "person", "medical_year"}
        self.needed = {PERSONS: _needed(PERSONS, roots)}
        if self.households:
            self.needed[HOUSEHOLDS] = _needed(HOUSEHOLDS, {c.rule.facts for c in change.rules(HOUSEHOLDS)})
        self.related = any(f.topic == RELATIONS.topic for f in self.needed[PERSONS])
        self.statements = tuple(self._statements())
        self.topics = sorted({f.topic for f in self.needed[PERSONS] if f.topic and not f.topic.startswith("hub.")})

    # ------------------------------------------------------------------ records

    def lay_out(self, since: date, until: date, say: Say) -> None:
        """Take over the records of whom the change may concern. Raises TryError where none are of these days."""
        con = self.con
        for statement in facts.constant_macros():
            con.execute(statement)
        con.execute("create table subjects (subject varchar)")
        con.execute(f"insert into subjects {self._concerned()}")
        con.execute(f"create table people as {self._people()}")
        within = 0
        for topic in self.topics:
            say(topic)
            self._take(topic)
            table = facts.kept_of(PERSONS)[topic].table
            ((some,),) = con.execute(
                f"select count(*) from (select known_on from once_{table} union all "
                f"select known_on from again_{table}) where known_on between ? and ?",
                [since, until],
            ).fetchall()
            within += some
        if not within:
            raise TryError(
                f"no record that the change could touch became known from {since} to {until}; "
                f"give other days, or the folder that holds the records of {', '.join(self.topics)}"
            )

    def _concerned(self) -> str:
        """SELECT of the persons (persons of a household where a rule about households is changed) to be asked."""
        parts = set()
        for rule_id in self.change.changed:
            for book in self.change.books.values():
                rule = book.rules.get(rule_id)
                if rule is None:
                    continue
                if book.shapes[rule.facts].stage == HOUSEHOLDS:
                    parts |= {self._persons(_topic_of(PERSONS, driver)) for driver in MEMBERS.drivers}
                    continue
                whose = self._persons(_topic_of(PERSONS, rule.facts))
                if self._asks_for_roster(rule, book):
                    whose = f"select subject from ({whose}) where subject in ({self._persons(ROSTER)})"
                parts.add(whose)
        return f"select distinct subject from ({' union all '.join(sorted(parts))})"

    def _people(self) -> str:
        """SELECT of the subjects and of their guardians, whose tier the subjects are told."""
        parts = ["select subject as person from subjects"]
        for topic in self.topics:
            if self.related and "guardian_key" in columns_of(topic):
                parts += [
                    f"select {self._columns(table, ['guardian_key'])[0]} from {table} "
                    "where person_key in (select subject from subjects)"
                    for table in self.records.tables.get(topic, ())
                ]
        return " union ".join(parts)

    def _asks_for_roster(self, rule: Rule, book: RuleBook) -> bool:
        """Whether one of the rule's own conditions fails for whoever has no entry of the roster."""
        columns = ", ".join(f"{value} as {name}" for name, value in OFF_ROSTER.items())
        c = Compiled(rule, book)
        for text in conjuncts(rule.when):
            named = {column.name for column in parse(text).find_all(exp.Column)}
            if named and named <= OFF_ROSTER.keys():
                failing = (
                    f"select bool_and(({c.sql(text)}) is not distinct from false) "
                    f"from (select {columns} from (values (true), (false)) v(covered))"
                )
                if self.con.execute(failing).fetchall()[0][0]:
                    return True
        return False

    def _persons(self, topic: str) -> str:
        """SELECT of the persons that a topic speaks of; of all where a view comes of no topic."""
        tables = [t for name, of in self.records.tables.items() for t in of if topic in ("", name)]
        parts = " union all ".join(f"select person_key as subject from {table}" for table in tables)
        return f"select distinct subject from ({parts or 'select null::varchar as subject where false'})"

    def _take(self, topic: str) -> None:
        """Records of one version in ``once_…``, which need no fold, the others in ``again_…``."""
        con, kept = self.con, facts.kept_of(PERSONS)[topic]
        read = {c for f in self.needed[PERSONS] if f.topic == topic for c in f.columns}
        shown = [c for c in columns_of(topic) if c in read and c not in _PLACE]
        key = ", ".join((*kept.key, kept.subject))
        order = [column.strip('"') for column in kept.order]
        wanted = list(dict.fromkeys([*shown, *kept.key, kept.subject, *order, "op"]))
        known_on = "local_day(case when lane = 0 then least(occurred_at, published_at) else published_at end)"
        mine = f"{kept.subject} in (select person from people)"
        if self.related and "guardian_key" in shown:
            mine += " or guardian_key in (select subject from subjects)"  # a guardian is told of the wards' cards
        parts = [
            f"select {', '.join(self._columns(table, wanted))}, {known_on} as known_on from {table} where {mine}"
            for table in self.records.tables.get(topic, ())
        ]
        if not parts:
            types = {**columns_of(topic), **_PLACE}
            parts = [
                f"select {', '.join(f'null::{types[c]} as {_quoted(c)}' for c in wanted)}, "
                f"null::date as known_on where false"
            ]
        con.execute(f"create view source as {' union all '.join(parts)}")
        con.execute(f"create table several as select hash({key}) as h from source group by 1 having count(*) > 1")
        con.execute(
            f"create table once_{kept.table} as select {', '.join(map(_quoted, shown))}, known_on from source "
            f"where hash({key}) not in (select h from several) and not ({kept.gone})"
        )
        con.execute(
            f"create table again_{kept.table} as select * from source where hash({key}) in (select h from several)"
        )
        con.execute("drop view source; drop table several")

    def _columns(self, table: str, wanted: Iterable[str]) -> list[str]:
        """The columns; those that the schema gained since the file was written are null."""
        there = {name for name, *_ in self.con.execute(f"describe {table}").fetchall()}
        return [_quoted(c) if c in there else f"null as {_quoted(c)}" for c in wanted]

    # ------------------------------------------------------------------ days

    def run(self, asked: Sequence[date], say: Say) -> None:
        """Ask both books on each of these days and keep in ``event`` what stood on the first, began and ended since."""
        con = self.con
        con.execute(
            "create table event (step date, side varchar, rule varchar, subject varchar, episode varchar, "
            "what varchar, cause varchar, superseded_by varchar, division varchar, tier varchar, level varchar)"
        )
        self._on(asked[0])
        self._facts()
        for side, cursor in self.cursors.items():
            con.execute(f"create schema {side}")
            cursor.execute(f"set search_path = '{side},main'")
            expect(cursor, SMALL + 1)
            difference.create(cursor)
            difference.attach(cursor, [c for s in self.stages for c in self.change.compiled(side, s).values()])
        for number, day in enumerate(asked):
            say(f"{day} ({number + 1}/{len(asked)})")
            if number:
                self._on(day)
                self._facts()
            for side in SIDES:
                self._decide(side, day, first=not number)

    def _on(self, day: date) -> None:
        """Define the day, what is covered, and which records are known."""
        in_force = [(topic, prefix) for topic, prefix, since in self.records.coverage if since <= day]
        for con in (self.con, *self.cursors.values()):
            for statement in (
                *facts.constant_macros(),
                *facts.macros(day.isoformat(), in_force, self.change.before.tier_kept),
            ):
                con.execute(statement)
        for topic in self.topics:
            kept = facts.kept_of(PERSONS)[topic]
            read = {c for f in self.needed[PERSONS] if f.topic == topic for c in f.columns}
            shown = [c for c in columns_of(topic) if c in read and c not in _PLACE]
            names = ", ".join(map(_quoted, shown))
            placed = "".join(f", null::{kind} as {_quoted(c)}" for c, kind in _PLACE.items())
            self.con.execute(
                f"create or replace view {kept.table} as from again_{kept.table} where known_on <= date '{day}'"
            )
            folded = kept.current(f"select {kept.subject} from {kept.table}", shown)
            self.con.execute(
                f"create or replace view current_{kept.table} as select *{placed} from ("
                f"select {names} from once_{kept.table} where known_on <= date '{day}' "
                f"union all select * from {folded})"
            )

    def _facts(self) -> None:
        """The facts of the day."""
        for statement in self.statements:
            self.con.execute(statement)

    def _statements(self) -> Iterator[str]:
        """SQL that makes each fact anew with the columns that somebody asks for; a view where it is asked once."""
        for stage, needed in self.needed.items():
            known = {topic: _Known(topic) for topic in facts.kept_of(stage)}
            shapes = {c.rule.facts for c in self.change.rules(stage)}
            for fact in needed:
                sql = self._told(fact, known) if fact.topic == RELATIONS.topic else self._over(fact, known)
                if fact.topic == MEMBERS.topic:
                    yield f"create or replace table {fact.name} as {sql}"
                elif fact.topic or (fact.view and fact.name not in shapes):
                    yield f"create or replace view {fact.name} as {sql}"
                else:
                    asked = self._asked_of(stage, fact)
                    columns = ", ".join(c for c in facts.columns(stage)[fact.name] if c in asked)
                    only = stage == PERSONS and fact.name in shapes
                    mine = " where subject in (select subject from subjects)" if only else ""
                    yield f"create or replace table {fact.name} as select {columns} from ({sql}){mine}"

    def _over(self, fact: Fact, known: Mapping[str, Kept]) -> str:
        return fact.over(known, "", self.records.division_default)

    def _told(self, fact: Fact, known: Mapping[str, Kept]) -> str:
        """A fact that others forward: who is named as guardian, or their tier, which no guardian of theirs decides."""
        by_name = {f.name: f for f in self.needed[PERSONS]}
        ward = facts.TOPIC.sub(f"({NAMED})", by_name["ward"].sql)
        if fact.name == "ward":
            return ward
        held = (
            f"with ward as ({ward}), guardian as (select '' as person_key, '' as tier where false), "
            f"person as ({self._over(by_name['person'], known)}) {HELD}"
        )
        return facts.TOPIC.sub(f"({held})", fact.sql)

    def _asked_of(self, stage: str, fact: Fact) -> set[str]:
        names = set(_ALWAYS)
        for c in self.change.rules(stage):
            names |= _expressions(c.rule)
        for reader in self.needed[stage]:
            if fact.name in reader.reads:
                names |= {column.name for column in _tree(reader).find_all(exp.Column)}
        if self.households and stage == PERSONS:
            names |= _mentioned(MEMBERS.now)
        return names | {"person_key"}

    def _decide(self, side: str, day: date, *, first: bool) -> None:
        """One book's difference to its own day before."""
        con, book = self.cursors[side], self.change.books[side]
        con.execute("create or replace temp table subjects as select distinct subject from verdict")
        for stage in self.stages:
            difference.ask(con, self.change.compiled(side, stage).values())
        # Whoever is not heard of any more has ended too, so everybody is compared.
        if difference.compare(con):
            ended, _ = difference.rules_changed(con)
            by_id = {r: c for s in self.stages for r, c in self.change.compiled(side, s).items()}
            difference.find_causes(con, book, by_id, ended)
            what = "'stood'" if first else "if(c.stands, 'begun', 'ended')"
            con.execute(
                f"insert into event select date '{day}', '{side}', c.rule, c.subject, c.episode, {what}, "
                "coalesce(e.cause, ''), coalesce(e.superseded_by, ''), c.division, c.tier, c.level "
                "from change c left join ending e using (rule, subject, episode) "
                f"where c.stood <> c.stands and c.rule in ({listed(sorted(self.change.reached))})"
            )
            difference.apply(con)
        for table in difference.SCRATCH:
            con.execute(f"truncate {table}")


# ---------------------------------------------------------------------- the answer

EXAMPLES = 5
"""Examples a rule, kind of event and sign."""
VILLAGE_WORKERS = "village_workers"
"""The parameter of how many visit in a village."""


def answer(attempt: Attempt, asked: Sequence[date], pseudonym: Callable[[str], str]) -> dict[str, Any]:
    """What the change would have made, as it is written in JSON; ``pseudonym`` names a subject in an example.

    ``rules``: for each rule reached what ``stood`` on the first day, ``begun`` and ``ended`` by cause: ``more`` and
    ``fewer`` than without the change; of the changed rules also the whole numbers ``before`` and ``after``.
    ``places``: the same by town (9 digits) and tier. ``visits``: alerts a week and village worker.
    """
    con, change = attempt.con, attempt.change
    con.execute(
        "create table differing as "
        + " union all ".join(
            f"select '{sign}' as sign, * exclude (side) from (from event where side = '{mine}') "
            f"anti join (from event where side = '{other}') other using ({_EVENT})"
            for sign, mine, other in (("more", "after", "before"), ("fewer", "before", "after"))
        )
    )
    whole = con.execute(
        f"select rule, side, what, cause, count(*) from event where rule in ({listed(sorted(change.changed))}) "
        "group by all"
    ).fetchall()
    differing = con.execute("select rule, sign, what, cause, count(*) from differing group by all").fetchall()
    found: dict[str, dict[str, Any]] = {
        rule: {side: _none() for side in (*(SIDES if rule in change.changed else ()), "more", "fewer")}
        for rule in sorted(change.reached)
    }
    for rule, side, what, cause, count in (*whole, *differing):
        _add(found[rule][side], what, cause, count)
    examples = con.execute(
        f"select rule, sign, what, cause, subject, episode, step, left(division, 9), tier, level from differing "
        f"qualify row_number() over (partition by rule, sign, what, cause order by hash(subject), episode, step) "
        f"<= {EXAMPLES} order by rule, what, sign desc, cause, step, subject, episode"
    ).fetchall()
    return {
        "from": asked[0] + timedelta(days=1),
        "to": asked[-1],
        "days": list(asked),
        "changed": sorted(change.changed),
        "concerned": con.execute("select count(*) from subjects").fetchall()[0][0],
        "rules": [
            {
                "rule": rule,
                "title_zh": change.title(rule).title.zh,
                "title_en": change.title(rule).title.en,
                "kind": change.title(rule).kind,
                **counts,
            }
            for rule, counts in found.items()
        ],
        "places": _places(con),
        "visits": _visits(attempt, asked),
        "examples": [
            {
                "rule": rule,
                "sign": sign,
                "what": what,
                "cause": cause,
                "who": pseudonym(subject),
                # A record's id is the department's own: only a period is shown.
                "episode": "" if _record_of(change, rule) else episode,
                "day": day,
                "town": town,
                "tier": tier,
                "level": level,
            }
            for rule, sign, what, cause, subject, episode, day, town, tier, level in examples
        ],
    }


def _none() -> dict[str, Any]:
    return {"stood": 0, "begun": 0, "ended": {}}


def _add(counts: dict[str, Any], what: str, cause: str, count: int) -> None:
    if what == "ended":
        counts["ended"][cause] = counts["ended"].get(cause, 0) + count
    else:
        counts[what] += count


def _record_of(change: Change, rule: str) -> str:
    return change.after.shapes[change.title(rule).facts].record_of


def _places(con: Connection) -> list[dict[str, Any]]:
    columns = (
        "town",
        "tier",
        *(f"{what}_{sign}" for what in ("stood", "begun", "ended") for sign in ("more", "fewer")),
    )
    counts = ", ".join(
        f"count(*) filter (what = '{what}' and sign = '{sign}')"
        for what in ("stood", "begun", "ended")
        for sign in ("more", "fewer")
    )
    rows = con.execute(f"select left(division, 9), tier, {counts} from differing group by all order by 1, 2").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _visits(attempt: Attempt, asked: Sequence[date]) -> dict[str, Any]:
    """Alerts begun a week and village worker; villages are those of the people concerned."""
    con, change = attempt.con, attempt.change
    weeks = (asked[-1] - asked[0]).days / 7
    alerts = listed(sorted(change.alerts())) or "''"
    parameter = change.after.parameters.get(VILLAGE_WORKERS)
    workers = parameter.value_sql("''") if parameter else "1"
    con.execute(
        f"create table village as select division, {workers} as workers, coalesce(was, 0) as was, "
        f"coalesce(was, 0) + coalesce(net, 0) as is_now from "
        f"(select distinct division, date '{asked[-1]}' as law_on from person "
        f"where division <> '' and person_key in (select subject from subjects)) "
        f"left join (select division, count(*) as was from event where side = 'before' and what = 'begun' "
        f"and rule in ({alerts}) and rule in ({listed(sorted(change.changed))}) group by 1) using (division) "
        f"left join (select division, sum(if(sign = 'more', 1, -1)) as net from differing where what = 'begun' "
        f"and rule in ({alerts}) group by 1) using (division)"
    )
    (counted,) = con.execute(
        f"select count(*), avg(was / {weeks} / workers), avg(is_now / {weeks} / workers), "
        f"max(was / {weeks} / workers), max(is_now / {weeks} / workers) from village"
    ).fetchall()
    top = con.execute(
        f"select division, workers, was / {weeks} / workers, is_now / {weeks} / workers from village "
        f"where was > 0 or is_now > 0 order by 4 desc, 3 desc, 1 limit {EXAMPLES}"
    ).fetchall()
    names = ("villages", "mean_before", "mean_after", "most_before", "most_after")
    return {
        "weeks": weeks,
        **dict(zip(names, counted, strict=True)),
        "busiest": [dict(zip(("village", "workers", "before", "after"), row, strict=True)) for row in top],
    }
