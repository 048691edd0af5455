"""A partition's kept records: one append-only table of versions per topic, made from the schemas.

Nothing is ever updated. What is current is a question: of one record the greatest version wins,
in whatever order, lane or slice the versions arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import duckdb
import polars as pl
from polars import selectors as cs

from schemas.load import Node, of_topic

SMALL, SMALLEST, ROWS_A_LOOKUP = 500, 8, 16_000
"""Up to so many subjects are looked up by a list of constants (index), more by a join (scan): one look-up
costs as much as the scan of that many rows (measured)."""

POSITION = 'published_at, lane, "partition", "offset"'
"""Columns that say where a record stands in the log, so that a decision can name it."""

ENVELOPE = f"person_key, record_id, division, occurred_at, {POSITION}"
"""Columns of every fact over a department's records."""

_SLICE = "_slice"
_TYPES = {
    "string": "varchar",
    "bytes": "blob",
    "int": "integer",
    "long": "bigint",
    "double": "double",
    "boolean": "boolean",
    "enum": "varchar",
}
_LOGICAL = {"date": "date", "timestamp-millis": "timestamp"}
_UNKEPT = {"event_id"}


@dataclass(frozen=True, slots=True)
class Kept:
    """How the records of one topic are kept and folded.

    ``subject`` is the column screening goes by (person or household), ``key`` what makes a record
    within the subject, ``order`` what makes a version greater, ``gone`` when the winner says that
    the record is no more.
    """

    topic: str
    subject: str = "person_key"
    key: tuple[str, ...] = ("record_id", "source")
    order: tuple[str, ...] = ("source_epoch", "record_version", "lane", '"offset"')
    gone: str = "op = 'delete'"
    caused_at: str = "published_at"

    @property
    def table(self) -> str:
        """Name of the table."""
        return f"kept_{self.topic.replace('.', '_')}"

    def create(self, con: duckdb.DuckDBPyConnection) -> None:
        """Create the table and its index, or add the columns that the schema gained since."""
        columns = columns_of(self.topic)
        wanted = "".join(f', "{name}" {sql_type}' for name, sql_type in columns.items())
        con.execute(
            f'create table if not exists {self.table} (lane tinyint, "partition" integer, "offset" bigint{wanted})'
        )
        there = {name for name, *_ in con.execute(f"describe {self.table}").fetchall()}
        for name in columns.keys() - there:
            con.execute(f'alter table {self.table} add column "{name}" {columns[name]}')
        con.execute(f"create index if not exists {self.table}_by_subject on {self.table}({self.subject})")

    def append(self, con: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> None:
        """Keep the records of a slice and note their subjects in the temp table ``touched``."""
        names = ", ".join(f'"{c}"' for c in columns_of(self.topic))
        baseline = "bool_and(baseline)" if "baseline" in columns_of(self.topic) else "false"
        con.register(_SLICE, frame.with_columns(cs.datetime().dt.replace_time_zone(None)))
        try:
            con.execute(
                f'insert into {self.table} (lane, "partition", "offset", {names}) '
                f"select _lane, _partition, _offset, {names} from {_SLICE}"
            )
            con.execute(
                f"insert into touched select {self.subject}, max({self.caused_at}), {baseline} from {_SLICE} group by 1"
            )
        finally:
            con.unregister(_SLICE)

    def current(self, selected: str) -> str:
        """SQL of the current rows of the selected subjects. ``selected`` is what stands behind IN."""
        return (
            f"(select * from {self.table} where {self.subject} in {selected} "
            f"qualify row_number() over (partition by {', '.join(self.key)}, {self.subject} "
            f"order by {', '.join(f'{c} desc' for c in self.order)}) = 1 and not ({self.gone}))"
        )


def few(rows: int) -> int:
    """How many subjects are few where so many versions are kept."""
    return min(SMALL, max(SMALLEST, rows // ROWS_A_LOOKUP))


def among(con: duckdb.DuckDBPyConnection, subjects: str, limit: int) -> str:
    """What stands behind IN to select subjects given as a query of one column: constants if they are few."""
    found = con.execute(f"{subjects} limit {limit + 1}").fetchall()
    return f"({', '.join(_literal(s) for (s,) in found)})" if len(found) <= limit else f"({subjects})"


@lru_cache(maxsize=256)
def _parsed(sql: str) -> duckdb.Statement:
    """A statement ready to be planned: parsing is a quarter of what a small slice costs."""
    return _parser().extract_statements(sql)[0]


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def run(con: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection:
    """Execute SQL whose text is the same from slice to slice."""
    return con.execute(_parsed(sql))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def columns_of(topic: str) -> dict[str, str]:
    """Column name to SQL type for a topic's schema, without what is not kept."""
    return {f.name: _sql_type(f.node) for f in of_topic(topic).fields if f.name not in _UNKEPT}


def _sql_type(node: Node) -> str:
    if node.kind == "array" and node.items is not None:
        return f"{_sql_type(node.items.node)}[]"
    if node.kind == "record":
        return f"struct({', '.join(f'{f.name} {_sql_type(f.node)}' for f in node.fields)})"
    return _LOGICAL.get(node.logical) or _TYPES[node.kind]


def outgoing(con: duckdb.DuckDBPyConnection, topic: str, sql: str) -> pl.DataFrame:
    """The rows of a query as a frame with exactly the columns and types of the topic's schema."""
    dtypes = of_topic(topic).dtypes
    names = ", ".join(f'"{name}"' for name in dtypes)
    frame: pl.DataFrame = con.sql(f"select {names} from ({sql})").pl()
    return frame.select(
        pl.col(name).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
        if isinstance(dtype, pl.Datetime)
        else pl.col(name).cast(dtype)
        for name, dtype in dtypes.items()
    )
