"""What is made between stack and hub, with small programs in place of servers: when, and what comes of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from doudi.embedded import runfile
from doudi.embedded.stack import Stack
from tests.stack import fresh
from tests.unit.embedded.test_supervisor import Toy
from wire.kafka import TopicMismatch
from wire.settings import Settings

Prepare = Mapping[str, Callable[[Settings], None]]


class Toys(Stack):
    """Two programs below, ``kafka`` and ``slow``, and one of the hub on top."""

    def __init__(self, home: Path, prepare: Prepare) -> None:
        slow = f"import time; time.sleep(0.5); {Toy(home, 'x').code}"
        self.below = [Toy(home, "kafka"), Toy(home, "slow", slow)]
        super().__init__(fresh(home), hub=lambda *_: [Toy(home, "program")], prepare=prepare)

    def _embedded(self, *_: object) -> list[Toy]:  # type: ignore[override]
        return self.below


def run(stack: Toys) -> list[runfile.RunFile]:
    """Run it until it is ready; what its run file said on the way."""
    told: list[runfile.RunFile] = []

    async def main() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(stack.run(stop))
        while not stack.ready and not task.done():
            await asyncio.sleep(0.02)
            if (now := runfile.read(stack.home)) is not None:
                told.append(now)
        stop.set()
        await task

    asyncio.run(main())
    return told


def test_each_work_begins_once_its_keeper_is_healthy(tmp_path: Path) -> None:
    made: dict[str, set[str]] = {}

    def make(name: str) -> Callable[[Settings], None]:
        return lambda _: made.update({name: {p.component.name for p in stack.processes if p.healthy.is_set()}})

    stack = Toys(tmp_path, {"kafka": make("kafka"), "slow": make("slow")})
    told = run(stack)
    assert made == {"kafka": {"kafka"}, "slow": {"kafka", "slow"}}
    spawned = [r for r in told if any(p.name == "program" and p.pid for p in r.processes)]
    assert not spawned[0].prepared, "the hub's program is there before, and waits"
    assert told[-1].prepared


def test_the_hub_is_stopped_before_what_it_stands_on(tmp_path: Path) -> None:
    stack, stopped = Toys(tmp_path, {"kafka": lambda _: None}), list[str]()
    stack._show = lambda processes: stopped.extend(
        p.component.name for p in processes if p.state == "stopped" and p.component.name not in stopped
    )
    run(stack)
    assert stopped[0] == "program"
    assert sorted(stopped) == ["kafka", "program", "slow"]


def test_a_work_that_fails_says_so_itself_and_leaves_nothing(tmp_path: Path) -> None:
    def refuse(_: Settings) -> None:
        raise TopicMismatch("4 partitions, the settings say 7")

    stack = Toys(tmp_path, {"kafka": refuse})
    with pytest.raises(TopicMismatch, match="the settings say 7"):
        run(stack)
    assert not any(psutil.pid_exists(p.pid) for p in stack.processes if p.pid)
