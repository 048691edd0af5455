"""How near the rules come to those for whom they do not stand."""

from __future__ import annotations

import duckdb

from domain.screening import Screening
from domain.whynot import conditions


def near_misses(con: duckdb.DuckDBPyConnection, stage: Screening, division_default: str = "") -> dict[str, int]:
    """Rule to how many rows of its facts it nearly stands for, over everybody of a state, between cycles.

    Nearly: one condition of its ``when`` is not met (or nobody can say), or all are and the period is over, the
    help is on record or what it rests on was corrected. Changes nothing.
    """
    everybody = [subject for (subject,) in con.execute(stage.recorded).fetchall()]
    with stage.facts_of(con, everybody, division_default):
        return {rule: _near(con, stage, rule) for rule in stage.compiled}


def _near(con: duckdb.DuckDBPyConnection, stage: Screening, rule: str) -> int:
    compiled = stage.compiled[rule]
    unmet: dict[bool, list[str]] = {True: [], False: []}
    for condition in conditions(compiled):
        unmet[condition.part == "when"].append(f"(({condition.sql}) is not true)::integer")
    when, beyond = (" + ".join(unmet[part]) or "0" for part in (True, False))
    ((rows,),) = con.execute(
        f"select count(*) from {compiled.source} where {when} = 1 or {when} = 0 and {beyond} > 0"
    ).fetchall()
    return int(rows)
