"""What happens in medical insurance: bills mostly, their reversal and correction, identity marks."""

from __future__ import annotations

import numpy as np

from doudi.demo.changes import NOW, TODAY, Change, Statement, yuan
from doudi.demo.keys import BAD_IDS
from doudi.demo.world import Maker, World

SETL = (
    "INSERT INTO setl_d (setl_id, psn_no, psn_name, certno, tel, setl_time, begndate, enddate, insutype, "
    "med_type, insu_admdvs, fixmedins_code, medfee_sumamt, inscp_scp_amt, hifp_pay, fund_pay_sumamt, "
    "psn_part_amt, psn_cash_pay, refd_setl_flag, vali_flag, dise_codg, resd_division, updt_time) "
    "VALUES (%s, %s, %s, %s, %s, "
    f"now(), {TODAY}, {TODAY}, '390', '21', '990101', 'H99010100001', %s, %s, %s, %s, %s, %s, %s, '1', "
    f"'J06.900', %s, {NOW})"
)
INSURANCE = (
    "INSERT INTO psn_insu_d (psn_no, psn_name, certno, tel, insutype, insu_admdvs, psn_insu_stas, begndate, "
    "psn_idet_type, idet_begndate, resd_division, updt_time) "
    f"VALUES (%s, %s, %s, %s, '310', '990101', '1', {TODAY}, %s, {TODAY}, %s, {NOW})"
)


def setl(
    w: World, person: int, fen: int, *, number: str | bool | None = True, refund: bool = False, key: str = ""
) -> tuple[str, Statement]:
    """Key and INSERT of a bill with this self-pay."""
    key = key or w.key("S")
    total = fen * 5 // 2
    certno = w.id[person] if number is True else number
    money = [yuan(v) for v in (total, total - fen // 2, total - fen, total - fen, fen, fen)]
    return key, (
        SETL,
        (
            key,
            f"P{person}",
            w.name[person],
            certno,
            w.tel[person],
            *money,
            "1" if refund else "0",
            w.division[person],
        ),
    )


def small(w: World) -> int:
    """Self-pay of an everyday bill."""
    return int(100 * w.rng.lognormal(np.log(150), 1.3)) + 100


def bill(w: World) -> Change:
    """An everyday bill of anybody."""
    person, fen = w.person(), small(w)
    key, statement = setl(w, person, fen)
    w.bills.append((key, person, fen))
    return Change("medical", (statement,))


def large_bill(w: World) -> Change:
    """A bill beyond every line, of somebody without any before while there are such."""
    if w.actors:
        person = w.actors.pop()
        _, statement = setl(w, person, int(w.rng.integers(1_500_001, 3_000_000)))
        return Change("medical", (statement,), begins=("R04", w.id[person], ""))
    return Change("medical", (setl(w, w.person(), int(w.rng.integers(600_000, 3_000_000)))[1],))


def reversal(w: World) -> Change | None:
    """A bill taken back by one of the negative amount."""
    if (bill := w.pop(w.bills)) is None:
        return None
    return Change("medical", (setl(w, bill[1], -bill[2], refund=True)[1],))


def corrected_amount(w: World) -> Change | None:
    """Another amount in the same bill."""
    if (bill := w.pop(w.bills)) is None:
        return None
    fen = max(100, bill[2] + int(w.rng.integers(-50_000, 50_000)))
    w.bills.append((bill[0], bill[1], fen))
    return Change(
        "medical",
        (
            (
                f"UPDATE setl_d SET psn_part_amt = %s, updt_time = {NOW} WHERE setl_id = %s",
                (yuan(fen), bill[0]),
            ),
        ),
    )


def invalid(w: World) -> Change | None:
    """A bill flagged invalid."""
    if (bill := w.pop(w.bills)) is None:
        return None
    return Change(
        "medical",
        ((f"UPDATE setl_d SET vali_flag = '0', updt_time = {NOW} WHERE setl_id = %s", (bill[0],)),),
    )


def vanished(w: World) -> Change | None:
    """A bill deleted: the table has no flag for it."""
    if (bill := w.pop(w.bills)) is None:
        return None
    return Change("medical", (("DELETE FROM setl_d WHERE setl_id = %s", (bill[0],)),))


def no_id(w: World) -> Change:
    """A bill of nobody."""
    key, statement = setl(w, w.person(), small(w), number=w.pick(list(BAD_IDS)))
    w.nobody.append(key)
    w.unidentified += 1
    return Change("medical", (statement,))


def id_mended(w: World) -> Change | None:
    """The bill of nobody gets its ID."""
    if (key := w.pop(w.nobody)) is None:
        return None
    w.unidentified -= 1
    return bill_to(w, key)


def bill_of_another(w: World) -> Change | None:
    """A bill was booked on the wrong person."""
    if (bill := w.pop(w.bills)) is None:
        return None
    return bill_to(w, bill[0])


def bill_to(w: World, key: str) -> Change:
    """Whose bill it is changes."""
    person = w.person()
    return Change(
        "medical",
        (
            (
                f"UPDATE setl_d SET certno = %s, psn_name = %s, updt_time = {NOW} WHERE setl_id = %s",
                (*w.who(person), key),
            ),
        ),
    )


def touched(w: World) -> Change | None:
    """The same content under a new time of change."""
    if (bill := w.pick(w.bills)) is None:
        return None
    return Change("medical", ((f"UPDATE setl_d SET updt_time = {NOW} WHERE setl_id = %s", (bill[0],)),))


def late_bill(w: World) -> Change:
    """A bill whose transaction commits late."""
    return Change("medical", (setl(w, w.person(), small(w) * 10)[1],), late=True)


def insurance_moved(w: World) -> Change | None:
    """A new telephone number: a change that no fact depends on."""
    person = w.person()
    if person not in w.policy:
        return None
    return Change(
        "medical",
        (
            (
                f"UPDATE psn_insu_d SET tel = %s, updt_time = {NOW} WHERE psn_no = %s",
                (f"990{int(w.rng.integers(10**8)):08d}", w.policy[person]),
            ),
        ),
    )


def marked(w: World) -> Change | None:
    """An identity marked, mostly one that waited for it."""
    entry = w.unmarked.pop(0) if w.unmarked and w.rng.random() < 0.3 else w.pick(w.entries)
    if entry is None or entry[1] not in w.policy:
        return None
    return Change(
        "medical",
        (
            (
                f"UPDATE psn_insu_d SET psn_idet_type = %s, idet_begndate = {TODAY}, "
                f"idet_enddate = NULL, updt_time = {NOW} "
                "WHERE psn_no = %s",
                (entry[2], w.policy[entry[1]]),
            ),
        ),
    )


def mark_ended(w: World) -> Change | None:
    """A mark ends today."""
    entry = w.pick(w.entries)
    if entry is None or entry[1] not in w.policy:
        return None
    return Change(
        "medical",
        (
            (
                f"UPDATE psn_insu_d SET idet_enddate = {TODAY}, updt_time = {NOW} WHERE psn_no = %s",
                (w.policy[entry[1]],),
            ),
        ),
    )


def new_policy(w: World) -> Change | None:
    """A second enrolment, marked."""
    if (entry := w.pick(w.entries)) is None:
        return None
    person = entry[1]
    return Change(
        "medical",
        (
            (
                INSURANCE,
                (
                    w.key("P"),
                    w.name[person],
                    w.id[person],
                    w.tel[person],
                    entry[2],
                    w.division[person],
                ),
            ),
        ),
    )


MIX: dict[Maker, float] = {
    bill: 60,
    large_bill: 1.2,
    reversal: 2,
    corrected_amount: 2,
    invalid: 0.5,
    vanished: 0.5,
    no_id: 0.3,
    id_mended: 0.15,
    bill_of_another: 0.3,
    touched: 2,
    late_bill: 1,
    insurance_moved: 8,
    marked: 2.5,
    mark_ended: 0.4,
    new_policy: 0.3,
}
