"""Who sees and does what: one table, asked of every list, case, stream entry and command."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cases import Actor
from domain.divisions import Reach
from gateway import access
from gateway.errors import Problem
from wire.rediskeys import RedisKeys, prefixes

KEYS = RedisKeys("t.")


def actor(role: str, department: str, division: str, reach: str = "") -> Actor:
    """Who reaches what begins with the division, or so much more."""
    return Actor("somebody", role, department, division, Reach.parse(reach or division))


VILLAGE = actor("village", "civil", "990101001001")
TOWN = actor("township", "civil", "990101001")
COUNTY = actor("county", "civil", "990101")
MEDICAL = actor("department", "medical", "990101")
AUDITOR = actor("auditor", "civil", "990101")
STRANGER = actor("root", "civil", "")
SPLIT = actor("township", "civil", "990101003", "990101001 -990101001002 990101003 990101002001")
"""A town to which all but one village of an old town came, and one of another."""


def case(kind: str = "alert", department: str = "civil", division: str = "990101001001", state: str = "open") -> Any:
    return {"kind": kind, "department": department, "division": division, "state": state}


@pytest.mark.parametrize(
    ("actor", "seen", "reads", "acts"),
    [
        (VILLAGE, case(), True, True),
        (VILLAGE, case(division="990101001002"), False, False),
        (TOWN, case(), True, True),
        (TOWN, case(division="990101002001"), False, False),
        (TOWN, case("task", "medical"), True, False),
        (TOWN, case("task", "civil"), True, True),
        (COUNTY, case(division="990101"), True, True),
        (COUNTY, case(division="990102001001"), False, False),
        (COUNTY, case(division=""), False, False),
        (MEDICAL, case(), False, False),
        (MEDICAL, case("task", "medical"), True, True),
        (MEDICAL, case("task", "disability"), False, False),
        (AUDITOR, case(), True, False),
        (STRANGER, case(), False, False),
        (SPLIT, case(), True, True),
        (SPLIT, case(division="990101003001"), True, True),
        (SPLIT, case(division="990101001002"), False, False),
        (SPLIT, case(division="990101002001"), True, True),
        (SPLIT, case(division="990101002002"), False, False),
    ],
)
def test_scopes(actor: Actor, seen: dict[str, str], reads: bool, acts: bool) -> None:
    assert access.readable(actor, seen) is reads
    assert access.acts(actor, seen) is acts
    assert bool(access.actions(actor, seen)) is acts


def lists(
    who: Actor, kind: str, state: str = "active", division: str = "", department: str | None = None
) -> dict[str, int]:
    """The lists whose sizes count, by the end of their names."""
    place = access.place_of(who, division, Reach.parse(division))
    found = access.inboxes(KEYS, who, kind, state, department, place)
    return {name.removeprefix("t.d:inbox:"): sign for name, sign in found.total.items()}


def test_actions_follow_the_state() -> None:
    assert access.actions(TOWN, case()) == ["sign", "close"]
    assert access.actions(TOWN, case(state="signed")) == ["close"]
    assert access.actions(TOWN, case(state="closed")) == []


def test_lists_lie_within_the_scope() -> None:
    assert lists(TOWN, "alert") == {"alert:civil:open:990101001": 1}
    assert lists(COUNTY, "alert", "closed", "99010100") == {"alert:civil:closed:990101": 1}
    assert lists(MEDICAL, "task") == {"task:medical:open:990101": 1}
    for who, kind, department, division in (
        (TOWN, "alert", None, "990101"),
        (TOWN, "alert", None, "990101002"),
        (MEDICAL, "alert", None, ""),
        (MEDICAL, "task", "disability", ""),
    ):
        with pytest.raises(Problem) as raised:
            lists(who, kind, division=division, department=department)
        assert raised.value.code == "forbidden"


def test_lists_of_several_codes_hold_no_case_twice() -> None:
    assert lists(SPLIT, "alert", "all") == {
        "alert:civil:open:990101001": 1,
        "alert:civil:open:990101001002": -1,
        "alert:civil:open:990101002001": 1,
        "alert:civil:open:990101003": 1,
        "alert:civil:closed:990101001": 1,
        "alert:civil:closed:990101001002": -1,
        "alert:civil:closed:990101002001": 1,
        "alert:civil:closed:990101003": 1,
    }
    found = access.inboxes(KEYS, SPLIT, "alert", "active", None, SPLIT.reach)
    assert [name.rsplit(":", 1)[1] for name in found.lists] == ["990101001", "990101002001", "990101003"]


def test_a_filter_lies_within_the_scope() -> None:
    for division, text in (
        ("", SPLIT.reach.text),
        ("990101001", "990101001 -990101001002"),
        ("990101001003", "990101001003"),
        ("990101002001", "990101002001"),
        ("990101003", "990101003"),
    ):
        assert access.place_of(SPLIT, division, Reach.parse(division)).text == text
    for outside in ("990101", "990101002", "990101001002", "990101004"):
        with pytest.raises(Problem, match="outside your scope"):
            access.place_of(SPLIT, outside, Reach.parse(outside))
    old = Reach.parse("990101001 990101003 990101004")  # of the old town, another half of which is a town as well
    assert access.place_of(SPLIT, "990101001", old).text == "990101001 -990101001002 990101003"


def test_a_department_neither_sees_all_behind_a_case_nor_asks() -> None:
    assert not access.sees_whole(MEDICAL)
    assert all(map(access.sees_whole, (VILLAGE, TOWN, COUNTY, AUDITOR)))


def test_prefixes_of_a_division() -> None:
    assert prefixes("990101001001") == ["", "99", "9901", "990101", "990101001", "990101001001"]
    assert prefixes("") == [""]
