"""A stage small enough to see through, to test the runtime: who has paid more than 1,000 yuan.

python toy_stage.py        with the DOUDI_* variables of a stack
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from domain.questions import Reply
from domain.stage import Stamp
from schemas import load

LIMIT = 100_000
CHUNK = 2  # persons of a sweep
DAY = date(2026, 3, 1)


class ToyStage:
    """Sums per person over the latest versions; a condition above the limit; a member row for everybody."""

    name = "persons"
    inputs = ("medical.settlement", "hub.tick")
    outputs = ("hub.condition", "hub.member")

    def __init__(self, rules_version: str = "toy-1", limit: int = LIMIT) -> None:
        self.rules_version = rules_version
        self._limit = limit

    def create(self, con: duckdb.DuckDBPyConnection) -> None:
        con.execute("""
            CREATE TABLE IF NOT EXISTS bill(person VARCHAR, record VARCHAR, version BIGINT, lane TINYINT,
                                            amount BIGINT, gone BOOLEAN);
            CREATE INDEX IF NOT EXISTS bill_person ON bill(person);
            CREATE TABLE IF NOT EXISTS told(person VARCHAR, total BIGINT, standing BOOLEAN);
            CREATE TABLE IF NOT EXISTS today(day DATE);
            CREATE TABLE IF NOT EXISTS unswept(person VARCHAR);
            CREATE TEMP TABLE IF NOT EXISTS touched(person VARCHAR)
        """)

    def ingest(self, con: duckdb.DuckDBPyConnection, frames: Iterable[tuple[str, pl.DataFrame]]) -> None:
        for topic, frame in frames:
            con.register("frame_in", frame)
            if topic == "hub.tick":
                con.execute("INSERT INTO today SELECT day FROM frame_in")
            else:
                con.execute("""INSERT INTO bill SELECT person_key, record_id, record_version, _lane,
                               coalesce(psn_part_amt_fen, 0), op = 'delete' FROM frame_in""")
                con.execute("INSERT INTO touched SELECT DISTINCT person_key FROM frame_in")
            con.unregister("frame_in")

    def evaluate(
        self, con: duckdb.DuckDBPyConnection, stamp: Stamp, *, everybody: bool = False, chunks: int | None = None
    ) -> dict[str, pl.DataFrame]:
        if con.execute("SELECT max(day) FROM today").fetchall()[0][0] is None:
            return {}
        if everybody:
            con.execute("DELETE FROM unswept")
            con.execute("INSERT INTO unswept SELECT DISTINCT person FROM bill")
        people = [p for (p,) in con.execute("SELECT DISTINCT person FROM touched").fetchall()]
        con.execute("DELETE FROM touched")
        some = "" if chunks is None else f"LIMIT {chunks * CHUNK}"
        swept = [p for (p,) in con.execute(f"SELECT person FROM unswept ORDER BY person {some}").fetchall()]
        con.execute("DELETE FROM unswept WHERE person IN (SELECT unnest(?))", [swept])
        people = sorted({*people, *swept})
        if not people:
            return {}
        con.register("asked", pl.DataFrame({"person": people}))
        some = ",".join(f"'{p}'" for p in people) if len(people) <= 200 else "SELECT person FROM asked"
        latest = "(version, lane)"
        new = _frame(
            con.execute(f"""
            SELECT person, coalesce(sum(amount) FILTER (NOT gone), 0)::BIGINT total FROM (
                SELECT person, record, arg_max(amount, {latest}) amount, arg_max(gone, {latest}) gone
                FROM bill WHERE person IN ({some}) GROUP BY ALL) GROUP BY person""")
        )
        con.register("fresh", new)
        changed = _frame(
            con.execute(f"""
            SELECT person, fresh.total, fresh.total > {self._limit} AS standing,
                   coalesce(told.standing, false) AS was
            FROM fresh LEFT JOIN told USING (person)
            WHERE told.person IS NULL OR told.total != fresh.total
               OR told.standing != (fresh.total > {self._limit}) ORDER BY person""")
        )
        con.register("changed", changed)
        con.execute("DELETE FROM told WHERE person IN (SELECT person FROM changed)")
        con.execute("INSERT INTO told SELECT person, total, standing FROM changed")
        for name in ("asked", "fresh", "changed"):
            con.unregister(name)
        return {
            "hub.condition": self._conditions(changed, stamp),
            "hub.member": self._members(changed, stamp),
        }

    def _conditions(self, changed: pl.DataFrame, stamp: Stamp) -> pl.DataFrame:
        rows = [condition(p, total, now, stamp) for p, total, now, was in changed.rows() if now or was]
        return pl.DataFrame(rows, schema=load.of_topic("hub.condition").dtypes)

    def _members(self, changed: pl.DataFrame, stamp: Stamp) -> pl.DataFrame:
        rows = [member(p, total, stamp) for p, total, _, _ in changed.rows()]
        return pl.DataFrame(rows, schema=load.of_topic("hub.member").dtypes)

    def rehearse(self, con: duckdb.DuckDBPyConnection, division_default: str) -> bool:
        return False

    def unswept(self, con: duckdb.DuckDBPyConnection) -> int:
        left: int = con.execute("SELECT count(*) FROM unswept").fetchall()[0][0]
        return -(-left // CHUNK)

    def adopt(self, con: duckdb.DuckDBPyConnection, topic: str, frame: pl.DataFrame) -> None:
        if topic == "hub.member":  # everybody's total
            con.execute("DELETE FROM told")
            con.register(
                "standing_in",
                frame.select("person_key", pl.col("years").list.first().struct.field("self_pay_fen").alias("total")),
            )
            con.execute("INSERT INTO told SELECT person_key, total, false FROM standing_in")
            con.unregister("standing_in")
            con.execute("UPDATE told SET standing = true WHERE person IN (SELECT person FROM adopted)")
        else:
            con.execute("CREATE TEMP TABLE IF NOT EXISTS adopted(person VARCHAR)")
            con.execute("DELETE FROM adopted")
            con.register("standing_in", frame.select("subject_key"))
            con.execute("INSERT INTO adopted SELECT subject_key FROM standing_in")
            con.unregister("standing_in")

    def unknown(self, con: duckdb.DuckDBPyConnection) -> dict[str, int]:
        return {"T01": con.execute("SELECT count(*) FROM told WHERE total < 0").fetchall()[0][0]}


def _frame(result: Any) -> pl.DataFrame:
    frame = pl.from_arrow(result.to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def condition(person: str, total: int, standing: bool, stamp: Stamp) -> dict[str, Any]:
    """A row of hub.condition."""
    dtypes = load.of_topic("hub.condition").dtypes
    row: dict[str, Any] = {n: "" if d == pl.String else 0 for n, d in dtypes.items()}
    return row | {
        "condition_id": f"T01:{person}:2026",
        "state": "standing" if standing else "ended",
        "stage": stamp.stage,
        "state_partition": stamp.state_partition,
        "epoch": stamp.epoch,
        "seq": stamp.seq,
        "rule": "T01",
        "subject_key": person,
        "evidence": json.dumps({"total": total}),
        "baseline": stamp.baseline,
        "cause": "" if standing else "corrected",
        "as_of": DAY,
        "caused_at": stamp.decided_at,
        "decided_at": stamp.decided_at,
    }


def member(person: str, total: int, stamp: Stamp) -> dict[str, Any]:
    """A row of hub.member; the household is the person's key backwards."""
    return {
        "household_key": person[::-1],
        "person_key": person,
        "stage": stamp.stage,
        "state_partition": stamp.state_partition,
        "epoch": stamp.epoch,
        "seq": stamp.seq,
        "present": True,
        "division": "",
        "head": False,
        "alive": True,
        "tier": "",
        "years": [{"year": 2026, "self_pay_fen": total, "aided_self_pay_fen": 0}],
        "severe_disability": False,
        "wards_severe": 0,
        "able": False,
        "in_work": False,
        "days": [],
        "caused_at": stamp.decided_at,
        "baseline": stamp.baseline,
    }


def answer(con: duckdb.DuckDBPyConnection, stage: Any, question: Mapping[str, Any], _: str) -> Reply:
    """What a person has paid. ``slow``: the question takes a while; ``broken``: it fails."""
    if question["rule"] == "broken":
        raise RuntimeError(stage.name)
    if question["rule"] == "slow":
        time.sleep(5)
    person = question["subject_key"]
    ((total,),) = con.execute(
        "SELECT sum(amount) FILTER (NOT gone) FROM (SELECT record, arg_max(amount, (version, lane)) amount, "
        "arg_max(gone, (version, lane)) gone FROM bill WHERE person = ? GROUP BY record)",
        [person],
    ).fetchall()
    return Reply({"total": int(total or 0)})


def bills(rows: Iterable[tuple[str, str, int, int, str]]) -> pl.DataFrame:
    """Settlements of (person, record, version, amount in fen, op)."""
    moment = datetime.now(UTC)
    data = [
        {
            "event_id": f"{r}-{v}",
            "source": "toy",
            "source_epoch": 1,
            "record_id": r,
            "record_version": v,
            "op": op,
            "person_key": p,
            "division": "990101001001",
            "occurred_at": moment,
            "published_at": moment,
            "psn_part_amt_fen": a,
        }
        for p, r, v, a, op in rows
    ]
    kinds = load.of_topic("medical.settlement").dtypes
    return pl.DataFrame(data, schema={n: kinds[n] for n in data[0]}) if data else pl.DataFrame()


if __name__ == "__main__":
    from agents.worker import run_stage
    from wire.settings import Settings

    settings = Settings()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(process)d %(levelname)s %(message)s"
    )
    for quiet in ("faust", "mode", "aiokafka", "httpx", "agents.transport"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    logging.info("toy worker starts at %.1f", time.time())
    version = sys.argv[1] if len(sys.argv) > 1 else "toy-1"
    run_stage(ToyStage(version, LIMIT if version == "toy-1" else LIMIT // 2), settings, answer)
