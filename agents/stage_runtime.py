"""Runs a stage: one runner per owned partition, its cycles in threads, so that Faust's loop stays free."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from aiokafka.errors import IllegalStateError
from faust.types import TP

from agents import faults
from agents.app import build, die, logical
from agents.coding import Coder
from agents.cycle import Cycles
from agents.errors import NotOwner
from agents.metrics import Board, Figures
from agents.opening import Place, attempt, remove_older
from agents.outlet import Outlet
from agents.ownership import Acquired, Ownership
from agents.slices import Slice
from agents.snapshots import Snapshots
from agents.state import PartitionState
from agents.transport import BACKLOG, SliceApp, SliceConsumer, now
from agents.watchman import Watchman
from domain.stage import Stage
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger(__name__)

THREADS = 2
LOCK_RETRY_S = 0.05
LIVE_S = 1.0
CATCH_UP_SLICES = 5
"""Catching up takes so many times a normal cycle at once: nothing is decided in between."""

Done = Callable[[], None]


class Runtime:
    """The stage of this process. ``app`` is the Faust app to run."""

    def __init__(self, settings: Settings, stage: Stage, seal_key: bytes) -> None:
        self.settings = settings
        self.stage = stage
        self.registry = Registry(settings.registry, settings.namespace)
        self.coder = Coder(self.registry, settings, seal_key)
        self.coder.check(stage.inputs, stage.outputs)
        self.outlet = Outlet(settings)
        self.snapshots = Snapshots(settings.snapshot_url)
        self.ownership = Ownership(settings, stage, self.coder, self.registry, self.outlet)
        self.cycles = Cycles(stage, self.coder, settings.region)
        self.last_live = 0.0
        self.watchman = Watchman(settings, stage.name)
        self._board = Board(settings, stage.name)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=stage.name)
        self._runners: dict[int, Runner] = {}
        self._kept: dict[int, PartitionState] = {}     # open files between a revocation and what follows
        self._ticker: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None
        self.app: SliceApp = build(
            settings, stage.name, stage.inputs, self._take, positions=self._assign, on_revoked=self._revoke,
            on_assigned=self._close_lost, on_stop=self._stop,
        )

    async def work(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run something that blocks in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **kwargs))

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
            await self.work(self._kept.pop(partition).close)

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
                outdone = await self.work(self.watchman.look)
                figures = {}
                for partition, runner in list(self._runners.items()):
                    if outdone.get(partition, -1) > runner.epoch >= 0:
                        log.warning("%s-%d: another owner was announced; taking over anew", self.stage.name, partition)
                        state = await runner.stop()
                        if self._runners.get(partition) is runner:
                            self._runners[partition] = Runner(self, partition, state)
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

    def highwater(self, tp: TP) -> int:
        """End of a log as last heard from the broker; 0: not yet, or not ours any more."""
        try:
            return int(self.consumer.highwater(tp) or 0)
        except (AssertionError, IllegalStateError):
            return 0


class Runner:
    """One partition while this worker owns it."""

    def __init__(self, runtime: Runtime, partition: int, state: PartitionState | None) -> None:
        self.partition = partition
        self.figures = Figures()
        self.epoch = -1
        self._runtime = runtime
        self._state = state
        self._owned = True
        self._generation = runtime.app.consumer_generation_id
        self._live: deque[tuple[Slice, Done]] = deque()
        self._backlog: deque[tuple[Slice, Done]] = deque()
        self._turn_backlog = False
        self._wake = asyncio.Event()
        self._snapshot_at = time.monotonic() + runtime.settings.snapshot_minutes * 60 + partition * 7
        self._unknown_at = 0.0
        self._task = asyncio.create_task(self._run())

    @property
    def _name(self) -> str:
        return f"{self._runtime.stage.name}-{self.partition}"

    def add(self, part: Slice, done: Done) -> None:
        """Queue a slice."""
        if part.topic.endswith(BACKLOG):
            self._backlog.append((part, done))
        else:
            self._live.append((part, done))
            self._runtime.last_live = time.monotonic()
        self._wake.set()

    def nudge(self) -> None:
        """Look whether something is due."""
        self._wake.set()

    def mine(self) -> bool:
        """Still the owner, as far as the group has told; asked from worker threads.

        After a sleep beyond the session timeout the group may have given the partition away: wait until
        it answers. What slips through nevertheless is refused by readers for its epoch.
        """
        app, limit = self._runtime.app, self._runtime.settings.session_timeout_s
        while self._owned and app.consumer_generation_id == self._generation:
            if now() - self._runtime.consumer.last_heartbeat < limit:
                return True
            time.sleep(LOCK_RETRY_S)
        return False

    async def stop(self) -> PartitionState | None:
        """Let the cycle under way end, publish nothing more, hand over the open file."""
        self._owned = False
        self._wake.set()
        await asyncio.wait([self._task])
        self._live.clear()
        self._backlog.clear()
        state, self._state = self._state, None
        return state

    async def _run(self) -> None:
        try:
            acquired = await self._acquire()
            await self._runtime.consumer.release(self._by_tp(acquired.positions))
            if acquired.catch_up:
                await self._catch_up(acquired.catch_up)
            await self._follow()
        except NotOwner:
            log.info("%s: lost", self._name)
        except Exception as error:
            die(error, self._name)

    def _by_tp(self, positions: Mapping[str, int]) -> dict[TP, int]:
        return {TP(self._runtime.settings.topic(t), self.partition): at for t, at in positions.items()}

    async def _acquire(self) -> Acquired:
        runtime = self._runtime
        begun = time.monotonic()
        place = Place(runtime.settings.state_dir, f"{runtime.settings.namespace}{runtime.stage.name}-{self.partition}")
        if self._state is not None and place.numbers()[-1:] != [_number(self._state.path)]:
            await runtime.work(self._state.close)       # somebody gave up waiting for us and went on
            self._state = None
        while self._state is None:
            if not self._owned:
                raise NotOwner("revoked while the state file was held by another process")
            waited = time.monotonic() - begun
            self._state = await runtime.work(
                attempt, place, runtime.snapshots, runtime.stage.name, self.partition,
                fresh=waited > runtime.settings.lock_wait_s,
            )
            if self._state is None:
                await asyncio.sleep(LOCK_RETRY_S)
        acquired: Acquired = await runtime.work(runtime.ownership.acquire, self._state, self.partition, self.mine)
        await runtime.work(remove_older, place, self._state.path)
        self.epoch = acquired.epoch
        runtime.watchman.from_offset(acquired.epoch)
        log.info("%s: owned, epoch %d, after %.1f s", self._name, acquired.epoch, time.monotonic() - begun)
        return acquired

    async def _catch_up(self, ends: Mapping[str, int]) -> None:
        """Take everything in silently, then decide for everybody and publish what differs."""
        assert self._state is not None  # noqa: S101 - acquired
        self.figures.catching_up = True
        begun = time.monotonic()
        most = CATCH_UP_SLICES * self._runtime.settings.slice_records
        while any(self._state.positions.get(t, 0) < end for t, end in ends.items() if end > 0):
            if not self._owned:
                raise NotOwner("revoked")
            if not (self._live or self._backlog):
                if all(self._reached(t, end) for t, end in ends.items()):
                    break
                await self._woken()
                continue
            queue = self._live or self._backlog
            await self._cycle(_up_to(queue, most), silent=True)
        await self._cycle([], everybody=True)
        self.figures.catching_up = False
        log.info("%s: caught up in %.1f s", self._name, time.monotonic() - begun)

    def _reached(self, topic: str, end: int) -> bool:
        """The log was read up to ``end``, though the file may say less: nothing is left of what was before."""
        assert self._state is not None  # noqa: S101 - acquired
        at = self._state.positions.get(topic, 0)
        return at >= end or self._runtime.consumer.expects(self._tp(topic)) >= end

    def _tp(self, topic: str) -> TP:
        return TP(self._runtime.settings.topic(topic), self.partition)

    async def _follow(self) -> None:
        assert self._state is not None  # noqa: S101 - acquired
        if self._state.meta.get("rules_version") != self._runtime.stage.rules_version:
            log.info("%s: the rules have changed, deciding for everybody", self._name)
            await self._cycle([], everybody=True)
        while self._owned:
            if taken := self._next():
                await self._cycle(taken)
            elif time.monotonic() > self._snapshot_at:
                await self._snapshot()
            else:
                await self._idle()
                await self._woken()
        raise NotOwner("revoked")

    async def _woken(self) -> None:
        if not self._owned:
            raise NotOwner("revoked")
        await self._wake.wait()
        self._wake.clear()

    def _next(self) -> list[tuple[Slice, Done]]:
        """Live first; while live records flow, backlog in small portions in between."""
        settings = self._runtime.settings
        if self._live and not (self._turn_backlog and self._backlog):
            self._turn_backlog = True
            return _up_to(self._live, settings.slice_records)
        self._turn_backlog = False
        flowing = time.monotonic() - self._runtime.last_live < LIVE_S
        return _up_to(self._backlog, settings.backlog_records if flowing else settings.slice_records)

    async def _cycle(
        self, taken: list[tuple[Slice, Done]], *, silent: bool = False, everybody: bool = False
    ) -> None:
        runtime, state = self._runtime, self._state
        begun = time.perf_counter()
        result = await runtime.work(
            runtime.cycles.run, state, self.partition, [part for part, _ in taken], silent=silent, everybody=everybody
        )
        if result.rows:
            assert state is not None  # noqa: S101 - acquired
            await runtime.work(runtime.outlet.publish, result.rows, self.mine)
            state.published()
            faults.point("after_publish")
        for _, done in taken:
            done()
        self.figures.cycle(
            result.records, result.quarantined, len(result.rows), (time.perf_counter() - begun) * 1000
        )

    async def _idle(self) -> None:
        """What waits for a quiet moment."""
        state = self._state
        assert state is not None  # noqa: S101 - acquired
        await self._runtime.work(state.tidy)
        unknown = getattr(self._runtime.stage, "unknown", None)
        if unknown is not None and time.monotonic() > self._unknown_at:
            self.figures.unknown = await self._runtime.work(unknown, state.con)
            self._unknown_at = time.monotonic() + 10

    async def _snapshot(self) -> None:
        runtime, state = self._runtime, self._state
        self._snapshot_at = time.monotonic() + runtime.settings.snapshot_minutes * 60
        copy: Path = await runtime.work(runtime.snapshots.copy_aside, state)
        stem = f"{runtime.settings.namespace}{runtime.stage.name}-{self.partition}"
        await runtime.work(runtime.snapshots.store, copy, stem)
        log.info("%s: snapshot stored", self._name)

    def measure(self) -> Figures:
        """Lag in records over all inputs, and the age of the oldest record that waits."""
        if self._state is not None:
            ends = {t: self._runtime.highwater(self._tp(t)) for t in list(self._state.positions)}
            self.figures.lag = sum(max(0, end - self._state.positions.get(t, 0)) for t, end in ends.items())
        waiting = [q[0][0].first_ms for q in (self._live, self._backlog) if q]
        self.figures.oldest_ms = max(0, int(time.time() * 1000) - min(waiting)) if waiting else 0
        return self.figures


def _number(path: Path) -> int:
    return int(path.name.rsplit(".", 2)[1])


def _up_to(queue: deque[tuple[Slice, Done]], most: int) -> list[tuple[Slice, Done]]:
    taken: list[tuple[Slice, Done]] = []
    records = 0
    while queue and (not taken or records + len(queue[0][0]) <= most):
        taken.append(queue.popleft())
        records += len(taken[-1][0])
    return taken
