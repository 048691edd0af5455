"""What should stand, worked out in plain Python loops. Shares no code with domain/; written from the law's words.

Records are dicts with topic, person, source, record_id, epoch, version, lane, offset, op and fields.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

ORDER = ["tekun", "dibao", "bianyuan", "gangxing", "jiance", "qita"]
LINE = {
    "tekun": 100_000,
    "dibao": 500_000,
    "bianyuan": 1_000_000,
    "gangxing": 1_000_000,
    "jiance": 1_000_000,
    "qita": 1_000_000,
    "": 1_500_000,
}
HOUSE = {
    "tekun": 200_000,
    "dibao": 800_000,
    "bianyuan": 1_500_000,
    "gangxing": 1_500_000,
    "jiance": 1_500_000,
    "qita": 1_500_000,
    "": 2_500_000,
}
YEARLY = {"R01": {"tekun"}, "R02": {"dibao"}, "R03": {"bianyuan", "gangxing", "jiance", "qita"}, "R04": {""}}
TAKERS = {
    **{rule: YEARLY.keys() - {rule} for rule in YEARLY},
    "R05": {"R01", "R02", "R04"},
    "R06": {"R01", "R02", "R03"},
    "R37": {"R01", "R02", "R03", "R04"},
    "R14S": {"R14"},
    "R31C": {"R31"},
}
"""Rules that go on where one ends: in the same year, or for any certificate, relation or registration."""
SILENCED_BY_DEATH = {
    *YEARLY,
    *("R05", "R06", "R07", "R09", "R11", "R12", "R13", "R14", "R14S", "R15", "R16"),
    *(
        "R18",
        "R19",
        "R20",
        "R21",
        "R22",
        "R23",
        "R24",
        "R25",
        "R26",
        "R27",
        "R29",
        "R30",
        "R30T",
        "R30V",
        "R31",
        "R31C",
        "R34",
        "R35",
        "R36",
        "R37",
        "R38",
        "R39",
        "R41",
        "R42",
        "R43",
        "R44",
        "R45",
        "R46",
    ),
}
INCOME = 2_311_900
RESIDENTS = 4_131_400
LASTING = ("dibao", "tekun", "living_subsidy", "care_subsidy")
AID = ("temporary_aid", "medical_aid")
PLACES = [
    "civil.roster",
    "civil.household",
    "medical.insurance",
    "disability.card",
    "civil.benefit",
    "medical.settlement",
    "vital.life_event",
    "education.enrolment",
    "employment.status",
    "housing.appraisal",
    "civil.check",
    "housing.tenancy",
    "water.supply",
    "agriculture.support",
    "civil.application",
    "employment.contribution",
]
LATE_DAYS = 31
JIANCE_ABOLISHED = date(2031, 1, 1)
AGED = ("civil.roster", "civil.household", "disability.card", "education.enrolment")
"""Topics that carry the date of birth."""
Key = tuple[str, str, str]


@dataclass
class Hub:
    """Everything known so far. ``today`` None: no day has begun."""

    today: date | None = None
    records: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    feeds: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    """Person to the tier of the guardians, as far as their partition was told."""

    def take(self, record: dict[str, Any]) -> None:
        """A version of a record: the greatest wins."""
        name = (record["topic"], record["person"], record["source"], record["record_id"])
        rank = ("epoch", "version", "lane", "offset")
        known = self.records.get(name)
        if known is None or [record[r] for r in rank] > [known[r] for r in rank]:
            self.records[name] = record

    def beat(self, feed: dict[str, Any]) -> None:
        """A feed says what it covers."""
        name = (feed["source"], feed["topic"], feed["prefix"])
        known = self.feeds.get(name)
        if known is None or (feed["epoch"], feed["seq"]) > (known["epoch"], known["seq"]):
            self.feeds[name] = feed

    def of(self, topic: str, person: str) -> list[dict[str, Any]]:
        """Current records."""
        return [r for (t, p, _, _), r in self.records.items() if t == topic and p == person and r["op"] != "delete"]

    def covered(self, topic: str, division: str) -> bool:
        """Whether a feed covers the place today."""
        assert self.today is not None
        return any(
            f["topic"] == topic and f["complete"] and division.startswith(f["prefix"]) and f["since"] <= self.today
            for f in self.feeds.values()
        )

    def named(self) -> dict[str, set[str]]:
        """Person to the guardians named by certificates and enrolments."""
        found: dict[str, set[str]] = defaultdict(set)
        for topic in ("disability.card", "education.enrolment"):
            for person in self.persons():
                found[person] |= {r["guardian_key"] for r in self.of(topic, person) if r["guardian_key"]}
        return found

    def tiers(self, named: dict[str, set[str]]) -> dict[str, str]:
        """Person to the tier by precedence of the living ones of these guardians."""
        assert self.today is not None
        found = {}
        for person, guardians in named.items():
            tiers = {
                e["tier"]
                for g in guardians
                if not any(d["event"] == "death" for d in self.of("vital.life_event", g))
                for e in self.of("civil.roster", g)
                if entry_in_force(e, self.today)
            }
            found[person] = min(tiers, key=ORDER.index) if tiers else ""
        return found

    def persons(self) -> list[str]:
        """Everybody of whom there is a record."""
        return sorted({p for (_, p, _, _) in self.records})


@dataclass
class Row:
    """One facts row of a rule: does it hold (True, False, None unknown), and what decides its ending."""

    holds: bool | None
    done: bool
    past: bool
    wrong: bool
    shown: tuple[Any, ...] = ()


def within(start: date | None, end: date | None, day: date) -> bool:
    """From start on, and before end."""
    return start is not None and start <= day and (end is None or end > day)


def entry_in_force(e: dict[str, Any], day: date) -> bool:
    """An entry of the roster counts on a day."""
    if e["tier"] not in ORDER or (e["tier"] == "jiance" and day >= JIANCE_ABOLISHED):
        return False
    left = left_on(e)
    if e["start_on"] is None or e["start_on"] > day:
        return False
    if e["status"] == "active" and left is None:
        return True
    return e["status"] in ("active", "exited") and left is not None and left > day


def left_on(e: dict[str, Any]) -> date | None:
    """The day from which an entry that was left, or will be, counts no more: the end of its taper if that is later."""
    if e["end_on"] is None and e["status"] != "exited":
        return None
    return max((d for d in (e["end_on"], e["taper_until"]) if d is not None), default=None)


def last_birthday(born: date, today: date) -> date:
    """Day by day back from today; born on 29 February: 1 March where there is none."""
    day = today
    while (day.month, day.day) != (born.month, born.day):
        leapless = (born.month, born.day) == (2, 29) and (day.month, day.day) == (3, 1)
        if leapless and (day - timedelta(days=1)).day == 28:
            break
        day -= timedelta(days=1)
    return day


def both(*parts: bool | None) -> bool | None:
    """And, with unknown."""
    return False if any(p is False for p in parts) else None if any(p is None for p in parts) else True


class Person:
    """What is known of one person today."""

    def __init__(self, hub: Hub, key: str) -> None:
        assert hub.today is not None
        self.hub, self.key, self.today = hub, key, hub.today
        self.entries = hub.of("civil.roster", key)
        self.tiers = sorted({e["tier"] for e in self.entries if entry_in_force(e, self.today)})
        self.tier = min(self.tiers, key=ORDER.index) if self.tiers else ""
        self.held = {e["tier"] for e in self.entries if e["status"] != "refused"}
        self.deaths = [d for d in hub.of("vital.life_event", key) if d["event"] == "death"]
        self.benefits = hub.of("civil.benefit", key)
        self.running = sorted(
            {
                b["benefit"]
                for b in self.benefits
                if b["status"] == "active" and within(b["start_on"], b["end_on"], self.today)
            }
        )
        self.division = self._division()
        self.on_roster = True if self.tier else (False if hub.covered("civil.roster", self.division) else None)
        self.still = [b for b in self.running if b in LASTING]
        self.policies = hub.of("medical.insurance", key)
        uninsured = False if hub.covered("medical.insurance", self.division) else None
        self.insured = any(i["insured"] for i in self.policies) or uninsured
        self.resident = any(i["insured"] and i["insutype"] == "390" for i in self.policies) or uninsured
        self.cards = hub.of("disability.card", key)
        grades = [(c["category"], c["grade"]) for c in self.cards if self.valid(c)]
        without = 9 if hub.covered("disability.card", self.division) else None
        self.grade = min((g for _, g in grades), default=without)
        self.mental_grade = min((g for c, g in grades if c in (5, 6)), default=without)
        lives = [m for m in hub.of("civil.household", key) if self._lives(m)]
        self.homes = sorted({m["household_key"] for m in lives})
        self.heads = {m["household_key"] for m in lives if m["head"]}
        jobs = hub.of("employment.status", key)
        self.able = any(j["able"] for j in jobs)
        self.works = any(j["status"] == "employed" for j in jobs)
        self.schools = hub.of("education.enrolment", key)
        self.enrolled: bool | None = any(self.goes(e) for e in self.schools) or (
            False if hub.covered("education.enrolment", self.division) else None
        )
        self.kin = hub.told.get(key, "")
        births = [r["born_on"] for t in AGED for r in hub.of(t, key) if r.get("born_on")]
        self.birthday = last_birthday(min(births), self.today) if births else None
        self.age = self.birthday.year - min(births).year if self.birthday else None
        self.incapable = self._incapable()

    def goes(self, enrolment: dict[str, Any]) -> bool:
        """Is a pupil today."""
        running = within(enrolment["enrolled_on"], enrolment["ended_on"], self.today)
        return enrolment["status"] in ("enrolled", "suspended") and running

    def _incapable(self) -> bool | None:
        """Unable to work by age or certificate."""
        worst = {1: 1, 4: 2, 5: 3, 6: 3}
        if any(self.valid(c) and c["grade"] <= worst.get(c["category"], 0) for c in self.cards):
            return True
        if self.age is None:
            return None
        if self.age < 16 or self.age >= 60:
            return True
        return False if self.hub.covered("disability.card", self.division) else None

    def checks(self) -> list[dict[str, Any]]:
        """Checks of means with an authorisation."""
        return [c for c in self.hub.of("civil.check", self.key) if c["authorisation"]]

    def valid(self, card: dict[str, Any]) -> bool:
        """A certificate counts today."""
        return card["status"] == "active" and (card["valid_until"] is None or card["valid_until"] >= self.today)

    def aided_since(self, day: date, kinds: tuple[str, ...] = AID) -> bool | None:
        """Aid granted on a day or later; unknown where nobody would tell."""
        return any(
            b["benefit"] in kinds
            and b["status"] != "stopped"
            and b["granted_on"] is not None
            and b["granted_on"] >= day
            for b in self.benefits
        ) or (False if self.hub.covered("civil.benefit", self.division) else None)

    def bills(self) -> list[tuple[str, str | None, date, int]]:
        """Record, kind of treatment, local day and self-pay of the bills that count."""
        return [
            (b["record_id"], b["med_type"], local_day(b["setl_time"]), b["psn_part_amt_fen"])
            for b in self.hub.of("medical.settlement", self.key)
            if b["vali_flag"] != "0"
        ]

    def spent(self) -> list[tuple[date, int, int]]:
        """Local day, self-pay, and self-pay within the policy of the bills that count."""
        return [
            (
                local_day(b["setl_time"]),
                b["psn_part_amt_fen"],
                b["psn_part_amt_fen"]
                - sum(b[k] or 0 for k in ("fulamt_ownpay_amt_fen", "overlmt_selfpay_fen", "preselfpay_amt_fen")),
            )
            for b in self.hub.of("medical.settlement", self.key)
            if b["vali_flag"] != "0"
        ]

    def joined(self, home: str) -> date:
        """Since when the person belongs to a household."""
        return min(
            m["joined_on"] or date.min
            for m in self.hub.of("civil.household", self.key)
            if self._lives(m) and m["household_key"] == home
        )

    def newest_check(self, home: str) -> dict[str, Any] | None:
        """The newest check of means with an authorisation since the person belongs to a household."""
        joined = self.joined(home)
        return max((c for c in self.checks() if c["checked_on"] >= joined), key=last_said, default=None)

    def applications(self, *states: str) -> list[dict[str, Any]]:
        """Applications for aid in one of the states."""
        return [a for a in self.hub.of("civil.application", self.key) if a["state"] in states]

    def applied(self, home: str) -> list[date]:
        """Days of applications for a household that are not decided yet."""
        pending = self.applications("accepted", "checking", "publicity")
        return [a["applied_on"] for a in pending if a["household_key"] == home and a["applied_on"] is not None]

    def refused(self, home: str) -> list[date]:
        """Days of checks since then that nobody authorised."""
        days = [c["checked_on"] for c in self.hub.of("civil.check", self.key) if not c["authorisation"]]
        return [day for day in days if day >= self.joined(home)]

    def _lives(self, m: dict[str, Any]) -> bool:
        joined = m["joined_on"] is None or m["joined_on"] <= self.today
        return joined and (m["left_on"] is None or m["left_on"] > self.today)

    def _division(self) -> str:
        for topic in PLACES:
            looked_at = [r for r in self.hub.of(topic, self.key) if topic != "civil.check" or r["authorisation"]]
            placed = [r for r in looked_at if r["division"]]
            if placed:
                return str(max((r["occurred_at"], r["record_id"], r["division"]) for r in placed)[-1])
        return ""

    def has(self, benefit: str) -> bool | None:
        """A benefit running today; unknown where nobody would tell."""
        return (
            True if benefit in self.running else (False if self.hub.covered("civil.benefit", self.division) else None)
        )

    def paid_a_month(self, benefit: str) -> int | None:
        """What a benefit pays today; unknown where a record says no amount, or none runs."""
        amounts = [
            b["amount_fen"]
            for b in self.benefits
            if b["benefit"] == benefit and b["status"] == "active" and within(b["start_on"], b["end_on"], self.today)
        ]
        return None if not amounts or None in amounts else sum(amounts)

    def paid(self) -> dict[int, tuple[int, int]]:
        """Year to what was paid, and what of it by the day of the year's latest aid."""
        bills: dict[int, list[tuple[date, int]]] = defaultdict(list)
        for _, _, day, fen in self.bills():
            bills[day.year].append((day, fen))
        found = {}
        for year, of_year in bills.items():
            aid = [
                b["granted_on"]
                for b in self.benefits
                if b["benefit"] in AID
                and b["status"] != "stopped"
                and b["granted_on"] is not None
                and b["granted_on"].year == year
            ]
            found[year] = (sum(a for _, a in of_year), sum(a for d, a in of_year if aid and d <= max(aid)))
        return found

    def aided(self, year: int) -> bool:
        """Aid was granted in the year."""
        return any(
            b["benefit"] in AID
            and b["status"] != "stopped"
            and b["granted_on"] is not None
            and b["granted_on"].year == year
            for b in self.benefits
        )


def local_day(at: datetime) -> date:
    """The day in China."""
    return (at + timedelta(hours=8)).date()


def last_said(check: dict[str, Any]) -> list[Any]:
    """Order of checks: the day, then what they say, where saying nothing is most."""
    said = [check[name] for name in ("income_month_fen", "assets_ok", "education_year_fen")]
    return [check["checked_on"], *((value is None, value or 0) for value in said)]


def a_year_before(day: date) -> date:
    """The same day of the year before; 28 February for a leap day."""
    return date(day.year - 1, day.month, 28 if (day.month, day.day) == (2, 29) else day.day)


def quotient(amount: int, line: int) -> int:
    """Whole lines in an amount, towards zero as the database divides."""
    return abs(amount) // line * (1 if amount >= 0 else -1)


def year_open(year: int, today: date) -> bool:
    """A year's conditions still stand."""
    return year == today.year or (year < today.year and today <= date(year, 12, 31) + timedelta(days=LATE_DAYS))


def rows_of(p: Person) -> dict[Key, Row]:
    """Every facts row of the rules about persons."""
    found: dict[Key, Row] = {}
    for year, (paid, aided) in p.paid().items():
        for rule, tiers in YEARLY.items():
            mine = p.tier in tiers
            line = LINE[p.tier] if rule == "R03" else LINE[next(iter(tiers))]
            step = quotient(paid, line)
            done = p.aided(year) and quotient(aided, line) >= step and (mine or rule != "R03")
            past = bool(p.deaths) or not mine or not year_open(year, p.today)
            wrong = rule != "R04" and not (p.held & tiers)
            subject = (not p.on_roster if p.on_roster is not None else None) if rule == "R04" else mine
            level = "red" if step >= 3 else "yellow" if rule == "R04" else "orange"
            found[rule, p.key, str(year)] = Row(
                both(subject, paid > line, not past, not done, not wrong),
                done,
                past,
                wrong,
                (level, step, paid, aided),
            )
        found |= more_of_year(p, year, paid, aided)
    marks = [(i, bool(i["idet_tier"]) and within(i["idet_begndate"], i["idet_enddate"], p.today)) for i in p.policies]
    for e in p.entries:
        marked = any(on and i["idet_tier"] == e["tier"] for i, on in marks) or (
            False if p.hub.covered("medical.insurance", p.division) else None
        )
        past = not entry_in_force(e, p.today) or bool(p.deaths)
        found["R09", p.key, e["record_id"]] = Row(
            both(not past, None if marked is None else not marked),
            bool(marked),
            past,
            False,
            ("yellow", e["tier"]),
        )
    for i, on in marks:
        off = None if p.on_roster is None else not p.on_roster
        found["R10", p.key, i["record_id"]] = Row(
            both(on, bool(p.entries), off, not p.tier),
            not on,
            bool(p.tier),
            False,
            ("yellow", i["idet_tier"]),
        )
    care = p.has("care_subsidy")
    for c in p.cards:
        active = p.valid(c)
        severe = c["grade"] <= 2 or (c["category"] in (5, 6) and c["grade"] <= 3)
        past = not active or bool(p.deaths)
        found["R13", p.key, c["record_id"]] = Row(
            both(severe, "tekun" not in p.tiers, None if care is None else not care, not past),
            bool(care),
            past,
            False,
            ("yellow", c["grade"]),
        )
    for d in p.deaths:
        alive = bool(p.still) or bool(p.tier)
        found["R32", p.key, d["record_id"]] = Row(alive, not alive, False, False, ("red", tuple(p.still)))
        then = {
            e["tier"]
            for e in p.entries
            if e["status"] in ("active", "exited") and within(e["start_on"], left_on(e), d["event_on"])
        }
        funeral: bool | None = any(
            b["benefit"] == "funeral_subsidy" and b["status"] != "stopped" for b in p.benefits
        ) or (False if p.hub.covered("civil.benefit", p.division) else None)
        found["R32F", p.key, d["record_id"]] = Row(
            both(bool(then & {"tekun", "dibao"}), None if funeral is None else not funeral),
            bool(funeral),
            False,
            False,
            ("yellow", tuple(sorted(then))),
        )
    found |= of_entries(p) | of_cards(p) | of_stays(p) | of_benefits(p) | of_incidents(p)
    return (
        found
        | of_schools(p)
        | of_work(p)
        | of_contributions(p)
        | of_houses(p)
        | of_checks(p)
        | of_ages(p)
        | of_water_and_wishes(p)
    )


def no(value: bool | None) -> bool | None:
    """Not, with unknown."""
    return None if value is None else not value


def either(*parts: bool | None) -> bool | None:
    """Or, with unknown."""
    return no(both(*(no(p) for p in parts)))


def more_of_year(p: Person, year: int, paid: int, aided: int) -> dict[Key, Row]:
    """What else is said of a year's bills."""
    closed, dead, off = not year_open(year, p.today), bool(p.deaths), no(p.on_roster)
    found: dict[Key, Row] = {}
    for rule, line, who, mine, wrong in (
        ("R05", INCOME // 2, True, p.tier == "jiance", "jiance" not in p.held),
        ("R06", INCOME, both(off, p.resident), not p.tier, False),
    ):
        step = quotient(paid, line)
        done = p.aided(year) and quotient(aided, line) >= step
        past = dead or not mine or closed
        found[rule, p.key, str(year)] = Row(
            both(who, paid > line, not past, not done, not wrong),
            done,
            past,
            wrong,
            ("red" if step >= 3 else "orange", step, paid, aided),
        )
    done, past = p.aided(year) and aided > 800_000, dead or bool(p.tier) or closed
    found["R37", p.key, str(year)] = Row(
        both(bool(p.entries or p.applications("refused")), off, 800_000 < paid <= LINE[""], not past, not done),
        done,
        past,
        False,
        ("yellow", paid),
    )
    return found


def of_entries(p: Person) -> dict[Key, Row]:
    """What else is said of an entry of the roster."""
    found: dict[Key, Row] = {}
    for e in p.entries:
        in_force, dead = entry_in_force(e, p.today), bool(p.deaths)
        past = not in_force or dead
        found["R11", p.key, e["record_id"]] = Row(
            both(not past, no(p.insured)), bool(p.insured), past, False, ("yellow", e["tier"])
        )
        taper, verified = e["taper_until"], e["verified_on"]
        near = taper is not None and (taper - p.today).days <= 30
        seen_to = taper is not None and verified is not None and (taper - verified).days <= 30
        done = taper is not None and (not near or seen_to)
        found["R30T", p.key, e["record_id"]] = Row(
            both(near, not done, in_force), done, not in_force, False, ("yellow", e["tier"])
        )
        ago = None if verified is None else (p.today - verified).days
        of_class = e["review_class"] if e["review_class"] in ("A", "B", "C") else ""
        often = of_class == "C" or (of_class == "" and e["tier"] in ("gangxing", "jiance"))
        due = None if ago is None else ago >= (183 if often else 365)
        found["R30V", p.key, e["record_id"]] = Row(
            both(due, in_force), due is False, not in_force, False, ("yellow", e["tier"], of_class)
        )
        left = left_on(e)
        recent = None if left is None else (p.today - left).days <= 90
        ended = e["tier"] == "tekun" and e["status"] == "exited" and not in_force
        found["R38", p.key, e["record_id"]] = Row(
            both(ended, no(p.on_roster), recent, not dead),
            bool(p.on_roster),
            dead or recent is False,
            False,
            ("yellow", e["tier"]),
        )
    return found


def of_cards(p: Person) -> dict[Key, Row]:
    """What else is said of a certificate."""
    found: dict[Key, Row] = {}
    living = p.has("living_subsidy")
    others = ("bianyuan", "gangxing", "jiance")
    for c in p.cards:
        counts = p.valid(c) and not p.deaths
        for rule, mine, fits, done, level in (
            ("R14", "dibao" in p.tiers, "tekun" not in p.tiers, living, "yellow"),
            ("R14S", p.tier in others, c["grade"] <= 2, living, "yellow"),
            (
                "R15",
                p.tier == "bianyuan",
                c["grade"] <= 2 or (c["category"] in (5, 6) and c["grade"] <= 3),
                "dibao" in p.tiers or "tekun" in p.tiers,
                "orange",
            ),
        ):
            found[rule, p.key, c["record_id"]] = Row(
                both(counts, mine, fits, no(done)), bool(done), not (counts and mine), False, (level, c["grade"])
            )
    return found


def of_stays(p: Person) -> dict[Key, Row]:
    """What is said of a stay in hospital."""
    found: dict[Key, Row] = {}
    bills = p.bills()
    for record, kind, day, fen in bills:
        if not (kind or "").startswith("2") or fen <= 0:
            continue
        refunded = any(f == -fen and d >= day for _, _, d, f in bills)
        aided, ago = p.aided_since(day), (p.today - day).days
        monitored = p.tier == "jiance"
        past = bool(p.deaths) or p.tier not in ("jiance", "") or not 0 <= ago <= 60
        found["R07", p.key, record] = Row(
            both(
                not refunded,
                fen > (600_000 if monitored else 1_000_000),
                either(monitored, both(no(p.on_roster), p.resident)),
                not past,
                no(aided),
            ),
            bool(aided),
            past,
            refunded,
            ("yellow", fen),
        )
        past = bool(p.deaths) or not 0 <= ago <= 30
        found["R12", p.key, record] = Row(
            both(not refunded, fen > 3_000_000, not past, no(aided)), bool(aided), past, refunded, ("red", fen)
        )
    return found


def of_benefits(p: Person) -> dict[Key, Row]:
    """What is said of a kind of lasting benefit."""
    found: dict[Key, Row] = {}
    for kind in {b["benefit"] for b in p.benefits} & set(LASTING):
        running = sum(
            b["benefit"] == kind and b["status"] == "active" and within(b["start_on"], b["end_on"], p.today)
            for b in p.benefits
        )
        dead = bool(p.deaths)
        milder = None if p.grade is None else p.grade > 2
        mental = None if p.mental_grade is None else p.mental_grade > 3
        none = None if p.grade is None else p.grade > 4
        lost = both(milder, mental) if kind == "care_subsidy" else none if kind == "living_subsidy" else False
        found["R16", p.key, kind] = Row(both(running > 0, lost, not dead), running == 0, dead, False, ("orange", kind))
        twice = running > 1 or (kind == "dibao" and running > 0 and "tekun" in p.running)
        paid = p.paid_a_month(kind)
        standard = paid is not None and paid >= 10_000
        found["R43", p.key, kind] = Row(
            both(kind in ("living_subsidy", "care_subsidy"), running > 0, None if paid is None else not standard),
            standard,
            running == 0,
            False,
            ("yellow", paid),
        )
        twofold = "tekun" in p.running
        lower = None if paid is None else paid < 78_000
        found["R44", p.key, kind] = Row(
            both(kind == "dibao", running > 0, "tekun" in p.tiers, not twofold, lower),
            twofold,
            "tekun" not in p.tiers,
            False,
            ("yellow", paid),
        )
        found["R41", p.key, kind] = Row(both(twice, not dead), not twice, dead, False, ("orange", running))
    return found


def of_incidents(p: Person) -> dict[Key, Row]:
    """What is said of a registered event that is no death."""
    found: dict[Key, Row] = {}
    dead, there = bool(p.deaths), bool(p.still) or bool(p.tier)
    for e in p.hub.of("vital.life_event", p.key):
        if e["event"] == "death":
            continue
        for rule, event, level in (("R34", "custody", "red"), ("R42", "moved_out", "yellow")):
            found[rule, p.key, e["record_id"]] = Row(
                e["event"] == event and there and not dead, not there, dead, False, (level, tuple(p.still))
            )
        recent, aided = (p.today - e["event_on"]).days <= 30, p.aided_since(e["event_on"])
        found["R35", p.key, e["record_id"]] = Row(
            both(e["event"] in ("accident", "disaster"), recent, not dead, no(aided)),
            bool(aided),
            dead or not recent,
            False,
            ("red" if p.tier else "orange", e["event"]),
        )
    return found


def of_schools(p: Person) -> dict[Key, Row]:
    """What is said of an enrolment."""
    found: dict[Key, Row] = {}
    dead, listed = bool(p.deaths), bool(p.tier or p.kin)
    for e in p.schools:
        key, stage, status, absent = e["record_id"], e["stage"], e["status"], e["absent_days"] or 0
        goes = p.goes(e)
        aid, yulu = bool(e["student_aid"]), bool(e["yulu"])
        past = not (goes and not dead and listed)
        found["R19", p.key, key] = Row(not past and not aid, aid, past, False, ("yellow", stage))
        days, poor = (p.today - e["enrolled_on"]).days, p.tier in ("dibao", "bianyuan")
        aided = p.aided_since(e["enrolled_on"], ("temporary_aid",))
        past = not (goes and not dead and poor and days <= 90)
        found["R20", p.key, key] = Row(
            both(stage == "higher", not past, no(aided)), bool(aided), past, False, ("yellow", stage)
        )
        absent_too_long = status == "left" or (status == "enrolled" and absent > 5)
        past = not (not dead and listed and status in ("enrolled", "left"))
        found["R21", p.key, key] = Row(
            stage in ("primary", "junior") and not past and absent_too_long,
            status == "enrolled" and absent <= 5,
            past,
            False,
            ("red", stage),
        )
        past = not (goes and not dead and "jiance" in (p.tier, p.kin))
        found["R22", p.key, key] = Row(
            stage == "vocational" and not past and not yulu, yulu, past, False, ("yellow", stage)
        )
    return found


def of_work(p: Person) -> dict[Key, Row]:
    """What is said of a registration at the employment service."""
    found: dict[Key, Row] = {}
    alive, dibao = not p.deaths, "dibao" in p.tiers
    for j in p.hub.of("employment.status", p.key):
        key, status, able, refusals = j["record_id"], j["status"], bool(j["able"]), j["refusals"] or 0
        out, days = status == "unemployed", (p.today - j["since_on"]).days
        helped = j["helped_on"] is not None and j["helped_on"] >= j["since_on"]
        past = not (able and alive and dibao)
        found["R27", p.key, key] = Row(
            out and not past and not helped, status == "employed" or helped, past, False, ("yellow", status)
        )
        past = not (able and alive and out and dibao)
        found["R29", p.key, key] = Row(not past and refusals >= 3, False, past, False, ("orange", refusals))
        wage = None if j["wage_fen"] is None else j["wage_fen"] > 60_000
        past = not (alive and status == "employed" and dibao and days <= 90)
        found["R30", p.key, key] = Row(both(wage, not past), not dibao, past, False, ("yellow", j["wage_fen"]))
        aided, known = p.aided_since(j["since_on"], ("temporary_aid",)), bool(p.entries or p.applications("refused"))
        past = not (alive and out and days <= 180)
        found["R31", p.key, key] = Row(
            both(able, known, days >= 90, not past, no(either(status == "employed", aided))),
            status == "employed" or bool(aided),
            past,
            False,
            ("orange", days),
        )
    return found


def of_contributions(p: Person) -> dict[Key, Row]:
    """What is said of a relation of social insurance that goes with work."""
    found: dict[Key, Row] = {}
    kinds = ("employee_pension", "public_pension", "unemployment", "injury")
    relations = [r for r in p.hub.of("employment.contribution", p.key) if r["insurance"] in kinds]
    retired = any(r["stop_reason"] == "retired" for r in relations)
    for r in relations:
        key, last = r["record_id"], r["last_paid_on"]
        others = [o for o in relations if o is not r]
        later = any(
            o["last_paid_on"] is not None and last is not None and (o["last_paid_on"], o["record_id"]) > (last, key)
            for o in others
        )
        unsure = any(o["last_paid_on"] is None for o in relations)
        covered = p.hub.covered("employment.contribution", p.division)
        paid: bool | None = later or (None if unsure or not covered else False)
        lost = p.hub.of("employment.status", p.key)
        registered = any(
            j["able"]
            and j["status"] == "unemployed"
            and last is not None
            and j["since_on"] >= last
            and (p.today - j["since_on"]).days >= 90
            for j in lost
        )
        unpaid = None if last is None else next_month(last)
        days = None if unpaid is None else (p.today - unpaid).days
        aided = p.aided_since(unpaid or date.max, ("temporary_aid",))
        done = either(paid, None if days is None else days < 90, aided)
        old = None if p.age is None else p.age >= 60
        late = None if days is None else days > 180
        past = either(bool(p.deaths), retired, old, late, registered)
        place, home = (r["insured_division"] or "")[:6], p.division[:6]
        found["R31C", p.key, key] = Row(
            both(
                None if p.age is None else p.age >= 16,
                None if days is None else days >= 90,
                bool(p.tier) or bool(p.entries),
                no(past),
                no(done),
            ),
            bool(done),
            past is True,
            False,
            ("yellow", days, place or None, place != home if place and home else None),
        )
    return found


def next_month(day: date) -> date:
    """The first day of the month after that of a day."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def of_houses(p: Person) -> dict[Key, Row]:
    """What is said of a safety appraisal, and of how a family is housed."""
    found: dict[Key, Row] = {}
    past = bool(p.deaths) or p.tier not in ("tekun", "dibao", "bianyuan", "gangxing", "jiance")
    for h in p.hub.of("housing.appraisal", p.key):
        key, grade = h["record_id"], h["grade"]
        repaired = h["repaired_on"] is not None and h["repaired_on"] >= h["appraised_on"]
        old = None if h["built_year"] is None else p.today.year - h["built_year"] > 30
        found["R23", p.key, key] = Row(
            grade in ("C", "D") and not past and not repaired, repaired, past, False, ("orange", grade)
        )
        found["R24", p.key, key] = Row(
            both(grade in ("A", "B"), either(grade == "B", old), not past, not repaired),
            repaired,
            past,
            False,
            ("yellow", grade),
        )
    homes = p.hub.of("housing.tenancy", p.key)
    past = bool(p.deaths) or p.tier not in ("tekun", "dibao")
    supported = any(
        t["support"] in ("public_rental", "rent_subsidy") and within(t["support_from"], t["support_until"], p.today)
        for t in homes
    )
    for t in homes:
        area = t["area_per_head_dm2"]
        found["R25", p.key, t["record_id"]] = Row(
            both(
                either(
                    None if t["tenure"] is None else t["tenure"] == "homeless", None if area is None else area < 1300
                ),
                not supported,
                not past,
            ),
            supported,
            past,
            False,
            ("yellow", area),
        )
    return found


def of_checks(p: Person) -> dict[Key, Row]:
    """What is said of a check of means with an authorisation."""
    found: dict[Key, Row] = {}
    for c in p.checks():
        key, income, finding = c["record_id"], c["income_month_fen"], c["finding"]
        recent, alive = (p.today - c["checked_on"]).days <= 180, not p.deaths
        past = not (alive and p.tier in ("dibao", "bianyuan") and recent)
        found["R26", p.key, key] = Row(
            both(None if finding is None else finding != "none", not past),
            not p.tier,
            past,
            False,
            ("orange", finding),
        )
        past = not (alive and not p.tier and recent)
        found["R39", p.key, key] = Row(
            both(no(p.on_roster), c["assets_ok"], None if income is None else income < 90_000, not past),
            bool(p.on_roster),
            past,
            False,
            ("yellow", income, newest_water(p)),
        )
    return found


def newest_water(p: Person) -> str | None:
    """The grade that the newest appraisal of drinking water gives, of those that give one."""
    graded = [w for w in p.hub.of("water.supply", p.key) if w["grade"] is not None]
    newest = max(graded, key=lambda w: (w["assessed_on"] or date.min, w["record_id"]), default=None)
    return newest["grade"] if newest else None


def of_water_and_wishes(p: Person) -> dict[Key, Row]:
    """What is said of an appraisal of drinking water, and of a wish for industry support."""
    found: dict[Key, Row] = {}
    water = p.hub.of("water.supply", p.key)
    past = bool(p.deaths) or not p.tier
    for w in water:
        day = w["assessed_on"]
        safe = day is not None and any(
            (o["grade"] in ("safe", "basic") and o["assessed_on"] is not None and o["assessed_on"] >= day)
            or (o["repaired_on"] is not None and o["repaired_on"] >= day)
            for o in water
        )
        unsafe = None if w["grade"] is None else w["grade"] == "unsafe"
        found["R45", p.key, w["record_id"]] = Row(
            both(unsafe, not past, not safe), safe, past, False, ("orange", w["grade"])
        )
    said = p.hub.of("agriculture.support", p.key)
    if said:
        answers = sorted(
            (a["asked_on"], a["record_id"], a["willing"])
            for a in said
            if a["willing"] is not None and a["asked_on"] is not None
        )
        day, _, willing = answers[-1] if answers else (None, None, None)
        runs = any(a["kind"] not in (None, "none") and within(a["start_on"], a["end_on"], p.today) for a in said)
        needs = both(willing, either(p.able, no(p.incapable)), "dibao" in p.tiers)
        past = bool(p.deaths) or needs is False
        found["R46", p.key, "industry"] = Row(
            both(needs, not p.deaths, not runs), runs, past, False, ("yellow", day.isoformat() if day else None)
        )
    return found


def of_ages(p: Person) -> dict[Key, Row]:
    """What is said of a disabled child of school age, and of the 16th, 18th and 60th birthday."""
    found: dict[Key, Row] = {}
    for c in p.cards:
        past = not (p.valid(c) and not p.deaths)
        grown = None if p.age is None else p.age > 15
        found["R18", p.key, c["record_id"]] = Row(
            both(not past, no(grown), None if p.age is None else p.age >= 6, no(p.enrolled)),
            bool(p.enrolled),
            past or bool(grown),
            False,
            ("yellow", p.age),
        )
    destitute = "tekun" in p.tiers
    if p.age is None or p.birthday is None:
        found["R36", p.key, ""] = Row(None if p.tier else False, False, not p.tier, False)
    elif p.age in (16, 18, 60):
        done = destitute if p.age == 60 else not destitute
        past = not (p.tier and (p.today - p.birthday).days <= 60)
        found["R36", p.key, str(p.age)] = Row(
            both(not past, not done, either(p.age != 16, no(p.enrolled))), done, past, False, ("yellow", p.age)
        )
    return found


def of_means(home: str, members: list[Person], tier: str) -> dict[Key, Row]:
    """What is said of a household's expenses of twelve months beside its income, and of one of whom nobody can work."""
    today, living = members[0].today, [m for m in members if not m.deaths]
    spent = [(d, *amounts) for m in members for d, *amounts in m.spent() if d <= today]
    since, kept = a_year_before(today), date(today.year - 1, 1, 1)
    recent = [s for s in spent if s[0] > since]
    passed = [s for s in spent if kept <= s[0] <= since]
    aids = [
        b["granted_on"]
        for m in members
        for b in m.benefits
        if b["benefit"] == "medical_aid" and b["status"] != "stopped" and b["granted_on"] is not None
    ]
    check = max((c for m in members if (c := m.newest_check(home))), key=last_said, default=None)
    listed = either(*(m.on_roster for m in living))
    head = check["income_month_fen"] if check else None
    income = None if head is None else head * 12 * len(living)
    assets = check["assets_ok"] if check else None
    fresh = None if check is None else (today - check["checked_on"]).days <= 180
    policy, older = sum(p for _, _, p in recent), sum(p for _, _, p in passed)
    aided = sum(p for d, _, p in recent if aids and d <= max(aids))
    expense = sum(f for _, f, _ in recent) + ((check["education_year_fen"] or 0) if check else 0)
    gone = sum(f for _, f, _ in passed)

    def reaches(amount: int, percent: int) -> bool | None:
        return None if income is None else amount * 100 >= percent * income

    found: dict[Key, Row] = {}
    for rule, others, ends, share, amount, before, limit, helped in (
        (
            "R08",
            ("gangxing", "jiance", "qita"),
            ("tekun", "dibao", "bianyuan"),
            50,
            policy,
            older,
            None if income is None else income - policy < RESIDENTS * len(living),
            both(aided > 0, reaches(aided, 50)),
        ),
        (
            "R40",
            ("jiance", "qita"),
            ("tekun", "dibao", "bianyuan", "gangxing"),
            60,
            expense,
            gone,
            None if head is None else head * 12 < RESIDENTS,
            False,
        ),
    ):
        enough = reaches(amount, share)
        moved_on = both(no(enough), reaches(amount + before, share))
        stays = both(bool(living), fresh, no(moved_on))
        done = either(tier in ends, helped)
        found[rule, home, "means"] = Row(
            both(either(no(listed), tier in others), amount > 0, enough, limit, assets, stays, no(done)),
            bool(done),
            stays is False,
            False,
            ("orange" if rule == "R08" else "yellow", amount, income),
        )
    found["R17", home, "means"] = Row(
        both(
            bool(living),
            *(m.incapable for m in living),
            not any(m.able for m in living),
            assets,
            None if head is None else head < 60_000,
            fresh,
            tier != "tekun",
        ),
        tier == "tekun",
        fresh is False,
        False,
        ("orange", len(living)),
    )
    return found | of_unchecked(home, members, tier, check)


def of_unchecked(home: str, members: list[Person], tier: str, check: dict[str, Any] | None) -> dict[Key, Row]:
    """What is said of a household whose means nobody knows. ``check``: the newest of them all."""
    today, living = members[0].today, [m for m in members if not m.deaths]
    watched = all(m.hub.covered("civil.check", m.division) for m in members) or None
    listed = either(*(m.on_roster for m in living))
    answered = check is not None and None not in (check["income_month_fen"], check["assets_ok"])
    known = check is not None and (today - check["checked_on"]).days <= (180 if answered else 60)
    applied = max((day for m in members for day in m.applied(home)), default=None)
    known = known or (applied is not None and (today - applied).days <= 70)
    no_later = [day for m in members for day in m.refused(home) if check is None or day >= check["checked_on"]]
    shown = ("yellow", max(no_later).isoformat() if no_later else None, applied.isoformat() if applied else None)
    line, since = HOUSE[tier], a_year_before(today)
    spent = [(d, fen) for m in members for d, fen, _ in m.spent() if d <= today]
    recent = sum(fen for d, fen in spent if d > since)
    before = sum(fen for d, fen in spent if date(today.year - 1, 1, 1) <= d <= since)
    past = not living or tier not in ("", "jiance", "qita") or recent <= line < recent + before
    severe = sum(any(m.valid(c) and c["grade"] <= 2 for c in m.cards) for m in living)
    over = not severe or tier == "tekun"
    return {
        ("R47", home, "means"): Row(
            both(either(no(listed), tier in ("jiance", "qita")), recent > line, watched, not past, not known),
            known,
            past,
            False,
            shown,
        ),
        ("R48", home, "means"): Row(
            both(
                *(m.incapable for m in living),
                not any(m.able for m in living),
                severe > 0,
                either(no(listed), tier != ""),
                watched,
                not over,
                not known,
            ),
            known,
            over,
            False,
            shown,
        ),
    }


def rows_of_households(people: list[Person]) -> dict[Key, Row]:
    """Every facts row of the rule about households."""
    homes: dict[str, list[Person]] = defaultdict(list)
    for p in people:
        for home in p.homes:
            homes[home].append(p)
    found: dict[Key, Row] = {}
    for home, members in homes.items():
        tiers = [m.tier for m in members if m.tier and not m.deaths]
        line = HOUSE[min(tiers, key=ORDER.index) if tiers else ""]
        tier = min(tiers, key=ORDER.index) if tiers else ""
        living = [m for m in members if not m.deaths]
        able, works = sum(m.able for m in living), any(m.works for m in living)
        past = not (tier == "dibao" and able)
        found["R28", home, "work"] = Row(not past and not works, works, past, False, ("orange", able))
        for head in (m for m in members if home in m.heads and m.deaths):
            died = min(d["event_on"] for d in head.deaths)
            past = not (tier and living and (head.today - died).days <= 180)
            found["R33", home, died.isoformat()] = Row(not past, False, past, False, ("orange", died.isoformat()))
        found |= of_means(home, members, tier)
        years = {y for m in members for y in m.paid()}
        for year in years:
            paid = sum(m.paid().get(year, (0, 0))[0] for m in members)
            aided = sum(m.paid().get(year, (0, 0))[1] for m in members)
            step = quotient(paid, line)
            done = aided > 0 and quotient(aided, line) >= step
            past = not year_open(year, members[0].today)
            found["H01", home, str(year)] = Row(
                both(paid > line, not past, not done),
                done,
                past,
                False,
                ("red" if step >= 3 else "orange", step, paid, aided),
            )
    return found


@dataclass
class Answer:
    """What stands (with what is shown of it), what is unknown, and the rows behind both."""

    standing: dict[Key, tuple[Any, ...]]
    unknown: set[Key]
    rows: dict[Key, Row]

    def cause(self, key: Key) -> str:
        """Why a condition that stood no longer does."""
        rule, subject, episode = key
        row = self.rows.get(key)
        if row is None or row.wrong:
            return "corrected"
        if row.done:
            return "fulfilled"
        dead = rule in SILENCED_BY_DEATH and any(r == "R32" and s == subject for r, s, _ in self.standing)
        taken = any(
            r in TAKERS.get(rule, ()) and s == subject and (e == episode or rule in ("R14S", "R31C"))
            for r, s, e in self.standing
        )
        return "superseded" if dead or taken else "lapsed" if row.past else "corrected"


def answer(hub: Hub) -> Answer:
    """What should stand now."""
    if hub.today is None:
        return Answer({}, set(), {})
    people = [Person(hub, key) for key in hub.persons()]
    rows: dict[Key, Row] = {}
    for p in people:
        rows |= rows_of(p)
    rows |= rows_of_households(people)
    dead = {s for (r, s, _), row in rows.items() if r == "R32" and row.holds}
    loud = {k: row for k, row in rows.items() if not (k[0] in SILENCED_BY_DEATH and k[1] in dead)}
    return Answer(
        {k: row.shown for k, row in loud.items() if row.holds},
        {k for k, row in loud.items() if row.holds is None},
        rows,
    )
