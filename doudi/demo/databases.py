"""The county's records as they stand in the departments' own PostgreSQL databases and the drop folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import polars as pl
import psycopg
from psycopg import sql

from doudi.demo.county import County
from doudi.demo.expected import Sources
from doudi.demo.keys import ID_COLUMN
from wire.files import replace_whole

TABLES = {
    "medical": ("setl_d", "psn_insu_d"),
    "disability": ("disabled_card",),
    "civil": ("low_income_member", "household_member", "benefit", "means_check", "aid_application"),
    "education": ("student",),
    "employment": ("job_status", "insured_relation"),
    "housing": ("house_appraisal", "tenancy"),
    "water": ("water_supply",),
    "agriculture": ("industry_support",),
}
DATABASES = tuple(TABLES)
"""Departments with a database of their own."""
HEADER = ("记录编号", "证件号码", "姓名", "事件", "事件日期", "登记类型", "户籍区划", "登记时间")
MONEY = (
    "medfee_sumamt",
    "fulamt_ownpay_amt",
    "overlmt_selfpay",
    "preselfpay_amt",
    "inscp_scp_amt",
    "act_pay_dedc",
    "hifp_pay",
    "hifmi_pay",
    "hifob_pay",
    "maf_pay",
    "cvlserv_pay",
    "oth_pay",
    "fund_pay_sumamt",
    "psn_part_amt",
    "acct_pay",
    "psn_cash_pay",
)
LOCAL = timedelta(hours=8)


@dataclass(frozen=True)
class Departments:
    """Where the example departments live: the server's URL (SQLAlchemy's or libpq's) and the drop folder."""

    server: str
    drop: Path
    prefix: str = ""

    def name(self, department: str) -> str:
        """Name of a department's database."""
        return f"{self.prefix}doudi_{department}"

    def url(self, department: str) -> str:
        """libpq URL of a department's database."""
        parts = urlsplit(self.server.replace("postgresql+psycopg://", "postgresql://"))
        return urlunsplit(parts._replace(path=f"/{self.name(department)}"))

    @property
    def sources(self) -> Sources:
        """The same for the recomputation."""
        return Sources({d: self.url(d) for d in DATABASES}, self.drop)


def create(departments: Departments) -> None:
    """Make the databases anew, empty. Whatever stood in them is gone."""
    remove(departments)
    with psycopg.connect(_server(departments), autocommit=True) as connection:
        for department in DATABASES:
            name = sql.Identifier(departments.name(department))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
            # A department's disk is its own; here each of its commits would hold up the hub's.
            connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
    for department in DATABASES:
        ddl = (files("connectors") / department / "example.sql").read_text(encoding="utf-8")
        with psycopg.connect(departments.url(department)) as connection:
            connection.execute(ddl.encode())
    (departments.drop / "done").mkdir(parents=True, exist_ok=True)
    for path in (*departments.drop.glob("*.*"), *departments.drop.glob("*/*.*")):
        path.unlink()


def remove(departments: Departments) -> None:
    """Drop the databases."""
    with psycopg.connect(_server(departments), autocommit=True) as connection:
        for department in DATABASES:
            name = sql.Identifier(departments.name(department))
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def _server(departments: Departments) -> str:
    return urlunsplit(urlsplit(departments.url("civil"))._replace(path="/postgres"))


def load(county: County, departments: Departments) -> int:
    """Every row into its place; returns how many. Databases are filled in parallel."""
    with ThreadPoolExecutor(len(TABLES)) as pool:
        list(pool.map(lambda department: _fill(county, departments.url(department), TABLES[department]), TABLES))
    _drop(county, departments.drop)
    return county.rows


def _fill(county: County, url: str, tables: Iterable[str]) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table in tables:
            frame = COLUMNS[table](county.tables[table])
            columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
            statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL '\\N')").format(
                sql.Identifier(table), columns
            )
            with cursor.copy(statement) as copy:
                copy.write(_csv(frame))
            cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(include_header=False, quote_style="necessary", null_value="\\N").encode()


def _settlements(rows: pl.DataFrame) -> pl.DataFrame:
    local = (pl.col("setl_time") + LOCAL).dt.date()
    return rows.select(
        "setl_id",
        psn_no=pl.lit("P") + pl.col("person").cast(pl.String),
        psn_name="name",
        certno="certno",
        tel="tel",
        setl_time="setl_time",
        begndate=local,
        enddate=local,
        insutype=pl.lit("390"),
        med_type="med_type",
        insu_admdvs=pl.lit("990101"),
        fixmedins_code=pl.lit("H99010100001"),
        **{c: _yuan(c) for c in MONEY},
        refd_setl_flag="refd_setl_flag",
        vali_flag="vali_flag",
        dise_codg=pl.when(pl.col("medfee_sumamt") > 3_000_000).then(pl.lit("C34.900")).otherwise(pl.lit("J06.900")),
        resd_division="division",
        updt_time="touched",
    )


def _insurance(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "psn_no",
        "certno",
        "tel",
        "insutype",
        "psn_insu_stas",
        "begndate",
        "psn_idet_type",
        "idet_begndate",
        "idet_enddate",
        psn_name="name",
        insu_admdvs=pl.lit("990101"),
        prem_subs_amt=_yuan("prem_subs_amt"),
        resd_division="division",
        updt_time="touched",
    )


def _cards(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "card_no",
        "name",
        "certno",
        "category",
        "grade",
        "status",
        "first_issue_date",
        "issue_date",
        "assess_date",
        "valid_until",
        "guardian_name",
        "guardian_certno",
        "tel",
        "division",
        updated_at="touched",
    )


def _roster(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "entry_id",
        "id_number",
        "name",
        "tel",
        "tier_code",
        "status",
        "start_date",
        "end_date",
        "taper_until",
        "verify_date",
        "class_code",
        "exit_reason",
        "division",
        "deleted",
        address=pl.lit("测试路") + pl.col("person").cast(pl.String) + pl.lit("号"),
        household_no="house_no",
        updated_at="touched",
    )


def _members(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "member_id",
        "household_no",
        "id_number",
        "name",
        "relation",
        "is_head",
        "joined_on",
        "left_on",
        "division",
        "deleted",
        updated_at="touched",
    )


def _benefits(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "benefit_id",
        "id_number",
        "name",
        "benefit_code",
        "status",
        "granted_on",
        "start_on",
        "end_on",
        "division",
        "deleted",
        amount=_yuan("amount"),
        updated_at="touched",
    )


def _checks(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "check_id",
        "id_number",
        "name",
        "finding",
        "checked_on",
        "auth_no",
        "assets_ok",
        "division",
        "deleted",
        income_month=_yuan("income_month"),
        education_year=_yuan("education_year"),
        updated_at="touched",
    )


def _applications(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "apply_no",
        "id_number",
        "name",
        "household_no",
        "aid_code",
        "apply_date",
        "state",
        "decide_date",
        "refuse_reason",
        "by_proxy",
        "division",
        "deleted",
        updated_at="touched",
    )


def _students(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "student_no",
        "name",
        "certno",
        "guardian_name",
        "guardian_certno",
        "stage",
        "status",
        "enrol_date",
        "absent_days",
        "student_aid",
        "yulu",
        "division",
        updated_at="touched",
    )


def _jobs(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "reg_no",
        "name",
        "certno",
        "status",
        "since_date",
        "able",
        "refusals",
        "help_date",
        "division",
        wage=_yuan("wage"),
        updated_at="touched",
    )


def _relations(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "relation_no",
        "name",
        "certno",
        "insurance_code",
        "unit_kind",
        "insured_at",
        "first_month",
        "last_month",
        "pay_status",
        "stop_reason",
        "division",
        "deleted",
        updated_at="touched",
    )


def _houses(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "appraisal_no",
        "name",
        "certno",
        "grade",
        "appraise_date",
        "built_year",
        "repair_date",
        "division",
        updated_at="touched",
    )


def _tenancies(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "reg_no",
        "name",
        "certno",
        "tenure",
        "survey_date",
        "support",
        "support_from",
        "support_until",
        "division",
        area_per_head=_yuan("area_per_head"),
        updated_at="touched",
    )


def _supplies(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "supply_no", "name", "certno", "grade", "assess_date", "repair_date", "division", updated_at="touched"
    )


def _wishes(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "reg_no",
        "name",
        "certno",
        "willing",
        "ask_date",
        "kind",
        "start_date",
        "end_date",
        "division",
        updated_at="touched",
    )


COLUMNS = {
    "setl_d": _settlements,
    "psn_insu_d": _insurance,
    "disabled_card": _cards,
    "low_income_member": _roster,
    "household_member": _members,
    "benefit": _benefits,
    "means_check": _checks,
    "aid_application": _applications,
    "student": _students,
    "job_status": _jobs,
    "insured_relation": _relations,
    "house_appraisal": _houses,
    "tenancy": _tenancies,
    "water_supply": _supplies,
    "industry_support": _wishes,
}


def _yuan(column: str) -> pl.Expr:
    """Fen as a decimal text of yuan, exact; so square decimetres as one of square metres."""
    fen = pl.col(column).cast(pl.Int64)
    sign = pl.when(fen < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return (
        sign + (fen.abs() // 100).cast(pl.String) + pl.lit(".") + (fen.abs() % 100).cast(pl.String).str.zfill(2)
    ).alias(column)


def _drop(county: County, folder: Path) -> None:
    """This year's deaths as the registry delivers them: UTF-8, GB18030 and a workbook, some rows twice."""
    rows = life_lines(county.tables["life_event"])
    third = len(rows) // 3
    write_csv(folder / "life-events-001.csv", rows[:third], "utf-8-sig")
    write_csv(folder / "life-events-002.csv", rows[third : 2 * third] + rows[:5], "gb18030")
    write_csv(folder / "life-events-003.csv", rows[2 * third : -20], "utf-8")
    _write_workbook(folder / "life-events-004.xlsx", rows[-20:] + rows[:2])


def life_lines(frame: pl.DataFrame) -> list[tuple[str, ...]]:
    """Rows of the drop folder's files, in the order of HEADER."""
    at = frame.select((pl.col("touched") + LOCAL).dt.strftime("%Y-%m-%d %H:%M:%S")).to_series()
    return [
        (no, number or "", name, event, on.isoformat(), kind, division, stamp)
        for (no, number, name, event, on, kind, division), stamp in zip(
            frame.select(
                "record_no", ID_COLUMN["life_event"], "name", "event", "event_on", "source_kind", "division"
            ).iter_rows(),
            at,
            strict=True,
        )
    ]


def write_csv(path: Path, rows: Iterable[tuple[str, ...]], encoding: str = "utf-8") -> None:
    """A complete file appears under its name at once."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(rows)
    _appear(path, text.getvalue().encode(encoding))


def _write_workbook(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    import openpyxl  # noqa: PLC0415 - a tenth of the time to start, and seldom needed

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("deaths")
    sheet.append(HEADER)
    for row in rows:
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    _appear(path, data.getvalue())


def _appear(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, data, 0o644)
