"""What became of the conditions that people looked at: how many were found true, by rule, tier, place and source.

For whoever sets thresholds; nothing here changes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import polars as pl

from domain.cases.model import CLOSED, DATA, TOWNSHIP_DIGITS

FOUND = ("needs_aid", "done")
"""Outcomes that say: help was due. An alert whose family is already covered was right, and found nobody."""
CUTS = 20
_Z = NormalDist().inv_cdf(0.975)


def looked_at(cases: pl.DataFrame) -> pl.DataFrame:
    """One row a condition of each case that a person closed.

    ``cases``: columns of hub.case, in the order of the log. Comes out: rule, tier, township (9 digits), source (topic
    of the newest record used; empty if none), evidence (JSON), found (boolean).
    """
    last = cases.filter(pl.col("kind") != "").sort("version").unique("case_id", keep="last", maintain_order=True)
    closed = last.filter((pl.col("state") == CLOSED) & ~pl.col("closed_by").is_in(["", DATA]))
    rows = closed.select("case_id", "division", "outcome", "conditions").explode("conditions", empty_as_null=False)
    condition = pl.col("conditions").struct
    return rows.select(
        "case_id",
        condition.field("rule"),
        condition.field("tier"),
        pl.col("division").str.head(TOWNSHIP_DIGITS).alias("township"),
        condition.field("records").str.json_path_match("$[0].topic").fill_null("").alias("source"),
        condition.field("evidence"),
        pl.col("outcome").is_in(FOUND).alias("found"),
    )


def conversion(rows: pl.DataFrame, by: Sequence[str] = ("rule",)) -> pl.DataFrame:
    """Of what was looked at, the share that was found true, with its 95 % interval.

    ``rows`` as ``looked_at`` gives them. Columns: those of ``by``, checked, found, share, low, high. The interval
    is Wilson's (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, 209-212): right also for few and for none found.
    """
    n, p = pl.col("checked"), pl.col("found") / pl.col("checked")
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * (p * (1 - p) / n + _Z**2 / (4 * n**2)).sqrt()
    return (
        rows.group_by(by)
        .agg(pl.len().alias("checked"), pl.col("found").sum())
        .with_columns(
            p.alias("share"), (middle - half).clip(0, 1).alias("low"), (middle + half).clip(0, 1).alias("high")
        )
        .sort(by)
    )


def curve(rows: pl.DataFrame, rule: str, measure: str) -> pl.DataFrame:
    """What another threshold of a rule would have brought: alerts with at least so much, and how many were true.

    ``measure``: a number of the rule's evidence. Up to CUTS thresholds, at quantiles of what was looked at; below the
    least of them nothing is known, as nobody was alarmed. Columns: at_least, alerts, found, share, low, high, missed
    (found below the threshold).
    """
    value = pl.col("evidence").str.json_path_match(f"$.{measure}").cast(pl.Float64, strict=False)
    known = rows.filter(pl.col("rule") == rule).select(value.alias("value"), "found").drop_nulls()
    values = known["value"].unique().sort()
    if values.len() > CUTS:
        places = [round(i * (values.len() - 1) / (CUTS - 1)) for i in range(CUTS)]
        values = values.gather(sorted(set(places)))
    cuts = pl.DataFrame({"at_least": values.cast(pl.Float64)})
    reached = cuts.join_where(known, pl.col("value") >= pl.col("at_least"))
    total = int(known["found"].sum())
    return (
        conversion(reached, ("at_least",))
        .rename({"checked": "alerts"})
        .with_columns(missed=pl.lit(total) - pl.col("found"))
    )
