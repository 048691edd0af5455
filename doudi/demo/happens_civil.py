"""What happens in the civil affairs bureau: people enter and leave the roster, move, are aided."""

from __future__ import annotations

import numpy as np

from doudi.demo.changes import NOW, TODAY, Change
from doudi.demo.civil import TIER_MILLIONS
from doudi.demo.world import Maker, World

ENTRY = (
    "INSERT INTO low_income_member (entry_id, id_number, name, tel, household_no, tier_code, "
    "status, start_date, "
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
TIER_SHARES = np.array(list(TIER_MILLIONS.values())) / sum(TIER_MILLIONS.values())


def entered(w: World) -> Change:
    """Somebody enters the roster, while there are such somebody to whom nothing happened yet."""
    fresh = bool(w.actors)
    person = w.actors.pop() if fresh else w.person()
    tier, key = str(w.rng.choice(list(TIER_MILLIONS), p=TIER_SHARES)), w.key("E")
    entry = (key, person, tier)
    w.entries.append(entry)
    w.unmarked.append(entry)
    return Change(
        "civil",
        (
            (
                ENTRY,
                (
                    key,
                    *w.who(person),
                    w.tel[person],
                    w.house[person],
                    tier,
                    w.division[person],
                ),
            ),
        ),
        begins=("R09", w.id[person], key) if fresh else None,
    )


def left(w: World) -> Change | None:
    """Leaves the roster today."""
    if (entry := w.pop(w.entries)) is None:
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


def entry_deleted(w: World) -> Change | None:
    """An entry made in error."""
    if (entry := w.pop(w.entries)) is None:
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


def entry_of_another(w: World) -> Change | None:
    """An entry was made for the wrong person."""
    if (entry := w.pop(w.entries)) is None:
        return None
    person = w.person()
    w.entries.append((entry[0], person, entry[2]))
    return Change(
        "civil",
        (
            (
                f"UPDATE low_income_member SET id_number = %s, name = %s, updated_at = {NOW} WHERE entry_id = %s",
                (*w.who(person), entry[0]),
            ),
        ),
    )


def moved(w: World) -> Change | None:
    """Leaves one household and joins another in one transaction."""
    if (member := w.pop(w.members)) is None:
        return None
    person, key, target = member[1], w.key("M"), w.person()
    w.members.append((key, person))
    return Change(
        "civil",
        (
            (
                f"UPDATE household_member SET left_on = {TODAY}, updated_at = {NOW} WHERE member_id = %s",
                (member[0],),
            ),
            (MEMBER, (key, w.house[target], *w.who(person), w.division[person])),
        ),
    )


def joined(w: World) -> Change:
    """May leave somebody in two households at once: that happens."""
    person, key = w.person(), w.key("M")
    w.members.append((key, person))
    return Change(
        "civil",
        ((MEMBER, (key, w.house[w.person()], *w.who(person), w.division[person])),),
    )


def give(w: World, person: int, code: str, status: str = "active") -> Change:
    """A new benefit."""
    key = w.key("B")
    if status == "active":
        w.benefits.append((key, person))
    return Change("civil", ((BENEFIT, (key, *w.who(person), code, status, w.division[person])),))


def aided(w: World) -> Change | None:
    """Temporary aid after large bills."""
    person = w.pick(w.heavy)
    return None if person is None else give(w, person, "temporary_aid", "paid")


def care(w: World) -> Change | None:
    """The care subsidy for a card holder."""
    card = w.pick(w.cards)
    return None if card is None else give(w, card[1], "care_subsidy")


def stopped(w: World) -> Change | None:
    """A benefit stops today."""
    if (benefit := w.pop(w.benefits)) is None:
        return None
    return Change(
        "civil",
        (
            (
                f"UPDATE benefit SET status = 'stopped', end_on = {TODAY}, updated_at = {NOW} WHERE benefit_id = %s",
                (benefit[0],),
            ),
        ),
    )


def funeral(w: World) -> Change | None:
    """A funeral subsidy for one of the dead."""
    person = w.pick(sorted(w.dead)[:200])
    return None if person is None else give(w, person, "funeral_subsidy", "paid")


MIX: dict[Maker, float] = {
    entered: 1,
    left: 0.5,
    entry_deleted: 0.1,
    entry_of_another: 0.1,
    moved: 0.8,
    joined: 0.5,
    aided: 1.2,
    care: 0.5,
    stopped: 0.4,
    funeral: 0.3,
}
