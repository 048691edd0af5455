"""The departments' connectors as child processes, pointed at the demo's databases and drop folder."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import redis
import yaml

from connectors import catalogue
from doudi.demo.databases import DATABASES, Departments
from doudi.embedded.errors import ComponentFailed
from doudi.embedded.hub import program_environment
from doudi.embedded.process import FIRST, GUARD, favour, tail
from wire.rediskeys import RedisKeys
from wire.settings import Settings

SWEEP_S, OVERLAP_S = 1.5, 6.0
"""How often late commits are looked for, and how far back."""
POLL_S = Settings.model_fields["gather_ms"].default / 1000
"""How often new rows are looked for: as often as screening decides. A feed that looks less often does so at every
second, third … of these looks."""
PROCESSES = {
    "civil": ("civil",),
    "disability": ("disability",),
    "medical": ("medical",),
    "others": ("agriculture", "education", "employment", "housing", "vital", "water"),
}
"""Departments by process: those with few changes share one."""
COMPARE_S = 300.0
"""How often vanished rows are looked for: as a county would."""


class Connectors:
    """The processes of PROCESSES. ``settle_s``: no change can lie unread for longer, but for vanished rows.

    ``compare_s``: seconds between two looks for vanished rows.
    """

    settle_s = SWEEP_S + 1.0

    def __init__(self, settings: Settings, departments: Departments, compare_s: float = COMPARE_S) -> None:
        self._settings, self._departments, self._compare = settings, departments, compare_s
        self._redis = redis.Redis.from_url(settings.redis)
        self._keys = RedisKeys(settings.namespace)
        self._feeds = [feed for department in catalogue.FOLDERS for feed in catalogue.load(department).feeds]
        self._logs: dict[str, Path] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Connectors:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._redis.close()

    def start(self) -> None:
        """Start every connector that does not run."""
        home = self._settings.home
        (home / "logs").mkdir(parents=True, exist_ok=True)
        config = home / "connectors"
        config.mkdir(parents=True, exist_ok=True)
        for process, departments in PROCESSES.items():
            if process in self._running:
                continue
            for department in departments:
                told = yaml.safe_dump(self._override(department), allow_unicode=True)
                (config / f"{department}.yaml").write_text(told, encoding="utf-8")
            log = self._logs[process] = home / "logs" / f"connector-{process}.log"
            command = [
                sys.executable,
                "-IS",
                str(GUARD),
                str(os.getpid()),
                str(int(signal.SIGKILL)),
                "-1",
                "0",
                "--",
                sys.executable,
                "-m",
                "doudi",
                "connector",
                *departments,
                "--config",
                str(config),
            ]
            with log.open("ab") as out:
                child = self._running[process] = subprocess.Popen(  # noqa: S603 - ourselves
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                    env={**os.environ, **program_environment(self._settings), "PYTHONPATH": _search()},
                )
            favour(child.pid, FIRST)  # what departments do on machines of their own

    def stop(self) -> None:
        """Stop them in an orderly way."""
        for child in self._running.values():
            child.terminate()
        for child in self._running.values():
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._running.clear()

    def kill(self, department: str) -> None:
        """End one without a word (SIGKILL), as a crash would."""
        child = self._running.pop(department)
        child.kill()
        child.wait()

    def compare_now(self, department: str) -> None:
        """Have a department's connector look for vanished rows."""
        self._running[department].send_signal(signal.SIGUSR1)

    def _override(self, department: str) -> dict[str, Any]:
        """Keys of connector.yaml that differ here: where things lie, and a demo's impatience."""
        shipped = catalogue.load(department)
        feeds = []
        for feed in shipped.feeds:
            poll = POLL_S * math.ceil(feed.poll_seconds / POLL_S)
            given: dict[str, Any] = {"source": feed.source, "poll_seconds": poll}
            if feed.kind == "files":
                given["folder"] = str(self._departments.drop)
            else:
                given |= {"sweep_seconds": SWEEP_S, "overlap_seconds": OVERLAP_S}
            if feed.compare_seconds:
                given["compare_seconds"] = self._compare
            feeds.append(given)
        named = {"database": self._departments.name(department)} if department in DATABASES else {}
        return {**named, "feeds": feeds}

    def pending(self) -> str:
        """Feeds whose first load is not yet published whole. Raises ComponentFailed if a connector ended."""
        for process, child in self._running.items():
            if child.poll() is not None:
                log = self._logs[process]
                raise ComponentFailed(
                    f"The connector of {process} ended with code {child.returncode}", str(log), tail(log)
                )
        waiting = [source for source, beat in self._beats() if not beat.get("complete")]
        return f"not loaded: {', '.join(waiting)}" if waiting else ""

    def silent(self, since: float) -> str:
        """Feeds whose connector has told of no whole turn since an instant (UTC seconds)."""
        waiting = [source for source, beat in self._beats() if beat.get("seq", 0) < since * 1_000_000]
        return f"not heard of: {', '.join(waiting)}" if waiting else ""

    def _beats(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each feed's source and its last heartbeat; empty before the first."""
        for feed in self._feeds:
            beat: Any = self._redis.get(self._keys.heartbeat(feed.source, feed.topic))
            yield feed.source, orjson.loads(beat) if beat else {}

    def loaded(self) -> bool:
        """Whether every feed's first load has been published whole."""
        return not self.pending()


def _search() -> str:
    code = str(Path(__file__).parents[2])
    return os.pathsep.join(p for p in (code, os.environ.get("PYTHONPATH", "")) if p)
