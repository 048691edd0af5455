"""A partition's kept records: one append-only table of versions per topic, made from the schemas.

Nothing is ever updated. What is current is a question: of one record the greatest version wins,
in whatever order, lane or slice the versions arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl

from domain.plans import run
from domain.stage import Stamp
from schemas.load import Node, of_topic

POSITION = 'published_at, lane, "partition", "offset"'
"""Columns that say where a record stands in the log, so that a decision can name it."""

ENVELOPE = f"person_key, record_id, division, occurred_at, {POSITION}"
"""Columns of every fact over a department's records."""

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
_BATCH = 2_048
"""Rows of a batch: a vector of DuckDB's."""


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

    def append(self, con: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> pl.DataFrame:
        """Keep the records of a slice; returns whom they touch, as rows of the temp table ``touched``."""
        names = ", ".join(f'"{c}"' for c in columns_of(self.topic))
        rows = stream(frame)  # noqa: F841 - read by the SQL
        con.execute(
            f'insert into {self.table} (lane, "partition", "offset", {names}) '
            f"select _lane, _partition, _offset, {names} from rows"
        )
        known = "baseline" in frame.columns
        first_load = frame["baseline"] if known else pl.Series("baseline", np.zeros(frame.height, np.bool_))
        return pl.DataFrame(
            [frame[self.subject].alias("subject"), frame[self.caused_at].alias("caused_at"), first_load]
        )

    def current(self, selected: str, columns: Iterable[str]) -> str:
        """SQL of columns of the current rows of the subjects that a query of one column names.

        An aggregate, not a window, which costs twice as much for a few rows (measured).
        """
        row = ", ".join(f'"{c}" := "{c}"' for c in columns)
        return (
            f"(select unnest(newest.said) from (select arg_max({{'gone': {self.gone}, 'said': struct_pack({row})}}, "
            f"row({', '.join(self.order)})) as newest from {self.table} where {self.subject} in ({selected}) "
            f"group by {', '.join((*self.key, self.subject))}) where not newest.gone)"
        )


class _Stream:
    """A frame as DuckDB reads it fastest: as a stream of Arrow's, past pyarrow's data sets."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(schema)


def stream(frame: pl.DataFrame) -> object:
    """A frame for DuckDB, named in FROM by the variable that holds it; times without their zone, which is UTC."""
    return _Stream(zoneless(frame))


def zoneless(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its times (UTC) as DuckDB keeps them: without a zone."""
    return pl.DataFrame(
        [c.cast(pl.Datetime(c.dtype.time_unit)) if isinstance(c.dtype, pl.Datetime) else c for c in frame]
    )


def columns_of(topic: str) -> dict[str, str]:
    """Column name to SQL type for a topic's schema, without what is not kept."""
    return {f.name: _sql_type(f.node) for f in of_topic(topic).fields if f.name not in _UNKEPT}


def _sql_type(node: Node) -> str:
    if node.kind == "array" and node.items is not None:
        return f"{_sql_type(node.items.node)}[]"
    if node.kind == "record":
        return f"struct({', '.join(f'{f.name} {_sql_type(f.node)}' for f in node.fields)})"
    return _LOGICAL.get(node.logical) or _TYPES[node.kind]


def outgoing(con: duckdb.DuckDBPyConnection, topic: str, sql: str, stamp: Stamp, **more: object) -> pl.DataFrame:
    """The rows of a query (with ``baseline``) as a frame of the topic's schema, stamped with who decided.

    ``more``: values of further columns, the same in every row.
    """
    who = {name: getattr(stamp, name) for name in ("stage", "state_partition", "epoch", "seq", "decided_at")}
    dtypes = of_topic(topic).dtypes
    # Each batch makes room for all rows that it may hold: for a few, a million (the default) cost a tenth of a cycle.
    frame = pl.DataFrame(run(con, sql).to_arrow_reader(_BATCH))
    same = [pl.Series(name, [value]).new_from_index(0, frame.height) for name, value in {**who, **more}.items()]
    said = {column.name: column for column in (*frame, *same)}
    said["baseline"] |= stamp.baseline
    return pl.DataFrame([said[name].cast(dtype) for name, dtype in dtypes.items()])
