"""Medical bills of the synthetic county: a heavy tail, reversals, invalid ones, bills of last year.

No source publishes the distribution of self-pay per person: log-normal, its tail set so that alerts per
roster person come near Shandong's 0.39 a year.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

PER_PERSON = 0.5
INPATIENT = 0.25
LAST_YEAR = 0.08
REVERSED, INVALID, NO_FLAG = 0.025, 0.015, 0.02
COMPONENTS = (
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
    "acct_pay",
    "psn_cash_pay",
)


def settlements(
    folk: pl.DataFrame,
    roster: pl.Series,
    today: date,
    now: datetime,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Bills of everybody but the reserved, reversals behind their originals. Money in fen."""
    able = folk.filter(~pl.col("reserved"))
    on = able["person"].is_in(roster.implode()).to_numpy()
    visits = rng.poisson(PER_PERSON + 0.5 * (able["age"].to_numpy() >= 60) + 0.4 * on)
    person = np.repeat(able["person"].to_numpy(), visits)
    poor = np.repeat(on, visits)
    n = len(person)
    inpatient = rng.random(n) < INPATIENT
    yuan = np.where(inpatient, rng.lognormal(np.log(2600), 1.2, n), rng.lognormal(np.log(110), 1.1, n))
    self_pay = np.maximum(np.round(yuan * np.where(poor, 45, 100)), 100).astype(np.int64)
    instant = _instants(n, today, now, rng)
    first = frame(person, self_pay, instant, inpatient, poor, rng)
    luck = pl.Series(rng.random(n))
    flag = pl.when(luck < INVALID).then(pl.lit("0")).when(luck > 1 - NO_FLAG).then(None).otherwise(pl.lit("1"))
    first = first.with_columns(flag.alias("vali_flag"))
    wrong = first.filter(pl.Series(rng.random(n) < REVERSED))
    money = [c for c in first.columns if first[c].dtype == pl.Int64 and c != "person"]
    later = pl.min_horizontal(
        pl.col("setl_time") + pl.Series(rng.integers(1, 20 * 86_400, wrong.height) * 1_000_000).cast(pl.Duration("us")),
        pl.lit(now.astimezone(UTC) - timedelta(hours=1)).cast(pl.Datetime("us", "UTC")),
    )
    back = wrong.with_columns(
        *(-pl.col(c) for c in money), later.alias("setl_time"), pl.lit("1").alias("refd_setl_flag")
    )
    return touched(pl.concat([first, back]), now, rng)


def _instants(n: int, today: date, now: datetime, rng: np.random.Generator) -> np.ndarray:
    """Seconds since 1970 (UTC): mostly this local year up to an hour ago, some of last year."""
    newyear = datetime(today.year, 1, 1, tzinfo=UTC).timestamp() - 8 * 3600
    last = max(now.timestamp() - 3600, newyear + 1)
    seconds = newyear + rng.random(n) * (last - newyear)
    old = rng.random(n) < LAST_YEAR
    seconds[old] = newyear - rng.random(int(old.sum())) * 365 * 86_400
    return seconds.astype(np.int64)


def frame(
    person: np.ndarray,
    self_pay: np.ndarray,
    instant: np.ndarray,
    inpatient: np.ndarray,
    poor: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Bills whose parts add up (fen): total = funds + self-pay, and each of these the sum of its parts."""
    n = len(person)
    total = (self_pay / np.where(inpatient, rng.uniform(0.25, 0.45, n), rng.uniform(0.35, 0.7, n))).astype(np.int64)
    fund = total - self_pay
    own, over, first = self_pay * 3 // 10, self_pay // 20, self_pay // 10
    aid = np.where(poor, fund // 10, 0)
    pool = (fund - aid) * 85 // 100
    account = np.where(inpatient, 0, self_pay // 4)
    zero = np.zeros(n, dtype=np.int64)
    parts = dict(
        zip(
            COMPONENTS,
            (
                own,
                over,
                first,
                total - own - over - first,
                self_pay // 8,
                pool,
                fund - aid - pool,
                zero,
                aid,
                zero,
                zero,
                fund,
                account,
                self_pay - account,
            ),
            strict=True,
        )
    )
    when = pl.Series(instant * 1_000_000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.DataFrame(
        {
            "person": person,
            "setl_time": when,
            "psn_part_amt": self_pay,
            "medfee_sumamt": total,
            **parts,
            "med_type": np.where(inpatient, "21", "11"),
            "vali_flag": ["1"] * n,
            "refd_setl_flag": ["0"] * n,
        },
        schema_overrides={"vali_flag": pl.String, "refd_setl_flag": pl.String},
    )


def touched(rows: pl.DataFrame, now: datetime, rng: np.random.Generator) -> pl.DataFrame:
    """Each row's last touch: soon after the bill, in a nightly batch, or in the one bulk load all share."""
    n = rows.height
    base = now.astimezone(UTC) - timedelta(minutes=10)
    bulk = base.replace(hour=18, minute=0, second=0, microsecond=0) - timedelta(days=30)
    luck = pl.Series(rng.random(n))
    soon = pl.col("setl_time") + pl.Series((rng.random(n) * 2 * 86_400e6).astype(np.int64)).cast(pl.Duration("us"))
    stamp = (
        pl.when((luck < 0.08) & (pl.col("setl_time") < bulk))
        .then(pl.lit(bulk).cast(pl.Datetime("us", "UTC")))
        .when(luck < 0.4)
        .then(pl.col("setl_time").dt.truncate("1d") + pl.duration(hours=42))
        .otherwise(soon)
    )
    return rows.with_columns(pl.min_horizontal(stamp, pl.lit(base).cast(pl.Datetime("us", "UTC"))).alias("touched"))
