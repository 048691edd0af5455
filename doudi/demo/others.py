"""Tables of the education, employment, housing, water and agriculture bureaus, checks of means, applications.

Shares are this demo's own.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from doudi.demo.civil import back, month, on_roster

Frames = dict[str, pl.DataFrame]
STAGES = ((3, 6, "preschool"), (6, 12, "primary"), (12, 15, "junior"), (15, 18, "senior"), (18, 22, "higher"))
STATES = ("受理", "核对", "公示", "确认", "不予确认", "撤回")
FINDINGS = ("none", "vehicle", "property", "business", "fund", "post", "tax")


def tables(folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator) -> Frames:
    """Who is on the roster is known to these departments too; of the others, some."""
    listed = folk["person"].is_in(on_roster(roster).implode())
    free = folk.with_columns(listed.alias("listed")).filter(~pl.col("reserved"))
    apart, later = rng.spawn(2)  # so that what chance brings else stays as it is
    return {
        "student": _students(free, today, rng),
        "job_status": _jobs(free, today, rng),
        "house_appraisal": _houses(free, today, rng),
        "means_check": _checks(free, today, rng),
        "tenancy": _tenancies(free, today, rng),
        "water_supply": _supplies(free, today, apart),
        "industry_support": _wishes(free, today, apart),
        "aid_application": _applications(free, today, later),
        "insured_relation": _relations(free, today, apart),
    }


def _some(folk: pl.DataFrame, listed: float, other: float, rng: np.random.Generator) -> pl.DataFrame:
    chance = np.where(folk["listed"].to_numpy(), listed, other)
    return folk.filter(pl.Series(rng.random(folk.height) < chance))


def _students(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    young = _some(folk.filter(pl.col("age").is_between(3, 21)), 0.9, 0.05, rng)
    n = young.height
    stage = pl.lit("higher")
    for low, high, name in reversed(STAGES):
        stage = pl.when(pl.col("age").is_between(low, high - 1)).then(pl.lit(name)).otherwise(stage)
    heads = folk.filter("head").select(
        "house", pl.col("id_number").alias("guardian_certno"), pl.col("name").alias("guardian_name")
    )
    pupils = young.join(heads, on="house", how="left", maintain_order="left").with_columns(stage.alias("stage"))
    trade = pl.Series(rng.random(n) < 0.4) & (pl.col("stage") == "senior")
    return pupils.select(
        "person",
        "guardian_certno",
        "guardian_name",
        pl.when(trade).then(pl.lit("vocational")).otherwise("stage").alias("stage"),
        pl.Series("status", rng.choice(["enrolled", "suspended", "left"], size=n, p=[0.94, 0.02, 0.04])),
        back(today, rng.integers(5, 300, n)).alias("enrol_date"),
        pl.Series("absent_days", np.where(rng.random(n) < 0.06, rng.integers(1, 20, n), 0), pl.Int32),
        pl.Series("student_aid", rng.random(n) < 0.8),
        pl.Series("yulu", rng.random(n) < 0.6),
    )


def _jobs(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    adults = _some(folk.filter(pl.col("age").is_between(18, 59)), 0.6, 0.02, rng)
    n = adults.height
    since = rng.integers(1, 400, n)
    status = rng.choice(["employed", "unemployed", "not_seeking"], size=n, p=[0.5, 0.35, 0.15])
    helped = (status == "unemployed") & (rng.random(n) < 0.5)
    return adults.select(
        "person",
        pl.Series("status", status),
        back(today, since).alias("since_date"),
        pl.Series("able", rng.random(n) < 0.75),
        pl.Series("refusals", rng.choice(5, size=n, p=[0.8, 0.09, 0.05, 0.04, 0.02]), pl.Int32),
        pl.Series("wage", np.where(status == "employed", rng.integers(40_000, 400_000, n), 0)),
        pl.when(pl.Series(helped)).then(back(today, rng.integers(0, 200, n))).alias("help_date"),
    )


def _houses(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    owners = _some(folk.filter("head"), 0.6, 0.01, rng)
    n = owners.height
    repaired = rng.random(n) < 0.3
    return owners.select(
        "person",
        pl.Series("grade", rng.choice(["A", "B", "C", "D"], size=n, p=[0.6, 0.25, 0.1, 0.05])),
        back(today, rng.integers(10, 900, n)).alias("appraise_date"),
        pl.Series("built_year", today.year - rng.integers(1, 60, n), pl.Int32),
        pl.when(pl.Series(repaired)).then(back(today, rng.integers(0, 900, n))).alias("repair_date"),
    )


def _checks(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    asked = _some(folk, 0.2, 0.003, rng)
    n = asked.height
    return asked.select(
        "person",
        pl.Series("finding", rng.choice(FINDINGS, size=n, p=[0.88, *[0.02] * 6])),
        back(today, rng.integers(1, 300, n)).alias("checked_on"),
        pl.when(pl.Series(rng.random(n) < 0.95)).then(pl.lit("SQ") + pl.col("person").cast(pl.String)).alias("auth_no"),
        pl.Series("income_month", rng.integers(10_000, 200_000, n)),
        pl.Series("assets_ok", rng.random(n) < 0.8),
        pl.when(pl.Series(rng.random(n) < 0.2))
        .then(pl.Series(rng.integers(100_000, 1_500_000, n)))
        .alias("education_year"),
        pl.lit(False).alias("deleted"),
    )


def _applications(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    applied = _some(folk.filter("head"), 0.2, 0.02, rng)
    n = applied.height
    state = rng.choice(STATES, size=n, p=[0.08, 0.06, 0.04, 0.55, 0.22, 0.05])
    open_for = rng.integers(0, 120, n)
    decided = pl.Series(state).is_in(["确认", "不予确认"])
    return applied.select(
        "person",
        "household_no",
        pl.Series("aid_code", rng.choice(["dibao", "bianyuan", "gangxing", "temporary_aid"], size=n)),
        back(today, open_for + np.where(decided, rng.integers(0, 300, n), 0)).alias("apply_date"),
        pl.Series("state", state),
        pl.when(decided).then(back(today, open_for)).alias("decide_date"),
        pl.when(pl.Series(state == "不予确认"))
        .then(pl.Series(rng.choice(["01", "02", "03"], size=n)))
        .alias("refuse_reason"),
        pl.Series("by_proxy", rng.random(n) < 0.1),
        pl.lit(False).alias("deleted"),
    )


def _tenancies(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    asked = _some(folk.filter("head"), 0.3, 0.01, rng)
    n = asked.height
    tenure = rng.choice(["自有", "租赁", "借住", "无房"], size=n, p=[0.6, 0.25, 0.1, 0.05])
    support = np.where(tenure == "自有", "无", rng.choice(["公租房", "租赁补贴", "无"], size=n, p=[0.3, 0.3, 0.4]))
    begun = pl.Series(support != "无")
    return asked.select(
        "person",
        pl.Series("tenure", tenure),
        pl.when(pl.Series(tenure != "无房")).then(pl.Series(rng.integers(600, 5000, n))).alias("area_per_head"),
        back(today, rng.integers(1, 900, n)).alias("survey_date"),
        pl.Series("support", support),
        pl.when(begun).then(back(today, rng.integers(0, 800, n))).alias("support_from"),
        pl.when(begun & pl.Series(rng.random(n) < 0.2))
        .then(back(today, rng.integers(-200, 200, n)))
        .alias("support_until"),
    )


def _supplies(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    asked = _some(folk.filter("head"), 0.3, 0.01, rng)
    n = asked.height
    repaired = rng.random(n) < 0.3
    return asked.select(
        "person",
        pl.Series("grade", rng.choice(["安全", "基本安全", "不安全"], size=n, p=[0.7, 0.2, 0.1])),
        back(today, rng.integers(1, 900, n)).alias("assess_date"),
        pl.when(pl.Series(repaired)).then(back(today, rng.integers(0, 900, n))).alias("repair_date"),
    )


def _wishes(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    asked = _some(folk.filter(pl.col("age").is_between(16, 64)), 0.2, 0.005, rng)
    n = asked.height
    kind = rng.choice(["种植", "养殖", "加工", "服务", "入股分红", "无"], size=n, p=[0.2, 0.2, 0.1, 0.05, 0.05, 0.4])
    begun = pl.Series(kind != "无")
    return asked.select(
        "person",
        pl.when(pl.Series(rng.random(n) < 0.9)).then(pl.Series(rng.random(n) < 0.7)).alias("willing"),
        back(today, rng.integers(1, 700, n)).alias("ask_date"),
        pl.Series("kind", kind),
        pl.when(begun).then(back(today, rng.integers(0, 800, n))).alias("start_date"),
        pl.when(begun & pl.Series(rng.random(n) < 0.2)).then(back(today, rng.integers(-200, 200, n))).alias("end_date"),
    )


def _relations(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """A pension relation each, and one of unemployment insurance for some; a fifth ended within two years."""
    paying = _some(folk.filter(pl.col("age").is_between(18, 62)), 0.4, 0.015, rng)
    n = paying.height
    ended = rng.random(n) < 0.2
    reason = pl.Series(rng.choice(["离职", "退休", "转出"], size=n, p=[0.8, 0.15, 0.05]))
    unit = rng.choice(["企业", "机关事业", "灵活就业"], size=n, p=[0.6, 0.1, 0.3])
    pension = paying.select(
        "person",
        pl.Series("insurance_code", np.where(unit == "机关事业", "120", "110")),
        pl.Series("unit_kind", unit),
        pl.Series("insured_at", rng.choice(["990101", "990201"], size=n, p=[0.7, 0.3])),
        pl.Series("first_month", [month(today, int(b)) for b in rng.integers(24, 120, n)]),
        pl.Series("last_month", [month(today, int(b)) for b in np.where(ended, rng.integers(1, 24, n), 0)]),
        pl.Series("pay_status", np.where(ended, "3", "1")),
        pl.when(pl.Series(ended)).then(reason).alias("stop_reason"),
        pl.lit(False).alias("deleted"),
    )
    both = pl.Series(rng.random(n) < 0.4) & pl.Series(unit != "灵活就业")
    return pl.concat([pension, pension.filter(both).with_columns(pl.lit("210").alias("insurance_code"))])
