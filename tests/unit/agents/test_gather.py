"""How long a partition gathers a backlog: until no more comes, at most for a while, and never while live ones wait."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from agents import runner
from agents.pace import Pace
from agents.runner import Runner
from agents.slices import Slice

NEVER = 3600.0


def part(topic: str) -> Slice:
    return Slice(topic, 0, 0, 1, [0], [b"k"], [b"v"], 0, 0)


def gathers(while_it_does: Callable[[Runner], None] = lambda _: None, patience_s: float = 10.0) -> None:
    """Returns when one that has a single record of a backlog stops gathering. Raises TimeoutError if it does not."""

    async def main() -> None:
        one = object.__new__(Runner)
        one._owned = True
        one._live, one._backlog = deque(), deque()
        one._wake = asyncio.Event()
        one._runtime = SimpleNamespace(last_live=0.0)  # type: ignore[assignment]
        one.pace = Pace(0, departments=True)
        one.pace.began = time.monotonic()
        one.add(part("civil.roster.backlog"), lambda: None)
        asyncio.get_running_loop().call_later(0.01, while_it_does, one)
        async with asyncio.timeout(patience_s):
            await one._gather()

    asyncio.run(main())


def limits(monkeypatch: pytest.MonkeyPatch, gather: float, quiet: float) -> None:
    monkeypatch.setattr(runner, "BACKLOG_GATHER_S", gather)
    monkeypatch.setattr(runner, "BACKLOG_QUIET_S", quiet)


def test_it_ends_when_no_more_has_come_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, NEVER, 0.05)
    gathers(Runner.nudge)  # of which nothing comes


def test_it_ends_after_a_while_although_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, 0.05, NEVER)
    gathers()


def test_it_ends_at_once_for_a_live_record(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, NEVER, NEVER)
    gathers(lambda one: one.add(part("civil.roster"), lambda: None))


def test_it_goes_on_as_long_as_none_of_these_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    limits(monkeypatch, NEVER, NEVER)
    with pytest.raises(TimeoutError):
        gathers(Runner.nudge, patience_s=0.2)
