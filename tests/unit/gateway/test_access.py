"""Who sees and does what: one table, asked of every list, case, stream entry and command."""

from __future__ import annotations

from typing import Any

import pytest

from domain.cases import Actor
from gateway import access
from gateway.errors import Problem
from wire.rediskeys import RedisKeys, prefixes

KEYS = RedisKeys("t.")
VILLAGE = Actor("v", "village", "civil", "990101001001")
TOWN = Actor("t", "township", "civil", "990101001")
COUNTY = Actor("c", "county", "civil", "990101")
MEDICAL = Actor("m", "department", "medical", "990101")
AUDITOR = Actor("a", "auditor", "civil", "990101")
STRANGER = Actor("s", "root", "civil", "")


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
    ],
)
def test_scopes(actor: Actor, seen: dict[str, str], reads: bool, acts: bool) -> None:
    assert access.readable(actor, seen) is reads
    assert access.acts(actor, seen) is acts
    assert bool(access.actions(actor, seen)) is acts


def test_actions_follow_the_state() -> None:
    assert access.actions(TOWN, case()) == ["sign", "close"]
    assert access.actions(TOWN, case(state="signed")) == ["close"]
    assert access.actions(TOWN, case(state="closed")) == []


def test_lists_lie_within_the_scope() -> None:
    (only,) = access.inboxes(KEYS, TOWN, "alert", "active", None, "")
    assert only == "t.d:inbox:alert:civil:open:990101001"
    assert access.inboxes(KEYS, COUNTY, "alert", "closed", None, "99010100") == ["t.d:inbox:alert:civil:closed:990101"]
    assert access.inboxes(KEYS, MEDICAL, "task", "active", None, "") == ["t.d:inbox:task:medical:open:990101"]
    for actor, kind, department, division in (
        (TOWN, "alert", None, "990101"),
        (TOWN, "alert", None, "990101002"),
        (MEDICAL, "alert", None, ""),
        (MEDICAL, "task", "disability", ""),
    ):
        with pytest.raises(Problem) as raised:
            access.inboxes(KEYS, actor, kind, "active", department, division)
        assert raised.value.code == "forbidden"


def test_prefixes_of_a_division() -> None:
    assert prefixes("990101001001") == ["", "99", "9901", "990101", "990101001", "990101001001"]
    assert prefixes("") == [""]
