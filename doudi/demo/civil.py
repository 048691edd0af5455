"""Tables of the civil affairs bureau, and what became of them after a death."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

ROSTER_SHARE = 0.047
TIER_MILLIONS = {"tekun": 4.6, "dibao": 40.0, "bianyuan": 6.0, "jiance": 3.0, "gangxing": 5.0, "qita": 8.0}
"""National figures; the published 13 million others are split between gangxing and qita here."""
CLASS_CODES = {"A": 0.2, "A类": 0.05, "B": 0.15, "Ｂ类": 0.05, "C": 0.1, "c": 0.04, "其他": 0.01}
"""How a bureau writes the review class (分类管理), and on which share of the entries; the rest have none."""

Frames = dict[str, pl.DataFrame]


def roster(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Whole households by tier (特困 live alone) until each has its share; some in two; leavers; refused."""
    houses = (
        folk.filter(~pl.col("reserved"))
        .group_by("house", maintain_order=True)
        .agg(pl.len().alias("size"), pl.col("age").max().alias("age"))
        .sort("house")
    )
    order = houses[rng.permutation(houses.height)]
    total = folk.height * ROSTER_SHARE / sum(TIER_MILLIONS.values())
    picks = []
    free = order
    for tier, millions in TIER_MILLIONS.items():
        fit = free.filter((pl.col("size") == 1) & (pl.col("age") >= 55)) if tier == "tekun" else free
        taken = fit.filter(pl.col("size").cum_sum() <= max(1, round(total * millions)))
        picks.append(taken.select("house", pl.lit(tier).alias("tier_code"), pl.lit("active").alias("status")))
        free = free.join(taken, on="house", how="anti", maintain_order="left")
    left = free.filter(pl.col("size").cum_sum() <= round(folk.height * 0.007))
    picks.append(left.select("house", pl.lit("dibao").alias("tier_code"), pl.lit("exited").alias("status")))
    free = free.join(left, on="house", how="anti", maintain_order="left")
    refused = free.filter(pl.col("size").cum_sum() <= round(folk.height * 0.001))
    picks.append(refused.select("house", pl.lit("bianyuan").alias("tier_code"), pl.lit("refused").alias("status")))
    entries = pl.concat(picks).join(folk.select("person", "house"), on="house").sort("person")
    second = entries.filter((pl.col("tier_code") == "dibao") & (pl.col("status") == "active"))
    second = second.filter(pl.Series(rng.random(second.height) < 0.04)).with_columns(
        pl.lit("jiance").alias("tier_code")
    )
    entries = pl.concat([entries, second])
    n = entries.height
    exited = (entries["status"] == "exited").to_numpy()
    age = np.where(rng.random(n) < 0.08, rng.integers(0, 60, n), rng.integers(60, 1500, n))
    age[exited] += 400
    gone = rng.integers(0, 300, n)
    # Of their own, so that what chance brings else stays as it is: reviewed in time, but for one in a hundred.
    apart = rng.spawn(1)[0]
    seen = apart.integers(0, 180, n) + 365 * (apart.random(n) < 0.01)
    classes = pl.Series(apart.choice(["", *CLASS_CODES], n, p=[0.4, *CLASS_CODES.values()]))
    return entries.with_columns(
        start_date=back(today, age),
        end_date=pl.when(pl.Series(exited)).then(back(today, gone)),
        taper_until=pl.lit(None, pl.Date),
        verify_date=back(today, np.minimum(age, seen)),
        class_code=pl.when(classes != "").then(classes),
        exit_reason=pl.when(pl.Series(exited)).then(pl.lit("01")),
        deleted=pl.lit(False),
    ).select(
        "person",
        "tier_code",
        "status",
        "start_date",
        "end_date",
        "taper_until",
        "verify_date",
        "class_code",
        "exit_reason",
        "deleted",
    )


def on_roster(roster: pl.DataFrame) -> pl.Series:
    """Persons with an active entry."""
    return roster.filter(pl.col("status") == "active")["person"].unique()


def households(folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Households known to civil affairs: with somebody on the roster, and one in twelve of the others."""
    known = folk.join(roster.select("person").unique(), on="person", how="semi")["house"].unique()
    houses = folk["house"].unique(maintain_order=True)
    lucky = houses.filter(pl.Series(rng.random(houses.len()) < 1 / 12))
    members = folk.filter(
        pl.col("house").is_in(known.implode()) | pl.col("house").is_in(lucky.implode()) & ~pl.col("reserved")
    )
    n = members.height
    joined = back(today, rng.integers(30, 6000, n))
    present = members.select(
        "person",
        "household_no",
        pl.when("head").then(pl.lit("01")).otherwise(pl.lit("20")).alias("relation"),
        pl.col("head").alias("is_head"),
        pl.when(pl.Series(rng.random(n) < 0.7)).then(joined).alias("joined_on"),
        pl.lit(None, pl.Date).alias("left_on"),
        pl.lit(False).alias("deleted"),
    )
    movers = members.filter(pl.Series(rng.random(n) < 0.02) & ~pl.col("head"))
    elsewhere = members["household_no"].gather(rng.integers(0, n, movers.height))
    past = movers.select(
        "person",
        elsewhere.alias("household_no"),
        pl.lit("20").alias("relation"),
        pl.lit(False).alias("is_head"),
        back(today, rng.integers(6000, 7000, movers.height)).alias("joined_on"),
        back(today, rng.integers(0, 25, movers.height)).alias("left_on"),
        pl.lit(False).alias("deleted"),
    )
    return pl.concat([present, past])


def benefits(roster: pl.DataFrame, tables: Frames, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Allowances, the two disability subsidies for most, and aid after some of the large bills."""
    active = roster.filter((pl.col("status") == "active") & pl.col("tier_code").is_in(["tekun", "dibao"]))
    allowance = active.select(
        "person", pl.col("tier_code").alias("benefit_code"), pl.col("start_date").alias("start_on")
    )
    cards = tables["disabled_card"].filter(pl.col("status") == "active")
    severe = cards.filter((pl.col("grade") <= 2) | (pl.col("category").is_in([5, 6]) & (pl.col("grade") == 3)))
    care = severe.filter(pl.Series(rng.random(severe.height) < 0.82)).select(
        "person", pl.lit("care_subsidy").alias("benefit_code"), pl.col("issue_date").alias("start_on")
    )
    poor = cards.join(active, on="person", how="semi", maintain_order="left")
    living = poor.filter(pl.Series(rng.random(poor.height) < 0.7)).select(
        "person", pl.lit("living_subsidy").alias("benefit_code"), pl.col("issue_date").alias("start_on")
    )
    running = pl.concat([allowance, care, living])
    stopped = pl.Series(rng.random(running.height) < 0.03)
    running = running.with_columns(
        pl.when(stopped).then(pl.lit("stopped")).otherwise(pl.lit("active")).alias("status"),
        pl.col("start_on").alias("granted_on"),
        pl.when(stopped).then(pl.lit(today - timedelta(days=10))).alias("end_on"),
        pl.Series("amount", rng.integers(8_000, 90_000, running.height)),
    )
    heavy = (
        tables["setl_d"]
        .group_by("person")
        .agg(pl.col("psn_part_amt").sum())
        .filter(pl.col("psn_part_amt") > 500_000)
        .sort("person")
    )
    heavy = heavy.filter(pl.Series(rng.random(heavy.height) < 0.3))
    n = heavy.height
    length = (today - date(today.year, 1, 1)).days + 1
    granted = back(today, rng.integers(0, length, n))
    aid = heavy.select(
        "person",
        pl.Series("benefit_code", rng.choice(["temporary_aid", "medical_aid"], size=n)),
        granted.alias("start_on"),
        pl.Series("status", rng.choice(["paid", "active", "stopped"], size=n, p=[0.85, 0.1, 0.05])),
        granted.alias("granted_on"),
        pl.lit(None, pl.Date).alias("end_on"),
        pl.Series("amount", rng.integers(100_000, 800_000, n)),
    )
    return pl.concat([running.select(aid.columns), aid]).with_columns(pl.lit(False).alias("deleted"))


def after_death(tables: Frames, today: date, rng: np.random.Generator) -> Frames:
    """Most entries and benefits of the dead were ended in time, most funeral subsidies paid; not all."""
    dead = tables["life_event"].select("person", "event_on")
    tidy = dead.filter(pl.Series(rng.random(dead.height) < 0.6)).with_columns(
        pl.min_horizontal(pl.col("event_on").dt.offset_by("12d"), pl.lit(today)).alias("closed")
    )
    roster = tables["low_income_member"].join(tidy, on="person", how="left", maintain_order="left")
    was_there = pl.col("closed").is_not_null() & (pl.col("status") == "active")
    roster = roster.with_columns(
        pl.when(was_there).then("closed").otherwise("end_date").alias("end_date"),
        pl.when(was_there).then(pl.lit("02")).otherwise("exit_reason").alias("exit_reason"),
        pl.when(was_there).then(pl.lit("exited")).otherwise("status").alias("status"),
    ).drop("event_on", "closed")
    benefit = tables["benefit"].join(tidy, on="person", how="left", maintain_order="left")
    runs = pl.col("closed").is_not_null() & (pl.col("status") == "active")
    benefit = benefit.with_columns(
        pl.when(runs).then("closed").otherwise("end_on").alias("end_on"),
        pl.when(runs).then(pl.lit("stopped")).otherwise("status").alias("status"),
    ).drop("event_on", "closed")
    poor = dead.join(
        roster.filter(pl.col("tier_code").is_in(["tekun", "dibao"])),
        on="person",
        how="semi",
        maintain_order="left",
    )
    paid = poor.filter(pl.Series(rng.random(poor.height) < 0.55)).select(
        "person",
        pl.lit("funeral_subsidy").alias("benefit_code"),
        pl.col("event_on").alias("start_on"),
        pl.lit("paid").alias("status"),
        pl.col("event_on").alias("granted_on"),
        pl.lit(None, pl.Date).alias("end_on"),
        pl.lit(120_000, pl.Int64).alias("amount"),
        pl.lit(False).alias("deleted"),
    )
    return {
        **tables,
        "low_income_member": roster,
        "benefit": pl.concat([benefit, paid.select(benefit.columns)]),
    }


def back(today: date, days: np.ndarray) -> pl.Series:
    """`today` less so many days, each."""
    return pl.Series(np.datetime64(today, "D") - np.asarray(days).astype("timedelta64[D]"))


def month(today: date, months: int) -> str:
    """The month so many months before that of `today`, as YYYYMM."""
    year, index = divmod(today.year * 12 + today.month - 1 - months, 12)
    return f"{year}{index + 1:02d}"
