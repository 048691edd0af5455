"""How far a help reaches: who needs it, who has it, of whom nobody can say; and rules of which it cannot be counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from agents.state import LAYOUT, open_file
from domain import coverage
from domain.rules import SHIPPED, RuleError, load
from domain.screening import PersonStage
from domain.trial import Trial, frame_of
from doudi.cli import app
from tests.ids import test_id

BOOK = load()
DAY = date(2026, 6, 30)
IDS = [test_id(n, date(1980, 1, n + 1)) for n in range(8)]
KNOWN = datetime(2026, 1, 2, 4, tzinfo=UTC)
ENVELOPE = {
    **{"event_id": "e", "source": "s", "source_epoch": 1, "record_id": "r", "record_version": 1, "op": "create"},
    **{"division": "990101001001", "occurred_at": KNOWN, "published_at": KNOWN},
}
NORTH, SOUTH = "990101001001", "990102001001"


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Three of the north need support, of whom two have it; one of the south has none; the others cannot be counted."""
    roster = ["id_number,division,record_id,tier,status,start_on"]
    roster += [
        f"{who},{NORTH if n < 5 else SOUTH},E{n},{'bianyuan' if n == 7 else 'dibao'},active,2025-01-01"
        for n, who in enumerate(IDS)
    ]
    wishes = ["id_number,record_id,willing,asked_on,kind,start_on,end_on"]
    wishes += [
        f"{IDS[0]},G0,true,2026-05-01,breeding,2026-01-01,",
        f"{IDS[1]},G1,true,2026-05-01,none,,",
        f"{IDS[2]},G2,true,2026-05-01,none,,",
        f"{IDS[2]},G3,,,planting,2026-06-30,2026-07-01",
        f"{IDS[3]},G4,,,none,,",
        f"{IDS[4]},G5,false,2026-05-01,breeding,2026-01-01,",
        f"{IDS[5]},G6,true,2026-05-01,breeding,2026-01-01,2026-06-30",
        f"{IDS[7]},G7,true,2026-05-01,breeding,2026-01-01,",
    ]
    for name, lines in (
        ("civil.roster", roster),
        ("agriculture.support", wishes),
        ("disability.card", ["id_number,category,grade"]),
    ):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["roster", "coverage", *map(str, arguments)])


def said(*arguments: object) -> list[list[str]]:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return [line.split("\t") for line in result.stdout.splitlines()[1:]]


def test_by_town_and_in_all(records: Path) -> None:
    assert said("R46", "--on", DAY, "--records", records) == [
        ["990101001", "2", "3", "66.7", "100", "1"],
        ["990102001", "0", "1", "0.0", "100", "0"],
        ["合计 total", "2", "4", "50.0", "100", "1"],
    ]


def test_a_day_later_one_support_is_over(records: Path) -> None:
    assert said("R46", "--on", "2026-07-01", "--records", records)[0] == ["990101001", "1", "3", "33.3", "100", "1"]


def test_of_one_village(records: Path) -> None:
    assert said("R46", "--on", DAY, "--records", records, "--division", SOUTH)[-1][1:] == ["0", "1", "0.0", "100", "0"]
    assert said("R46", "--on", DAY, "--records", records, "--division", "990101001002") == [
        ["合计 total", "0", "0", "-", "-", "0"]
    ]


def test_a_rule_without_a_target_is_refused(records: Path) -> None:
    result = invoke("R27", "--on", DAY, "--records", records)
    assert "R27: no rule with a target; coverage is counted of R46" in str(result.exception)


def test_of_copies_of_state_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two partitions, one of whose copies is of before the department was connected."""
    monkeypatch.setenv("DOUDI_PARTITIONS", "2")
    monkeypatch.setenv("DOUDI_HOME", str(tmp_path / "home"))
    copies = tmp_path / "copies"
    copies.mkdir()
    for number, people in enumerate((("A", "B"), ("C",))):
        state = open_file(copies / f"persons-{number}.1.duckdb")
        assert state is not None
        stage = PersonStage(BOOK)
        with state.transaction():
            state.note({"layout": LAYOUT, "stage": "persons", "partition": number})
        stage.create(state.con)
        with state.transaction():
            stage.ingest(state.con, [("hub.tick", pl.DataFrame({"day": [DAY], "sent_at": [KNOWN]})), *given(people)])
        if number:
            state.con.execute("drop table kept_agriculture_support")
        state.close()
    assert said("R46", "--on", DAY, "--state", copies) == [
        ["990101001", "1", "2", "50.0", "100", "0"],
        ["合计 total", "1", "2", "50.0", "100", "0"],
    ]


def given(people: tuple[str, ...]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Able by registration, willing; the first of them has support."""
    for topic, fields in (
        ("civil.roster", {"tier": "dibao", "status": "active", "start_on": date(2025, 1, 1)}),
        ("employment.status", {"status": "unemployed", "since_on": date(2026, 1, 1), "able": True}),
        ("agriculture.support", {"willing": True, "asked_on": date(2026, 5, 1), "start_on": date(2026, 5, 1)}),
    ):
        rows = [
            {**ENVELOPE, "record_id": f"{topic}{n}", "person_key": who, "kind": "none" if n else "shares", **fields}
            for n, who in enumerate(people)
        ]
        yield (
            topic,
            frame_of(topic, rows).with_columns(
                _lane=pl.lit(1, pl.Int8),
                _partition=pl.lit(0, pl.Int32),
                _offset=pl.int_range(len(rows), dtype=pl.Int64),
            ),
        )


@pytest.fixture
def trial() -> Iterator[Trial]:
    with closing(Trial(BOOK)) as opened:
        yield opened


def test_the_target_is_the_places_own_on_that_day(trial: Trial) -> None:
    def given(day: date) -> list[coverage.Covered]:
        trial.tick(day)
        trial.evaluate()
        return coverage.counts(trial, "R46", ["A", "B"])

    trial.cover("disability.card")
    for person, place in (("A", "460101001001"), ("B", "990101001001")):
        about = {**ENVELOPE, "person_key": person, "division": place}
        entry = {
            **about,
            "tier": "dibao",
            "status": "active",
            "start_on": date(2018, 1, 1),
            "born_on": date(1980, 1, 1),
        }
        wish = {**about, "willing": True, "asked_on": date(2018, 1, 1)}
        trial.give("civil.roster", frame_of("civil.roster", [entry]))
        trial.give("agriculture.support", frame_of("agriculture.support", [wish]))
    assert [(t.division, t.target) for t in given(date(2018, 6, 1))] == [("460101001", 70), ("990101001", None)]
    assert [t.target for t in given(date(2019, 6, 1))] == [100, None]
    towns = given(date(2020, 6, 1))
    assert [t.target for t in towns] == [100, 100]
    assert coverage.total(towns) == coverage.Covered("", 2, 0, 0, 100)
    assert coverage.total([coverage.Covered("1", 1, 1, 0, 70), coverage.Covered("2", 1, 0, 0, 100)]).target is None


@pytest.mark.parametrize(
    ("rule", "old", "new", "says"),
    [
        (
            "agriculture/R46",
            "target: industry_support_percent",
            "target: industry_suport_percent",
            "not a parameter .do you mean",
        ),
        (
            "agriculture/R46",
            "target: industry_support_percent",
            "target: refusal_limit",
            "refusal_limit is no share of everybody",
        ),
        (
            "agriculture/R46",
            "target: industry_support_percent",
            "target: annual_self_pay_fen",
            "annual_self_pay_fen is no share",
        ),
        (
            "agriculture/R46",
            "done_when: industry_support",
            "done_when: 'false'",
            "nothing says who has the help; give done_when",
        ),
        (
            "agriculture/R46",
            "when: willing and",
            "when: not industry_support and willing and",
            "industry_support, which is the help itself",
        ),
        ("civil/R28", "level:", "target: industry_support_percent\nlevel:", "coverage is counted of persons"),
    ],
)
def test_a_rule_of_which_coverage_cannot_be_counted(tmp_path: Path, rule: str, old: str, new: str, says: str) -> None:
    folder = tmp_path / "rules"
    copytree(SHIPPED, folder)
    path = folder / f"{rule}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RuleError, match=says):
        load(folder)
