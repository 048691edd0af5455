"""Access in one place: which lists, cases, stream entries and commands are a user's. Routes ask here only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.cases import Actor, may_act, may_read, may_release
from domain.divisions import Reach
from gateway.errors import Problem
from schemas.topics import DEPARTMENTS
from wire.rediskeys import PREFIX_LENGTHS, RedisKeys

ALERTS_TO = ("civil",)
STATES: dict[str, tuple[bool, ...]] = {
    "active": (False,),
    "open": (False,),
    "signed": (False,),
    "held": (False,),
    "closed": (True,),
    "all": (False, True),
}
"""State filter to the lists that hold such cases: closed or not."""


def readable(actor: Actor, case: Mapping[str, Any]) -> bool:
    """Whether the user may see this case (a document or an entry of the stream)."""
    if actor.role == "department" and case["state"] == "held":
        return False  # theirs once the county has released it
    return may_read(actor, str(case["kind"]), str(case["department"]), str(case["division"]))


def require_readable(actor: Actor, case: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The case, or Problem not_found: what one may not see does not exist for one."""
    if case is None or not readable(actor, case):
        raise Problem("not_found")
    return case


def actions(actor: Actor, case: Mapping[str, Any]) -> list[str]:
    """What the user may do with the case now."""
    if case["state"] == "held":
        return ["release"] if releases(actor, case) else []
    if case["state"] == "closed" or not acts(actor, case):
        return []
    return ["sign", "close"] if case["state"] == "open" else ["close"]


def releases(actor: Actor, case: Mapping[str, Any]) -> bool:
    """Whether the user may release a case that is held for review."""
    return may_release(actor, str(case["kind"]), str(case["department"]), str(case["division"]))


def acts(actor: Actor, case: Mapping[str, Any]) -> bool:
    """Whether commands of the user on this case would be within scope."""
    return may_act(actor, str(case["kind"]), str(case["department"]), str(case["division"]))


def checks(actor: Actor, case: Mapping[str, Any]) -> bool:
    """Whether the user may fill in an income sheet: civil staff on an alert within scope, closed ones included."""
    return case["kind"] == "alert" and acts(actor, case)


def saves_sheet(actor: Actor, case: Mapping[str, Any]) -> bool:
    """Whether the user may save an income sheet: not while the alert is held for review."""
    return checks(actor, case) and case["state"] != "held"


def sees_whole(actor: Actor) -> bool:
    """Whether the user sees every fact and record behind a case, and may ask why, and why not: they are other
    departments' too. A department sees the facts that the rule's purpose names."""
    return actor.role != "department"


def identifies(actor: Actor, case: Mapping[str, Any]) -> bool:
    """Whether the user may open the identity: whoever has to act on the case."""
    return acts(actor, case)


@dataclass(frozen=True, slots=True)
class Inboxes:
    """Sorted sets in Redis. ``lists``: hold what is asked for, no case twice; ``total``: all whose sizes make up its
    number, 1 to be added and -1 to be taken off."""

    lists: tuple[str, ...]
    total: Mapping[str, int]


def inboxes(keys: RedisKeys, actor: Actor, kind: str, state: str, department: str | None, place: Reach) -> Inboxes:
    """Where the user finds the cases of a `place_of`. Raises Problem forbidden for what is not the user's to read.

    Every case found there still passes `readable`: the sets are by standard prefixes, a filter may be finer, and a
    village that went elsewhere is in its old town's.
    """
    wanted = [department] if department else list(ALERTS_TO if kind == "alert" else DEPARTMENTS)
    allowed = [d for d in wanted if may_read(actor, kind, d, actor.division)]
    if not allowed:
        raise Problem("forbidden")
    listed = place.widened(PREFIX_LENGTHS)
    each = [(d, closed) for d in allowed for closed in STATES[state]]
    return Inboxes(
        tuple(keys.inbox(kind, d, closed=closed, prefix=p) for d, closed in each for p in listed.tops),
        {keys.inbox(kind, d, closed=c, prefix=p): 1 if yes else -1 for d, c in each for p, yes in listed.rules},
    )


def place_of(actor: Actor, division: str, reach: Reach) -> Reach:
    """What a place reaches of the user's scope; an empty ``division``: the whole scope. Raises Problem forbidden for a
    place outside."""
    if not division:
        return actor.reach
    if not actor.reach.holds(division):
        raise Problem("forbidden", "division 不在您的范围内｜division lies outside your scope")
    return actor.reach.both(reach)


def recertifies(actor: Actor) -> bool:
    """Whether the user may see which entries of the roster are to be re-certified: civil affairs and auditors."""
    return actor.role in ("village", "township", "county", "auditor")


def permissions(actor: Actor) -> dict[str, Any]:
    """What the console shows of a user's rights."""
    acting = actor.role != "auditor"
    return {
        "read": ["task"] if actor.role == "department" else ["alert", "task"],
        "act": [] if not acting else (["task"] if actor.role == "department" else ["alert", "task"]),
        "identity": acting,
        "division": actor.division,
        "department": actor.department,
    }
