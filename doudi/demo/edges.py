"""Planted cases on persons that chance left alone: exactly at a line, one fen beyond, the days at the edges.

Each is a situation where a careless hub goes wrong; none says what must come of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from doudi.demo import bills
from doudi.demo.civil import month
from doudi.demo.scene import TABLES, Scene

AGES = {
    **{(6, -1): 1, (6, 0): 1, (10, 100): 3, (16, -1): 4, (16, 0): 5, (16, 60): 1, (16, 61): 1, (18, 0): 2},
    **{(40, 100): 44, (44, 100): 10, (46, 100): 16},
    **{(60, -1): 3, (60, 0): 9, (60, 60): 1, (60, 61): 1},
}
"""Of whom the situations need how many, by a birthday and how many days ago it was."""


@dataclass(frozen=True)
class Planted:
    """Rows to add to each table, and the persons still unused."""

    tables: dict[str, pl.DataFrame]
    unused: tuple[int, ...]


def plant(folk: pl.DataFrame, pool: np.ndarray, each: int, today: date, now: datetime) -> Planted:
    """Plant every situation `each` times on persons of `pool`."""
    spare = folk.filter(pl.col("reserved") & ~pl.col("head")).select("born", "person").iter_rows()
    young: dict[date, list[int]] = {}
    for born, person in spare:
        young.setdefault(born, []).append(person)
    scene = Scene(today, now, [int(p) for p in pool], folk["id_number"].to_list(), young)
    situations = (
        *(_lines, _tiers, _aid, _marks, _cards, _deaths, _homes),
        *(_incomes, _stays, _leavers, _subsidies, _incidents),
        *(_schools, _work, _homesteads, _means, _losses, _tapers, _reviews, _burdens, _lodgings),
        *(_guardians, _birthdays, _disabled_children, _destitute, _waters, _wishes, _contributions),
        *(_unchecked_expenses, _unchecked_destitute, _applicants, _applied_households),
    )
    for turn in range(each):
        for situation in situations:
            situation(scene, turn)
    tables = {name: pl.DataFrame(scene.rows[name], schema=schema, orient="row") for name, schema in TABLES.items()}
    tables["setl_d"] = _bills(scene)
    return Planted(tables, tuple(scene.pool))


def _bills(scene: Scene) -> pl.DataFrame:
    rows = scene.rows["setl_d"]
    rng = np.random.default_rng(0)
    latest = scene.now.astimezone(UTC) - timedelta(minutes=30)
    instants = np.array([min(r["at"], latest).timestamp() for r in rows]).astype(np.int64)
    frame = bills.frame(
        np.array([r["person"] for r in rows]),
        np.array([r["fen"] for r in rows]),
        instants,
        np.array([r["stay"] for r in rows]),
        np.zeros(len(rows), dtype=bool),
        rng,
    )
    frame = frame.with_columns(pl.Series("vali_flag", [r["vali"] for r in rows], pl.String))
    return bills.touched(frame, scene.now, rng)


def _lines(scene: Scene, _: int) -> None:
    """At the line, a fen beyond, several steps beyond; reversed; invalid; at the turn of the year."""
    for tier, line in (("", 1_500_000), ("tekun", 100_000), ("dibao", 500_000), ("bianyuan", 1_000_000)):
        for fen in (line, line + 1, line * 3 - 1, line * 3):
            person = scene.someone()
            if tier:
                scene.entry(person, tier)
                scene.mark(person, tier)
            scene.bill(person, fen)
    person = scene.someone()
    scene.bill(person, 1_600_000)
    scene.bill(person, -1_600_000, hour=2)
    person = scene.someone()
    scene.bill(person, 1_600_000, vali="0")
    person = scene.someone()
    scene.bill(person, 1_600_000, vali=None)
    newyear = (scene.today - date(scene.today.year, 1, 1)).days
    scene.bill(scene.someone(), 1_700_000, back=newyear, hour=0.25)  # 00:15 local: still last year in UTC
    scene.bill(scene.someone(), 1_700_000, back=newyear, hour=-0.25)  # 23:45 local of 31 December


def _tiers(scene: Scene, _: int) -> None:
    """Entered or left after the bill, ends or begins today or tomorrow, two tiers, refused, deleted."""
    for start, end, status in (
        (0, None, "active"),
        (-1, None, "active"),
        (400, 0, "active"),
        (400, -1, "active"),
        (400, -1, "exited"),
        (400, 1, "exited"),
        (400, None, "refused"),
    ):
        person = scene.someone()
        scene.entry(person, "dibao", start=start, end=end, status=status)
        scene.bill(person, 600_000, back=2)
    both = scene.someone()
    scene.entry(both, "qita")
    scene.entry(both, "tekun")
    scene.bill(both, 150_000)
    gone = scene.someone()
    scene.entry(gone, "dibao", deleted=True)
    scene.bill(gone, 600_000)


def _aid(scene: Scene, _: int) -> None:
    """Aid on the day, before it, after it but with another step since, stopped."""
    for granted, status in ((1, "paid"), (2, "paid"), (0, "stopped")):
        person = scene.someone()
        scene.bill(person, 1_600_000)
        scene.benefit(person, "temporary_aid", granted=granted, status=status)
    person = scene.someone()
    scene.bill(person, 1_600_000, back=3)
    scene.benefit(person, "medical_aid", granted=2, status="paid")
    scene.bill(person, 1_500_000)


def _marks(scene: Scene, _: int) -> None:
    """Another identity marked, the mark ended today, begins tomorrow; a leaver's mark, ended or not."""
    for begin, end, tier in (
        (300, None, "dibao"),
        (300, 0, "dibao"),
        (-1, None, "dibao"),
        (300, None, "qita"),
    ):
        person = scene.someone()
        scene.entry(person, "dibao")
        scene.mark(person, tier, begin=begin, end=end)
    for end in (None, 0, -1):
        person = scene.someone()
        scene.entry(person, "dibao", end=5, status="exited")
        scene.mark(person, "dibao", end=end)


def _cards(scene: Scene, turn: int) -> None:
    """Grades and kinds around the line, the last day of validity, subsidy ended today, 特困."""
    for category, grade in ((4, 2), (4, 3), (5, 3), (6, 3), (6, 4)):
        scene.card(scene.someone(), category, grade)
    scene.card(scene.someone(), 1, 1, valid=0 if turn % 2 else 1)
    for end in (0, -1):
        person = scene.someone()
        scene.card(person, 4, 1)
        scene.benefit(person, "care_subsidy", granted=100, end=end)
    person = scene.someone()
    scene.card(person, 4, 1)
    scene.entry(person, "tekun")


def _deaths(scene: Scene, _: int) -> None:
    """Still paid, ended in time, ended today; the roster left on the day of death, or the day after."""
    for end, status in ((None, "active"), (18, "stopped"), (0, "active")):
        person = scene.someone()
        scene.benefit(person, "living_subsidy", granted=200, end=end, status=status)
        scene.death(person)
    for left in (20, 19):
        person = scene.someone()
        scene.entry(person, "dibao", end=left, status="exited")
        scene.death(person)
    paid = scene.someone()
    scene.entry(paid, "tekun", end=10, status="exited")
    scene.death(paid)
    scene.benefit(paid, "funeral_subsidy", granted=15, status="paid")


def _homes(scene: Scene, turn: int) -> None:
    """A household beyond its line together; one joined today; one whose dead member's bill counts."""
    house = f"HX{turn:05d}"
    # As many days ago the second member joined or left: today out, today in, only tomorrow.
    for suffix, joined, left in (("A", 900, None), ("B", 900, 0), ("C", 0, None), ("D", -1, None)):
        one, two = scene.someone(), scene.someone()
        scene.home(one, house + suffix)
        scene.home(two, house + suffix, joined=joined, left=left)
        scene.bill(one, 1_400_000)
        scene.bill(two, 1_100_001)
    widow, gone = scene.someone(), scene.someone()
    for person, fen in ((widow, 600_000), (gone, 1_950_000)):
        scene.home(person, house + "E")
        scene.bill(person, fen, back=30)
    scene.death(gone)


def _incomes(scene: Scene, _: int) -> None:
    """Around half the income per head for the monitored, and all of it for residents and for employees."""
    for fen in (1_155_950, 1_155_951, 1_300_000):
        person = scene.someone()
        scene.entry(person, "jiance")
        scene.bill(person, fen)
    for fen, kind, status in (
        (2_311_900, "390", "1"),
        (2_311_901, "390", "1"),
        (2_500_000, "390", "1"),
        (2_500_000, "310", "1"),
        (2_500_000, "390", "2"),
    ):
        person = scene.someone()
        scene.insure(person, kind, status=status)
        scene.bill(person, fen)


def _stays(scene: Scene, _: int) -> None:
    """One stay around the lines, refunded, aided on its day, out of the days that count, two stays together."""
    for fen, back, stay in ((600_000, 2, True), (600_001, 2, True), (650_000, 2, False), (700_000, 60, True)):
        person = scene.someone()
        scene.entry(person, "jiance")
        scene.bill(person, fen, back=back, stay=stay)
    for fen, back in ((1_000_000, 3), (1_000_001, 3), (3_000_000, 3), (3_000_001, 3), (3_000_001, 30), (3_000_001, 31)):
        person = scene.someone()
        scene.insure(person)
        scene.bill(person, fen, back=back, stay=True)
    refunded = scene.someone()
    scene.bill(refunded, 3_500_000, back=3, stay=True)
    scene.bill(refunded, -3_500_000, back=2, stay=True)
    for granted in (4, 5):
        aided = scene.someone()
        scene.bill(aided, 3_500_000, back=4, stay=True)
        scene.benefit(aided, "temporary_aid", granted=granted, status="paid")
    twice = scene.someone()
    scene.entry(twice, "jiance")
    for back in (3, 4):
        scene.bill(twice, 450_000, back=back, stay=True)


def _leavers(scene: Scene, _: int) -> None:
    """Left or refused, and bills between the two lines; 特困 ended today, tomorrow, long ago, for another tier."""
    for fen, status, tier in (
        (800_000, "exited", "dibao"),
        (800_001, "exited", "dibao"),
        (1_500_000, "refused", "bianyuan"),
        (1_500_001, "refused", "bianyuan"),
    ):
        person = scene.someone()
        scene.entry(person, tier, end=100 if status == "exited" else None, status=status)
        scene.bill(person, fen)
    for end in (0, -1, 90, 91):
        scene.entry(scene.someone(), "tekun", end=end, status="exited")
    person = scene.someone()
    scene.entry(person, "tekun", end=5, status="exited")
    scene.entry(person, "dibao", start=5)


def _subsidies(scene: Scene, turn: int) -> None:
    """The living subsidy by tier and grade; subsidies that the certificate earns no more; benefits twice, or low."""
    for tier, category, grade in (
        ("dibao", 4, 4),
        ("bianyuan", 4, 2),
        ("bianyuan", 6, 3),
        ("bianyuan", 4, 3),
        ("gangxing", 4, 2),
        ("jiance", 4, 3),
        ("qita", 4, 1),
    ):
        person = scene.someone()
        scene.entry(person, tier)
        scene.card(person, category, grade)
    for category, grade, code, status in (
        (4, 3, "care_subsidy", "active"),
        (6, 3, "care_subsidy", "active"),
        (4, 4, "living_subsidy", "active"),
        (4, 1, "living_subsidy", "cancelled"),
    ):
        person = scene.someone()
        scene.card(person, category, grade, status=status)
        scene.benefit(person, code, granted=100)
    for first, second, end in (
        ("dibao", "dibao", None),
        ("dibao", "dibao", 0),
        ("tekun", "dibao", None),
        ("living_subsidy", "dibao", None),
    ):
        person = scene.someone()
        scene.benefit(person, first, granted=200, end=end)
        scene.benefit(person, second, granted=100)
    for code, fen in (("living_subsidy", 9_999), ("care_subsidy", 9_999), ("living_subsidy", 10_000), ("dibao", 9_999)):
        person = scene.someone()
        scene.card(person, 4, 2)
        scene.benefit(person, code, granted=100, fen=fen)
    for fen in (50_000, 77_999, 78_000):
        person = scene.someone()
        scene.entry(person, "tekun")
        scene.benefit(person, "dibao", granted=100, fen=fen)


def _incidents(scene: Scene, _: int) -> None:
    """Custody and moves of people on the roster, paid, and neither; accidents and disasters by age and aid."""
    for event, kind in (("收押", "收押通知"), ("迁出", "户口迁移")):
        listed, paid, neither = scene.someone(), scene.someone(), scene.someone()
        scene.entry(listed, "dibao")
        scene.benefit(paid, "dibao", granted=300)
        for person in (listed, paid, neither):
            scene.event(person, event, kind)
    for event, kind, back in (("交通事故", "事故认定", 3), ("受灾", "受灾名册", 30), ("受灾", "受灾名册", 31)):
        scene.event(scene.someone(), event, kind, back=back)
    for granted in (5, 6):
        aided = scene.someone()
        scene.entry(aided, "dibao")
        scene.event(aided, "安全事故", "事故认定", back=5)
        scene.benefit(aided, "temporary_aid", granted=granted, status="paid")


def _schools(scene: Scene, _: int) -> None:
    """Stages by tier; absence at the line and beyond; left; the last day of the weeks after enrolment."""
    for tier, stage in (
        *[("jiance", "vocational")] * 2,
        ("dibao", "primary"),
        ("", "primary"),
        ("dibao", "vocational"),
    ):
        scene.pupil(tier, stage)
    for tier, enrolled in (("dibao", 90), ("bianyuan", 90), ("dibao", 91), ("gangxing", 20)):
        scene.pupil(tier, "higher", enrolled=enrolled)
    for absent in (5, 6):
        scene.pupil("dibao", "primary", absent=absent)
    scene.pupil("bianyuan", "junior", status="left")
    scene.pupil("bianyuan", "senior", status="left")


def _work(scene: Scene, _: int) -> None:
    """Without work by tier and length; refusals at the limit; wages at the line."""
    scene.job("dibao", "unemployed")
    scene.job("", "unemployed", since=100)
    for tier, since in (("bianyuan", 90), ("bianyuan", 89), ("gangxing", 180), ("gangxing", 181)):
        scene.job(tier, "unemployed", since=since)
    for refusals in (2, 3):
        scene.job("dibao", "unemployed", refusals=refusals)
    for wage, since in ((60_000, 90), (60_001, 90), (90_000, 91)):
        scene.job("dibao", "employed", wage=wage, since=since)


def _homesteads(scene: Scene, _: int) -> None:
    """Grades by tier; repaired before and after; thirty years and one more."""
    for tier, grade in (("dibao", "D"), ("tekun", "C"), ("qita", "D"), ("", "D"), ("bianyuan", "B")):
        scene.house(tier, grade)
    for repaired in (30, 31):
        scene.house("dibao", "D", repaired=repaired)
    for age in (30, 31):
        scene.house("jiance", "A", age=age)


def _means(scene: Scene, _: int) -> None:
    """Findings by tier and age, without authorisation; incomes at one and a half lines."""
    for tier, finding, back in (
        ("dibao", "vehicle", 180),
        ("bianyuan", "property", 20),
        ("dibao", "tax", 181),
        ("tekun", "tax", 20),
    ):
        scene.check(tier, finding, 30_000, back=back)
    scene.check("dibao", "vehicle", 30_000, auth=None)
    for income in (89_999, 50_000, 90_000):
        scene.check("", "none", income)
    scene.check("", "none", 50_000, auth=None)
    scene.check("dibao", "none", 50_000)


def _losses(scene: Scene, turn: int) -> None:
    """A head of a household died: on and off the roster, within the days that count and not; work in a household."""
    for suffix, tier, back in (("F", "dibao", 180), ("G", "bianyuan", 20), ("H", "dibao", 181), ("I", "", 20)):
        house, head, other = f"HX{turn:05d}{suffix}", scene.someone(), scene.someone()
        scene.home(head, house, head=True)
        scene.home(other, house)
        if tier:
            scene.entry(other, tier)
        scene.death(head, back=back)
    for suffix, status in (("J", "unemployed"), ("K", "employed")):
        house = f"HX{turn:05d}{suffix}"
        scene.home(scene.job("dibao", "unemployed"), house)
        scene.home(scene.job("", status), house)


def _tapers(scene: Scene, _: int) -> None:
    """A taper that ends in thirty days, in one more, today and yesterday; reviewed in time and before."""
    for taper, verified, end, status in (
        (-30, None, None, "active"),
        (-31, None, None, "active"),
        (1, None, None, "active"),
        (-1, None, 300, "exited"),
        (0, None, 300, "exited"),
        (-15, 15, None, "active"),
        (-15, 16, None, "active"),
    ):
        scene.entry(scene.someone(), "dibao", taper=taper, verified=verified, end=end, status=status)


def _reviews(scene: Scene, _: int) -> None:
    """Reviewed a year ago, a day less; half a year ago by tier; by class, however it is written; somebody who left."""
    for tier, verified, review_class in (
        *(("dibao", 365, None), ("dibao", 364, None), ("gangxing", 183, None), ("jiance", 182, None)),
        *(("qita", 183, None), ("gangxing", 365, "A"), ("gangxing", 364, "a类"), ("jiance", 365, "Ｂ类")),
        *(("jiance", 364, "B"), ("dibao", 183, "C"), ("tekun", 182, "C"), ("dibao", 183, " ｃ ")),
        *(("dibao", 183, "D"), ("gangxing", 183, "其他")),
    ):
        scene.entry(scene.someone(), tier, verified=verified, review_class=review_class)
    scene.entry(scene.someone(), "dibao", verified=380, end=0, status="exited")


def _burdens(scene: Scene, turn: int) -> None:
    """Twelve months' bills and schooling beside an income at the lines and a fen short; a bill that just counts and
    one a day too old; on the roster; no check; medical aid before the line was reached and after."""
    # Of a planted bill 55 % are within the policy: these two make 1,200,000 fen, half of 24,000 yuan, exactly.
    half = (2_000_000, 181_815)
    for place, (tier, income, fens, schooling, back, helped) in enumerate(
        (
            ("", 100_000, half, None, 364, None),
            ("", 100_000, half, None, 366, None),
            ("gangxing", 100_000, half, None, 1, None),
            ("dibao", 100_000, half, None, 1, None),
            ("", 100_000, (2_000_000, 181_814), None, 1, None),
            ("", None, half, None, 1, None),
            ("", 100_000, half, None, 30, 30),
            ("", 100_000, half, None, 30, 31),
            ("", 100_000, (940_000,), 500_000, 1, None),
            ("qita", 100_000, (940_000,), 500_000, 1, None),
            ("", 100_000, (939_999,), 500_000, 1, None),
            ("", 344_284, (9_000_000,), None, 1, None),
        )
    ):
        house = f"HX{turn:05d}L{place:02d}"
        head = scene.someone() if income is None else scene.check("", "none", income, schooling=schooling)
        other = scene.someone()
        scene.home(head, house, head=True)
        scene.home(other, house)
        if tier:
            scene.entry(other, tier)
        for fen in fens:
            scene.bill(other, fen, back=back)
        if helped is not None:
            scene.benefit(other, "medical_aid", granted=helped, status="paid")


def _lodgings(scene: Scene, _: int) -> None:
    """Crowded at the standard and a little below, by tier; no home; support that begins or ends today or tomorrow."""
    for tier, tenure, dm2 in (
        ("dibao", "租赁", 1299),
        ("tekun", "借住", 1299),
        ("dibao", "自有", 1300),
        ("bianyuan", "租赁", 900),
        ("", "租赁", 900),
        ("dibao", "无房", None),
        ("jiance", "无房", None),
    ):
        scene.tenancy(tier, tenure, dm2)
    for support, since, until in (
        ("公租房", 0, None),
        ("公租房", -1, None),
        ("租赁补贴", 300, 0),
        ("租赁补贴", 300, -1),
        ("无", 300, None),
    ):
        scene.tenancy("dibao", "租赁", 1000, support=support, since=since, until=until)


def _guardians(scene: Scene, _: int) -> None:
    """Pupils off the roster whose guardian, of another household, is on it, was, or died."""
    for tier, stage, absent in (("dibao", "primary", 0), ("bianyuan", "junior", 6), ("jiance", "vocational", 0)):
        guardian = scene.someone()
        scene.entry(guardian, tier)
        scene.pupil("", stage, absent=absent, guardian=guardian)
    left, dead = scene.someone(), scene.someone()
    scene.entry(left, "dibao", end=0, status="exited")
    scene.entry(dead, "dibao")
    scene.death(dead)
    for guardian in (left, dead):
        scene.pupil("", "primary", absent=6, guardian=guardian)


def _birthdays(scene: Scene, _: int) -> None:
    """The 16th, 18th and 60th by tier: today, tomorrow, on the last day that counts and the day after."""
    for tier, years, back in (
        *(("tekun", 16, 0), ("tekun", 16, -1), ("tekun", 16, 60), ("tekun", 16, 61), ("dibao", 18, 0)),
        *(("dibao", 60, 0), ("tekun", 60, 0), ("dibao", 60, 60), ("dibao", 60, 61)),
    ):
        scene.entry(scene.aged(years, back), tier)
    for years in (16, 18):
        pupil = scene.aged(years, 0)
        scene.pupil("tekun", "senior", person=pupil)


def _disabled_children(scene: Scene, _: int) -> None:
    """Certificates from the sixth birthday to the day before the sixteenth; at school, revoked."""
    for years, back in ((6, 0), (6, -1), (16, -1), (16, 0), (10, 100)):
        scene.card(scene.aged(years, back), 5, 3)
    scene.card(scene.aged(10, 100), 5, 3, status="cancelled")
    pupil = scene.aged(10, 100)
    scene.card(pupil, 5, 3)
    scene.pupil("", "primary", person=pupil)


def _destitute(scene: Scene, turn: int) -> None:
    """Alone at 60 and a day before, by income and check; with a minor of 15 and of 16; disabled by kind and grade."""
    for suffix, back, income in (("L", 0, 59_999), ("M", -1, 59_999), ("N", 0, 60_000)):
        elder = scene.aged(60, back)
        scene.home(elder, f"HX{turn:05d}{suffix}", head=True)
        scene.check("", "none", income, person=elder)
    scene.home(scene.aged(60, 0), f"HX{turn:05d}O", head=True)  # never checked
    for suffix, minor in (("P", -1), ("Q", 0)):
        elder = scene.aged(60, 0)
        scene.home(elder, f"HX{turn:05d}{suffix}", head=True)
        scene.home(scene.aged(16, minor), f"HX{turn:05d}{suffix}")
        scene.check("", "none", 30_000, person=elder)
    for suffix, category, grade in (("R", 4, 2), ("S", 4, 3)):
        person = scene.check("", "none", 30_000)
        scene.card(person, category, grade)
        scene.home(person, f"HX{turn:05d}{suffix}", head=True)


def _asked(scene: Scene, person: int, asked: tuple[int, str | None, int | None] | None) -> None:
    """A check of so many days ago, with its authorisation and what it found, if any was made."""
    if asked:
        back, auth, income = asked
        scene.check("", "none", income, back=back, auth=auth, person=person)


def _unchecked_expenses(scene: Scene, turn: int) -> None:
    """At the household's line and a fen beyond by tier, never checked; checked half a year ago and a day more; not
    authorised; put in sixty days ago and one more, without a result."""
    for place, (tier, fen, asked) in enumerate(
        (
            ("", 2_500_001, None),
            ("", 2_500_000, None),
            ("jiance", 1_500_001, None),
            ("qita", 1_500_000, None),
            ("gangxing", 2_500_001, None),
            ("", 2_500_001, (180, "SQ1", 100_000)),
            ("", 2_500_001, (181, "SQ1", 100_000)),
            ("", 2_500_001, (20, None, None)),
            ("", 2_500_001, (60, "SQ1", None)),
            ("", 2_500_001, (61, "SQ1", None)),
        )
    ):
        person = scene.someone()
        scene.home(person, f"HX{turn:05d}T{place:02d}", head=True)
        if tier:
            scene.entry(person, tier)
        scene.bill(person, fen)
        _asked(scene, person, asked)


def _unchecked_destitute(scene: Scene, turn: int) -> None:
    """Alone and severely disabled, by tier, check and age; not severely; with a minor."""
    for place, (tier, asked) in enumerate(
        (("", None), ("dibao", None), ("tekun", None), ("", (181, "SQ1", 30_000)), ("", (60, "SQ1", None)))
    ):
        person = scene.someone()
        scene.card(person, 4, 2)
        scene.home(person, f"HX{turn:05d}U{place:02d}", head=True)
        if tier:
            scene.entry(person, tier)
        _asked(scene, person, asked)
    for place, back in enumerate((0, -1)):
        elder = scene.aged(60, back)
        scene.card(elder, 2, 1)
        scene.home(elder, f"HX{turn:05d}V{place:02d}", head=True)


def _applicants(scene: Scene, _: int) -> None:
    """Applications by state beside bills between the two lines and beside a lost job; refused, then on the roster."""
    for state, fen, aid in (
        *(("不予确认", 800_000, "dibao"), ("不予确认", 800_001, "dibao"), ("不予确认", 1_500_001, "dibao")),
        *(("不予确认", 900_000, "temporary_aid"), ("公示", 900_000, "dibao"), ("撤回", 900_000, "dibao")),
    ):
        person = scene.aged(44, 100)
        scene.application(person, state, None, aid=aid, back=60)
        scene.bill(person, fen)
    for state in ("不予确认", "受理"):
        scene.application(scene.job("", "unemployed", since=100, person=scene.aged(44, 100)), state, None)
    again, gone = scene.aged(44, 100), scene.aged(44, 100)
    scene.application(again, "不予确认", None, back=90)
    scene.application(again, "确认", None)
    scene.entry(again, "bianyuan", start=5)
    scene.application(gone, "不予确认", None, deleted=True)
    for person in (again, gone):
        scene.bill(person, 900_000)


def _applied_households(scene: Scene, turn: int) -> None:
    """Means unknown, and an application: seventy days old and one more, decided, withdrawn, for another house."""
    for place, (state, back, other) in enumerate(
        (
            *(("受理", 70, ""), ("核对", 71, ""), ("公示", 20, ""), ("不予确认", 30, ""), ("撤回", 20, "")),
            *(("确认", 30, ""), ("受理", 20, "Z")),
        )
    ):
        house = f"HX{turn:05d}W{place:02d}"
        spender = scene.aged(46, 100)
        scene.home(spender, house, head=True)
        scene.bill(spender, 2_500_001)
        applicant = scene.aged(46, 100)
        scene.home(applicant, house)
        scene.application(applicant, state, house + other, back=back)
    for place, back in enumerate((70, 71)):
        disabled, house = scene.aged(46, 100), f"HX{turn:05d}Y{place:02d}"
        scene.card(disabled, 4, 2)
        scene.home(disabled, house, head=True)
        scene.check("", "none", None, back=90, person=disabled)
        scene.application(disabled, "核对", house, back=back)


def _waters(scene: Scene, _: int) -> None:
    """Grades by tier; repaired on the day and before; found safe by another appraisal on the day and before."""
    for tier, grade in (
        ("dibao", "不安全"),
        ("qita", "不安全"),
        ("tekun", "基本安全"),
        ("jiance", "安全"),
        ("", "不安全"),
    ):
        scene.water(tier, grade, scene.aged(40, 100))
    for repaired in (30, 31):
        scene.water("dibao", "不安全", scene.aged(40, 100), repaired=repaired)
    for back in (30, 31):
        person = scene.water("bianyuan", "不安全", scene.aged(40, 100))
        scene.water("", "安全", person, back=back)


def _wishes(scene: Scene, _: int) -> None:
    """Willing, not, not asked, by tier and age; support that begins or ends today or tomorrow; the newest answer."""

    def somebody() -> int:
        return scene.aged(40, 100)

    for tier, willing in (("dibao", True), ("dibao", False), ("dibao", None), ("bianyuan", True)):
        scene.wish(tier, willing, somebody())
    for since, until in ((0, None), (-1, None), (300, 0), (300, -1)):
        scene.wish("dibao", True, somebody(), kind="养殖", since=since, until=until)
    for back in (0, -1):
        scene.wish("dibao", True, scene.aged(60, back))
    for first, second in ((True, False), (False, True)):
        person = scene.wish("dibao", first, somebody(), asked=31)
        scene.wish("", second, person)


def _contributions(scene: Scene, _: int) -> None:
    """The last month paid around both lines, by tier and age; paid elsewhere, since, or by the year; retired, dead,
    registered as without work, aided on the first day not paid and before; no last month."""

    def ended(tier: str = "dibao", last: int | None = 5, person: int | None = None, **more: Any) -> int:
        return scene.relation(tier, last, scene.aged(40, 100) if person is None else person, **more)

    for tier, last in (("dibao", 3), ("dibao", 4), ("jiance", 6), ("gangxing", 7), ("qita", 8), ("", 5)):
        ended(tier, last)
    ended(last=None)
    for years, back in ((16, -1), (16, 0), (60, -1), (60, 0)):
        ended(person=scene.aged(years, back))
    ended(at="990201")
    ended(at="990201", code="210")
    ended(code="170")
    ended(reason="退休")
    ended(deleted=True)
    scene.death(ended())
    scene.entry(ended(""), "dibao", end=100, status="exited")
    for paid, code in ((0, "110"), (4, "110"), (5, "210"), (6, "120"), (None, "410"), (0, "170")):
        ended("", paid, ended(), code=code)
    for since in (89, 90, 400):
        scene.job("", "unemployed", since=since, person=ended())
    first = month(scene.today, 4)
    unpaid = (scene.today - date(int(first[:4]), int(first[4:]), 1)).days
    for granted in (unpaid, unpaid + 1):
        scene.benefit(ended(), "temporary_aid", granted=granted, status="paid")
