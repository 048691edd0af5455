"""Facts: SQL views over the current records of the subjects touched, one file each, in reading order by reference.

A file is one SELECT. ``{civil.roster}`` stands for the topic's current records, ``{envelope}`` for the
columns that trace a row to its record; every other table it names is another file of the folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from domain import tiers
from domain.records import ENVELOPE, Kept, columns_of

TOPIC = re.compile(r"\{([a-z_]+\.[a-z_]+)\}")
"""How a view names a topic."""
_PLACE = ("lane", "partition", "offset")
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Fact:
    """One view. ``topic`` is the topic whose records it shows, and ``columns`` those of them that it uses;
    empty where it is made of other facts.

    ``driver`` is the fact that its rows come from: without rows there, it has none either.
    ``view``: rows of others side by side, looked at rather than filled.
    """

    name: str
    sql: str
    topic: str
    columns: tuple[str, ...]
    reads: frozenset[str]
    driver: str
    view: bool

    def over(self, kept: Mapping[str, Kept], selected: str, division_default: str = "") -> str:
        """The SELECT over the current records of the selected subjects."""
        sql = self.sql.replace("{division_default}", _quoted(division_default))
        return TOPIC.sub(lambda m: kept[m[1]].current(selected, self.columns), sql)


@cache
def load(folder: str) -> tuple[Fact, ...]:
    """The facts of a stage (``persons`` or ``households``), each behind those that it reads."""
    found = {path.stem: _fact(path) for path in sorted((_HERE / folder).glob("*.sql"))}
    order = TopologicalSorter({n: sorted(f.reads & found.keys()) for n, f in found.items()}).static_order()
    return tuple(found[name] for name in order)


def _fact(path: Path) -> Fact:
    text = path.read_text(encoding="utf-8").replace("{envelope}", ENVELOPE)
    topics = TOPIC.findall(text)
    tree = sqlglot.parse_one(TOPIC.sub(lambda m: "kept", text), read="duckdb")
    inner = {cte.alias: cte.this for cte in tree.find_all(exp.CTE)}
    tables = [t.name for t in tree.find_all(exp.Table) if t.name not in inner]
    driver = "" if topics else _driver(tree, inner)
    view = bool(driver) and tree.find(exp.Group) is None
    named = {column.name for column in tree.find_all(exp.Column)}
    columns = tuple(c for c in (*_PLACE, *columns_of(topics[0])) if c in named) if topics else ()
    return Fact(path.stem, text, topics[0] if topics else "", columns, frozenset(tables), driver, view)


def _driver(tree: exp.Expr, inner: dict[str, exp.Expr]) -> str:
    """The table behind the outermost FROM, looking into WITH; empty where rows come from several."""
    source = tree.args.get("from_") or tree.args.get("from")
    table = source.this if source is not None else None
    if not isinstance(table, exp.Table):
        return ""
    return _driver(inner[table.name], inner) if table.name in inner else table.name


def macros(day: str, coverage: Iterable[tuple[str, str]], tier_kept: str = "null") -> tuple[str, ...]:
    """SQL that defines ``as_of()``, ``covered(topic, division)`` and ``tier_kept(tier, division, law_on)`` anew.

    ``day``: ISO date for which is asked; ``coverage``: (topic, division prefix) in force on that day;
    ``tier_kept``: SQL over the macro's arguments, 0 where the law no longer has the tier on that day.
    """
    by_topic: dict[str, list[str]] = {}
    for topic, prefix in coverage:
        by_topic.setdefault(topic, []).append(f"starts_with(division, '{_quoted(prefix)}')")
    cases = " ".join(f"when '{_quoted(t)}' then {' or '.join(tests)}" for t, tests in by_topic.items())
    covered = f"case topic {cases} else false end" if cases else "false"
    return (
        f"create or replace temp macro as_of() as date '{day}'",
        f"create or replace temp macro covered(topic, division) as {covered}",
        f"create or replace temp macro tier_kept(tier, division, law_on) as coalesce({tier_kept}, 1) = 1",
    )


def constant_macros() -> tuple[str, ...]:
    """SQL of the macros that never change. Local time is UTC+8 (Asia/Shanghai, no summer time)."""
    return (
        "create or replace temp macro local_day(instant) as cast(instant + interval 8 hour as date)",
        # A third of the cost of list(distinct …), which keeps a hash table of its own.
        "create or replace temp macro distinct_list(items) as coalesce(list_sort(list_distinct(items)), [])",
        "create or replace temp macro lasting(kind) as kind in ('dibao', 'tekun', 'living_subsidy', 'care_subsidy')",
        "create or replace temp macro is_aid(kind) as kind in ('temporary_aid', 'medical_aid')",
        *tiers.macros(),
    )


def create(con: duckdb.DuckDBPyConnection, folder: str, kept: dict[str, Kept]) -> None:
    """Create the temp table (empty) or view of every fact of a stage; the kept tables must be there."""
    for statement in (*constant_macros(), *macros("0001-01-01", [])):
        con.execute(statement)
    for fact in load(folder):
        kind, end = ("view", "") if fact.view else ("table", " limit 0")
        con.execute(f"create or replace temp {kind} {fact.name} as {fact.over(kept, 'null')}{end}")


def empty(folder: str) -> duckdb.DuckDBPyConnection:
    """A connection in memory that holds a stage's facts over no records. The caller closes it."""
    con = duckdb.connect()
    kept = kept_of(folder)
    for k in kept.values():
        k.create(con)
    create(con, folder, kept)
    return con


@cache
def columns(folder: str) -> dict[str, dict[str, str]]:
    """Fact name to its columns (name to SQL type)."""
    con = empty(folder)
    try:
        return {
            fact.name: {name: kind for name, kind, *_ in con.execute(f"describe {fact.name}").fetchall()}
            for fact in load(folder)
        }
    finally:
        con.close()


@cache
def kept_of(folder: str) -> dict[str, Kept]:
    """How the topics that a stage's facts read are kept."""
    special = {
        "hub.relation": Kept(
            "hub.relation",
            key=("relation", "other_key", "record_id"),
            order=("epoch", "seq", '"offset"'),
            gone="not present",
            caused_at="caused_at",
        ),
        "hub.member": Kept(
            "hub.member",
            subject="household_key",
            key=("person_key",),
            order=("epoch", "seq", '"offset"'),
            gone="not present",
            caused_at="caused_at",
        ),
    }
    topics = sorted({fact.topic for fact in load(folder) if fact.topic})
    return {topic: special.get(topic) or Kept(topic) for topic in topics}


def _quoted(text: str) -> str:
    return text.replace("'", "''")
