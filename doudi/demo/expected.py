"""The independent recomputation: departments' tables in, what should stand out (expected.sql does the work).

Shares no code with screening. The person key enters only in `keyed`, to name things as the hub names them.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import psycopg

from domain import persons

COUNTY = "990101"
OF_HOUSEHOLDS = ("H01", "R08", "R17", "R28", "R33", "R40", "R47", "R48")
BY_CARD = ("R13", "R14", "R14S", "R15", "R18")
"""Rules whose episode is a certificate."""
LATE_DAYS = 31
"""Days after 31 December during which the old year's bills still count (product default)."""

_LOCAL_DAY = "((setl_time AT TIME ZONE 'UTC') + interval '8 hours')::date"
QUERIES: dict[str, dict[str, str]] = {
    "medical": {
        "setl_d": f"SELECT setl_id, certno, {_LOCAL_DAY} AS local_day, psn_part_amt, fulamt_ownpay_amt,"
        " overlmt_selfpay, preselfpay_amt, vali_flag, med_type FROM setl_d",
        "psn_insu_d": "SELECT psn_no, certno, psn_idet_type, idet_begndate, idet_enddate, insutype, psn_insu_stas"
        " FROM psn_insu_d",
    },
    "disability": {
        "disabled_card": "SELECT card_no, certno, category, grade, status, valid_until, guardian_certno"
        " FROM disabled_card",
    },
    "civil": {
        "low_income_member": "SELECT entry_id, id_number, tier_code, status, start_date, end_date, taper_until,"
        " verify_date, class_code, deleted FROM low_income_member",
        "household_member": "SELECT member_id, household_no, id_number, is_head, joined_on, left_on, deleted"
        " FROM household_member",
        "benefit": "SELECT benefit_id, id_number, benefit_code, status, granted_on, start_on, end_on, amount, deleted"
        " FROM benefit",
        "means_check": "SELECT check_id, id_number, finding, checked_on, auth_no, income_month, assets_ok,"
        " education_year, deleted FROM means_check",
        "aid_application": "SELECT apply_no, id_number, household_no, apply_date, state, deleted FROM aid_application",
    },
    "education": {
        "student": "SELECT student_no, certno, stage, status, enrol_date, end_date, absent_days, student_aid, yulu,"
        " guardian_certno, deleted FROM student",
    },
    "employment": {
        "job_status": "SELECT reg_no, certno, status, since_date, able, refusals, wage, help_date, deleted"
        " FROM job_status",
        "insured_relation": "SELECT relation_no, certno, insurance_code, last_month, stop_reason, deleted"
        " FROM insured_relation",
    },
    "housing": {
        "house_appraisal": "SELECT appraisal_no, certno, grade, appraise_date, built_year, repair_date, deleted"
        " FROM house_appraisal",
        "tenancy": "SELECT reg_no, certno, tenure, area_per_head, support, support_from, support_until, deleted"
        " FROM tenancy",
    },
    "water": {
        "water_supply": "SELECT supply_no, certno, grade, assess_date, repair_date, deleted FROM water_supply",
    },
    "agriculture": {
        "industry_support": "SELECT reg_no, certno, willing, ask_date, kind, start_date, end_date, deleted"
        " FROM industry_support",
    },
}
"""What is read of each department's database; everything else of a row is nobody's business here."""

SCHEMAS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "setl_d": {
        "setl_id": pl.String,
        "certno": pl.String,
        "local_day": pl.Date,
        "psn_part_amt": pl.String,
        "fulamt_ownpay_amt": pl.String,
        "overlmt_selfpay": pl.String,
        "preselfpay_amt": pl.String,
        "vali_flag": pl.String,
        "med_type": pl.String,
    },
    "psn_insu_d": {
        "psn_no": pl.String,
        "certno": pl.String,
        "psn_idet_type": pl.String,
        "idet_begndate": pl.Date,
        "idet_enddate": pl.Date,
        "insutype": pl.String,
        "psn_insu_stas": pl.String,
    },
    "disabled_card": {
        "card_no": pl.String,
        "certno": pl.String,
        "category": pl.Int32,
        "grade": pl.Int32,
        "status": pl.String,
        "valid_until": pl.Date,
        "guardian_certno": pl.String,
    },
    "low_income_member": {
        "entry_id": pl.String,
        "id_number": pl.String,
        "tier_code": pl.String,
        "status": pl.String,
        "start_date": pl.Date,
        "end_date": pl.Date,
        "taper_until": pl.Date,
        "verify_date": pl.Date,
        "class_code": pl.String,
        "deleted": pl.Boolean,
    },
    "household_member": {
        "member_id": pl.String,
        "household_no": pl.String,
        "id_number": pl.String,
        "is_head": pl.Boolean,
        "joined_on": pl.Date,
        "left_on": pl.Date,
        "deleted": pl.Boolean,
    },
    "benefit": {
        "benefit_id": pl.String,
        "id_number": pl.String,
        "benefit_code": pl.String,
        "status": pl.String,
        "granted_on": pl.Date,
        "start_on": pl.Date,
        "end_on": pl.Date,
        "amount": pl.String,
        "deleted": pl.Boolean,
    },
    "means_check": {
        "check_id": pl.String,
        "id_number": pl.String,
        "finding": pl.String,
        "checked_on": pl.Date,
        "auth_no": pl.String,
        "income_month": pl.String,
        "assets_ok": pl.Boolean,
        "education_year": pl.String,
        "deleted": pl.Boolean,
    },
    "aid_application": {
        "apply_no": pl.String,
        "id_number": pl.String,
        "household_no": pl.String,
        "apply_date": pl.Date,
        "state": pl.String,
        "deleted": pl.Boolean,
    },
    "student": {
        "student_no": pl.String,
        "certno": pl.String,
        "stage": pl.String,
        "status": pl.String,
        "enrol_date": pl.Date,
        "end_date": pl.Date,
        "absent_days": pl.Int32,
        "student_aid": pl.Boolean,
        "yulu": pl.Boolean,
        "guardian_certno": pl.String,
        "deleted": pl.Boolean,
    },
    "job_status": {
        "reg_no": pl.String,
        "certno": pl.String,
        "status": pl.String,
        "since_date": pl.Date,
        "able": pl.Boolean,
        "refusals": pl.Int32,
        "wage": pl.String,
        "help_date": pl.Date,
        "deleted": pl.Boolean,
    },
    "insured_relation": {
        "relation_no": pl.String,
        "certno": pl.String,
        "insurance_code": pl.String,
        "last_month": pl.String,
        "stop_reason": pl.String,
        "deleted": pl.Boolean,
    },
    "house_appraisal": {
        "appraisal_no": pl.String,
        "certno": pl.String,
        "grade": pl.String,
        "appraise_date": pl.Date,
        "built_year": pl.Int32,
        "repair_date": pl.Date,
        "deleted": pl.Boolean,
    },
    "tenancy": {
        "reg_no": pl.String,
        "certno": pl.String,
        "tenure": pl.String,
        "area_per_head": pl.String,
        "support": pl.String,
        "support_from": pl.Date,
        "support_until": pl.Date,
        "deleted": pl.Boolean,
    },
    "water_supply": {
        "supply_no": pl.String,
        "certno": pl.String,
        "grade": pl.String,
        "assess_date": pl.Date,
        "repair_date": pl.Date,
        "deleted": pl.Boolean,
    },
    "industry_support": {
        "reg_no": pl.String,
        "certno": pl.String,
        "willing": pl.Boolean,
        "ask_date": pl.Date,
        "kind": pl.String,
        "start_date": pl.Date,
        "end_date": pl.Date,
        "deleted": pl.Boolean,
    },
    "life_event": {
        "record_no": pl.String,
        "certno": pl.String,
        "event": pl.String,
        "event_on": pl.Date,
        "registered_at": pl.Datetime,
        "arrival": pl.Int64,
    },
}


@dataclass(frozen=True)
class Sources:
    """Where the departments keep their data: libpq URLs of their databases, and the drop folder."""

    databases: dict[str, str]
    drop: Path


@dataclass(frozen=True)
class Row:
    """One condition that should stand (or does): its rule, level, department and amount in fen."""

    rule: str
    level: str
    department: str
    kind: str
    fen: int | None


@dataclass(frozen=True)
class Expected:
    """The answer: standing conditions (clear IDs inside: keep in memory) and records without a usable ID."""

    conditions: pl.DataFrame
    unidentified: frozenset[tuple[str, str]]


def read(sources: Sources) -> dict[str, pl.DataFrame]:
    """All tables as the departments hold them now; every database is read in one consistent snapshot."""
    with ThreadPoolExecutor(len(QUERIES)) as pool:
        parts = pool.map(lambda department: _database(sources.databases[department], QUERIES[department]), QUERIES)
        tables = {name: frame for part in parts for name, frame in part.items()}
    tables["life_event"] = life_events(sources.drop)
    return tables


def _database(url: str, queries: dict[str, str]) -> dict[str, pl.DataFrame]:
    frames = {}
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for name, query in queries.items():
            with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)") as copy:
                data = b"".join(bytes(block) for block in copy)
            frames[name] = _csv(data, name)
    return frames


def _csv(data: bytes, name: str) -> pl.DataFrame:
    booleans = [c for c, t in SCHEMAS[name].items() if t is pl.Boolean]
    as_read = {c: pl.String if c in booleans else t for c, t in SCHEMAS[name].items()}
    frame = pl.read_csv(data, schema=as_read)
    return frame.with_columns(
        pl.col(c).replace_strict({"t": True, "f": False}, default=None, return_dtype=pl.Boolean) for c in booleans
    )


def life_events(drop: Path) -> pl.DataFrame:
    """Every row of the drop folder, pending or done, in the order of the files' names."""
    files = sorted(
        (p for folder in (drop, drop / "done") for p in folder.glob("*") if p.suffix.lower() in (".csv", ".xlsx")),
        key=lambda p: p.name,
    )
    rows: list[dict[str, object]] = []
    for path in files:
        for line in _lines(path):
            rows.append(
                {
                    "record_no": line["记录编号"],
                    "certno": line["证件号码"] or None,
                    "event": line["事件"],
                    "event_on": date.fromisoformat(line["事件日期"][:10]),
                    "registered_at": line["登记时间"],
                    "arrival": len(rows),
                }
            )
    schema = {**SCHEMAS["life_event"], "registered_at": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.col("registered_at").str.to_datetime("%Y-%m-%d %H:%M:%S%.f")
    )


def _lines(path: Path) -> Iterable[dict[str, str]]:
    if path.suffix.lower() == ".xlsx":
        import openpyxl  # noqa: PLC0415 - a tenth of the time to start, and seldom needed

        with contextlib.closing(openpyxl.load_workbook(path, read_only=True)) as book:
            rows = book.worksheets[0].iter_rows(values_only=True)
            cells = [["" if v is None else str(v) for v in row] for row in rows]
        return [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030")
    return csv.DictReader(io.StringIO(text))


def recompute(tables: dict[str, pl.DataFrame], today: date, late_days: int = LATE_DAYS) -> Expected:
    """What should stand at the end of `today` (local day), from the tables alone."""
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    with duckdb.connect() as con:
        for name in SCHEMAS:
            con.register(name, tables[name].to_arrow())
        con.execute("CREATE TABLE clock AS SELECT ?::DATE AS today, ?::INT AS late_days", [today, late_days])
        con.execute(sql)
        found = con.sql("SELECT * FROM expected ORDER BY rule, subject, episode").to_arrow_table()
        unidentified = frozenset(con.execute("SELECT topic, record FROM unidentified").fetchall())
    return Expected(pl.DataFrame(found), unidentified)


def keyed(conditions: pl.DataFrame, linking: bytes) -> dict[str, Row]:
    """The same list under the hub's names: condition_id to its row. `linking` is the linking key."""
    names = condition_ids(conditions.select("rule", "subject", "episode").iter_rows(), linking)
    rows = conditions.select("rule", "level", "department", "kind", "fen").iter_rows()
    return {name: Row(*row) for name, row in zip(names, rows, strict=True)}


def condition_ids(named: Iterable[tuple[str, str, str]], linking: bytes) -> list[str]:
    """The hub's names of conditions given as (rule, ID or household number, year or department's key)."""
    return [
        f"{rule}:{_subject(rule, subject, linking)}:{_episode(rule, episode, linking)}"
        for rule, subject, episode in named
    ]


def _subject(rule: str, subject: str, linking: bytes) -> str:
    if rule in OF_HOUSEHOLDS:
        return persons.household_key(COUNTY, subject, linking)
    return persons.person_key(persons.normalise_id(subject), linking)


def _episode(rule: str, episode: str, linking: bytes) -> str:
    # A certificate's number contains the ID, so the hub knows it by a keyed hash.
    return persons.record_key(episode, linking) if rule in BY_CARD else episode
