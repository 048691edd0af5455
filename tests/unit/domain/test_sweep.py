"""Everybody is decided for in chunks, which lie in the file: whoever is touched comes first, and nobody is left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pytest

from domain import screening
from domain.parameters import Value
from domain.rules import RuleBook
from domain.screening import PersonStage
from domain.stage import Stamp
from domain.trial import Trial
from tests.unit.domain.test_screening import BOOK, LATE, TODAY, bill, entry

PEOPLE = [f"p{n}" for n in range(7)]


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """Seven people whose bills are above R01's threshold; nothing is decided yet. A chunk is two of them."""
    monkeypatch.setattr(screening, "CHUNK", 2)
    with closing(Trial(BOOK)) as hub:
        hub.cover("civil.roster", "medical.settlement", "civil.benefit", "vital.life_event")
        for person in PEOPLE:
            hub.give("civil.roster", entry(f"e-{person}", person=person))
            hub.give("medical.settlement", bill(f"b-{person}", 250_000, person=person))
        decide(hub)  # no day was told, so nothing is
        yield hub


def decide(trial: Trial, stage: PersonStage | None = None, **how: Any) -> list[str]:
    """What a cycle publishes of R01: subjects, an ended one with its cause."""
    own = stage or trial.stages[0]
    out = own.evaluate(trial.connections[0], Stamp("persons", 0, 1, 1, LATE, False, ""), **how)["hub.condition"]
    rows = [r for r in out.to_dicts() if r["rule"] == "R01"]
    return [r["subject_key"] + (f" {r['cause']} {r['superseded_by']}".rstrip() if r["cause"] else "") for r in rows]


def left(trial: Trial) -> int:
    return trial.stages[0].unswept(trial.connections[0])


def test_a_day_is_decided_for_in_chunks(trial: Trial) -> None:
    trial.tick(TODAY)
    assert decide(trial, chunks=0) == []
    assert left(trial) == 4
    seen = [decide(trial, chunks=1) for _ in range(4)]
    assert [len(part) for part in seen] == [2, 2, 2, 1]
    assert sorted(chain(*seen)) == PEOPLE
    assert left(trial) == 0
    assert decide(trial, chunks=1) == []


def test_all_at_once_is_the_same(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "AT_ONCE", 3)
    trial.tick(TODAY)
    assert decide(trial) == PEOPLE
    assert left(trial) == 0


def test_a_record_does_not_wait_for_the_sweep(trial: Trial) -> None:
    trial.tick(TODAY)
    decide(trial, chunks=0)
    trial.give("medical.settlement", bill("b2", 100, person="p6"))
    assert decide(trial, chunks=0) == ["p6"]
    assert sorted(decide(trial)) == PEOPLE[:6]


def test_who_was_touched_as_it_began_does_not_wait(trial: Trial) -> None:
    trial.tick(TODAY)
    decide(trial)
    trial.give("medical.settlement", bill("b2", 300_000, person="p5", at=LATE))
    trial.tick(date(2026, 7, 1))
    assert decide(trial, chunks=0) == ["p5"]
    assert left(trial) == 4


def test_a_new_day_begins_it_anew(trial: Trial) -> None:
    trial.tick(TODAY)
    decide(trial, chunks=3)
    assert left(trial) == 1
    trial.tick(date(2026, 7, 1))
    decide(trial, chunks=0)
    assert left(trial) == 4
    assert decide(trial) == ["p6"]


def test_one_begun_anew_remembers_whom_the_last_did_not_reach(trial: Trial) -> None:
    stage, con = trial.stages[0], trial.connections[0]
    trial.tick(TODAY)
    first_load = Stamp("persons", 0, 1, 1, LATE, True, "")
    assert stage.evaluate(con, first_load, chunks=1)["hub.condition"]["baseline"].all()
    trial.tick(date(2026, 7, 1))
    rows = []
    for _ in range(2):
        out = stage.evaluate(con, Stamp("persons", 0, 1, 2, LATE, False, ""), chunks=2)["hub.condition"]
        rows += [(r["subject_key"], r["baseline"], r["caused_at"].date()) for r in out.to_dicts() if r["rule"] == "R01"]
    assert rows == [(person, True, TODAY) for person in PEOPLE[2:]]


def test_it_goes_on_after_a_restart(trial: Trial, tmp_path: Path) -> None:
    trial.tick(TODAY)
    decide(trial, chunks=1)
    before = trial.connections[0]
    for name, _ in before.execute("select table_name, 0 from duckdb_tables() where not temporary").fetchall():
        before.execute(f"copy {name} to '{tmp_path}/{name}.parquet'")
    stage = PersonStage(BOOK)
    with closing(duckdb.connect()) as con:
        stage.create(con)
        for file in tmp_path.glob("*.parquet"):
            con.execute(f"insert into {file.stem} from '{file}'")
        stage.attach(con)
        assert stage.unswept(con) == 3
        out = stage.evaluate(con, Stamp("persons", 0, 2, 1, LATE, False, ""))["hub.condition"]
    assert sorted(r["subject_key"] for r in out.to_dicts() if r["rule"] == "R01") == PEOPLE[2:]


def with_threshold(fen: int, since: date) -> RuleBook:
    parameter = BOOK.parameters["annual_self_pay_fen"]
    more = Value(value=fen, from_=since, tiers=("tekun",), product_default=True)
    changed = parameter.model_copy(update={"values": (*parameter.values, more)})
    return replace(BOOK, parameters={**BOOK.parameters, parameter.id: changed}, digest="other")


def test_what_ends_by_a_changed_law_says_so(trial: Trial) -> None:
    trial.tick(TODAY)
    decide(trial)
    stage = PersonStage(with_threshold(400_000, date(2026, 1, 1)))
    stage.create(trial.connections[0])
    assert decide(trial, stage, everybody=True) == [f"{p} superseded R01" for p in PEOPLE]


def test_what_ends_by_a_new_version_says_so(trial: Trial) -> None:
    trial.tick(TODAY)
    decide(trial)
    rule = BOOK.rules["R01"].model_copy(update={"version": 2, "when": "false"})
    stage = PersonStage(replace(BOOK, rules={**BOOK.rules, "R01": rule}, digest="other"))
    stage.create(trial.connections[0])
    assert decide(trial, stage, everybody=True) == [f"{p} superseded R01" for p in PEOPLE]


def test_what_ends_by_its_records_does_not_blame_the_law(trial: Trial) -> None:
    trial.tick(TODAY)
    decide(trial)
    stage = PersonStage(with_threshold(240_000, date(2026, 1, 1)))
    stage.create(trial.connections[0])
    assert decide(trial, stage, everybody=True) == PEOPLE  # other thresholds, so said again
    trial.give("medical.settlement", bill("b-p0", 100, person="p0", version=2))
    assert decide(trial, stage) == ["p0 corrected"]


def test_what_an_evaluation_executes_was_rehearsed(trial: Trial) -> None:
    """Plans are made while nobody waits, some at a time: beginnings, content, causes and ends need none anew."""
    stage, con = trial.stages[0], trial.connections[0]
    trial.tick(TODAY)
    decide(trial)
    times = 0
    while stage.rehearse(con, ""):
        times += 1
    assert times > 1
    made = plans(con)
    trial.give("civil.roster", entry("e-new", person="new"))
    trial.give("medical.settlement", bill("b-new", 250_000, person="new"))
    assert decide(trial, chunks=0) == ["new"]
    trial.give("medical.settlement", bill("r-new", -250_000, person="new"))
    assert decide(trial, chunks=0) == ["new corrected"]
    assert plans(con) == made
    assert not stage.rehearse(con, "")


def plans(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Texts of the plans that are kept."""
    return sorted(str(text) for (text,) in con.execute("select statement from duckdb_prepared_statements()").fetchall())
