"""What a partition's owner does between its cycles: heartbeats that wait for a backlog, snapshots that go out."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.runner import Runner
from agents.slices import Slice

HEARTBEAT, BACKLOG = "hub.heartbeat", "civil.roster.backlog"


def part(topic: str) -> Slice:
    return Slice(topic, 0, 0, 1, [0], [b"k"], [b"v"], 0, 0)


def owner(**runtime: Any) -> Runner:
    one = object.__new__(Runner)
    one.partition = 0
    one._live, one._backlog, one._heartbeats = deque(), deque(), deque()
    one._turn_backlog = False
    one._wake = asyncio.Event()
    settings = SimpleNamespace(
        slice_records=100, backlog_records=100, snapshot_minutes=60, namespace="", topic=lambda name: name
    )
    stage = SimpleNamespace(name="persons", inputs=("civil.roster", HEARTBEAT))
    one._runtime = SimpleNamespace(settings=settings, stage=stage, last_live=0.0, **runtime)  # type: ignore[assignment]
    one._state = SimpleNamespace(positions={})  # type: ignore[assignment]
    one._storing = None
    return one


@pytest.mark.parametrize(
    ("end", "at", "counts"),
    [(None, 0, False), (None, 7, False), (9, 7, False), (7, 7, True), (0, 0, True)],
)
def test_a_heartbeat_counts_once_the_backlog_is_known_to_have_been_read(end: int | None, at: int, counts: bool) -> None:
    """Of a log whose end the broker has not told yet nobody can say that it was read."""
    one = owner(highwater=lambda _: end)
    assert one._state is not None
    one._state.positions = {BACKLOG: at}
    one.add(part(HEARTBEAT), lambda: None)
    assert [taken.topic for taken, _ in one._next()] == [HEARTBEAT] * counts


class Copies:
    """Snapshots that are stored when told to."""

    def __init__(self, made: Path | None = Path("copy")) -> None:
        self.made = made
        self.copied = 0
        self.stored: list[Path] = []
        self.go = threading.Event()

    def copy_aside(self, _: Any) -> Path | None:
        self.copied += 1
        return self.made

    def store(self, copy: Path, _: str) -> None:
        self.go.wait(10)
        self.stored.append(copy)


def snapshots(copies: Copies, act: Callable[[Runner], Any]) -> None:
    async def main() -> None:
        one = owner(snapshots=copies)
        with ThreadPoolExecutor(1) as one._bench:
            await act(one)
            copies.go.set()
            if one._storing is not None:
                await one._storing

    asyncio.run(main())


def test_no_cycle_waits_until_a_snapshot_is_stored_and_one_goes_out_at_a_time() -> None:
    copies = Copies()

    async def twice(one: Runner) -> None:
        await one._snapshot()
        await one._snapshot()
        assert (copies.copied, copies.stored) == (1, [])

    snapshots(copies, twice)
    assert copies.stored == [Path("copy")]


def test_without_a_copy_nothing_is_stored() -> None:
    copies = Copies(made=None)
    snapshots(copies, Runner._snapshot)
    assert (copies.copied, copies.stored) == (1, [])
