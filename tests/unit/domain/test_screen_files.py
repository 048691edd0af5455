"""``doudi screen``: bad files are named by file, line and column; good ones are answered under their own names."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.rules import load
from doudi.screen import BadFiles, screen
from tests.ids import test_id

BOOK = load()
AS_OF = date(2026, 6, 30)
ONE, TWO = test_id(1), test_id(2)


def answers(folder: Path) -> list[dict[str, Any]]:
    screen(folder, AS_OF, folder / "out", BOOK)
    text = (folder / "out" / "conditions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_amounts_in_yuan_or_fen_and_local_time(tmp_path: Path) -> None:
    write(tmp_path, "civil.roster.csv", "id_number,tier,status,start_on", f"{ONE},tekun,active,2025-01-01")
    write(
        tmp_path,
        "medical.settlement.jsonl",
        json.dumps({"id_number": ONE, "setl_time": "2026-01-01 00:30", "psn_part_amt": "1000.00"}),
        json.dumps({"id_number": ONE.lower(), "setl_time": "2025-12-31T23:59:59", "psn_part_amt_fen": 900_000}),
        json.dumps({"id_number": ONE, "setl_time": "2026-02-01", "psn_part_amt_fen": 1}),
    )
    found = [a for a in answers(tmp_path) if a["rule"] == "R01"]
    assert [(a["id_number"], a["episode"], a["evidence"]["self_pay_fen"]) for a in found] == [(ONE, "2026", 100_001)]
    assert found[0]["deadline"] == "2026-07-07"
    assert "1,000.01元" in found[0]["explanation_zh"]


def test_records_in_the_order_in_which_they_became_known_give_endings(tmp_path: Path) -> None:
    write(
        tmp_path,
        "medical.settlement.csv",
        "id_number,setl_time,psn_part_amt,published_on",
        f"{ONE},2026-03-01,16000,2026-03-02",
        f"{TWO},2026-03-01,99999,2026-12-31",
    )
    write(
        tmp_path,
        "civil.roster.csv",
        "id_number,tier,status,start_on,published_on",
        f"{TWO},dibao,refused,2026-01-01,2026-01-02",
    )
    write(
        tmp_path,
        "civil.benefit.csv",
        "id_number,benefit,status,granted_on,published_on",
        f"{ONE},temporary_aid,paid,2026-04-01,2026-04-02",
    )
    assert [(a["rule"], a["state"], a["cause"]) for a in answers(tmp_path)] == [("R04", "ended", "fulfilled")]


def test_a_feed_that_is_not_there_makes_unknown(tmp_path: Path) -> None:
    write(tmp_path, "medical.settlement.csv", "id_number,setl_time,psn_part_amt", f"{ONE},2026-03-01,16000")
    assert [(a["rule"], a["id_number"], a["state"]) for a in answers(tmp_path)] == [("R04", ONE, "unknown")]
    write(tmp_path, "coverage.csv", "topic,division_prefix,covers_from", "civil.roster,,2020-01-01")
    assert [(a["rule"], a["state"]) for a in answers(tmp_path)] == [("R04", "standing")]


def test_ages_come_from_the_id_number(tmp_path: Path) -> None:
    child, youth = test_id(1, date(2020, 6, 30)), test_id(2, date(2010, 6, 30))
    lines = [f"{number},c{n},5,2,active" for n, number in enumerate((child, youth, youth[:17] + "?"))]
    write(tmp_path, "disability.card.csv", "id_number,record_id,category,grade,status", *lines)
    write(
        tmp_path, "education.enrolment.csv", "id_number,stage,status,enrolled_on", f"{ONE},primary,enrolled,2025-09-01"
    )
    found = [a for a in answers(tmp_path) if a["rule"] == "R18"]
    assert [(a["id_number"], a["evidence"]) for a in found] == [(child, {"age": 6, "category": 5, "grade": 2})]
    assert "2020-06" not in json.dumps({k: v for k, v in found[0].items() if k != "id_number"})


def test_a_date_of_birth_is_not_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "civil.roster.csv", "id_number,tier,born_on", f"{ONE},dibao,1990-01-01")
    with pytest.raises(BadFiles, match="column born_on is not known"):
        screen(tmp_path, AS_OF, tmp_path / "out", BOOK)


def test_the_last_of_two_versions_counts(tmp_path: Path) -> None:
    write(
        tmp_path,
        "medical.settlement.csv",
        "id_number,record_id,setl_time,psn_part_amt,updated_at",
        f"{ONE},B,2026-03-01,1,2026-03-03 09:00",
        f"{ONE},B,2026-03-01,16000,2026-03-02 09:00",
    )
    write(tmp_path, "coverage.csv", "topic,division_prefix,covers_from", "civil.roster,,2020-01-01")
    assert answers(tmp_path) == []


def test_whoever_has_no_usable_id_is_listed(tmp_path: Path) -> None:
    write(
        tmp_path,
        "medical.settlement.csv",
        "id_number,setl_time,psn_part_amt",
        "x,2026-03-01,16000",
        ",2026-03-01,16000",
    )
    assert screen(tmp_path, AS_OF, tmp_path / "out", BOOK)["unidentified"] == 2
    lines = (tmp_path / "out" / "unidentified.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"topic": "medical.settlement", "line": 2, "reason": "malformed"},
        {"topic": "medical.settlement", "line": 3, "reason": "missing"},
    ]


BROKEN = [
    (
        "medical.settlement.csv",
        "id_number,setl_time,psn_part_amt",
        f"{ONE},2026-13-01,1",
        "medical.settlement.csv:2: column setl_time: '2026-13-01' is not an instant; write YYYY-MM-DD HH:MM",
    ),
    (
        "medical.settlement.csv",
        "id_number,setl_time,psn_part_amt",
        f"{ONE},2026-03-01,much",
        "medical.settlement.csv:2: column psn_part_amt: 'much' is not an amount in yuan; write 1234.56",
    ),
    (
        "civil.roster.csv",
        "id_number,tier,start_on",
        f"{ONE},dibao,1.1.2026",
        "civil.roster.csv:2: column start_on: '1.1.2026' is not a date; write YYYY-MM-DD",
    ),
    (
        "disability.card.csv",
        "id_number,grade",
        f"{ONE},one",
        "disability.card.csv:2: column grade: 'one' is not a whole number; write digits only",
    ),
    (
        "medical.insurance.csv",
        "id_number,insured",
        f"{ONE},perhaps",
        "medical.insurance.csv:2: column insured: 'perhaps' is not true or false; write one of them",
    ),
    (
        "civil.roster.csv",
        "id_number,teir",
        f"{ONE},dibao",
        "civil.roster.csv: column teir is not known (do you mean tier?); rename or remove it",
    ),
    (
        "civil.roster.csv",
        "id,tier",
        f"{ONE},dibao",
        "civil.roster.csv: column id_number is missing; add the clear ID number of each person",
    ),
    ("civil.rooster.csv", "id_number", ONE, "civil.rooster.csv: no topic of that name (do you mean civil.roster?)"),
    ("civil.roster.jsonl", "{", "", "civil.roster.jsonl: a line is not JSON"),
    ("coverage.csv", "topic,prefix", "civil.roster,", "column division_prefix is missing"),
]


@pytest.mark.parametrize(("name", "header", "line", "message"), BROKEN, ids=[b[3][:60] for b in BROKEN])
def test_broken_files(tmp_path: Path, name: str, header: str, line: str, message: str) -> None:
    write(tmp_path, name, header, line)
    with pytest.raises(BadFiles) as raised:
        screen(tmp_path, AS_OF, tmp_path / "out", BOOK)
    assert message in str(raised.value)


def test_no_folder_and_no_files(tmp_path: Path) -> None:
    with pytest.raises(BadFiles, match="no such folder; give the folder that holds"):
        screen(tmp_path / "nowhere", AS_OF, tmp_path, BOOK)
    with pytest.raises(BadFiles, match=r"no <topic>.csv or <topic>.jsonl there"):
        screen(tmp_path, AS_OF, tmp_path, BOOK)
