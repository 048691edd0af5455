"""Connectors end to end: all departments' example databases and the drop folder, the process, its stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from connectors.folders import FolderFeed
from domain.sealing import blind_index
from tests.ids import test_card as some_card
from tests.ids import test_id as some_id
from tests.integration.connecting import Bench, bench, database, only, wait
from tests.stack import own_hub
from wire.secrets import Secrets
from wire.settings import Settings

HEADER = "记录编号,证件号码,姓名,事件,事件日期,登记类型,户籍区划,登记时间"
NAME = "金丝雀甲"


@pytest.fixture(scope="module")
def shared(stack: Settings) -> Iterator[Settings]:
    with own_hub(stack) as settings:
        yield settings


@pytest.fixture
def home(shared: Settings, tmp_path: Path) -> Settings:
    return shared.model_copy(update={"home": tmp_path / "home"})


def fill(url: str, department: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(Path(f"connectors/{department}/example.sql").read_text("utf-8"))
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_every_department_of_the_example(home: Settings) -> None:
    rows = {
        "medical": (
            f"INSERT INTO setl_d(setl_id, psn_name, certno, tel, psn_part_amt, vali_flag, resd_division) VALUES "
            f"('S1', '{NAME}', '{some_id(1)}', '13900000001', 12.34, '1', '990101001001'), "
            f"('S2', '{NAME}', 'canary-id', '13900000001', 1, '1', null)",
            f"INSERT INTO psn_insu_d(psn_no, certno, psn_insu_stas) VALUES ('P1', '{some_id(1)}', '1')",
        ),
        "disability": (
            f"INSERT INTO disabled_card(card_no, name, certno, category, grade, status, guardian_name, "
            f"guardian_certno, division) VALUES ('{some_card(1)}', '{NAME}', '{some_id(1)}', 6, 1, 'active', "
            f"'金丝雀乙', '{some_id(2)}', '990101001001'), ('{some_card(3)}', '{NAME}', '{some_id(4)}', 1, 1, "
            f"'active', null, null, '990101001001')",
        ),
        "civil": (
            f"INSERT INTO low_income_member(entry_id, id_number, name, address, household_no, tier_code, status, "
            f"division) VALUES ('E1', '{some_id(1)}', '{NAME}', '金丝雀路', 'H1', 'dibao', 'active', '990101001001')",
            f"INSERT INTO household_member(member_id, id_number, household_no, is_head, deleted, division) VALUES "
            f"('M1', '{some_id(1)}', 'H1', true, false, '990101001001')",
            f"INSERT INTO benefit(benefit_id, id_number, benefit_code, amount) VALUES "
            f"('B1', '{some_id(1)}', 'dibao', 500)",
        ),
    }
    found = {}
    everything = b""
    for department, statements in rows.items():
        with database(home) as url:
            fill(url, department, *statements)
            made = bench(home, department, url)
            made.turn(2)
            for feed in made.catalogue.feeds:
                found[feed.topic] = made.rows(f"{feed.topic}.backlog").to_dicts()
                everything += made.bytes(f"{feed.topic}.backlog")
            unidentified = made.rows("hub.unidentified").to_dicts()
            if department == "disability":
                assert [u["reason"] for u in unidentified] == ["card_mismatch"]
            made.close()
    person = found["civil.roster"][0]["person_key"]
    assert {r["person_key"] for some in found.values() for r in some} == {person}
    card = found["disability.card"][0]
    assert len(card["record_id"]) == 32
    assert card["guardian_key"] not in (None, person)
    assert found["civil.roster"][0]["household_key"] == found["civil.household"][0]["household_key"]
    assert found["medical.settlement"][0]["psn_part_amt_fen"] == 1234

    secrets = Secrets.load(home.secrets_dir)
    made = bench(home, "civil", "")
    vault = {}
    for row in Bench(home, made.catalogue).rows("hub.identity").to_dicts():
        vault[row["person_key"]] = secrets.vault.open(
            row["person_key"], row["key_id"], row["wrapped_key"], row["sealed"]
        )
        assert blind_index(secrets.index, "name", "金丝雀 甲") in row["index"]
    assert vault[person] == {"id_number": some_id(1), "name": NAME, "address": "金丝雀路"}
    everything += b"".join(made.bytes(t) for t in ("hub.identity", "hub.unidentified", "hub.quarantine"))
    for canary in (
        NAME,
        "金丝雀",
        "13900000001",
        "canary-id",
        some_id(1),
        some_id(2),
        some_id(3),
        some_id(4),
    ):
        assert canary.encode() not in everything


# the drop folder


@pytest.fixture
def folder(home: Settings, tmp_path: Path) -> Iterator[Bench]:
    drop = tmp_path / "drop"
    drop.mkdir()
    made = only(bench(home, "vital", ""), "vital.life_event")
    feeds = tuple(f.model_copy(update={"folder": str(drop)}) for f in made.catalogue.feeds)
    made.catalogue = made.catalogue.model_copy(update={"feeds": feeds})
    yield made
    made.close()


def place(made: Bench, name: str, *rows: str, header: str = HEADER) -> Path:
    path = Path(made.catalogue.feeds[0].folder) / name
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


def death(number: int, record: str = "", *, event: str = "死亡", day: str = "2026-05-01", at: str = "10:00:00") -> str:
    return f"{record or f'SW{number}'},{some_id(number)},{NAME},{event},{day},火化,990101001,2026-05-02 {at}"


def names(made: Bench, sub: str) -> list[str]:
    folder = Path(made.catalogue.feeds[0].folder) / sub
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_files_are_published_once_and_put_away(folder: Bench) -> None:
    place(folder, "a.csv", death(1), death(2))
    folder.turn(2)
    assert folder.rows("vital.life_event.backlog").height == 2
    place(folder, "b.csv", death(3))
    place(folder, "b.csv.part", death(9))
    folder.turn(2)
    assert [(r["record_id"], r["op"]) for r in folder.rows("vital.life_event").to_dicts()] == [("SW3", "create")]
    place(folder, "b.csv", death(3))
    folder.turn(2)
    assert folder.rows("vital.life_event").height == 1
    assert names(folder, "done") == ["a.csv", "b.2.csv", "b.csv"]
    assert names(folder, "rejected") == []


def test_a_correction_wins_and_the_old_file_dropped_again_changes_nothing(folder: Bench) -> None:
    folder.turn()
    for name, row in (
        ("1.csv", death(1)),
        ("2.csv", death(1, day="2026-05-02")),
        ("3.csv", death(1)),
        ("4.csv", death(1, event="撤销", at="12:00:00")),
        ("5.csv", death(1)),
    ):
        place(folder, name, row)
        folder.turn()
    rows = folder.rows("vital.life_event").sort("record_version").to_dicts()
    assert [(r["op"], str(r["event_on"])) for r in rows] == [
        ("create", "2026-05-01"),
        ("update", "2026-05-02"),
        ("delete", "None"),
    ]


def test_a_bad_row_goes_back_and_its_neighbours_are_published(folder: Bench) -> None:
    folder.turn()
    place(
        folder,
        "a.csv",
        death(1),
        "SW2,too,few",
        death(3, event="搬家"),
        death(4),
        "SW5,无,x,死亡,2026-05-01,火化,,",
    )
    folder.turn()
    assert sorted(folder.rows("vital.life_event")["record_id"]) == ["SW1", "SW4"]
    assert folder.rows("hub.unidentified")["record_id"].to_list() == ["SW5"]
    rejected = Path(folder.catalogue.feeds[0].folder) / "rejected"
    reasons = (rejected / "a.rows.csv.reason.txt").read_text("utf-8")
    assert "a.csv, line 3: 3 cells, the header has 8" in reasons
    assert "a.csv, line 4: 事件 is none of 死亡" in reasons
    handed_back = (rejected / "a.rows.csv").read_text("utf-8")
    assert HEADER in handed_back
    assert some_id(3) in handed_back
    assert some_id(3) not in reasons


def test_a_bad_file_goes_back_with_the_reason(folder: Bench) -> None:
    place(folder, "a.csv", "x", header="编号,姓名")
    place(folder, "b.csv", death(1))
    folder.turn(2)
    assert names(folder, "rejected") == ["a.csv", "a.csv.reason.txt"]
    reason = (Path(folder.catalogue.feeds[0].folder) / "rejected" / "a.csv.reason.txt").read_text("utf-8")
    assert "The header lacks 记录编号, 事件" in reason or "The header lacks" in reason
    assert folder.rows("vital.life_event.backlog").height == 1


def test_a_crash_before_the_file_is_put_away(folder: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.turn()
    place(folder, "a.csv", death(1), death(2))

    def crash(*_: object) -> None:
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(FolderFeed, "_move", crash)
        with pytest.raises(RuntimeError):
            folder.turn()
    folder.turn(2)
    assert folder.rows("vital.life_event").height == 2
    assert names(folder, "done") == ["a.csv"]


# heartbeats, outflow, the process


def test_heartbeats_reach_every_partition_and_tell_when_the_load_is_whole(home: Settings) -> None:
    with database(home) as url:
        fill(url, "disability")
        made = bench(home, "disability", url)
        connector = made.start()
        connector._heartbeat()
        made.turn()
        connector._heartbeat()
        connector._heartbeat()
        beats = [b for b in made.rows("hub.heartbeat").to_dicts() if b["sent_at"]][-2 * home.partitions :]
        assert sorted(b["complete"] for b in beats) == [False] * home.partitions + [True] * home.partitions
        assert {str(b["covers_from"]) for b in beats} == {"2010-01-01"}
        made.close()


def test_outflow_log_counts_and_names_columns_only(home: Settings) -> None:
    with database(home) as url:
        fill(
            url,
            "civil",
            f"INSERT INTO benefit(benefit_id, id_number, name, benefit_code) VALUES "
            f"('B1', '{some_id(1)}', '{NAME}', 'dibao')",
        )
        made = bench(home, "civil", url)
        made.turn(2)
        made.close()
    text = (home.home / "outflow" / "civil.jsonl").read_text("utf-8")
    (line,) = [json.loads(t) for t in text.splitlines()]
    assert (line["source"], line["records"], line["identities"]) == ("civil.benefit", 1, 1)
    assert "benefit_code" in line["columns"]
    assert some_id(1) not in text
    assert NAME not in text


def contains(path: Path, words: str) -> bool:
    return words in path.read_text()


def test_the_process_waits_for_the_database_and_stops_when_told(home: Settings, tmp_path: Path) -> None:
    with database(home) as url:
        fill(url, "disability")
        good = sa.make_url(url)
        config = tmp_path / "c.yaml"
        config.write_text(yaml.safe_dump({"url": good.set(port=1).render_as_string(hide_password=False)}))
        environment = {
            **os.environ,
            "DOUDI_HOME": str(home.home),
            "DOUDI_KAFKA": home.kafka,
            "DOUDI_REGISTRY": home.registry,
            "DOUDI_NAMESPACE": home.namespace,
            "DOUDI_REDIS": home.redis,
            "DOUDI_POSTGRES": home.postgres,
        }
        for ends, says in ((False, "Check that the database runs"), (True, "first load complete")):
            log = tmp_path / "log"
            with log.open("wb") as out:
                child = subprocess.Popen(
                    [sys.executable, "-m", "doudi", "connector", "disability", "--config", str(config)],
                    stderr=out,
                    env=environment,
                )
            try:
                wait(partial(contains, log, says), 60)
                child.send_signal(signal.SIGTERM)
                assert child.wait(20) == 0
            finally:
                child.kill()
            assert (good.password or "?") not in log.read_text()
            assert "Traceback" not in log.read_text()
            if not ends:
                config.write_text(yaml.safe_dump({"url": url}))


def test_a_second_process_is_refused(home: Settings) -> None:
    with database(home) as url:
        fill(url, "disability")
        made = bench(home, "disability", url)
        made.start()
        with pytest.raises(Exception, match="Another connector of this department may be running"):
            bench(home, "disability", url).start()
        made.close()
