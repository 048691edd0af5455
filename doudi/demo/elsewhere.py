"""Certificates, enrolment in medical insurance, deaths and other events of the registers."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from doudi.demo.civil import back, on_roster

CARD_SHARE = 0.026
DEATH_SHARE = 0.006
EVENTS = {
    "收押": ("收押通知", 0.0004),
    "迁出": ("户口迁移", 0.002),
    "交通事故": ("事故认定", 0.0015),
    "受灾": ("受灾名册", 0.001),
}
"""What else befalls people in most of a year, with its register; shares are this demo's, no published figures."""


def cards(folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Certificates: more with age and on the roster."""
    chance = CARD_SHARE * np.where(folk["age"].to_numpy() >= 60, 1.9, 0.75)
    chance *= np.where(folk["person"].is_in(on_roster(roster).implode()).to_numpy(), 4.0, 0.9)
    holders = folk.filter(pl.Series(rng.random(folk.height) < chance) & ~pl.col("reserved"))
    n = holders.height
    issued = rng.integers(20, 3600, n)
    status = rng.choice(["active", "cancelled", "expired"], size=n, p=[0.95, 0.03, 0.02])
    guardian = folk.filter("head").select(
        "house", pl.col("id_number").alias("guardian_certno"), pl.col("name").alias("guardian_name")
    )
    return holders.join(guardian, on="house", how="left", maintain_order="left").select(
        "person",
        pl.Series("category", rng.choice(7, size=n, p=[0.14, 0.12, 0.03, 0.50, 0.08, 0.08, 0.05]) + 1, pl.Int32),
        pl.Series("grade", rng.choice(4, size=n, p=[0.15, 0.22, 0.30, 0.33]) + 1, pl.Int32),
        pl.Series("status", status),
        back(today, issued).alias("issue_date"),
        pl.when(pl.Series(rng.random(n) < 0.9)).then(back(today, issued - 3650)).alias("valid_until"),
        pl.when(~pl.col("head")).then("guardian_certno").alias("guardian_certno"),
        pl.when(~pl.col("head")).then("guardian_name").alias("guardian_name"),
    )


def insurance(folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Nearly everybody enrolled; the roster's identity marked for most, and left on for some leavers."""
    active = roster.filter(pl.col("status") == "active").unique("person", keep="first", maintain_order=True)
    leavers = roster.filter(pl.col("status") == "exited").unique("person", keep="first", maintain_order=True)
    leavers = leavers.filter(pl.Series(rng.random(leavers.height) < 0.15))
    marks = pl.concat([active, leavers]).select("person", "tier_code", pl.col("start_date").alias("marked_on"))
    luck = rng.random(marks.height)
    marks = marks.with_columns(
        pl.when(pl.Series(luck < 0.03))
        .then(None)
        .when(pl.Series(luck < 0.04))
        .then(pl.lit("qita"))
        .otherwise("tier_code")
        .alias("psn_idet_type"),
        pl.when(pl.Series((luck > 0.04) & (luck < 0.05))).then(pl.lit(today - timedelta(days=3))).alias("idet_enddate"),
    )
    enrolled = folk.filter(pl.Series(rng.random(folk.height) < 0.95) | pl.col("reserved"))
    twice = enrolled.filter(pl.Series(rng.random(enrolled.height) < 0.003))
    marked = enrolled.join(marks, on="person", how="left", maintain_order="left")
    both = pl.concat(
        [
            marked,
            twice.join(marks, on="person", how="left", maintain_order="left").with_columns(
                pl.lit(None, pl.String).alias("psn_idet_type")
            ),
        ]
    )
    n = both.height
    has = pl.col("psn_idet_type").is_not_null()
    return both.select(
        "person",
        "psn_idet_type",
        pl.when(has).then("marked_on").alias("idet_begndate"),
        pl.when(has).then("idet_enddate").alias("idet_enddate"),
        pl.Series("insutype", rng.choice(["390", "310"], size=n, p=[0.8, 0.2])),
        pl.Series("psn_insu_stas", rng.choice(["1", "2"], size=n, p=[0.98, 0.02])),
        pl.lit(date(today.year, 1, 1)).alias("begndate"),
        pl.when(has).then(pl.lit(38000)).otherwise(0).alias("prem_subs_amt"),
    )


def deaths(folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Deaths of the last months, by age; more on the roster."""
    living = folk.filter(~pl.col("reserved"))
    weight = (living["age"].to_numpy() + 1.0) ** 4
    weight *= np.where(living["person"].is_in(on_roster(roster).implode()).to_numpy(), 4, 1)
    gone = living[
        np.sort(
            rng.choice(
                living.height,
                size=max(2, round(folk.height * DEATH_SHARE)),
                replace=False,
                p=weight / weight.sum(),
            )
        )
    ]
    n = gone.height
    return gone.select(
        "person",
        pl.lit("死亡").alias("event"),
        back(today, rng.integers(1, 250, n)).alias("event_on"),
        pl.Series("source_kind", rng.choice(["户籍注销", "死亡证明", "火化"], size=n)),
    )


def events(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Custody, moves, accidents and disasters of the last months."""
    able = folk.filter(~pl.col("reserved"))["person"]
    found = []
    for event, (kind, share) in EVENTS.items():
        n = max(2, round(folk.height * share))
        found.append(
            pl.DataFrame(
                {
                    "person": able.gather(np.sort(rng.choice(able.len(), size=n, replace=False))),
                    "event": [event] * n,
                    "event_on": back(today, rng.integers(1, 250, n)),
                    "source_kind": [kind] * n,
                }
            )
        )
    return pl.concat(found)
