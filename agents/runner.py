"""One partition while this worker owns it: acquire, catch up, then cycle after cycle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faust.types import TP

from agents import faults
from agents.app import die
from agents.cycle import CONTROL, Result
from agents.errors import NotOwner
from agents.metrics import Figures
from agents.opening import Place, attempt, remove_older
from agents.ownership import Acquired
from agents.pace import Pace
from agents.slices import Slice
from agents.state import PartitionState
from agents.transport import BACKLOG, now
from schemas.topics import of
from wire.asking import QUESTION

if TYPE_CHECKING:
    from agents.stage_runtime import Runtime

log = logging.getLogger(__name__)

LOCK_RETRY_S = 0.05
LIVE_S = 1.0
TICK, HEARTBEAT = CONTROL
IDLE_CHUNKS = 5
"""Chunks of a sweep in one cycle where nobody waits: whoever comes then waits for no more."""
FIRST_CHUNKS = 25
"""… and while the first load lasts: no live record has come yet, and large portions cost less."""
ENOUGH = 2_000
"""So many live records are worth a cycle of their own at once."""
ENOUGH_BACKLOG, BACKLOG_GATHER_S, BACKLOG_QUIET_S = 50_000, 3.0, 1.0
"""Nobody waits for a backlog's record: it is taken in when so many have come together, or so long after the last
cycle, or when no more have come for so long."""

Done = Callable[[], None]


class Runner:
    """One partition while this worker owns it."""

    def __init__(self, runtime: Runtime, partition: int, state: PartitionState | None) -> None:
        self.partition = partition
        self.figures = Figures()
        self.epoch = -1
        self._runtime = runtime
        self._bench = runtime.bench()
        self._state = state
        self._owned = True
        self._generation = runtime.app.consumer_generation_id
        self._live: deque[tuple[Slice, Done]] = deque()
        self._backlog: deque[tuple[Slice, Done]] = deque()
        self._heartbeats: deque[tuple[Slice, Done]] = deque()
        self._questions: asyncio.Queue[tuple[Slice, Done] | None] = asyncio.Queue()
        self._turn_backlog = False
        self._turn_sweep = False
        self._unswept = 0
        self._due = False
        self._ticks_to = 0
        self._undecided: list[Done] = []
        self._wake = asyncio.Event()
        self._arrived = 0.0
        self._snapshot_at = time.monotonic() + runtime.settings.snapshot_minutes * 60 + partition * 7
        self._storing: asyncio.Future[None] | None = None
        self._unknown_at = 0.0
        departments = any(of(topic).lanes for topic in runtime.stage.inputs)
        self.pace = Pace(runtime.settings.gather_ms, departments=departments)
        self._task = asyncio.create_task(self._run())

    @property
    def name(self) -> str:
        """Stage and partition, for logs."""
        return f"{self._runtime.stage.name}-{self.partition}"

    @property
    def _stem(self) -> str:
        return f"{self._runtime.settings.namespace}{self.name}"

    def add(self, part: Slice, done: Done) -> None:
        """Queue a slice."""
        if part.topic == QUESTION:
            self._questions.put_nowait((part, done))
        elif part.topic.endswith(BACKLOG):
            self._backlog.append((part, done))
            self._arrived = time.monotonic()
        elif part.topic == HEARTBEAT:
            self._heartbeats.append((part, done))
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
        self._heartbeats.clear()
        self._undecided.clear()
        state, self._state = self._state, None
        return state

    async def _run(self) -> None:
        try:
            acquired = await self._acquire()
            inputs = self._by_tp(acquired.positions)
            self._ticks_to = acquired.ticks
            await self._look_for_sweep(decided=bool(acquired.catch_up))
            settle = partial(self._runtime.consumer.settle, inputs)
            await self._runtime.consumer.release(inputs, settled=not (acquired.catch_up or self._sweeping))
            if acquired.catch_up:
                await self._catch_up(acquired.catch_up)
                settle()
            elif self._sweeping:
                self._undecided.append(settle)
            async with self._answering():
                await self._follow()
        except NotOwner:
            log.info("%s: lost", self.name)
        except Exception as error:
            die(error, self.name)

    async def _work(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run something that blocks in this partition's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._bench, lambda: function(*args, **kwargs))

    def _by_tp(self, positions: Mapping[str, int]) -> dict[TP, int]:
        return {TP(self._runtime.settings.topic(t), self.partition): at for t, at in positions.items()}

    async def _acquire(self) -> Acquired:
        runtime = self._runtime
        begun = time.monotonic()
        place = Place(runtime.settings.state_dir, self._stem)
        if self._state is not None and place.numbers()[-1:] != [_number(self._state.path)]:
            await self._work(self._state.close)  # somebody gave up waiting for us and went on
            self._state = None
        while self._state is None:
            if not self._owned:
                raise NotOwner("revoked while the state file was held by another process")
            waited = time.monotonic() - begun
            self._state = await self._work(
                attempt,
                place,
                runtime.snapshots,
                runtime.stage.name,
                self.partition,
                fresh=waited > runtime.settings.lock_wait_s,
            )
            if self._state is None:
                await asyncio.sleep(LOCK_RETRY_S)
        acquired: Acquired = await self._work(runtime.ownership.acquire, self._state, self.partition, self.mine)
        await self._work(remove_older, place, self._state.path)
        self.epoch = acquired.epoch
        runtime.watchman.from_offset(acquired.epoch)
        log.info("%s: owned, epoch %d, after %.1f s", self.name, acquired.epoch, time.monotonic() - begun)
        return acquired

    async def _catch_up(self, ends: Mapping[str, int]) -> None:
        """Take everything in silently, then decide for everybody and publish what differs."""
        assert self._state is not None  # noqa: S101 - acquired
        self.figures.catching_up = True
        begun = time.monotonic()
        while any(self._state.positions.get(t, 0) < end for t, end in ends.items() if end > 0):
            if not self._owned:
                raise NotOwner("revoked")
            if not (self._live or self._backlog or self._heartbeats):
                if all(self._reached(t, end) for t, end in ends.items()):
                    break
                await self._woken()
                continue
            queue = self._live or self._backlog or self._heartbeats
            await self._cycle(_up_to(queue, self._runtime.settings.slice_records), silent=True)
        await self._cycle([], everybody=True)
        self.figures.catching_up = False
        log.info("%s: caught up in %.1f s", self.name, time.monotonic() - begun)

    def _reached(self, topic: str, end: int) -> bool:
        """The log was read up to ``end``, though the file may say less: nothing is left before it."""
        assert self._state is not None  # noqa: S101 - acquired
        at = self._state.positions.get(topic, 0)
        return at >= end or self._runtime.consumer.expects(self._tp(topic)) >= end

    def _tp(self, topic: str) -> TP:
        return TP(self._runtime.settings.topic(topic), self.partition)

    async def _look_for_sweep(self, *, decided: bool) -> None:
        """Whether a sweep is to be gone on with, or to be begun as the rules are others now."""
        assert self._state is not None  # noqa: S101 - acquired
        stage = self._runtime.stage
        self._due = not decided and self._state.meta.get("rules_version") != stage.rules_version
        if not decided:
            self._unswept = await self._work(stage.unswept, self._state.con)

    @property
    def _sweeping(self) -> bool:
        return self._due or self._unswept > 0

    async def _follow(self) -> None:
        assert self._state is not None  # noqa: S101 - acquired
        while self._owned:
            if self._due and self._ticks_read():
                log.info("%s: the rules have changed, deciding for everybody", self.name)
                await self._cycle([], everybody=True, chunks=0)
                continue
            if chunks := self._chunks():
                await self._cycle([], chunks=chunks)
                continue
            await self._gather()
            if taken := self._next():
                if any(part.topic not in CONTROL for part, _ in taken):  # for the others nobody waits
                    self.pace.begin()
                    self._runtime.paced()
                await self._cycle(taken, chunks=0)
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

    async def _gather(self) -> None:
        """Let the records of a moment come together. The first one after a pause never waits."""
        with contextlib.suppress(TimeoutError):
            while self._owned and not self._live and 0 < _records(self._backlog) < ENOUGH_BACKLOG:
                until = min(self.pace.began + BACKLOG_GATHER_S, self._arrived + BACKLOG_QUIET_S)
                async with asyncio.timeout(until - time.monotonic()):
                    await self._wake.wait()
                self._wake.clear()
        wait = self.pace.decides_at - time.monotonic()
        if wait > 0 and 0 < _records(self._live) < ENOUGH:
            await asyncio.sleep(wait)

    def _next(self) -> list[tuple[Slice, Done]]:
        """Live first; while live records flow, backlog in small portions in between.

        A heartbeat waits for the backlog: that a feed is complete may count only once what it published
        has been read, or everything not read yet would pass for absent.
        """
        settings = self._runtime.settings
        if self._heartbeats and self._backlog_read():
            self._live.extend(self._heartbeats)
            self._heartbeats.clear()
        if self._live and not (self._turn_backlog and self._backlog):
            self._turn_backlog = True
            return _up_to(self._live, settings.slice_records)
        self._turn_backlog = False
        flowing = time.monotonic() - self._runtime.last_live < LIVE_S
        return _up_to(self._backlog, settings.backlog_records if flowing else settings.slice_records)

    def _chunks(self) -> int:
        """How many chunks of the sweep are next; 0: records are, every other time where live ones wait."""
        if not self._unswept or not self._ticks_read():
            return 0
        if not self._live:
            assert self._state is not None  # noqa: S101 - acquired
            if not self._state.flag("live"):
                return FIRST_CHUNKS
            return 1 if time.monotonic() - self._runtime.last_live < LIVE_S else IDLE_CHUNKS
        self._turn_sweep = not self._turn_sweep
        return int(self._turn_sweep)

    def _ticks_read(self) -> bool:
        """Whether the days told before the start were read: the rules are those of the newest, and of no other day."""
        assert self._state is not None  # noqa: S101 - acquired
        return self._state.positions.get(TICK, 0) >= self._ticks_to

    def _backlog_read(self) -> bool:
        assert self._state is not None  # noqa: S101 - acquired
        at = self._state.positions
        lanes = [of(t).backlog for t in self._runtime.stage.inputs if of(t).lanes]
        ends = {t: self._runtime.highwater(self._tp(t)) for t in lanes}
        return not self._backlog and all(end is not None and at.get(t, 0) >= end for t, end in ends.items())

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Answer questions beside the cycles; the one under way ends before the file may be handed over."""
        task = asyncio.create_task(self._answer())
        try:
            yield
        finally:
            self._questions.put_nowait(None)
            await task

    async def _answer(self) -> None:
        assert self._state is not None  # noqa: S101 - acquired
        while self._owned and (asked := await self._questions.get()) is not None:
            part, done = asked
            try:
                await self._runtime.answer(self._state, part, self.mine)
            except Exception as error:
                # Whoever asked hears nothing and asks again; what is decided does not hang on it.
                log.warning("%s: questions stay unanswered: %s", self.name, type(error).__name__)
            done()

    async def _cycle(
        self,
        taken: list[tuple[Slice, Done]],
        *,
        silent: bool = False,
        everybody: bool = False,
        chunks: int | None = None,
    ) -> None:
        begun = time.perf_counter()
        result: Result = await self._work(self._turn, [part for part, _ in taken], silent, everybody, chunks)
        if result.unswept and not self._unswept:
            log.info("%s: deciding for everybody, %d chunks", self.name, result.unswept)
        self._unswept = result.unswept
        for part, done in taken:
            if self._unswept and part.topic in CONTROL:
                self._undecided.append(done)  # the group is told once everybody has been decided for
            else:
                done()
        self._due = self._due and not result.begun
        if not self._sweeping:
            for done in self._undecided:
                done()
            self._undecided.clear()
        self.figures.cycle(result.records, result.quarantined, len(result.rows), (time.perf_counter() - begun) * 1000)

    def _turn(self, parts: list[Slice], silent: bool, everybody: bool, chunks: int | None) -> Result:
        """One transaction, and what it decided published; in the partition's thread."""
        runtime, state = self._runtime, self._state
        assert state is not None  # noqa: S101 - acquired
        result = runtime.cycles.run(state, self.partition, parts, silent=silent, everybody=everybody, chunks=chunks)
        if result.rows:
            runtime.outlet.publish(result.rows, self.mine)
            state.published()
            faults.point("after_publish")
        return result

    async def _idle(self) -> None:
        """What waits for a quiet moment."""
        state = self._state
        assert state is not None  # noqa: S101 - acquired
        await self._work(state.tidy)
        if await self._work(self._runtime.stage.rehearse, state.con, self._runtime.settings.region):
            self._wake.set()
        unknown = getattr(self._runtime.stage, "unknown", None)
        if unknown is not None and time.monotonic() > self._unknown_at:
            self.figures.unknown = await self._work(unknown, state.con)
            self._unknown_at = time.monotonic() + 10

    async def _snapshot(self) -> None:
        runtime, state = self._runtime, self._state
        self._snapshot_at = time.monotonic() + runtime.settings.snapshot_minutes * 60
        if self._storing is not None and not self._storing.done():
            return  # the last one still goes out, from where the next would be put
        copy: Path | None = await self._work(runtime.snapshots.copy_aside, state)
        if copy is not None:  # no cycle waits until it is stored
            store = runtime.snapshots.store
            self._storing = asyncio.get_running_loop().run_in_executor(None, store, copy, self._stem)

    def measure(self) -> Figures:
        """Lag in records over all inputs, and the age of the oldest record that waits."""
        if self._state is not None:
            ends = {t: self._runtime.highwater(self._tp(t)) for t in list(self._state.positions)}
            self.figures.lag = sum(max(0, (end or 0) - self._state.positions.get(t, 0)) for t, end in ends.items())
        waiting = [q[0][0].first_ms for q in (self._live, self._backlog, self._heartbeats) if q]
        self.figures.oldest_ms = max(0, int(time.time() * 1000) - min(waiting)) if waiting else 0
        return self.figures


def _number(path: Path) -> int:
    return int(path.name.rsplit(".", 2)[1])


def _records(queue: Iterable[tuple[Slice, Done]]) -> int:
    return sum(len(part) for part, _ in queue)


def _up_to(queue: deque[tuple[Slice, Done]], most: int) -> list[tuple[Slice, Done]]:
    taken: list[tuple[Slice, Done]] = []
    records = 0
    while queue and (not taken or records + len(queue[0][0]) <= most):
        taken.append(queue.popleft())
        records += len(taken[-1][0])
    return taken
