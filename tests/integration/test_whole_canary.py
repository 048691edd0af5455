"""No clear ID, name, telephone or address in any topic, Redis key or value, log, metric or state file."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import httpx

from doudi.embedded import runfile
from schemas import topics
from tests.ids import test_card, test_id
from tests.whole import VILLAGE, Whole
from wire.reading import read_all

NAME, TELEPHONE, ADDRESS = "测金丝雀某", "99012345678", "测试路九百九十号"
PERSON, GUARDIAN = test_id(7001), test_id(7002)
CARD = test_card(7001)
CANARIES = [w.encode() for w in (NAME, TELEPHONE, ADDRESS, PERSON, GUARDIAN, CARD)]
TODAY = dt.datetime.now(dt.timezone(dt.timedelta(hours=8))).date()


def sow(whole: Whole) -> None:
    """The canaries in every table, in rows that raise conditions, fail to be read, and lack an ID."""
    who = {"name": NAME, "tel": TELEPHONE, "division": VILLAGE}
    whole.insert(
        "civil",
        "low_income_member",
        entry_id="CE1",
        id_number=PERSON,
        address=ADDRESS,
        household_no="CH1",
        tier_code="dibao",
        status="active",
        start_date=TODAY,
        **who,
    )
    whole.insert(
        "civil",
        "household_member",
        member_id="CM1",
        household_no="CH1",
        id_number=PERSON,
        name=NAME,
        relation="01",
        is_head=True,
        joined_on=TODAY,
        division=VILLAGE,
    )
    whole.insert(
        "disability",
        "disabled_card",
        card_no=CARD,
        certno=PERSON,
        category=6,
        grade=1,
        status="active",
        first_issue_date=TODAY,
        issue_date=TODAY,
        assess_date=TODAY,
        guardian_name=NAME,
        guardian_certno=GUARDIAN,
        **who,
    )
    whole.insert(
        "medical",
        "psn_insu_d",
        psn_no="CP1",
        psn_name=NAME,
        certno=PERSON,
        tel=TELEPHONE,
        insutype="390",
        insu_admdvs="990101",
        psn_insu_stas="1",
        begndate=TODAY,
        resd_division=VILLAGE,
    )
    for key, certno in (("CS1", PERSON), ("CS2", PERSON[:17]), ("CS3", f"{PERSON[:-1]}?")):
        whole.insert(
            "medical",
            "setl_d",
            setl_id=key,
            psn_no="CP1",
            psn_name=NAME,
            certno=certno,
            tel=TELEPHONE,
            setl_time=dt.datetime.now(dt.UTC),
            insutype="390",
            med_type="21",
            insu_admdvs="990101",
            medfee_sumamt="9000.00",
            psn_part_amt="9000.00",
            refd_setl_flag="0",
            vali_flag="1",
            resd_division=VILLAGE,
        )
    part = whole.departments.drop / "one.part"
    part.write_text(
        "记录编号,证件号码,姓名,事件,事件日期,登记类型,户籍区划,登记时间\n"
        f"CD1,{GUARDIAN},{NAME},死亡,{TODAY},死亡证明,{VILLAGE},{TODAY} 08:00:00\n"
        f"CD2,{GUARDIAN},{NAME},死亡,不是日期,死亡证明,{VILLAGE},{TODAY} 08:00:00\n",
        encoding="utf-8",
    )
    part.rename(part.with_suffix(".csv"))


def found_in(data: bytes) -> list[bytes]:
    return [c for c in CANARIES if c in data]


def test_no_canary_anywhere(whole: Whole, tmp_path: Path) -> None:
    sow(whole)
    whole.case_of("R02", PERSON)
    whole.case_of("R13", PERSON)
    whole.wait(lambda: whole.client.hlen(whole.keys.unidentified) >= 2, "the unidentified are not counted")
    whole.hub.wait_quiet(60, settle_s=2)

    seen = 0
    for name in topics.names():
        for batch in read_all(whole.settings, whole.settings.topic(name)):
            for data in (*batch.keys, *batch.values):
                seen += 1
                assert not found_in(data or b""), f"a canary in topic {name}"
    assert seen > 20

    hunted = redis_bytes(whole)
    assert len(hunted) > 10
    for key, value in hunted.items():
        assert not found_in(key), f"a canary in the name of {key[:12]!r}…"
        assert not found_in(value), f"a canary in the value of {key!r}"

    state = runfile.read(whole.settings.home)
    assert state is not None
    gateway = next(p.url for p in state.processes if p.name == "gateway")
    assert not found_in(httpx.get(f"{gateway}/metrics").content)

    home = whole.settings.home
    # A copy of a quiet state file, its log beside it, opens beside the process that holds the original.
    kept = shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns("drop"))
    files = [p for p in kept.rglob("*") if p.is_file()]
    assert any(p.suffix == ".log" for p in files)
    for path in files:
        assert not found_in(path.read_bytes()), f"a canary in {path.relative_to(kept)}"
    assert sum(hunt_state(p) for p in files if p.suffix == ".duckdb") > 10


def redis_bytes(whole: Whole) -> dict[bytes, bytes]:
    """Every key of the namespace with its value written out."""
    found = {}
    for key in whole.client.scan_iter(whole.keys.everything):
        kind = whole.client.type(key)
        read = {
            b"string": whole.client.get,
            b"hash": whole.client.hgetall,
            b"set": whole.client.smembers,
            b"zset": lambda k: whole.client.zrange(k, 0, -1),
            b"stream": whole.client.xrange,
        }[kind]
        value = read(key)
        found[key] = value if isinstance(value, bytes) else repr(value).encode() + b"".join(flat(value))
    return found


def flat(value: object) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        return [b for pair in value.items() for x in pair for b in flat(x)]
    return [b for x in value for b in flat(x)] if isinstance(value, list | tuple | set) else []


def hunt_state(path: Path) -> int:
    """Look through every text column of a state file, which may be compressed on disk; the columns seen."""
    columns = 0
    with duckdb.connect(str(path)) as con:
        rows = con.execute("select table_name, column_name from duckdb_columns() where not internal").fetchall()
        for table, column in rows:
            text = f"coalesce(cast(\"{column}\" as varchar), '')"
            for canary in CANARIES:
                [(hits,)] = con.execute(
                    f'select count(*) from "{table}" where contains({text}, ?)', [canary.decode()]
                ).fetchall()
                assert hits == 0, f"a canary in {path.name}, {table}.{column}"
            columns += 1
    return columns
