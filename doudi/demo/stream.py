"""What happens in the county from now on: an endless, seeded sequence of changes to the departments' rows.

Bills mostly; among them reversals, corrections, invalid and vanished rows, rows without an ID and their mending,
people who enter and leave the roster, identity corrections, moves, deaths and their revocation. Knows no rule:
`begins` names changes made on persons that nothing else happened to, for the measurement of latency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from doudi.demo.county import BAD_IDS, TIER_MILLIONS, County

NOW = "clock_timestamp()"
TODAY = "((now() AT TIME ZONE 'UTC') + interval '8 hours')::date"
SETL = (
    "INSERT INTO setl_d (setl_id, psn_no, psn_name, certno, tel, setl_time, begndate, enddate, insutype, med_type, "
    "insu_admdvs, fixmedins_code, medfee_sumamt, inscp_scp_amt, hifp_pay, fund_pay_sumamt, psn_part_amt, "
    "psn_cash_pay, refd_setl_flag, vali_flag, dise_codg, resd_division, updt_time) VALUES (%s, %s, %s, %s, %s, "
    f"now(), {TODAY}, {TODAY}, '390', '21', '990101', 'H99010100001', %s, %s, %s, %s, %s, %s, %s, '1', "
    f"'J06.900', %s, {NOW})"
)
INSURANCE = (
    "INSERT INTO psn_insu_d (psn_no, psn_name, certno, tel, insutype, insu_admdvs, psn_insu_stas, begndate, "
    "psn_idet_type, idet_begndate, resd_division, updt_time) "
    f"VALUES (%s, %s, %s, %s, '310', '990101', '1', {TODAY}, %s, {TODAY}, %s, {NOW})"
)
ENTRY = (
    "INSERT INTO low_income_member (entry_id, id_number, name, tel, household_no, tier_code, status, start_date, "
    f"division, deleted, updated_at) VALUES (%s, %s, %s, %s, %s, %s, 'active', {TODAY}, %s, false, {NOW})"
)
MEMBER = (
    "INSERT INTO household_member (member_id, household_no, id_number, name, relation, is_head, joined_on, "
    f"division, deleted, updated_at) VALUES (%s, %s, %s, %s, '20', false, {TODAY}, %s, false, {NOW})"
)
BENEFIT = (
    "INSERT INTO benefit (benefit_id, id_number, name, benefit_code, status, granted_on, start_on, amount, "
    f"division, deleted, updated_at) VALUES (%s, %s, %s, %s, %s, {TODAY}, {TODAY}, 500.00, %s, false, {NOW})"
)
CARD = (
    "INSERT INTO disabled_card (card_no, name, certno, category, grade, status, first_issue_date, issue_date, "
    "assess_date, tel, division, updated_at) "
    f"VALUES (%s, %s, %s, %s, %s, 'active', {TODAY}, {TODAY}, {TODAY}, %s, %s, {NOW})"
)

Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """Rows that one transaction of a department's database changes, or one line of the vital drop folder.

    A line lacks its last field, the time of registration: the writer adds it. `late`: the transaction commits
    seconds after it stamped its rows. `begins`: (what kind, ID, department's key) where a person's first event.
    """

    database: str
    statements: tuple[Statement, ...] = ()
    line: tuple[str, ...] = ()
    late: bool = False
    begins: tuple[str, str, str] | None = None

    @property
    def rows(self) -> int:
        """Rows changed."""
        return len(self.statements) or 1


Maker = Callable[[], Change | None]


@dataclass
class Stream:
    """The changes after `county`, in order. `unidentified`: rows without a usable ID after what was taken."""

    county: County
    seed: int
    unidentified: int = field(init=False)

    def __post_init__(self) -> None:
        """Take what later changes refer to out of the county's tables."""
        self._rng = np.random.default_rng([self.seed, 2])
        self.unidentified = self.county.unidentified
        tables, folk = self.county.tables, self.county.people.frame
        self._id, self._name, self._tel, self._division, self._house = (
            folk[c].to_list() for c in ("id_number", "name", "tel", "division", "household_no")
        )
        bills = _known(tables["setl_d"], "setl_id")
        self._bills = list(bills.select("setl_id", "person", "psn_part_amt").iter_rows())
        sums = bills.group_by("person", maintain_order=True).agg(pl.col("psn_part_amt").sum())
        self._heavy: list[int] = sums.filter(pl.col("psn_part_amt") > 500_000)["person"].to_list()
        roster = _known(tables["low_income_member"], "entry_id").filter(pl.col("status") == "active")
        self._entries = list(roster.select("entry_id", "person", "tier_code").iter_rows())
        insured = _known(tables["psn_insu_d"], "psn_no")
        self._policy: dict[int, str] = dict(insured.select("person", "psn_no").iter_rows())
        marked = set(insured.filter(pl.col("psn_idet_type").is_not_null())["person"])
        self._unmarked = [e for e in self._entries if e[1] not in marked and e[1] in self._policy]
        cards = tables["disabled_card"].filter(pl.col("certno").str.len_chars() > 0)
        self._cards = list(
            cards.filter(pl.col("canonical") == pl.col("card_no").str.slice(0, 18))
            .select("card_no", "person")
            .iter_rows()
        )
        members = _known(tables["household_member"], "member_id").filter(pl.col("left_on").is_null())
        self._members = list(members.select("member_id", "person").iter_rows())
        running = _known(tables["benefit"], "benefit_id").filter(pl.col("status") == "active")
        self._benefits = list(running.select("benefit_id", "person").iter_rows())
        self._dead: set[int] = set(tables["life_event"]["person"])
        self._deaths: list[tuple[str, ...]] = []
        self._actors = list(self.county.actors)
        self._nobody: list[str] = []
        self._count = 0
        mix = self._mix()
        self._makers, weights = list(mix), np.array(list(mix.values()))
        self._weights = weights / weights.sum()

    def __iter__(self) -> Iterator[Change]:
        """Endless."""
        while True:
            for maker in self._rng.choice(len(self._makers), size=1000, p=self._weights):
                if (change := self._makers[maker]()) is not None:
                    yield change

    def take(self, rows: int) -> list[Change]:
        """The next changes, together of at least so many rows."""
        found: list[Change] = []
        for change in self:
            found.append(change)
            rows -= change.rows
            if rows <= 0:
                break
        return found

    def _mix(self) -> dict[Maker, float]:
        return {
            self._bill: 60,
            self._large_bill: 1.2,
            self._reversal: 2,
            self._corrected_amount: 2,
            self._invalid: 0.5,
            self._vanished: 0.5,
            self._no_id: 0.3,
            self._id_mended: 0.15,
            self._bill_of_another: 0.3,
            self._touched: 2,
            self._late_bill: 1,
            self._insurance_moved: 8,
            self._marked: 2.5,
            self._mark_ended: 0.4,
            self._new_policy: 0.3,
            self._entered: 1,
            self._left: 0.5,
            self._entry_deleted: 0.1,
            self._entry_of_another: 0.1,
            self._moved: 0.8,
            self._joined: 0.5,
            self._aided: 1.2,
            self._care: 0.5,
            self._stopped: 0.4,
            self._funeral: 0.3,
            self._new_card: 0.8,
            self._card_cancelled: 0.3,
            self._card_regraded: 0.5,
            self._died: 0.3,
            self._revoked: 0.03,
        }

    def _key(self, letter: str) -> str:
        self._count += 1
        return f"{letter}L{self._count:09d}"

    def _pick(self, items: list[Any]) -> Any:
        """Any one, or None."""
        return items[int(self._rng.integers(len(items)))] if items else None

    def _pop(self, items: list[Any]) -> Any:
        """Any one, which then is no longer there, or None."""
        if not items:
            return None
        place = int(self._rng.integers(len(items)))
        items[place], items[-1] = items[-1], items[place]
        return items.pop()

    def _person(self) -> int:
        return int(self._rng.integers(len(self._id)))

    def _who(self, person: int) -> tuple[str, str]:
        return self._id[person], self._name[person]

    # ------------------------------------------------------------------------------------------ medical insurance

    def _setl(
        self, person: int, fen: int, *, number: str | bool | None = True, refund: bool = False
    ) -> tuple[str, Statement]:
        key = self._key("S")
        total = fen * 5 // 2
        certno = self._id[person] if number is True else number
        money = [_yuan(v) for v in (total, total - fen // 2, total - fen, total - fen, fen, fen)]
        return key, (
            SETL,
            (
                key,
                f"P{person}",
                self._name[person],
                certno,
                self._tel[person],
                *money,
                "1" if refund else "0",
                self._division[person],
            ),
        )

    def _fen(self) -> int:
        return int(100 * self._rng.lognormal(np.log(150), 1.3)) + 100

    def _bill(self) -> Change:
        person, fen = self._person(), self._fen()
        key, statement = self._setl(person, fen)
        self._bills.append((key, person, fen))
        return Change("medical", (statement,))

    def _large_bill(self) -> Change:
        if self._actors:
            person = self._actors.pop()
            _, statement = self._setl(person, int(self._rng.integers(1_500_001, 3_000_000)))
            return Change("medical", (statement,), begins=("R04", self._id[person], ""))
        return Change(
            "medical", (self._setl(self._person(), int(self._rng.integers(600_000, 3_000_000)))[1],)
        )

    def _reversal(self) -> Change | None:
        if (bill := self._pop(self._bills)) is None:
            return None
        return Change("medical", (self._setl(bill[1], -bill[2], refund=True)[1],))

    def _corrected_amount(self) -> Change | None:
        if (bill := self._pop(self._bills)) is None:
            return None
        fen = max(100, bill[2] + int(self._rng.integers(-50_000, 50_000)))
        self._bills.append((bill[0], bill[1], fen))
        return Change(
            "medical",
            (
                (
                    f"UPDATE setl_d SET psn_part_amt = %s, updt_time = {NOW} WHERE setl_id = %s",
                    (_yuan(fen), bill[0]),
                ),
            ),
        )

    def _invalid(self) -> Change | None:
        if (bill := self._pop(self._bills)) is None:
            return None
        return Change(
            "medical",
            ((f"UPDATE setl_d SET vali_flag = '0', updt_time = {NOW} WHERE setl_id = %s", (bill[0],)),),
        )

    def _vanished(self) -> Change | None:
        if (bill := self._pop(self._bills)) is None:
            return None
        return Change("medical", (("DELETE FROM setl_d WHERE setl_id = %s", (bill[0],)),))

    def _no_id(self) -> Change:
        key, statement = self._setl(self._person(), self._fen(), number=self._pick(list(BAD_IDS)))
        self._nobody.append(key)
        self.unidentified += 1
        return Change("medical", (statement,))

    def _id_mended(self) -> Change | None:
        if (key := self._pop(self._nobody)) is None:
            return None
        self.unidentified -= 1
        return self._bill_to(key)

    def _bill_of_another(self) -> Change | None:
        if (bill := self._pop(self._bills)) is None:
            return None
        return self._bill_to(bill[0])

    def _bill_to(self, key: str) -> Change:
        person = self._person()
        return Change(
            "medical",
            (
                (
                    f"UPDATE setl_d SET certno = %s, psn_name = %s, updt_time = {NOW} WHERE setl_id = %s",
                    (*self._who(person), key),
                ),
            ),
        )

    def _touched(self) -> Change | None:
        if (bill := self._pick(self._bills)) is None:
            return None
        return Change("medical", ((f"UPDATE setl_d SET updt_time = {NOW} WHERE setl_id = %s", (bill[0],)),))

    def _late_bill(self) -> Change:
        return Change("medical", (self._setl(self._person(), self._fen() * 10)[1],), late=True)

    def _insurance_moved(self) -> Change | None:
        person = self._person()
        if person not in self._policy:
            return None
        return Change(
            "medical",
            (
                (
                    f"UPDATE psn_insu_d SET tel = %s, updt_time = {NOW} WHERE psn_no = %s",
                    (f"990{int(self._rng.integers(10**8)):08d}", self._policy[person]),
                ),
            ),
        )

    def _marked(self) -> Change | None:
        entry = (
            self._unmarked.pop(0)
            if self._unmarked and self._rng.random() < 0.3
            else self._pick(self._entries)
        )
        if entry is None or entry[1] not in self._policy:
            return None
        return Change(
            "medical",
            (
                (
                    f"UPDATE psn_insu_d SET psn_idet_type = %s, idet_begndate = {TODAY}, idet_enddate = NULL, updt_time = {NOW} "
                    "WHERE psn_no = %s",
                    (entry[2], self._policy[entry[1]]),
                ),
            ),
        )

    def _mark_ended(self) -> Change | None:
        entry = self._pick(self._entries)
        if entry is None or entry[1] not in self._policy:
            return None
        return Change(
            "medical",
            (
                (
                    f"UPDATE psn_insu_d SET idet_enddate = {TODAY}, updt_time = {NOW} WHERE psn_no = %s",
                    (self._policy[entry[1]],),
                ),
            ),
        )

    def _new_policy(self) -> Change | None:
        if (entry := self._pick(self._entries)) is None:
            return None
        person = entry[1]
        return Change(
            "medical",
            (
                (
                    INSURANCE,
                    (
                        self._key("P"),
                        self._name[person],
                        self._id[person],
                        self._tel[person],
                        entry[2],
                        self._division[person],
                    ),
                ),
            ),
        )

    # ---------------------------------------------------------------------------------------------- civil affairs

    def _entered(self) -> Change:
        fresh = bool(self._actors)
        person = self._actors.pop() if fresh else self._person()
        tier, key = str(self._rng.choice(list(TIER_MILLIONS), p=_TIER_SHARES)), self._key("E")
        entry = (key, person, tier)
        self._entries.append(entry)
        self._unmarked.append(entry)
        return Change(
            "civil",
            (
                (
                    ENTRY,
                    (
                        key,
                        *self._who(person),
                        self._tel[person],
                        self._house[person],
                        tier,
                        self._division[person],
                    ),
                ),
            ),
            begins=("R09", self._id[person], key) if fresh else None,
        )

    def _left(self) -> Change | None:
        if (entry := self._pop(self._entries)) is None:
            return None
        return Change(
            "civil",
            (
                (
                    f"UPDATE low_income_member SET status = 'exited', end_date = {TODAY}, exit_reason = '01', "
                    f"updated_at = {NOW} WHERE entry_id = %s",
                    (entry[0],),
                ),
            ),
        )

    def _entry_deleted(self) -> Change | None:
        if (entry := self._pop(self._entries)) is None:
            return None
        return Change(
            "civil",
            (
                (
                    f"UPDATE low_income_member SET deleted = true, updated_at = {NOW} WHERE entry_id = %s",
                    (entry[0],),
                ),
            ),
        )

    def _entry_of_another(self) -> Change | None:
        if (entry := self._pop(self._entries)) is None:
            return None
        person = self._person()
        self._entries.append((entry[0], person, entry[2]))
        return Change(
            "civil",
            (
                (
                    f"UPDATE low_income_member SET id_number = %s, name = %s, updated_at = {NOW} "
                    "WHERE entry_id = %s",
                    (*self._who(person), entry[0]),
                ),
            ),
        )

    def _moved(self) -> Change | None:
        """Leaves one household and joins another in one transaction."""
        if (member := self._pop(self._members)) is None:
            return None
        person, key, target = member[1], self._key("M"), self._person()
        self._members.append((key, person))
        return Change(
            "civil",
            (
                (
                    f"UPDATE household_member SET left_on = {TODAY}, updated_at = {NOW} WHERE member_id = %s",
                    (member[0],),
                ),
                (MEMBER, (key, self._house[target], *self._who(person), self._division[person])),
            ),
        )

    def _joined(self) -> Change:
        """May leave somebody in two households at once: that happens."""
        person, key = self._person(), self._key("M")
        self._members.append((key, person))
        return Change(
            "civil",
            ((MEMBER, (key, self._house[self._person()], *self._who(person), self._division[person])),),
        )

    def _give(self, person: int, code: str, status: str = "active") -> Change:
        key = self._key("B")
        if status == "active":
            self._benefits.append((key, person))
        return Change("civil", ((BENEFIT, (key, *self._who(person), code, status, self._division[person])),))

    def _aided(self) -> Change | None:
        person = self._pick(self._heavy)
        return None if person is None else self._give(person, "temporary_aid", "paid")

    def _care(self) -> Change | None:
        card = self._pick(self._cards)
        return None if card is None else self._give(card[1], "care_subsidy")

    def _stopped(self) -> Change | None:
        if (benefit := self._pop(self._benefits)) is None:
            return None
        return Change(
            "civil",
            (
                (
                    f"UPDATE benefit SET status = 'stopped', end_on = {TODAY}, updated_at = {NOW} "
                    "WHERE benefit_id = %s",
                    (benefit[0],),
                ),
            ),
        )

    def _funeral(self) -> Change | None:
        person = self._pick(sorted(self._dead)[:200])
        return None if person is None else self._give(person, "funeral_subsidy", "paid")

    # ---------------------------------------------------------------------------------------------- cards, deaths

    def _new_card(self) -> Change:
        fresh = bool(self._actors)
        person = self._actors.pop() if fresh else self._person()
        category, grade = int(self._rng.integers(1, 8)), 1 + int(self._rng.integers(2))
        key = f"{self._id[person]}{category}{grade}"
        if not fresh:
            return Change(
                "disability",
                ((CARD + " ON CONFLICT (card_no) DO NOTHING", self._card(key, person, category, grade)),),
            )
        self._cards.append((key, person))
        return Change(
            "disability",
            ((CARD, self._card(key, person, category, grade)),),
            begins=("R13", self._id[person], key),
        )

    def _card(self, key: str, person: int, category: int, grade: int) -> tuple[Any, ...]:
        return (
            key,
            self._name[person],
            self._id[person],
            category,
            grade,
            self._tel[person],
            self._division[person],
        )

    def _card_cancelled(self) -> Change | None:
        if (card := self._pop(self._cards)) is None:
            return None
        return Change(
            "disability",
            (
                (
                    f"UPDATE disabled_card SET status = 'cancelled', updated_at = {NOW} WHERE card_no = %s",
                    (card[0],),
                ),
            ),
        )

    def _card_regraded(self) -> Change | None:
        if (card := self._pick(self._cards)) is None:
            return None
        return Change(
            "disability",
            (
                (
                    f"UPDATE disabled_card SET grade = %s, assess_date = {TODAY}, updated_at = {NOW} "
                    "WHERE card_no = %s",
                    (int(self._rng.integers(1, 5)), card[0]),
                ),
            ),
        )

    def _died(self) -> Change | None:
        person = (
            self._pick(self._benefits)[1] if self._benefits and self._rng.random() < 0.6 else self._person()
        )
        if person in self._dead:
            return None
        self._dead.add(person)
        day = self.county.today - timedelta(days=int(self._rng.integers(0, 5)))
        line = (
            self._key("SW"),
            *self._who(person),
            "死亡",
            day.isoformat(),
            "死亡证明",
            self._division[person],
        )
        self._deaths.append(line)
        return Change("vital", line=line)

    def _revoked(self) -> Change | None:
        """A death registered for the wrong person is taken back."""
        if len(self._deaths) < 3 or (line := self._pop(self._deaths)) is None:  # noqa: PLR2004
            return None
        return Change("vital", line=(*line[:3], "撤销", *line[4:]))


_TIER_SHARES = np.array(list(TIER_MILLIONS.values())) / sum(TIER_MILLIONS.values())


def _known(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """Without the rows planted with an unusable ID (their keys have an X behind the letter)."""
    return frame.filter(~pl.col(key).str.slice(1, 1).eq("X"))


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"
