"""Statements whose plan is kept on a connection: planning them costs more than the work of a small slice.

DuckDB 1.5 plans a prepared statement once, and at every execution again as soon as the catalog has changed since.
So a cycle creates, registers and redefines nothing; whoever has to calls `forget`. A kept plan must not rely on
what the tables held when it was made: planning propagates no statistics (docs/adr/0012).
"""

from __future__ import annotations

import importlib.util
import sys
import threading
import zlib
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import duckdb
import polars as pl  # noqa: F401 - looks for pandas once, and may


class _Absent:
    """Says at once that a module is not installed."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if importlib.util.find_spec("pandas") is None:
    # DuckDB asks for pandas at every value given to a statement. Where it is not installed, the whole path is searched
    # each time: a tenth of a millisecond for every member of a list.
    sys.meta_path.insert(0, _Absent)

Connection = duckdb.DuckDBPyConnection
SMALL = 2_000
"""For more subjects than this a plan of its own pays: it knows how many rows there are now."""
_USES, _MOST = 256, 8_192
"""A kept plan is made anew after at most so many uses, as its tables have grown; then after twice as many, and so on,
to the most: what grows by what is taken in doubles as slowly. Half as many at least."""


@dataclass(slots=True)
class _Plans:
    names: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    kept: bool = True


_plans: WeakKeyDictionary[Connection, _Plans] = WeakKeyDictionary()
_planning = threading.Lock()
"""The setting is the whole database's: a thread that took it back on another connection, while a plan is being made,
would make it one that relies on statistics."""


def run(con: Connection, sql: str) -> Connection:
    """Execute SQL whose text is the same from slice to slice."""
    plans = _of(con)
    if not plans.kept:
        return con.execute(sql)
    keep(con, sql)
    plans.left[sql] -= 1
    return con.execute(f"execute {plans.names[sql]}")


def keep(con: Connection, sql: str) -> bool:
    """Make the plan of such a statement before it is needed; whether there was none."""
    plans = _of(con)
    if plans.left.get(sql):
        return False
    name = plans.names.setdefault(sql, f"kept_{len(plans.names)}")
    with _planning:
        con.execute("set disabled_optimizers = 'statistics_propagation'")
        try:
            con.execute(f"prepare {name} as {sql}")
        finally:
            con.execute("reset disabled_optimizers")
    uses = min(_USES << plans.made.get(sql, 0), _MOST)
    plans.made[sql] = plans.made.get(sql, 0) + 1
    # Each after another number of uses: a cycle that plans everything anew takes three times as long.
    plans.left[sql] = uses - zlib.crc32(sql.encode()) % (uses // 2)
    return True


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
    plans = _of(con)
    plans.left.clear()
    plans.made.clear()


def _of(con: Connection) -> _Plans:
    return _plans.setdefault(con, _Plans())
