"""Rows in the words of the departments, collected for planted situations: a fresh person for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from doudi.demo.civil import month

Rows = dict[str, list[dict[str, Any]]]
TABLES: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "low_income_member": {
        "person": pl.Int64,
        "tier_code": pl.String,
        "status": pl.String,
        "start_date": pl.Date,
        "end_date": pl.Date,
        "taper_until": pl.Date,
        "verify_date": pl.Date,
        "class_code": pl.String,
        "exit_reason": pl.String,
        "deleted": pl.Boolean,
    },
    "household_member": {
        "person": pl.Int64,
        "household_no": pl.String,
        "relation": pl.String,
        "is_head": pl.Boolean,
        "joined_on": pl.Date,
        "left_on": pl.Date,
        "deleted": pl.Boolean,
    },
    "disabled_card": {
        "person": pl.Int64,
        "category": pl.Int32,
        "grade": pl.Int32,
        "status": pl.String,
        "issue_date": pl.Date,
        "valid_until": pl.Date,
        "guardian_certno": pl.String,
        "guardian_name": pl.String,
    },
    "psn_insu_d": {
        "person": pl.Int64,
        "psn_idet_type": pl.String,
        "idet_begndate": pl.Date,
        "idet_enddate": pl.Date,
        "insutype": pl.String,
        "psn_insu_stas": pl.String,
        "begndate": pl.Date,
        "prem_subs_amt": pl.Int32,
    },
    "benefit": {
        "person": pl.Int64,
        "benefit_code": pl.String,
        "start_on": pl.Date,
        "status": pl.String,
        "granted_on": pl.Date,
        "end_on": pl.Date,
        "amount": pl.Int64,
        "deleted": pl.Boolean,
    },
    "life_event": {"person": pl.Int64, "event": pl.String, "event_on": pl.Date, "source_kind": pl.String},
    "student": {
        "person": pl.Int64,
        "guardian_certno": pl.String,
        "guardian_name": pl.String,
        "stage": pl.String,
        "status": pl.String,
        "enrol_date": pl.Date,
        "absent_days": pl.Int32,
        "student_aid": pl.Boolean,
        "yulu": pl.Boolean,
    },
    "job_status": {
        "person": pl.Int64,
        "status": pl.String,
        "since_date": pl.Date,
        "able": pl.Boolean,
        "refusals": pl.Int32,
        "wage": pl.Int64,
        "help_date": pl.Date,
    },
    "house_appraisal": {
        "person": pl.Int64,
        "grade": pl.String,
        "appraise_date": pl.Date,
        "built_year": pl.Int32,
        "repair_date": pl.Date,
    },
    "tenancy": {
        "person": pl.Int64,
        "tenure": pl.String,
        "area_per_head": pl.Int64,
        "survey_date": pl.Date,
        "support": pl.String,
        "support_from": pl.Date,
        "support_until": pl.Date,
    },
    "water_supply": {
        "person": pl.Int64,
        "grade": pl.String,
        "assess_date": pl.Date,
        "repair_date": pl.Date,
    },
    "industry_support": {
        "person": pl.Int64,
        "willing": pl.Boolean,
        "ask_date": pl.Date,
        "kind": pl.String,
        "start_date": pl.Date,
        "end_date": pl.Date,
    },
    "insured_relation": {
        "person": pl.Int64,
        "insurance_code": pl.String,
        "unit_kind": pl.String,
        "insured_at": pl.String,
        "first_month": pl.String,
        "last_month": pl.String,
        "pay_status": pl.String,
        "stop_reason": pl.String,
        "deleted": pl.Boolean,
    },
    "means_check": {
        "person": pl.Int64,
        "finding": pl.String,
        "checked_on": pl.Date,
        "auth_no": pl.String,
        "income_month": pl.Int64,
        "assets_ok": pl.Boolean,
        "education_year": pl.Int64,
        "deleted": pl.Boolean,
    },
    "aid_application": {
        "person": pl.Int64,
        "household_no": pl.String,
        "aid_code": pl.String,
        "apply_date": pl.Date,
        "state": pl.String,
        "decide_date": pl.Date,
        "refuse_reason": pl.String,
        "by_proxy": pl.Boolean,
        "deleted": pl.Boolean,
    },
}


def birthday(today: date, years: int, back: int) -> date:
    """Date of birth of whoever turned `years` `back` days ago (on 28 February for the 29th)."""
    day = today - timedelta(days=back)
    return day.replace(year=day.year - years, day=min(day.day, 28) if day.month == 2 else day.day)


@dataclass
class Scene:
    """Collects rows in the words of the departments; each call to `someone` takes a fresh person."""

    today: date
    now: datetime
    pool: list[int]
    numbers: list[str]
    """ID numbers of all people, by person."""
    young: dict[date, list[int]]
    """More of the unused, by date of birth."""
    rows: Rows = field(default_factory=lambda: {name: [] for name in ("setl_d", *TABLES)})

    def someone(self) -> int:
        return self.pool.pop()

    def aged(self, years: int, back: int) -> int:
        """Somebody who had the birthday of so many years `back` days ago; anybody where the county is too small."""
        return (self.young.get(birthday(self.today, years, back)) or self.pool).pop()

    def day(self, back: int) -> date:
        return self.today - timedelta(days=back)

    def when(self, back: int | None) -> date | None:
        """The day so many days ago; None for none."""
        return None if back is None else self.day(back)

    def bill(
        self,
        person: int,
        fen: int,
        *,
        back: int = 1,
        hour: float = 1.0,
        vali: str | None = "1",
        stay: bool = False,
    ) -> None:
        # hour counts from local midnight; never before this year began, never after now
        instant = datetime.combine(self.day(back), datetime.min.time(), UTC) + timedelta(hours=hour - 8)
        self.rows["setl_d"].append({"person": person, "fen": fen, "at": instant, "vali": vali, "stay": stay})

    def entry(
        self,
        person: int,
        tier: str,
        *,
        start: int = 400,
        end: int | None = None,
        taper: int | None = None,
        verified: int | None = None,
        review_class: str | None = None,
        status: str = "active",
        deleted: bool = False,
    ) -> None:
        self.rows["low_income_member"].append(
            {
                "person": person,
                "tier_code": tier,
                "status": status,
                "start_date": self.day(start),
                "end_date": self.when(end),
                "taper_until": self.when(taper),
                "verify_date": self.when(verified),
                "class_code": review_class,
                "exit_reason": None if end is None else "01",
                "deleted": deleted,
            }
        )

    def mark(
        self,
        person: int,
        tier: str,
        *,
        begin: int = 300,
        end: int | None = None,
        insutype: str = "310",
        status: str = "1",
    ) -> None:
        self.rows["psn_insu_d"].append(
            {
                "person": person,
                "psn_idet_type": tier or None,
                "idet_begndate": self.day(begin) if tier else None,
                "idet_enddate": self.when(end),
                "insutype": insutype,
                "psn_insu_stas": status,
                "begndate": date(self.today.year, 1, 1),
                "prem_subs_amt": 38_000 if tier else 0,
            }
        )

    def benefit(
        self,
        person: int,
        code: str,
        *,
        granted: int = 0,
        status: str = "active",
        end: int | None = None,
        fen: int = 50_000,
    ) -> None:
        self.rows["benefit"].append(
            {
                "person": person,
                "benefit_code": code,
                "start_on": self.day(granted),
                "status": status,
                "granted_on": self.day(granted),
                "end_on": self.when(end),
                "amount": fen,
                "deleted": False,
            }
        )

    def card(self, person: int, category: int, grade: int, *, valid: int | None = -900, status: str = "active") -> None:
        self.rows["disabled_card"].append(
            {
                "person": person,
                "category": category,
                "grade": grade,
                "status": status,
                "issue_date": self.day(200),
                "valid_until": self.when(valid),
                "guardian_certno": None,
                "guardian_name": None,
            }
        )

    def insure(self, person: int, kind: str = "390", *, status: str = "1") -> None:
        self.mark(person, "", insutype=kind, status=status)

    def event(self, person: int, event: str, kind: str, *, back: int = 20) -> None:
        self.rows["life_event"].append(
            {"person": person, "event": event, "event_on": self.day(back), "source_kind": kind}
        )

    def pupil(
        self,
        tier: str,
        stage: str,
        *,
        enrolled: int = 200,
        absent: int = 0,
        status: str = "enrolled",
        person: int | None = None,
        guardian: int | None = None,
    ) -> int:
        return self._row(
            "student",
            tier,
            {
                "guardian_certno": None if guardian is None else self.numbers[guardian],
                "guardian_name": None,
                "stage": stage,
                "status": status,
                "enrol_date": self.day(enrolled),
                "absent_days": absent,
                "student_aid": False,
                "yulu": False,
            },
            person,
        )

    def job(
        self,
        tier: str,
        status: str,
        *,
        since: int = 20,
        refusals: int = 0,
        wage: int = 0,
        person: int | None = None,
    ) -> int:
        return self._row(
            "job_status",
            tier,
            {
                "status": status,
                "since_date": self.day(since),
                "able": True,
                "refusals": refusals,
                "wage": wage,
                "help_date": None,
            },
            person,
        )

    def relation(
        self,
        tier: str,
        last: int | None,
        person: int,
        *,
        code: str = "110",
        at: str = "990101",
        reason: str = "离职",
        deleted: bool = False,
    ) -> int:
        """Social insurance whose last month paid was `last` months ago."""
        return self._row(
            "insured_relation",
            tier,
            {
                "insurance_code": code,
                "unit_kind": "企业",
                "insured_at": at,
                "first_month": "202001",
                "last_month": None if last is None else month(self.today, last),
                "pay_status": "3",
                "stop_reason": reason,
                "deleted": deleted,
            },
            person,
        )

    def house(self, tier: str, grade: str, *, age: int = 10, repaired: int | None = None) -> int:
        return self._row(
            "house_appraisal",
            tier,
            {
                "grade": grade,
                "appraise_date": self.day(30),
                "built_year": self.today.year - age,
                "repair_date": self.when(repaired),
            },
        )

    def tenancy(
        self,
        tier: str,
        tenure: str,
        dm2: int | None,
        *,
        support: str = "无",
        since: int | None = None,
        until: int | None = None,
    ) -> int:
        return self._row(
            "tenancy",
            tier,
            {
                "tenure": tenure,
                "area_per_head": dm2,
                "survey_date": self.day(30),
                "support": support,
                "support_from": self.when(since),
                "support_until": self.when(until),
            },
        )

    def water(self, tier: str, grade: str, person: int, *, back: int = 30, repaired: int | None = None) -> int:
        return self._row(
            "water_supply",
            tier,
            {
                "grade": grade,
                "assess_date": self.day(back),
                "repair_date": self.when(repaired),
            },
            person,
        )

    def wish(
        self,
        tier: str,
        willing: bool | None,
        person: int,
        *,
        asked: int = 30,
        kind: str = "无",
        since: int | None = None,
        until: int | None = None,
    ) -> int:
        return self._row(
            "industry_support",
            tier,
            {
                "willing": willing,
                "ask_date": self.day(asked),
                "kind": kind,
                "start_date": self.when(since),
                "end_date": self.when(until),
            },
            person,
        )

    def check(
        self,
        tier: str,
        finding: str,
        income: int | None,
        *,
        back: int = 20,
        auth: str | None = "SQ1",
        schooling: int | None = None,
        person: int | None = None,
    ) -> int:
        return self._row(
            "means_check",
            tier,
            {
                "finding": finding,
                "checked_on": self.day(back),
                "auth_no": auth,
                "income_month": income,
                "assets_ok": True,
                "education_year": schooling,
                "deleted": False,
            },
            person,
        )

    def application(
        self, person: int, state: str, house: str | None, *, back: int = 30, aid: str = "dibao", deleted: bool = False
    ) -> None:
        self.rows["aid_application"].append(
            {
                "person": person,
                "household_no": house,
                "aid_code": aid,
                "apply_date": self.day(back),
                "state": state,
                "decide_date": self.day(back - 20) if state in ("确认", "不予确认") else None,
                "refuse_reason": "01" if state == "不予确认" else None,
                "by_proxy": False,
                "deleted": deleted,
            }
        )

    def _row(self, table: str, tier: str, values: dict[str, Any], person: int | None = None) -> int:
        person = self.someone() if person is None else person
        if tier:
            self.entry(person, tier)
        self.rows[table].append({"person": person, **values})
        return person

    def death(self, person: int, *, back: int = 20) -> None:
        self.event(person, "死亡", "火化", back=back)

    def home(self, person: int, house: str, *, joined: int = 900, left: int | None = None, head: bool = False) -> None:
        self.rows["household_member"].append(
            {
                "person": person,
                "household_no": house,
                "relation": "01" if head else "20",
                "is_head": head,
                "joined_on": self.day(joined),
                "left_on": self.when(left),
                "deleted": False,
            }
        )
