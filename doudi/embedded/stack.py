"""The supervisor: starts what the settings do not name by URL, keeps it running, stops it in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from doudi.embedded import runfile
from doudi.embedded.artifacts import Artifacts
from doudi.embedded.errors import AlreadyRunning, StackError, Unreachable
from doudi.embedded.kafka import Kafka, check_kafka
from doudi.embedded.ports import Ports
from doudi.embedded.postgres import Postgres, check_postgres
from doudi.embedded.process import GUARD, Component, Process, usable
from doudi.embedded.registry import Registry, check_registry
from doudi.embedded.valkey import Valkey, check_redis
from wire.settings import Settings

log = logging.getLogger(__name__)

Show = Callable[[Sequence[Process]], None]
"""Called whenever a process changes its state."""


class Stack:
    """All processes of one home, in the order in which they start.

    ``hub`` adds the hub's own processes, made by a function of the settings with all URLs filled in.
    """

    def __init__(
        self, settings: Settings, *, hub: Callable[[Settings, Ports], list[Component]] | None = None,
        show: Show | None = None,
    ) -> None:
        self.home = settings.home.absolute()
        self.given = settings
        self._hub = hub
        self._show = show
        self.processes: list[Process] = []
        self.settings = settings
        self._ready = False
        self._urls: dict[str, str] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._watchdog: subprocess.Popen[bytes] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, keep it until ``stop`` is set, stop everything. Raises StackError if it cannot start."""
        usable(self.home / "run")
        lock = FileLock(self.home / "run" / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            other = runfile.read(self.home)
            raise AlreadyRunning(
                "Doudi already runs on this home" + (f" (pid {other.pid})" if other else ""), str(self.home),
                "`doudi status` shows it, `doudi down` stops it; another home: DOUDI_HOME",
            ) from None
        try:
            end_leftovers(self.home)
            self._watch_elsewhere()
            starting = asyncio.create_task(self._start())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                await stopping
            else:
                starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await starting
        finally:
            await self._stop()
            lock.release()

    async def _start(self) -> None:
        self._plan()
        try:
            async with asyncio.TaskGroup() as group:
                for process in self.processes:
                    group.create_task(self._bring_up(process))
                group.create_task(self._check_given())
            for component in self._hub(self.settings, self._ports) if self._hub else []:
                self.processes.append(Process(component, self._changed))
            for wave in waves(self.processes):
                async with asyncio.TaskGroup() as group:
                    for process in wave:
                        group.create_task(self._bring_up(process))
        except* StackError as errors:
            raise first(errors) from None
        self._ready = True
        self._changed()

    def _plan(self) -> None:
        """Decide what is embedded and under which URLs everything is reached."""
        s = self.given
        self._ports = ports = Ports(self.home / "run" / "ports.json")
        artifacts = Artifacts(s.cache, repository=s.maven)
        embedded: list[Component] = []
        if not s.kafka:
            embedded.append(kafka := Kafka(self.home, ports, artifacts))
            self._urls["kafka"] = kafka.url
        if not s.registry:
            registry = Registry(self.home, ports, artifacts, lambda: self.settings.kafka)
            embedded.append(registry)
            self._urls["registry"] = registry.url
        if not s.redis:
            embedded.append(valkey := Valkey(self.home, ports))
            self._urls["redis"] = valkey.url
        if not s.postgres:
            embedded.append(postgres := Postgres(self.home, ports))
            self._urls["postgres"] = postgres.url
        self.settings = s.model_copy(update={**self._urls, "home": self.home})
        self.processes = [Process(c, self._changed) for c in embedded]

    async def _bring_up(self, process: Process) -> None:
        """Start a process once those that it needs are healthy, and keep it from then on."""
        if process.state != "waiting":
            return
        for other in self.processes:
            if other.component.name in process.component.needs:
                await other.healthy.wait()
        await process.start()
        self._keepers.append(asyncio.create_task(process.keep()))

    async def _check_given(self) -> None:
        """What is given by URL must answer before the hub starts."""
        await asyncio.to_thread(check_given, self.given)

    async def _stop(self) -> None:
        for process in reversed(self.processes):
            await process.stop()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.wait()
        runfile.path_of(self.home).unlink(missing_ok=True)

    def _changed(self) -> None:
        me = psutil.Process()
        try:
            runfile.write(self.home, runfile.RunFile(
                me.pid, me.create_time(), self._ready, self._urls, tuple(entry(p) for p in self.processes),
            ))
        except OSError as e:
            log.warning("the run file cannot be written: %s", e)
        if self._show:
            self._show(self.processes)

    def _watch_elsewhere(self) -> None:
        """Where the kernel does not end children of a dead parent, a process of ours does."""
        if sys.platform != "linux":
            self._watchdog = subprocess.Popen(  # noqa: S603
                [sys.executable, "-IS", str(GUARD), "--watch", str(runfile.path_of(self.home))],
                stdin=subprocess.PIPE, start_new_session=True,
            )


def entry(process: Process) -> runfile.Entry:
    """What the run file says of a process."""
    c = process.component
    return runfile.Entry(
        c.name, process.pid, process.started, process.state, c.url, str(c.log), str(c.data), process.mark,
        process.restarts, process.note,
    )


def waves(processes: Sequence[Process]) -> list[list[Process]]:
    """The processes that still wait, in groups that may start together."""
    waiting = [p for p in processes if p.state == "waiting"]
    found: list[list[Process]] = []
    while waiting:
        names = {p.component.name for p in waiting}
        free = [p for p in waiting if not names & set(p.component.needs)] or waiting
        found.append(free)
        waiting = [p for p in waiting if p not in free]
    return found


def first(group: BaseExceptionGroup[StackError]) -> StackError:
    """The first error of a group, as one exception."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StackError)  # noqa: S101 - the group holds nothing else
    return error


def check_given(settings: Settings) -> None:
    """Everything given by URL answers. Raises Unreachable saying which does not, and why."""
    s = settings
    password = s.kafka_password.get_secret_value()
    login = {
        "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": s.kafka_user, "sasl.password": password,
    } if s.kafka_user else {}
    checks: list[tuple[str, str, Callable[[], None]]] = [
        ("kafka", s.kafka, lambda: check_kafka(s.kafka, login, timeout=8.0)),
        ("registry", s.registry, lambda: check_registry(s.registry)),
        ("redis", s.redis, lambda: check_redis(s.redis)),
        ("postgres", s.postgres, lambda: check_postgres(s.postgres)),
    ]
    for name, url, check in checks:
        if not url:
            continue
        try:
            check()
        except Exception as e:  # every client raises its own
            refused = "uthentication" in str(e) or "WRONGPASS" in str(e) or "NOAUTH" in str(e) or "SASL" in str(e)
            where = f"DOUDI_{name.upper()}={runfile.masked(url)}"
            if refused:
                user = f" user {s.kafka_user!r}" if name == "kafka" else ""
                mend = f"check the user and password given for {name}"
                mend += " (DOUDI_KAFKA_USER, DOUDI_KAFKA_PASSWORD, SCRAM-SHA-512)" if name == "kafka" else ""
                raise Unreachable(f"{name}{user} was refused: {brief(e)}", where, mend) from e
            raise Unreachable(
                f"{name} does not answer: {brief(e)}", where,
                f"start it, correct the URL, or leave DOUDI_{name.upper()} empty to run the embedded one",
            ) from e


def brief(error: BaseException) -> str:
    """A client's words in one line, without the password that some repeat."""
    return runfile.masked(" ".join(f"{type(error).__name__}: {error}".split()))[:300]


def end_leftovers(home: Path) -> None:
    """End processes of a supervisor that died without stopping them (only where the kernel did not)."""
    run = runfile.read(home)
    if run is None:
        return
    for left in run.processes:
        if left.alive:
            log.warning("%s (pid %d) was left over from a crash: ended", left.name, left.pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(left.pid, signal.SIGKILL)
            with contextlib.suppress(psutil.Error):
                psutil.Process(left.pid).wait(10)
