"""What makes rows of a department: its key, how it writes the ID number, when it touched the row."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

FULL = 120_000
"""Size at which planted numbers are given; smaller counties get their part, at least one."""
BAD_IDS = ("", None, "无", "9901011960", "990101196001010016", "990101196013010012", "99010119600101001Y")
BAD_ROWS = {
    "setl_d": 220,
    "psn_insu_d": 60,
    "disabled_card": 15,
    "low_income_member": 15,
    "household_member": 25,
    "benefit": 15,
    "life_event": 12,
    "means_check": 6,
    "aid_application": 6,
    "student": 10,
    "job_status": 10,
    "insured_relation": 8,
    "house_appraisal": 6,
    "tenancy": 6,
    "water_supply": 6,
    "industry_support": 6,
}

Frames = dict[str, pl.DataFrame]

ID_COLUMN = {
    "setl_d": "certno",
    "psn_insu_d": "certno",
    "disabled_card": "certno",
    "low_income_member": "id_number",
    "household_member": "id_number",
    "benefit": "id_number",
    "life_event": "certno",
    "means_check": "id_number",
    "aid_application": "id_number",
    "student": "certno",
    "job_status": "certno",
    "insured_relation": "certno",
    "house_appraisal": "certno",
    "tenancy": "certno",
    "water_supply": "certno",
    "industry_support": "certno",
}
KEY = {
    "setl_d": ("setl_id", "S"),
    "psn_insu_d": ("psn_no", "P"),
    "disabled_card": ("card_no", ""),
    "low_income_member": ("entry_id", "E"),
    "household_member": ("member_id", "M"),
    "benefit": ("benefit_id", "B"),
    "life_event": ("record_no", "SW"),
    "means_check": ("check_id", "K"),
    "aid_application": ("apply_no", "A"),
    "student": ("student_no", "T"),
    "job_status": ("reg_no", "J"),
    "insured_relation": ("relation_no", "C"),
    "house_appraisal": ("appraisal_no", "F"),
    "tenancy": ("reg_no", "Z"),
    "water_supply": ("supply_no", "W"),
    "industry_support": ("reg_no", "N"),
}


def spelled(frame: pl.DataFrame, folk: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The person's columns joined on; one number in two hundred is written in another accepted way."""
    who = folk.select(
        "person",
        pl.col("id_number").alias("canonical"),
        "name",
        "tel",
        "division",
        pl.col("household_no").alias("house_no"),
    )
    joined = frame.join(who, on="person", how="left", maintain_order="left")
    style = pl.Series(np.where(rng.random(frame.height) < 0.005, rng.integers(0, 4, frame.height), 9))
    number = pl.col("canonical")
    wide = number.str.replace_many(list("0123456789X"), list("０１２３４５６７８９Ｘ"))
    old = (
        pl.when(number.str.slice(6, 2) == "19").then(number.str.slice(0, 6) + number.str.slice(8, 9)).otherwise(number)
    )
    return joined.with_columns(
        pl.when(style == 0)
        .then(number.str.to_lowercase())
        .when(style == 1)
        .then(wide)
        .when(style == 2)
        .then(pl.lit(" ") + number + pl.lit(" "))
        .when(style == 3)
        .then(old)
        .otherwise(number)
        .alias("spelled")
    )


def numbered(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """The department's own key, and the columns of its table in its own names."""
    key, letter = KEY[table]
    n = frame.height
    if table == "disabled_card":
        numbers = frame["canonical"] + frame["category"].cast(pl.String) + frame["grade"].cast(pl.String)
        return (
            frame.with_columns(numbers.alias(key))
            .unique(key, keep="first", maintain_order=True)
            .with_columns(
                pl.col("spelled").alias("certno"),
                pl.col("issue_date").alias("first_issue_date"),
                pl.col("issue_date").alias("assess_date"),
            )
        )
    numbers = pl.Series(key, np.char.add(letter, np.char.zfill(np.arange(n).astype("U9"), 9)))
    return frame.with_columns(numbers, pl.col("spelled").alias(ID_COLUMN[table]))


def without_id(tables: Frames, count: int, rng: np.random.Generator) -> tuple[Frames, int]:
    """Copies of rows under new keys whose number names nobody; how many is the second result."""
    total, result = 0, {}
    for name, frame in tables.items():
        key, letter = KEY[name]
        n = min(frame.height, max(1, round(BAD_ROWS[name] * count / FULL)))
        valid = frame.filter(~pl.col("deleted")) if "deleted" in frame.columns else frame
        rows = valid[np.sort(rng.choice(valid.height, size=n, replace=False))]
        bad = pl.Series([BAD_IDS[i % len(BAD_IDS)] for i in range(n)], dtype=pl.String)
        if name == "disabled_card":
            # A certificate's number contains the ID: the same wrong digit in both.
            body = rows["canonical"].str.slice(0, 17)
            wrong = pl.Series("W", ["1" if c[-1] != "1" else "2" for c in rows["canonical"]])
            bad = body + wrong
            keys = bad + rows[key].str.slice(18)
        else:
            keys = pl.Series([f"{letter}X{i:08d}" for i in range(n)])
        result[name] = pl.concat([frame, rows.with_columns(keys.alias(key), bad.alias(ID_COLUMN[name]))])
        total += n
    return result, total


def stamped(frame: pl.DataFrame, table: str, now: datetime, rng: np.random.Generator) -> pl.DataFrame:
    """When each row was last touched: a third in nightly batches that share a timestamp, all before `now`."""
    if "touched" in frame.columns:
        return frame
    n = frame.height
    base = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us") - np.timedelta64(600, "s")
    stamps = base - (rng.random(n) * 300 * 86_400e6).astype("timedelta64[us]")
    night = rng.random(n) < 0.33
    stamps[night] = stamps[night].astype("datetime64[D]") + np.timedelta64(18, "h")
    stamps = np.minimum(stamps, base)
    return frame.with_columns(pl.Series("touched", stamps).dt.replace_time_zone("UTC"))
