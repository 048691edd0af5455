"""``doudi roster``: over files, over copies of state files, over a generated county; and what it refuses."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from agents.snapshots import Snapshots
from agents.state import LAYOUT, PartitionState, open_file
from domain.rules import load
from domain.screening import PersonStage
from domain.trial import frame_of
from doudi.cli import app
from doudi.demo import county
from doudi.roster import BadSource
from doudi.screen import BadFiles
from tests.ids import test_id

BOOK = load()
ONE, TWO, THREE = test_id(1), test_id(2), test_id(3)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["roster", *map(str, arguments)])


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(folder: Path, name: str, *text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(text) + "\n", encoding="utf-8")


def files(folder: Path) -> Path:
    write(
        folder,
        "civil.roster.csv",
        "id_number,division,record_id,record_version,tier,status,start_on,end_on,taper_until,published_on",
        f"{ONE},990101001001,E-1,1,dibao,active,2025-01-01,,,2025-01-02",
        f"{ONE},990101001001,E-1,2,dibao,exited,2025-01-01,2026-03-01,2027-03-01,2026-06-01",
        f"{TWO},990101002001,E-2,1,jiance,active,2025-01-01,,,2025-01-02",
        f"{THREE},990102001001,E-3,1,jiance,active,2025-01-01,,,2025-01-02",
    )
    write(
        folder,
        "civil.check.csv",
        "id_number,division,checked_on,authorisation,income_month_fen,assets_ok",
        f"{TWO},990101002001,2026-05-01,SQ1,50000,true",
    )
    return folder


def test_files_are_answered_under_their_own_names(tmp_path: Path) -> None:
    folder, out = files(tmp_path / "in"), tmp_path / "out.csv"
    result = invoke("--on", "2026-04-01", "--records", folder, "--out", out)
    assert result.exit_code == 0, result.output
    assert [(r["person"], r["tier"], r["standing"], r["from"], r["to"]) for r in lines(out)] == sorted(
        [
            (ONE, "dibao", "tapering", "2025-01-01", "2027-03-01"),
            (TWO, "jiance", "held", "2025-01-01", ""),
            (THREE, "jiance", "held", "2025-01-01", ""),
        ]
    )
    assert "dibao\t低保对象 / minimum living allowance\t990101001\t1\n" in result.output
    assert "held=2 tapering=1 abolished=0 left=0 refused=0" in result.output


def test_what_was_known_on_a_day(tmp_path: Path) -> None:
    folder, out = files(tmp_path / "in"), tmp_path / "out.csv"
    result = invoke(
        "--on", "2026-04-01", "--known", "2026-05-31", "--records", folder, "--out", out, "--division", "990101001"
    )
    assert result.exit_code == 0, result.output
    assert [(r["person"], r["standing"], r["to"]) for r in lines(out)] == [(ONE, "held", "")]


def test_reclassification_of_files(tmp_path: Path) -> None:
    folder, out = files(tmp_path / "in"), tmp_path / "out.csv"
    result = invoke("reclassify", "--on", "2026-07-01", "--records", folder, "--out", out)
    assert result.exit_code == 0, result.output
    found = {r["person"]: r for r in lines(out)}
    assert {who: (r["new_tier"], r["basis"], r["rules"]) for who, r in found.items()} == {
        TWO: ("dibao", "proposed", "R39"),
        THREE: ("", "none", ""),
    }
    assert found[THREE]["reason_zh"]
    assert found[THREE]["reason_en"]
    assert "members=2" in result.output
    invoke("reclassify", "--on", "2026-07-01", "--records", folder, "--out", out, "--division", "990102")
    assert [r["person"] for r in lines(out)] == [THREE]


def test_the_calendar_of_files(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out.csv"
    write(
        folder,
        "civil.roster.csv",
        "id_number,division,record_id,tier,status,start_on,verified_on,review_class",
        f"{ONE},990101001001,E-1,dibao,active,2020-01-01,2025-12-01,C",
        f"{TWO},990101002001,E-2,gangxing,active,2020-01-01,2026-01-31,",
        f"{THREE},990102001001,E-3,dibao,active,2020-01-01,,A",
    )
    asked = ("calendar", "--on", "2026-06-30", "--months", 2, "--records", folder, "--out", out)
    result = invoke(*asked)
    assert result.exit_code == 0, result.output
    assert [(r["month"], r["due_on"], r["person"], r["review_class"], r["why"]) for r in lines(out)] == [
        ("overdue", "2026-06-02", ONE, "C", "period"),
        ("undated", "", THREE, "A", "period"),
    ]
    assert "until=2026-07-31 due=1 overdue=1 undated=1" in result.output
    result = invoke(*asked[:4], 3, *asked[5:], "--division", "990101002")
    assert "2026-08\tgangxing\t" in result.output
    assert "until=2026-08-31 due=1 overdue=0 undated=0" in result.output
    across = invoke(*asked[:2], "2026-12-31", "--months", 1, *asked[5:])
    assert "until=2026-12-31" in across.output
    assert invoke(*asked[:4], 0, *asked[5:]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--records", "."], "--on"),
        (["--on", "2026-04-01"], "--state / --records"),
        (["--on", "2026-04-01", "--state", ".", "--records", "."], "--state / --records"),
        (["reclassify", "--on", "2026-04-01", "--records", "."], "--out"),
        (["reclassify", "--records", "."], "--on"),
        (["calendar", "--records", "."], "--on"),
        (["calendar", "--on", "2026-04-01"], "--state / --records"),
        (["--on", "April", "--records", "."], "--on"),
    ],
)
def test_arguments_that_do_not_go_together(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_files_that_are_not_there_and_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    missing = invoke("--on", "2026-04-01", "--records", tmp_path / "none")
    assert isinstance(missing.exception, BadFiles)
    nowhere = tmp_path / "none" / "out.csv"
    refused = invoke("--on", "2026-04-01", "--records", files(tmp_path / "in"), "--out", nowhere)
    assert isinstance(refused.exception, BadSource)
    assert str(nowhere) in str(refused.exception)


# ---------------------------------------------------------------------- copies of state files

KNOWN = datetime(2026, 1, 2, 4, tzinfo=UTC)


def partition(
    folder: Path, number: int, *people: str, day: date = date(2026, 6, 30), house: str = "h1"
) -> PartitionState:
    """A state file as a worker writes it: each person is watched, has a housemate's bills, and a card."""
    state = open_file(folder / f"persons-{number}.1.duckdb")
    assert state is not None
    stage = PersonStage(BOOK)
    with state.transaction():
        state.note({"layout": LAYOUT, "stage": "persons", "partition": number})
    stage.create(state.con)
    with state.transaction():
        for topic, fields in (
            ("civil.roster", {"tier": "jiance", "status": "active", "start_on": date(2025, 1, 1)}),
            ("civil.household", {"household_key": house}),
            ("medical.settlement", {"setl_time": KNOWN, "psn_part_amt_fen": 1_300_000, "vali_flag": "1"}),
        ):
            rows = [
                {
                    "event_id": f"{number}{who}",
                    "source": "s",
                    "source_epoch": 1,
                    "record_id": f"{topic}-{who}",
                    "record_version": 1,
                    "op": "create",
                    "person_key": who,
                    "division": "990101001001",
                    "occurred_at": KNOWN,
                    "published_at": KNOWN,
                    **fields,
                }
                for who in people
            ]
            frame = frame_of(topic, rows).with_columns(
                _lane=pl.lit(1, pl.Int8),
                _partition=pl.lit(number, pl.Int32),
                _offset=pl.int_range(len(rows), dtype=pl.Int64),
            )
            stage.ingest(state.con, [(topic, frame)])
        beat = pl.DataFrame(
            {
                "source": ["s"],
                "topic": ["civil.roster"],
                "division_prefix": [""],
                "source_epoch": [1],
                "seq": [1],
                "covers_from": [date(2020, 1, 1)],
                "complete": [True],
                "sent_at": [KNOWN],
            }
        )
        tick = pl.DataFrame({"day": [day], "sent_at": [KNOWN]})
        stage.ingest(state.con, [("hub.heartbeat", beat), ("hub.tick", tick)])
    return state


@pytest.fixture
def snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Snapshots of two partitions whose people live together."""
    monkeypatch.setenv("DOUDI_PARTITIONS", "2")
    monkeypatch.setenv("DOUDI_HOME", str(tmp_path / "home"))
    folder = tmp_path / "snapshots"
    store = Snapshots(folder.as_uri())
    for number, people in enumerate((("A", "B"), ("C",))):
        state = partition(tmp_path / "home" / "state", number, *people)
        store.store(store.copy_aside(state), f"persons-{number}")
        state.close()
    return folder


def test_copies_of_state_files(snapshots: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    result = invoke("--on", "2026-06-30", "--state", snapshots, "--out", out)
    assert result.exit_code == 0, result.output
    assert [(r["person"], r["tier"], r["standing"], r["partition"], r["offset"]) for r in lines(out)] == [
        ("A", "jiance", "held", "0", "0"),
        ("B", "jiance", "held", "0", "1"),
        ("C", "jiance", "held", "1", "0"),
    ]
    assert "copies up to 2026-06-30" in result.output
    nothing = invoke("--on", "2026-06-30", "--known", "2026-01-01", "--state", snapshots)
    assert "held=0" in nothing.output


def test_households_that_lie_in_several_copies_are_reclassified_together(snapshots: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out.csv", tmp_path / "again.csv"
    for path in (out, again):
        result = invoke("reclassify", "--on", "2026-06-30", "--state", snapshots, "--out", path)
        assert result.exit_code == 0, result.output
    assert out.read_bytes() == again.read_bytes()
    assert [(r["person"], r["new_tier"], r["rules"]) for r in lines(out)] == [
        ("A", "gangxing", "H01"),
        ("B", "gangxing", "H01"),
        ("C", "gangxing", "H01"),
    ]
    assert "39,000.00元" in lines(out)[0]["reason_zh"]


def test_a_copy_of_before_a_field_there_was_is_read(snapshots: Path) -> None:
    state = open_file(next(snapshots.glob("persons-0.*")))
    assert state is not None
    state.con.execute("drop index kept_civil_roster_by_subject")
    state.con.execute("alter table kept_civil_roster drop column taper_until")
    state.con.execute("drop table kept_housing_appraisal")
    state.close()
    result = invoke("--on", "2026-06-30", "--state", snapshots)
    assert "held=3" in result.output


def refused(*arguments: object) -> str:
    result = invoke(*arguments)
    assert isinstance(result.exception, BadSource), result.output
    return str(result.exception)


def test_what_the_copies_do_not_hold_is_not_answered(snapshots: Path) -> None:
    assert "the copies end on 2026-06-30" in refused(
        "--on", "2026-06-30", "--known", "2026-07-01", "--state", snapshots
    )


def test_live_files_and_copies_that_are_not_whole_are_refused(snapshots: Path, tmp_path: Path) -> None:
    ask = ("--on", "2026-06-30", "--state")
    assert "live state files" in refused(*ask, tmp_path / "home" / "state")
    assert "no such folder" in refused(*ask, tmp_path / "none")
    first, second = sorted(snapshots.glob("*.duckdb"))
    wal = first.with_name(f"{first.name}.wal")
    wal.touch()
    assert ".wal" in refused(*ask, snapshots)
    wal.unlink()
    whole = second.read_bytes()
    second.write_bytes(b"no database at all" * 1000)
    assert f"{second}: cannot be read as a state file" in refused(*ask, snapshots)
    second.write_bytes(first.read_bytes())
    assert "another stage or partition" in refused(*ask, snapshots)
    second.unlink()
    assert "partitions 0 of the persons' stage, expected are all of 2" in refused(*ask, snapshots)
    second.write_bytes(whole)
    assert invoke(*ask, snapshots).exit_code == 0


def test_the_newest_of_several_copies_counts(snapshots: Path, tmp_path: Path) -> None:
    state = partition(tmp_path / "later", 0, "A", "B", "D", day=date(2026, 7, 1))
    store = Snapshots(snapshots.as_uri())
    store.store(store.copy_aside(state), "persons-0")
    state.close()
    assert "held=4" in invoke("--on", "2026-06-30", "--state", snapshots).output


# ---------------------------------------------------------------------- the generated county

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
LOCAL = pl.duration(hours=8)


def extract(people: int, folder: Path) -> county.County:
    """The county's tables as files for ``doudi screen``: what a department could hand over."""
    made = county.generate(people, 7, NOW)
    t = made.tables
    whom = [pl.col("division")]
    frames = {
        "civil.roster": t["low_income_member"].select(
            *whom,
            "id_number",
            record_id="entry_id",
            tier="tier_code",
            status="status",
            start_on="start_date",
            end_on="end_date",
            op=pl.when("deleted").then(pl.lit("delete")).otherwise(pl.lit("create")),
        ),
        "civil.household": t["household_member"].select(
            *whom, "id_number", "household_no", "joined_on", "left_on", record_id="member_id", head="is_head"
        ),
        "civil.check": t["means_check"].select(
            *whom,
            "id_number",
            "finding",
            "checked_on",
            "assets_ok",
            record_id="check_id",
            authorisation="auth_no",
            income_month_fen="income_month",
        ),
        "civil.benefit": t["benefit"].select(
            *whom,
            "id_number",
            "status",
            "granted_on",
            "start_on",
            "end_on",
            record_id="benefit_id",
            benefit="benefit_code",
        ),
        "medical.settlement": t["setl_d"].select(
            *whom,
            "med_type",
            "vali_flag",
            id_number="certno",
            record_id="setl_id",
            psn_part_amt_fen="psn_part_amt",
            setl_time=(pl.col("setl_time") + LOCAL).dt.strftime("%Y-%m-%d %H:%M:%S"),
        ),
        "medical.insurance": t["psn_insu_d"].select(
            *whom,
            "insutype",
            id_number="certno",
            record_id="psn_no",
            insured=(pl.col("psn_insu_stas") == "1"),
        ),
        "vital.life_event": t["life_event"]
        .filter(pl.col("event") == "死亡")
        .select(*whom, "event_on", id_number="certno", record_id="record_no", event=pl.lit("death")),
    }
    folder.mkdir()
    for topic, frame in frames.items():
        frame.write_csv(folder / f"{topic}.csv")
    return made


def test_every_member_of_a_county_is_accounted_for_and_twice_the_same(tmp_path: Path) -> None:
    made = extract(20_000, tmp_path / "in")
    outs = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for out in outs:
        result = invoke("reclassify", "--on", "2026-11-22", "--records", tmp_path / "in", "--out", out)
        assert result.exit_code == 0, result.output
    assert outs[0].read_bytes() == outs[1].read_bytes()
    found = lines(outs[0])
    # straight from the bureau's table: who is in the tier on that day
    roster = made.tables["low_income_member"].filter(~pl.col("deleted") & (pl.col("start_date") <= made.today))
    there = roster.filter(
        (pl.col("status") == "active") & (pl.col("end_date").is_null() | (pl.col("end_date") > made.today))
        | (pl.col("status") == "exited") & (pl.col("end_date") > made.today)
    )
    usable = there.join(made.people.frame.select("person", whose="id_number"), on="person")
    usable = usable.filter(pl.col("id_number").str.len_chars() > 0)
    watched = usable.filter(pl.col("tier_code") == "jiance")
    assert sorted(r["person"] for r in found) == sorted(set(watched["whose"]))
    assert len(found) > 50
    others = set(usable.filter(pl.col("tier_code") != "jiance")["whose"])
    assert {r["person"] for r in found if r["basis"] == "held"} == others & set(watched["whose"])
    basis = Counter(r["basis"] for r in found)
    assert basis.keys() == {"held", "proposed", "none"}, json.dumps(basis)
    assert all(bool(r["new_tier"]) == (r["basis"] != "none") and r["reason_zh"] and r["reason_en"] for r in found)
