"""Runs a list of components on one home: starts them as their needs allow, keeps them, stops them in
reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from doudi.embedded import runfile
from doudi.embedded.errors import AlreadyRunning, StackError
from doudi.embedded.process import GUARD, Component, Process, usable

log = logging.getLogger(__name__)

Show = Callable[[Sequence[Process]], None]
"""Called whenever a process changes its state."""

HASTE = signal.SIGUSR1
"""Asks `doudi up` to stop and not to leave its home whole: nobody will read it again."""
HEALTH_S = 5.0
"""Seconds between two looks at the health of what runs."""


class Supervisor:
    """The processes of one home. Subclasses override ``bring_up`` to start more than the given components."""

    def __init__(self, home: Path, components: Iterable[Component] = (), show: Show | None = None) -> None:
        self.home = home.absolute()
        self.processes = [Process(c, self.changed) for c in components]
        self.urls: dict[str, str] = {}
        self.ready = False
        self.prepared = False
        self.haste = False
        """Set before ``stop``: the home need not be left whole."""
        self._show = show
        self._keepers: list[asyncio.Task[None]] = []
        self._layers: list[Sequence[Process]] = []
        """Each stands on those before it, and is stopped before them."""

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, keep it until ``stop`` is set, stop everything. Raises StackError if it cannot
        start."""
        usable(self.home / "run")
        with self._alone(), self._watched():
            starting = asyncio.create_task(self._start())
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
                    await stopping
            finally:
                for task in (starting, stopping):
                    task.cancel()
                await asyncio.gather(starting, stopping, return_exceptions=True)
                await self._stop()

    async def bring_up(self) -> None:
        """Start all components."""
        self._layers = [self.processes]
        await self.start(self.processes)

    async def start(self, processes: Sequence[Process]) -> None:
        """Start these together, each once what it needs is healthy. Raises the first StackError."""
        try:
            async with asyncio.TaskGroup() as group:
                for process in processes:
                    group.create_task(self._start_one(process))
        except* StackError as errors:
            raise first(errors) from None

    def changed(self) -> None:
        """Write the run file and show it."""
        me = psutil.Process()
        try:
            runfile.write(
                self.home,
                runfile.RunFile(
                    me.pid,
                    me.create_time(),
                    self.ready,
                    self.urls,
                    tuple(entry(p) for p in self.processes),
                    self.prepared,
                ),
            )
        except OSError as e:
            log.warning("the run file cannot be written: %s", e)
        if self._show:
            self._show(self.processes)

    async def _start(self) -> None:
        end_leftovers(self.home)
        await self.bring_up()
        self.ready = True
        self._keepers.append(asyncio.create_task(self._look()))
        self.changed()

    async def _start_one(self, process: Process) -> None:
        for other in self.processes:
            if other.component.name in process.component.needs:
                await (other.spawned if process.component.patient else other.healthy).wait()
        await process.start()
        self._keepers.append(asyncio.create_task(process.keep()))

    async def _look(self) -> None:
        """Notice what runs but does not answer; a crash is noticed at once by its keeper."""
        while True:
            await asyncio.sleep(HEALTH_S)
            for process in self.processes:
                await process.look()

    async def _stop(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        everybody = [p for layer in self._layers for p in layer]
        at_once = [p for p in everybody if self.haste and not p.component.keeps]
        await asyncio.gather(*(p.stop(gently=False) for p in at_once))
        for layer in reversed(self._layers):
            left = [p for p in layer if p not in at_once]
            while left:
                # Together, but nothing before those that need it.
                needed = {name for p in left for name in p.component.needs}
                free = [p for p in left if p.component.name not in needed] or left
                await asyncio.gather(*(p.stop() for p in free))
                left = [p for p in left if p not in free]
        runfile.path_of(self.home).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self.home / "run" / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            other = runfile.read(self.home)
            raise AlreadyRunning(
                "Doudi already runs on this home" + (f" (pid {other.pid})" if other else ""),
                str(self.home),
                "`doudi status` shows it, `doudi down` stops it; another home: DOUDI_HOME",
            ) from None
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Where the kernel does not end the children of a dead parent, a process of ours does."""
        if sys.platform == "linux":
            yield
            return
        watchdog = subprocess.Popen(
            [sys.executable, "-IS", str(GUARD), "--watch", str(runfile.path_of(self.home))],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield
        finally:
            watchdog.kill()
            watchdog.wait()


def entry(process: Process) -> runfile.Entry:
    """What the run file says of a process."""
    c = process.component
    return runfile.Entry(
        c.name,
        process.pid,
        process.started,
        process.state,
        c.url,
        str(c.log),
        str(c.data),
        process.mark,
        process.restarts,
        process.note,
    )


def first(group: BaseExceptionGroup[Exception]) -> BaseException:
    """The first error of a group, as one exception."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def end_leftovers(home: Path) -> None:
    """End processes of a supervisor that died without stopping them (where nothing else did)."""
    run = runfile.read(home)
    for left in run.processes if run else ():
        if left.alive:
            log.warning("%s (pid %d) was left over from a crash: ended", left.name, left.pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(left.pid, signal.SIGKILL)
            with contextlib.suppress(psutil.Error):
                psutil.Process(left.pid).wait(10)
