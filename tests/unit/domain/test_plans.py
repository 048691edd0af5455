"""Kept plans: right whatever the tables held when they were made, planned anew when the catalog changes."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import Any

import duckdb
import pytest

from domain.plans import SMALL, expect, forget, keep, run

EXTREMES = "insert into t values (null, null), (-2147483648, 5), (2147483647, 6)"
QUESTIONS = (
    "select a, count(*) from t group by a order by a",
    "select count(*), min(a), max(a) from t",
    "select * from t where a < 100 order by all",
    "select count(*) from t where a > 50",
    "select x.a from t x join t y using (a) order by 1",
    "select a from t where a is not null order by a",
    "select distinct on (a) a, b from t order by a, b",
    "select * from t where b in (select b from t where a < 5) order by all",
    "select a, sum(b) over (partition by a) from t order by all",
    "select * from t qualify row_number() over (partition by b order by a desc) = 1 order by all",
)


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 1})
    con.execute("create table t (a integer, b integer)")
    return con


@pytest.mark.parametrize("before", ["select 1", "insert into t values (1, 1), (2, 2)"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_plan_made_over_little_answers_rightly_over_much(
    con: duckdb.DuckDBPyConnection, before: str, question: str
) -> None:
    con.execute(before)
    run(con, question).fetchall()
    con.execute("insert into t select range * 1000, range from range(200)")
    con.execute(EXTREMES)
    assert run(con, question).fetchall() == con.execute(question).fetchall()
    con.execute("delete from t")
    assert run(con, question).fetchall() == con.execute(question).fetchall()


def test_the_engine_would_answer_wrongly_with_statistics(con: duckdb.DuckDBPyConnection) -> None:
    """Why plans are made without them. If this fails, the engine has been mended and the setting may go."""
    con.execute("insert into t values (1, 1), (2, 2)")
    con.execute("prepare kept as select count(*) from t where a > 50")
    con.execute("insert into t values (100, 1)")
    assert con.execute("execute kept").fetchall() == [(0,)]


def test_a_plan_made_while_another_thread_makes_one_relies_on_no_statistics(con: duckdb.DuckDBPyConnection) -> None:
    """Questions are answered on a cursor of the same database, whose settings are those of all its connections."""
    con.execute("insert into t values (1, 1), (2, 2)")
    asking = threading.Thread(target=lambda: run(con.cursor(), "select count(*) from t"))

    class Interrupted:
        def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
            if sql.startswith("prepare"):
                asking.start()
                asking.join(0.3)  # it ends at once, or waits until this plan is made
            return con.execute(sql)

    interrupted: Any = Interrupted()
    question = "select count(*) from t where a > 50"
    assert run(interrupted, question).fetchall() == [(0,)]
    asking.join()
    con.execute("insert into t values (100, 1)")
    assert run(interrupted, question).fetchall() == [(1,)]


def test_a_macro_defined_anew_counts_after_forgetting(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create temp macro m() as 1")
    assert run(con, "select m()").fetchall() == [(1,)]
    con.execute("create or replace temp macro m() as 2")
    forget(con)
    assert run(con, "select m()").fetchall() == [(2,)]


def test_many_subjects_are_planned_for_themselves(con: duckdb.DuckDBPyConnection) -> None:
    expect(con, SMALL + 1)
    run(con, "select count(*) from t")
    assert con.execute("select count(*) from duckdb_prepared_statements()").fetchall() == [(0,)]
    expect(con, 1)
    run(con, "select count(*) from t")
    assert con.execute("select count(*) from duckdb_prepared_statements()").fetchall() == [(1,)]


def test_other_statements_keep_their_optimizer(con: duckdb.DuckDBPyConnection) -> None:
    run(con, "select count(*) from t")
    assert con.execute("select current_setting('disabled_optimizers')").fetchall() == [("",)]


def test_plans_are_made_anew_at_different_times(con: duckdb.DuckDBPyConnection) -> None:
    """A cycle that planned everything anew would be slow; each plan is nevertheless of the last uses, ever more."""
    made: dict[str, list[int]] = {}

    class Watched:
        def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
            if sql.startswith("prepare"):
                made.setdefault(sql, []).append(cycle)
            return con.execute(sql)

    watched: Any = Watched()
    for cycle in range(1_000):  # noqa: B007 - the watched connection notes it
        for number in range(40):
            run(watched, f"select {number}")
    assert len(made) == 40
    for cycles in made.values():
        first, second, third, *_ = [*cycles, 1_000, 1_000]
        assert first == 0
        assert 128 < second - first <= 256
        assert 256 < third - second <= 512
    again = Counter(cycle for cycles in made.values() for cycle in cycles[1:])
    assert max(again.values()) <= 10


def test_a_plan_kept_ahead_is_the_one_that_is_used(con: duckdb.DuckDBPyConnection) -> None:
    assert keep(con, "select count(*) from t")
    assert not keep(con, "select count(*) from t")
    con.execute("insert into t values (1, 1)")
    assert run(con, "select count(*) from t").fetchall() == [(1,)]
    assert con.execute("select count(*) from duckdb_prepared_statements()").fetchall() == [(1,)]
    forget(con)
    assert keep(con, "select count(*) from t")


def test_a_list_of_values_is_given_without_looking_for_pandas(con: duckdb.DuckDBPyConnection) -> None:
    """DuckDB asks for pandas at every value; each time the whole path would be searched for it."""
    searched: list[str] = []

    class Behind:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            searched.append(name)

    sys.meta_path.insert(1, Behind)  # type: ignore[arg-type]
    try:
        assert con.execute("select len(?::varchar[])", [["a", "b"]]).fetchall() == [(2,)]
    finally:
        sys.meta_path.remove(Behind)  # type: ignore[arg-type]
    assert "pandas" not in searched
