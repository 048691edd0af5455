"""Statements whose plan is kept on a connection: planning them costs more than the work of a small slice.

DuckDB 1.5 plans a prepared statement once, and at every execution again as soon as the catalog has changed since.
So a cycle creates, registers and redefines nothing; whoever has to calls `forget`. A kept plan must not rely on
what the tables held when it was made: planning propagates no statistics (docs/adr/0012).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import duckdb

Connection = duckdb.DuckDBPyConnection
SMALL = 2_000
"""For more subjects than this a plan of its own pays: it knows how many rows there are now."""
_USES = 256
"""A kept plan is made anew after at most so many uses, as its tables have grown; half as many at least."""


@dataclass(slots=True)
class _Plans:
    names: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    kept: bool = True


_plans: WeakKeyDictionary[Connection, _Plans] = WeakKeyDictionary()


def run(con: Connection, sql: str) -> Connection:
    """Execute SQL whose text is the same from slice to slice."""
    plans = _of(con)
    if not plans.kept:
        return con.execute(sql)
    left = plans.left.get(sql, 0)
    name = plans.names.setdefault(sql, f"kept_{len(plans.names)}")
    if not left:
        con.execute("set disabled_optimizers = 'statistics_propagation'")
        try:
            con.execute(f"prepare {name} as {sql}")
        finally:
            con.execute("reset disabled_optimizers")
        # Each after another number of uses: a cycle that plans everything anew takes three times as long.
        left = _USES - zlib.crc32(sql.encode()) % (_USES // 2)
    plans.left[sql] = left - 1
    return con.execute(f"execute {name}")


def count(con: Connection, sql: str) -> int:
    """The number that a statement answers with: rows changed, or its only value."""
    return int(run(con, sql).fetchall()[0][0])


def expect(con: Connection, subjects: int) -> None:
    """Say how many subjects the statements to come are about."""
    plans = _of(con)
    plans.kept = subjects <= SMALL
    if not plans.kept:
        forget(con)


def forget(con: Connection) -> None:
    """The catalog has changed, or the tables have grown by much: plan anew."""
    _of(con).left.clear()


def _of(con: Connection) -> _Plans:
    return _plans.setdefault(con, _Plans())
