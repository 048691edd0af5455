"""Commands under a key: each wish once, and its own answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import pytest

from domain.cases import Actor
from domain.divisions import Reach
from gateway.errors import Problem
from gateway.orders import Answer, Chosen, Orders
from wire.rediskeys import RedisKeys

T = TypeVar("T")

KEYS = RedisKeys()
COUNTY = Actor("somebody", "county", "civil", "990101", Reach.parse("990101"))
KEY = "one-and-the-same"


class Casework:
    """Redis and Kafka in one, with a casework that accepts what it is told once."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.told: list[Mapping[str, Any]] = []

    async def get(self, name: str) -> bytes | None:
        """What is kept."""
        return self.kept.get(name)

    async def set(self, name: str, value: bytes, *, nx: bool, ex: int) -> bool:
        """Keep it, unless something is."""
        assert nx
        assert ex
        return self.kept.setdefault(name, value) is value

    async def publish(self, _: str, row: Mapping[str, Any]) -> None:
        """Take a command and answer it."""
        self.told.append(row)
        answer = {"status": "accepted", "refusal": "", "case_id": row["case_id"], "version": len(self.told)}
        self.kept.setdefault(KEYS.command(row["command_id"]), json.dumps(answer).encode())


@pytest.fixture
def casework() -> Casework:
    """One that was told nothing yet."""
    return Casework()


@pytest.fixture
def orders(casework: Casework) -> Orders:
    """Orders to it."""
    return Orders(casework, KEYS, casework, 5.0)


def run(doing: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(doing)


def send(orders: Orders, command: str, outcome: str, expected: int, case_id: str = "a") -> Answer:
    return run(orders.send(COUNTY, {"case_id": case_id}, command, outcome, expected, KEY))


def test_another_wish_under_a_key_is_another_command(orders: Orders, casework: Casework) -> None:
    wishes = [("sign", "", 1), ("close", "covered", 2), ("close", "needs_aid", 2), ("close", "covered", 3)]
    answers = [send(orders, *wish) for wish in wishes]
    assert [(t["command"], t["outcome"], t["expected_version"]) for t in casework.told] == wishes
    assert [a.version for a in answers] == [1, 2, 3, 4]
    assert [send(orders, *wish) for wish in wishes] == answers
    assert len(casework.told) == len(wishes)


def test_a_key_of_another_case_is_refused(orders: Orders) -> None:
    send(orders, "sign", "", 1)
    with pytest.raises(Problem) as raised:
        send(orders, "sign", "", 1, case_id="b")
    assert raised.value.code == "key_reused"


def test_a_repeated_request_is_for_the_cases_of_the_first(orders: Orders, casework: Casework) -> None:
    held = [("a", 1), ("b", 3)]

    def release(wish: dict[str, str]) -> Chosen:
        async def choose() -> Chosen:
            return Chosen(held, more=True)

        return run(orders.tell(COUNTY, "release", wish, KEY, choose))

    first = release({"rule": "R01"})
    assert first == Chosen(held, more=True)
    held = [("c", 1)]
    assert release({"rule": "R01"}) == first
    assert [(t["case_id"], t["expected_version"]) for t in casework.told] == [("a", 1), ("b", 3)] * 2
    assert len({t["command_id"] for t in casework.told}) == 2
    with pytest.raises(Problem) as raised:
        release({"rule": "R02"})
    assert raised.value.code == "key_reused"
    assert len(casework.told) == 4


def test_of_the_same_request_twice_at_once_one_chooses(orders: Orders, casework: Casework) -> None:
    async def both() -> list[Chosen]:
        met = asyncio.Barrier(2)

        def choosing(case_id: str) -> Any:
            async def choose() -> Chosen:
                await met.wait()
                return Chosen([(case_id, 1)], more=False)

            return choose

        return list(
            await asyncio.gather(*(orders.tell(COUNTY, "release", {}, KEY, choosing(name)) for name in ("a", "b")))
        )

    one, other = run(both())
    assert one == other
    assert len({t["case_id"] for t in casework.told}) == 1
