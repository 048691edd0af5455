"""``doudi rules try``: differences worked out by hand, over files and over copies of state files; and every refusal."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from domain import facts, rules
from domain.rules import SHIPPED, RuleBook, RuleError
from domain.trial import Trial, frame_of
from domain.trying import OFF_ROSTER, Change, TryError, days
from doudi import screen, trying
from doudi.cli import app
from tests.ids import test_id

BOOK = rules.load()
A, B, C, D = (test_id(n) for n in range(1, 5))
HERE, THERE = "990101001001", "990101002003"
SPRING = (date(2026, 3, 1), date(2026, 4, 25), 0)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Three with the minimum living allowance, who pay 4,500, 5,500 and 3,000 yuan; one off the roster."""
    folder = tmp_path / "records"
    folder.mkdir()
    write(
        folder,
        "civil.roster.csv",
        "id_number,division,tier,status,start_on,published_on",
        f"{A},{HERE},dibao,active,2025-01-01,2026-01-05",
        f"{B},{HERE},dibao,active,2025-01-01,2026-01-05",
        f"{C},{THERE},dibao,active,2025-01-01,2026-01-05",
    )
    write(
        folder,
        "medical.settlement.csv",
        "id_number,division,setl_time,psn_part_amt,published_on",
        f"{A},{HERE},2026-03-02,4500,2026-03-03",
        f"{B},{HERE},2026-03-02,5500,2026-03-03",
        f"{C},{THERE},2026-03-02,3000,2026-03-03",
        f"{D},{THERE},2026-03-02,20000,2026-03-03",
    )
    write(
        folder,
        "civil.benefit.csv",
        "id_number,division,benefit,status,granted_on,published_on",
        f"{A},{HERE},temporary_aid,paid,2026-04-10,2026-04-10",
    )
    return folder


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def changed(folder: Path, place: str, old: str, new: str, name: str = "") -> Path:
    """A file of the rules shipped, changed."""
    text = (SHIPPED / place).read_text(encoding="utf-8")
    assert old in text
    path = folder / (name or Path(place).name)
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def lowered(folder: Path, value: str = "value: 400000, from: 2020-01-01, tiers: [dibao]") -> Path:
    return changed(
        folder, "parameters/annual_self_pay_fen.yaml", "value: 500000, from: 2020-01-01, tiers: [dibao]", value
    )


def found(records: Path, after: RuleBook, asked: tuple[date, date, int] = SPRING) -> dict[str, Any]:
    source = partial(trying.of_files, records, asked[1], "")
    return trying.run(BOOK, after, asked, source, lambda _: None)


def of(answer: dict[str, Any], rule: str) -> dict[str, Any]:
    return next(r for r in answer["rules"] if r["rule"] == rule)


def none(**more: Any) -> dict[str, Any]:
    return {"stood": 0, "begun": 0, "ended": {}} | more


def test_a_lowered_threshold_begins_what_it_now_reaches_and_ends_it_by_its_cause(tmp_path: Path, records: Path) -> None:
    answer = found(records, trying.laid_over(lowered(tmp_path), None))
    # R03 asks the line of whatever tier, and never finds this one.
    assert answer["changed"] == ["R02", "R03"]
    assert of(answer, "R03")["more"] == of(answer, "R03")["fewer"] == none()
    assert answer["concerned"] == 3  # who has an entry of the roster and a bill
    r02 = of(answer, "R02")
    assert r02["before"] == none(begun=1)
    # A with 4,500 yuan begins by the end of March, and aid of 10 April fulfils it.
    assert r02["after"] == none(begun=2, ended={"fulfilled": 1})
    assert (r02["more"], r02["fewer"]) == (none(begun=1, ended={"fulfilled": 1}), none())
    assert answer["days"] == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 25)]
    assert answer["places"] == [
        {
            "town": HERE[:9],
            "tier": "dibao",
            "stood_more": 0,
            "stood_fewer": 0,
            "begun_more": 1,
            "begun_fewer": 0,
            "ended_more": 1,
            "ended_fewer": 0,
        }
    ]
    # 56 days are 8 weeks; one alert becomes two in HERE, none in THERE.
    visits = answer["visits"]
    assert visits["busiest"] == [{"village": HERE, "workers": 1, "before": 1 / 8, "after": 2 / 8}]
    assert (visits["villages"], visits["weeks"]) == (2, 8)
    assert (visits["mean_before"], visits["mean_after"]) == (1 / 16, 2 / 16)


def test_no_key_and_no_number_stands_in_the_answer_and_pseudonyms_are_of_one_run(tmp_path: Path, records: Path) -> None:
    after = trying.laid_over(lowered(tmp_path), None)
    first, second = found(records, after), found(records, after)
    text = trying.as_json(first) + trying.as_text(first)
    keys = screen.read(records, SPRING[1]).names
    assert not [secret for secret in (*keys, A, B, C, D) if secret in text]
    assert {e["who"] for e in first["examples"]}.isdisjoint(e["who"] for e in second["examples"])
    assert {e["who"] for e in first["examples"] if e["what"] == "begun"} == {
        e["who"] for e in first["examples"] if e["what"] == "ended"
    }
    assert "R02 增加 / more 结束 / ended 帮扶已落实 / fulfilled" in text
    assert "平均 / mean 0.062 → 0.125" in text


def test_a_new_value_counts_from_its_day(tmp_path: Path, records: Path) -> None:
    new = (
        "value: 500000, from: 2020-01-01, tiers: [dibao], product_default: true, source: *tongling}\n"
        "  - {value: 250000, from: 2026-04-01, tiers: [dibao]"
    )
    answer = found(records, trying.laid_over(lowered(tmp_path, new), None))
    begun = {(e["day"], e["town"]) for e in answer["examples"] if e["what"] == "begun"}
    # A was helped by the day on which the new value is asked; C with 3,000 yuan is new.
    assert begun == {(date(2026, 4, 25), THERE[:9])}
    assert of(answer, "R02")["more"] == none(begun=1)


def test_an_added_rule_has_nothing_before(tmp_path: Path, records: Path) -> None:
    file = changed(tmp_path, "civil/R04.yaml", "id: R04", "id: R98", "R98.yaml")
    answer = found(records, trying.laid_over(file, None))
    assert answer["changed"] == ["R98"]
    assert answer["concerned"] == 4  # everybody with a bill
    r98 = of(answer, "R98")
    assert (r98["before"], r98["after"], r98["fewer"]) == (none(), none(begun=1), none())


def test_a_removed_rule_about_households_has_nothing_after(tmp_path: Path, records: Path) -> None:
    write(
        records,
        "civil.household.csv",
        "id_number,division,household_no,head,joined_on,published_on",
        f"{B},{HERE},H1,true,2025-01-01,2026-01-05",
        f"{D},{HERE},H1,false,2025-01-01,2026-01-05",
    )
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "rules"))
    (folder / "civil" / "H01.yaml").unlink()
    answer = found(records, trying.laid_over(folder, None))
    h01 = of(answer, "H01")
    assert answer["concerned"] == 2
    assert h01["before"]["begun"] == h01["fewer"]["begun"] == 1
    assert (h01["after"], h01["more"]) == (none(), none())


def test_only_rules_that_decide_otherwise_are_changed(tmp_path: Path) -> None:
    after = trying.laid_over(lowered(tmp_path), None)
    change = Change(BOOK, after)
    # The value of one tier: neither the rule about the destitute nor the one off the roster, which call theirs.
    assert change.changed == {"R02", "R03"}
    assert {"R01", "R04"} <= change.reached <= change.asked
    assert "R32" in change.asked  # a death silences them


def test_what_is_said_of_whoever_is_not_on_the_roster_is_what_the_facts_say() -> None:
    with closing(Trial(BOOK)) as trial:
        trial.tick(date(2026, 6, 30))
        bill = {
            "person_key": "A",
            "record_id": "1",
            "source": "s",
            "source_epoch": 1,
            "record_version": 1,
            "op": "create",
            "division": HERE,
            "setl_time": None,
            "psn_part_amt_fen": 1,
        }
        trial.give("medical.settlement", frame_of("medical.settlement", [bill]))
        persons, con = trial.stages[0], trial.connections[0]
        seen = {}
        for covered in (False, True):
            if covered:
                trial.cover("civil.roster")
            trial.evaluate()
            with persons.facts_of(con, ["A"], ""):
                seen[covered] = con.execute(f"select {', '.join(OFF_ROSTER)} from person").fetchall()
        for covered, rows in seen.items():
            said = con.execute(f"select {', '.join(OFF_ROSTER.values())} from (select {covered} as covered)").fetchall()
            assert rows == said
    assert OFF_ROSTER.keys() <= facts.columns("persons")["person"].keys()


# ---------------------------------------------------------------------- copies of state files


@pytest.fixture
def copies(tmp_path: Path, records: Path) -> Path:
    """What a worker of one partition would have kept of the same records, as a snapshot."""
    load, hub, folder = screen.read(records, SPRING[1]), tmp_path / "hub", tmp_path / "copies"
    hub.mkdir()
    folder.mkdir()
    with closing(Trial(BOOK, folder=hub)) as trial:
        for topic, prefix, since in load.coverage:
            trial.cover(topic, prefix=prefix, since=since)
        for topic, frame in load.records.items():
            trial.give(topic, frame.drop("published_on"))
    shutil.copyfile(hub / "persons.duckdb", folder / "persons-0.20260425T000000000000.duckdb")
    return folder


def from_copies(folder: Path, after: RuleBook, partitions: int = 1) -> dict[str, Any]:
    return trying.run(BOOK, after, SPRING, partial(trying.of_state, folder, partitions, ""), lambda _: None)


def test_copies_of_state_files_say_the_same_as_the_files(tmp_path: Path, records: Path, copies: Path) -> None:
    after = trying.laid_over(lowered(tmp_path), None)
    assert from_copies(copies, after)["rules"] == found(records, after)["rules"]


def test_a_first_load_counts_from_when_its_facts_became_true(tmp_path: Path, records: Path) -> None:
    """The backlog lane: published in one go when a department was connected, which is no day of anybody's life."""
    load, folder = screen.read(records, SPRING[1]), tmp_path / "copies"
    folder.mkdir()
    with closing(Trial(BOOK, folder=folder)) as trial:
        for topic, prefix, since in load.coverage:
            trial.cover(topic, prefix=prefix, since=since)
        for topic, frame in load.records.items():
            late = frame.drop("published_on").with_columns(published_at=frame["published_at"].dt.offset_by("1y"))
            trial.give(topic, late, lane=0)
    (folder / "persons.duckdb").rename(folder / "persons-0.1.duckdb")
    after = trying.laid_over(lowered(tmp_path), None)
    assert from_copies(folder, after)["rules"] == found(records, after)["rules"]


def test_a_missing_partition_is_named(copies: Path) -> None:
    with pytest.raises(trying.NoRecords, match=r"partition 1, 2 of 3; give the folder of the snapshots"):
        from_copies(copies, RuleBook({}, {}, BOOK.shapes, BOOK.columns, ""), 3)


def test_a_held_file_a_damaged_one_and_another_database_say_what_to_do(copies: Path) -> None:
    nothing = RuleBook({}, {}, BOOK.shapes, BOOK.columns, "")
    (path,) = copies.iterdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb; c = duckdb.connect({str(path)!r}); print('held', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        with pytest.raises(
            trying.NoRecords, match="is held by a worker, and nobody else may open it; give the folder of"
        ):
            from_copies(copies, nothing)
        holder.communicate(b"\n")
    path.write_bytes(b"nothing of ours" * 1000)
    with pytest.raises(trying.NoRecords, match=r"cannot be read \(.*\); give the folder of the snapshots"):
        from_copies(copies, nothing)
    path.unlink()
    duckdb.connect(str(path)).close()
    with pytest.raises(trying.NoRecords, match="is not a persons' state file"):
        from_copies(copies, nothing)


def test_snapshots_elsewhere_are_to_be_copied(tmp_path: Path) -> None:
    assert trying.snapshots(tmp_path.as_uri()) == tmp_path
    with pytest.raises(trying.NoRecords, match="copy them here and give --state"):
        trying.snapshots("s3://bucket/snapshots")


# ---------------------------------------------------------------------- what cannot be tried


def test_a_file_that_cannot_be_read_gets_the_messages_of_check(tmp_path: Path) -> None:
    file = changed(tmp_path, "civil/R04.yaml", "not on_roster and self_pay_fen", "not on_roster and self_pay")
    with pytest.raises(RuleError, match=r"civil/R04.yaml: when: self_pay is neither a column nor a parameter \(do you"):
        trying.laid_over(file, None)
    file.write_text("id: [", encoding="utf-8")
    with pytest.raises(RuleError, match=r"civil/R04.yaml:2: not YAML"):
        trying.laid_over(file, None)
    with pytest.raises(RuleError, match="no such file or directory; give the file of a rule or parameter"):
        trying.laid_over(tmp_path / "R99.yaml", None)


def test_nothing_changed_no_such_days_and_no_record_of_them(tmp_path: Path, records: Path) -> None:
    with pytest.raises(TryError, match="nothing that decides is changed"):
        found(records, trying.laid_over(SHIPPED / "civil" / "R04.yaml", None))
    with pytest.raises(TryError, match="--to 2026-03-01 is before --from 2026-04-01"):
        days(date(2026, 4, 1), date(2026, 3, 1))
    with pytest.raises(TryError, match="became known from 2026-05-01 to 2026-06-30; give other days"):
        found(records, trying.laid_over(lowered(tmp_path), None), (date(2026, 5, 1), date(2026, 6, 30), 0))


def test_days_are_the_day_before_the_ends_of_months_and_the_last() -> None:
    assert days(date(2026, 1, 31), date(2026, 3, 31)) == [date(2026, 1, n) for n in (30, 31)] + [
        date(2026, 2, 28),
        date(2026, 3, 31),
    ]
    assert days(date(2026, 1, 1), date(2026, 1, 20), 7) == [date(2025, 12, 31)] + [
        date(2026, 1, n) for n in (7, 14, 20)
    ]
    assert days(date(2026, 1, 5), date(2026, 1, 5)) == [date(2026, 1, 4), date(2026, 1, 5)]


@pytest.fixture
def command(tmp_path: Path, records: Path) -> Iterator[list[str]]:
    yield ["rules", "try", str(lowered(tmp_path)), "--from", "2026-03-01", "--to", "2026-04-25"]


def test_the_command_says_how_far_it_is_and_prints_an_object(command: list[str], records: Path) -> None:
    done = CliRunner().invoke(app, [*command, "--records", str(records), "--json", "--step", "20"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["days"] == ["2026-02-28", "2026-03-20", "2026-04-09", "2026-04-25"]
    assert " s  2026-04-25 (4/4)" in done.stderr


def test_the_command_takes_one_source(command: list[str], records: Path) -> None:
    done = CliRunner().invoke(app, [*command, "--records", str(records), "--state", str(records)])
    assert done.exit_code == 2
    assert "give one" in done.stderr
