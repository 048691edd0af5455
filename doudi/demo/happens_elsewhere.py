"""What happens at the disabled persons' federation and in the civil register."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from doudi.demo.changes import NOW, TODAY, Change
from doudi.demo.elsewhere import EVENTS
from doudi.demo.world import Maker, World

CARD = (
    "INSERT INTO disabled_card (card_no, name, certno, category, grade, status, first_issue_date, "
    "issue_date, assess_date, tel, division, updated_at) "
    f"VALUES (%s, %s, %s, %s, %s, 'active', {TODAY}, {TODAY}, {TODAY}, %s, %s, {NOW})"
)


def new_card(w: World) -> Change:
    """A severe disability certified."""
    fresh = bool(w.actors)
    person = w.actors.pop() if fresh else w.person()
    category, grade = int(w.rng.integers(1, 8)), 1 + int(w.rng.integers(2))
    key = f"{w.id[person]}{category}{grade}"
    if not fresh:
        return Change(
            "disability",
            ((CARD + " ON CONFLICT (card_no) DO NOTHING", card(w, key, person, category, grade)),),
        )
    w.cards.append((key, person))
    return Change(
        "disability",
        ((CARD, card(w, key, person, category, grade)),),
        begins=("R13", w.id[person], key),
    )


def card(w: World, key: str, person: int, category: int, grade: int) -> tuple[Any, ...]:
    """Parameters of CARD."""
    return (
        key,
        w.name[person],
        w.id[person],
        category,
        grade,
        w.tel[person],
        w.division[person],
    )


def card_cancelled(w: World) -> Change | None:
    """A certificate cancelled."""
    if (card := w.pop(w.cards)) is None:
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


def card_regraded(w: World) -> Change | None:
    """Another grade."""
    if (card := w.pick(w.cards)) is None:
        return None
    return Change(
        "disability",
        (
            (
                f"UPDATE disabled_card SET grade = %s, assess_date = {TODAY}, updated_at = {NOW} WHERE card_no = %s",
                (int(w.rng.integers(1, 5)), card[0]),
            ),
        ),
    )


def died(w: World) -> Change | None:
    """A death registered, mostly of somebody with a benefit."""
    person = w.pick(w.benefits)[1] if w.benefits and w.rng.random() < 0.6 else w.person()
    if person in w.dead:
        return None
    w.dead.add(person)
    day = w.today - timedelta(days=int(w.rng.integers(0, 5)))
    line = (
        w.key("SW"),
        *w.who(person),
        "死亡",
        day.isoformat(),
        "死亡证明",
        w.division[person],
    )
    w.registered.append(line)
    return Change("vital", line=line)


def befell(w: World) -> Change:
    """Custody, a move, an accident or a disaster, mostly of somebody with a benefit."""
    person = w.pick(w.benefits)[1] if w.benefits and w.rng.random() < 0.5 else w.person()
    event = str(w.rng.choice(list(EVENTS)))
    day = w.today - timedelta(days=int(w.rng.integers(0, 5)))
    line = (w.key("SW"), *w.who(person), event, day.isoformat(), EVENTS[event][0], w.division[person])
    w.registered.append(line)
    return Change("vital", line=line)


def revoked(w: World) -> Change | None:
    """What was registered for the wrong person is taken back."""
    if len(w.registered) < 3 or (line := w.pop(w.registered)) is None:
        return None
    return Change("vital", line=(*line[:3], "撤销", *line[4:]))


MIX: dict[Maker, float] = {
    new_card: 0.8,
    card_cancelled: 0.3,
    card_regraded: 0.5,
    died: 0.3,
    befell: 0.3,
    revoked: 0.06,
}
