"""The synthetic county's records, as each department keeps them: seeded, vectorised, ignorant of the rules.

Shares come from the published figures (docs/demo.md names them); what is not published is stated there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from doudi.demo import bills, edges, people

LOCAL = timedelta(hours=8)
ROSTER_SHARE = 0.047
TIER_MILLIONS = {"tekun": 4.6, "dibao": 40.0, "bianyuan": 6.0, "jiance": 3.0, "gangxing": 5.0, "qita": 8.0}
"""National figures; the published 13 million others are split between gangxing and qita here."""
CARD_SHARE = 0.026
DEATH_SHARE = 0.006
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
}

Frames = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class County:
    """Everything before the hub first looks. `unidentified`: rows planted without a usable ID, exactly."""

    people: people.People
    tables: Frames
    now: datetime
    today: date
    unidentified: int
    actors: tuple[int, ...]
    """Persons that nothing has happened to yet, for the changes to come."""

    @property
    def rows(self) -> int:
        """Rows in all departments together."""
        return sum(frame.height for frame in self.tables.values())


def local_day(now: datetime) -> date:
    """The county's calendar day (UTC+8, no summer time)."""
    return (now.astimezone(UTC) + LOCAL).date()


def generate(count: int, seed: int, now: datetime) -> County:
    """The county of `count` people at the instant `now` (aware). Equal arguments give equal counties."""
    rng = np.random.default_rng([seed, 1])
    today = local_day(now)
    county = people.settle(count, today, rng)
    folk = county.frame
    roster = _roster(folk, today, rng)
    tables: Frames = {"low_income_member": roster, "disabled_card": _cards(folk, roster, today, rng)}
    tables["household_member"] = _households(folk, roster, today, rng)
    tables["setl_d"] = bills.settlements(folk, _on_roster(roster), today, now, rng)
    tables["psn_insu_d"] = _insurance(folk, roster, today, rng)
    tables["benefit"] = _benefits(roster, tables, today, rng)
    tables["life_event"] = _deaths(folk, roster, today, rng)
    tables = _after_death(tables, today, rng)
    heads = folk.filter(pl.col("head") & pl.col("reserved"))["person"].to_numpy()
    each = max(1, round(20 * count / FULL))
    planted = edges.plant(folk, rng.permutation(heads), each, today, now)
    tables = {
        name: pl.concat([frame, planted.tables[name].select(frame.columns)])
        if name in planted.tables
        else frame
        for name, frame in tables.items()
    }
    tables = {name: _numbered(_spelled(frame, folk, rng), name, today) for name, frame in tables.items()}
    tables, bad = _without_id(tables, count, rng)
    stamped = {name: _stamped(frame, name, now, rng) for name, frame in tables.items()}
    return County(county, stamped, now, today, bad, planted.unused)


def _on_roster(roster: pl.DataFrame) -> pl.Series:
    return roster.filter(pl.col("status") == "active")["person"].unique()


def _roster(folk: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Whole households by tier (特困 live alone) until each tier has its share; some in two; leavers; refused."""
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
    picks.append(
        refused.select("house", pl.lit("bianyuan").alias("tier_code"), pl.lit("refused").alias("status"))
    )
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
    return entries.with_columns(
        start_date=_back(today, age),
        end_date=pl.when(pl.Series(exited)).then(_back(today, gone)),
        exit_reason=pl.when(pl.Series(exited)).then(pl.lit("01")),
        deleted=pl.lit(False),
    ).select("person", "tier_code", "status", "start_date", "end_date", "exit_reason", "deleted")


def _households(
    folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator
) -> pl.DataFrame:
    """Households known to civil affairs: those with somebody on the roster and one in twelve of the others."""
    known = folk.join(roster.select("person").unique(), on="person", how="semi")["house"].unique()
    houses = folk["house"].unique(maintain_order=True)
    lucky = houses.filter(pl.Series(rng.random(houses.len()) < 1 / 12))
    members = folk.filter(
        pl.col("house").is_in(known.implode()) | pl.col("house").is_in(lucky.implode()) & ~pl.col("reserved")
    )
    n = members.height
    joined = _back(today, rng.integers(30, 6000, n))
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
        _back(today, rng.integers(6000, 7000, movers.height)).alias("joined_on"),
        _back(today, rng.integers(0, 25, movers.height)).alias("left_on"),
        pl.lit(False).alias("deleted"),
    )
    return pl.concat([present, past])


def _cards(folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    chance = CARD_SHARE * np.where(folk["age"].to_numpy() >= 60, 1.9, 0.75)
    chance *= np.where(folk["person"].is_in(_on_roster(roster).implode()).to_numpy(), 4.0, 0.9)
    holders = folk.filter(pl.Series(rng.random(folk.height) < chance) & ~pl.col("reserved"))
    n = holders.height
    issued = rng.integers(20, 3600, n)
    status = rng.choice(["active", "cancelled", "expired"], size=n, p=[0.95, 0.03, 0.02])
    guardian = folk.filter("head").select(
        "house", pl.col("id_number").alias("guardian_certno"), pl.col("name").alias("guardian_name")
    )
    return holders.join(guardian, on="house", how="left", maintain_order="left").select(
        "person",
        pl.Series(
            "category", rng.choice(7, size=n, p=[0.14, 0.12, 0.03, 0.50, 0.08, 0.08, 0.05]) + 1, pl.Int32
        ),
        pl.Series("grade", rng.choice(4, size=n, p=[0.15, 0.22, 0.30, 0.33]) + 1, pl.Int32),
        pl.Series("status", status),
        _back(today, issued).alias("issue_date"),
        pl.when(pl.Series(rng.random(n) < 0.9)).then(_back(today, issued - 3650)).alias("valid_until"),
        pl.when(~pl.col("head")).then("guardian_certno").alias("guardian_certno"),
        pl.when(~pl.col("head")).then("guardian_name").alias("guardian_name"),
    )


def _insurance(
    folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator
) -> pl.DataFrame:
    """Nearly everybody enrolled; the roster's identity marked for most, and left on for some leavers."""
    active = roster.filter(pl.col("status") == "active").unique("person", keep="first", maintain_order=True)
    leavers = roster.filter(pl.col("status") == "exited").unique("person", keep="first", maintain_order=True)
    leavers = leavers.filter(pl.Series(rng.random(leavers.height) < 0.15))
    marks = pl.concat([active, leavers]).select(
        "person", "tier_code", pl.col("start_date").alias("marked_on")
    )
    luck = rng.random(marks.height)
    marks = marks.with_columns(
        pl.when(pl.Series(luck < 0.03))
        .then(None)
        .when(pl.Series(luck < 0.04))
        .then(pl.lit("qita"))
        .otherwise("tier_code")
        .alias("psn_idet_type"),
        pl.when(pl.Series((luck > 0.04) & (luck < 0.05)))
        .then(pl.lit(today - timedelta(days=3)))
        .alias("idet_enddate"),
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


def _benefits(roster: pl.DataFrame, tables: Frames, today: date, rng: np.random.Generator) -> pl.DataFrame:
    """Allowances of 低保 and 特困, the two disability subsidies for most, and aid after some of the large bills."""
    active = roster.filter((pl.col("status") == "active") & pl.col("tier_code").is_in(["tekun", "dibao"]))
    allowance = active.select(
        "person", pl.col("tier_code").alias("benefit_code"), pl.col("start_date").alias("start_on")
    )
    cards = tables["disabled_card"].filter(pl.col("status") == "active")
    severe = cards.filter(
        (pl.col("grade") <= 2) | (pl.col("category").is_in([5, 6]) & (pl.col("grade") == 3))
    )
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
    granted = _back(today, rng.integers(0, length, n))
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


def _deaths(folk: pl.DataFrame, roster: pl.DataFrame, today: date, rng: np.random.Generator) -> pl.DataFrame:
    living = folk.filter(~pl.col("reserved"))
    weight = (living["age"].to_numpy() + 1.0) ** 4
    weight *= np.where(living["person"].is_in(_on_roster(roster).implode()).to_numpy(), 4, 1)
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
        _back(today, rng.integers(1, 250, n)).alias("event_on"),
        pl.Series("source_kind", rng.choice(["户籍注销", "死亡证明", "火化"], size=n)),
    )


def _after_death(tables: Frames, today: date, rng: np.random.Generator) -> Frames:
    """Most entries and benefits of the dead were ended in good time, and most funeral subsidies paid; not all."""
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


def _back(today: date, days: np.ndarray) -> pl.Series:
    """`today` less so many days, each."""
    return pl.Series(np.datetime64(today, "D") - np.asarray(days).astype("timedelta64[D]"))


ID_COLUMN = {
    "setl_d": "certno",
    "psn_insu_d": "certno",
    "disabled_card": "certno",
    "low_income_member": "id_number",
    "household_member": "id_number",
    "benefit": "id_number",
    "life_event": "certno",
}
KEY = {
    "setl_d": ("setl_id", "S"),
    "psn_insu_d": ("psn_no", "P"),
    "disabled_card": ("card_no", ""),
    "low_income_member": ("entry_id", "E"),
    "household_member": ("member_id", "M"),
    "benefit": ("benefit_id", "B"),
    "life_event": ("record_no", "SW"),
}


def _spelled(frame: pl.DataFrame, folk: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
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
        pl.when(number.str.slice(6, 2) == "19")
        .then(number.str.slice(0, 6) + number.str.slice(8, 9))
        .otherwise(number)
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


def _numbered(frame: pl.DataFrame, table: str, today: date) -> pl.DataFrame:
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


def _without_id(tables: Frames, count: int, rng: np.random.Generator) -> tuple[Frames, int]:
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


def _stamped(frame: pl.DataFrame, table: str, now: datetime, rng: np.random.Generator) -> pl.DataFrame:
    """When each row was last touched: a third in nightly batches that share one timestamp, all before `now`."""
    if "touched" in frame.columns:
        return frame
    n = frame.height
    base = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us") - np.timedelta64(600, "s")
    stamps = base - (rng.random(n) * 300 * 86_400e6).astype("timedelta64[us]")
    night = rng.random(n) < 0.33
    stamps[night] = stamps[night].astype("datetime64[D]") + np.timedelta64(18, "h")
    stamps = np.minimum(stamps, base)
    return frame.with_columns(pl.Series("touched", stamps).dt.replace_time_zone("UTC"))
