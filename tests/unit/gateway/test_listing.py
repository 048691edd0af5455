"""Pages of lists that move while they are read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway import listing
from gateway.access import Inboxes
from gateway.listing import page
from wire.rediskeys import RedisKeys

KEYS = RedisKeys()
INBOXES = Inboxes(("list",), {"list": 1})
Scores = dict[str, int]


class Lists:
    """A Redis of one sorted set, which is moved before its call of a number."""

    def __init__(self, scores: Scores, moved: Callable[[Scores], None], at: int) -> None:
        self.scores, self.moved, self.calls_left = scores, moved, at

    def _ranked(self) -> list[tuple[bytes, float]]:
        self.calls_left -= 1
        if self.calls_left == 0:
            self.moved(self.scores)
        ranked = sorted(self.scores.items(), key=lambda e: (e[1], e[0]), reverse=True)
        return [(member.encode(), float(score)) for member, score in ranked]

    async def zcard(self, _: str) -> int:
        """How many there are."""
        return len(self.scores)

    async def zscore(self, _: str, member: str) -> float | None:
        """When a case was opened."""
        return dict(self._ranked()).get(member.encode())

    async def zrevrank(self, _: str, member: str) -> int | None:
        """How many stand before a member."""
        return next((n for n, (m, _) in enumerate(self._ranked()) if m == member.encode()), None)

    async def zcount(self, _: str, low: Any, high: Any) -> int:
        """How many have a score, or a higher one."""
        scores = [score for _, score in self._ranked()]
        return sum(score > int(low[1:]) for score in scores) if high == "+inf" else scores.count(low)

    async def zrange(self, _: str, start: int, end: int, *, desc: bool, withscores: bool = False) -> list[Any]:
        """Members by rank."""
        assert desc
        found = self._ranked()[start : end + 1]
        return found if withscores else [member for member, _ in found]

    async def mget(self, names: list[str]) -> list[bytes]:
        """Documents."""
        return [json.dumps({"case_id": name.rpartition(":")[2]}).encode() for name in names]


def one_enters(scores: Scores) -> None:
    """A case is opened."""
    scores["z"] = 9


def one_leaves(scores: Scores) -> None:
    """The newest case is closed."""
    del scores["j"]


def many_leave(scores: Scores) -> None:
    """All before the cursor are closed, and what it names."""
    for name in "jihgf":
        scores.pop(name, None)


@pytest.mark.parametrize("moved", [one_enters, one_leaves, many_leave])
@pytest.mark.parametrize("names", ["abcdefghij", "abcdeghij"], ids=["the cursor's case is there", "it has left"])
@pytest.mark.parametrize("chunk", [1, 3, 200])
def test_a_list_that_moves_neither_repeats_nor_hides(
    moved: Callable[[Scores], None], names: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_CHUNK", chunk)

    def seen(scores: Scores, at: int) -> str:
        found = page(Lists(scores, moved, at), KEYS, INBOXES, lambda _: True, 10, listing._cursor((5, "f")))
        return "".join(item["case_id"] for item in asyncio.run(found).items)

    for at in range(1, 12):
        assert seen(dict.fromkeys(names, 5), at) == "edcba"
        assert seen({name: n for n, name in enumerate("abcdefghij") if name in names}, at) == "edcba"
