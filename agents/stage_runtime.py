"""Runs a stage: one runner per owned partition, its cycles in threads, so that Faust's loop stays free."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import cast

from aiokafka.errors import IllegalStateError
from faust.types import TP

from agents.app import build, die, logical
from agents.coding import Coder
from agents.cycle import Cycles, Lawful
from agents.errors import Transient
from agents.metrics import Board
from agents.outlet import Outlet
from agents.ownership import Ownership
from agents.questions import Answering, Questions
from agents.runner import Done, Runner
from agents.slices import Slice
from agents.snapshots import Snapshots
from agents.state import PartitionState
from agents.transport import SliceApp, SliceConsumer
from agents.watchman import Watchman
from domain.stage import Stage
from wire.asking import ANSWER, QUESTION
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger(__name__)

THREADS = 2
"""A partition stays with one of them: what a thread's allocator keeps at hand saves a cycle a tenth."""


class Runtime:
    """The stage of this process. ``app`` is the Faust app to run; ``answering`` answers questions from its state."""

    def __init__(self, settings: Settings, stage: Stage, seal_key: bytes, answering: Answering, lawful: Lawful) -> None:
        self.settings = settings
        self.stage = stage
        self.registry = Registry(settings.registry, settings.namespace)
        self.coder = Coder(self.registry, settings, seal_key)
        self.coder.check((*stage.inputs, QUESTION), (*stage.outputs, ANSWER))
        self.outlet = Outlet(settings)
        self.snapshots = Snapshots(settings.snapshot_url)
        self.ownership = Ownership(settings, stage, self.coder, self.registry, self.outlet)
        self.cycles = Cycles(stage, self.coder, settings.region, lawful)
        self.questions = Questions(stage, self.coder, self.outlet, settings.region, answering)
        self.last_live = 0.0
        self.watchman = Watchman(settings, stage.name)
        self._board = Board(settings, stage.name)
        self._benches = cycle([ThreadPoolExecutor(1, thread_name_prefix=f"{stage.name}-{n}") for n in range(THREADS)])
        self._desk = ThreadPoolExecutor(1, thread_name_prefix=f"{stage.name}-questions")
        self._runners: dict[int, Runner] = {}
        self._kept: dict[int, PartitionState] = {}  # open files between a revocation and what follows
        self._ticker: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None
        self.app: SliceApp = build(
            settings,
            stage.name,
            (*stage.inputs, QUESTION),
            self._take,
            positions=self._assign,
            on_revoked=self._revoke,
            on_assigned=self._close_lost,
            on_stop=self._stop,
        )

    def paced(self) -> None:
        """A runner begins a cycle: until the first can begin its next, the broker may collect."""
        self.consumer.decides_at = min((r.pace.decides_at for r in self._runners.values()), default=0.0)

    def bench(self) -> ThreadPoolExecutor:
        """The one thread for all that a partition does, in turn."""
        return next(self._benches)

    async def answer(self, state: PartitionState, part: Slice, mine: Callable[[], bool]) -> None:
        """Answer questions, in a thread that screening never waits for."""
        await asyncio.get_running_loop().run_in_executor(self._desk, self.questions.serve, state, part, mine)

    async def _take(self, part: Slice, done: Done) -> None:
        """A slice from Faust: never blocks, the transport holds back what is too much."""
        part.topic = logical(self.settings, part.topic)
        runner = self._runners.get(part.partition)
        if runner is not None:
            runner.add(part, done)

    async def _assign(self, assigned: frozenset[TP]) -> Mapping[TP, int | None]:
        """Start a runner for each partition; its topics are held until its state is known."""
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick())
            asyncio.get_running_loop().run_in_executor(None, self.coder.meet, self.stage.inputs)
        await self._revoke(assigned)
        for partition in sorted({tp.partition for tp in assigned}):
            if partition < self.settings.partitions:
                self._runners[partition] = Runner(self, partition, self._kept.pop(partition, None))
        return dict.fromkeys(assigned)

    async def _revoke(self, _: frozenset[TP]) -> None:
        """Stop all runners (the protocol revokes all); keep the files open for what is assigned again."""
        runners, self._runners = list(self._runners.values()), {}
        states = await asyncio.gather(*(r.stop() for r in runners))
        for runner, state in zip(runners, states, strict=True):
            if state is not None:
                self._kept[runner.partition] = state
        if self._closer is not None:
            self._closer.cancel()
        if self._kept:
            self._closer = asyncio.create_task(self._close_later())

    async def _close_later(self) -> None:
        """Nothing was assigned after a revocation: let others have the files."""
        await asyncio.sleep(self.settings.session_timeout_s)
        await self._close_kept(frozenset())

    async def _close_lost(self, assigned: frozenset[TP]) -> None:
        await self._close_kept(frozenset(tp.partition for tp in assigned))

    async def _close_kept(self, keep: frozenset[int]) -> None:
        for partition in [p for p in self._kept if p not in keep]:
            await asyncio.to_thread(self._kept.pop(partition).close)

    async def _stop(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        await self._revoke(frozenset())
        if self._closer is not None:
            self._closer.cancel()
        await self._close_kept(frozenset())
        self.outlet.close()
        self.watchman.close()
        await self._board.close()

    async def _tick(self) -> None:
        """Each second: figures, other owners, snapshots that are due."""
        try:
            while True:
                await asyncio.sleep(1.0)
                outdone = await asyncio.to_thread(self.watchman.look)
                figures = {}
                for partition, runner in list(self._runners.items()):
                    if outdone.get(partition, -1) > runner.epoch >= 0 and await asyncio.to_thread(runner.mine):
                        # What was handed out is in several hands by now: only a start reads without a gap.
                        raise Transient(
                            f"{runner.name}: another owner was announced after this one, so readers refuse what it "
                            f"publishes. The partition is taken over anew at the next start; nothing is lost."
                        )
                    figures[partition] = runner.measure()
                    runner.nudge()
                await self._board.write(figures)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            die(error, f"{self.stage.name}, timer")

    @property
    def consumer(self) -> SliceConsumer:
        """The app's consumer."""
        return cast(SliceConsumer, self.app.consumer)

    def highwater(self, tp: TP) -> int | None:
        """End of a log as last heard from the broker; None: not yet, or not ours any more."""
        try:
            return self.consumer.highwater(tp)
        except (AssertionError, IllegalStateError):
            return None
