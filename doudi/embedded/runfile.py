"""``run/stack.json``: what runs on a home, written by its supervisor and read by every other command.

It holds URLs with passwords, so only its owner may read it.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from wire.files import replace_whole
from wire.settings import Settings

WAIT_S = 0.05


@dataclass(frozen=True, slots=True)
class Entry:
    """One process. ``mark`` is a piece of its command line, to know it again; ``started`` its start,
    seconds."""

    name: str
    pid: int
    started: float
    state: str
    url: str
    log: str
    data: str
    mark: str = ""
    restarts: int = 0
    note: str = ""

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return alive(self.pid, self.started)


@dataclass(frozen=True, slots=True)
class RunFile:
    """What the supervisor of a home last said.

    ``ready``: every process has been healthy once. ``prepared``: what the hub stands on is up, topics and schemas are
    there.
    """

    pid: int
    started: float
    ready: bool
    urls: dict[str, str] = field(default_factory=dict)
    """By setting: kafka, registry, redis, postgres and gateway."""
    processes: tuple[Entry, ...] = ()
    prepared: bool = False

    @property
    def alive(self) -> bool:
        """Whether that supervisor still runs."""
        return alive(self.pid, self.started)


def path_of(home: Path) -> Path:
    """The run file of a home."""
    return home / "run" / "stack.json"


def read(home: Path) -> RunFile | None:
    """The run file, or None where nothing has run."""
    try:
        raw: dict[str, Any] = json.loads(path_of(home).read_text(encoding="utf-8"))
        processes = tuple(Entry(**p) for p in raw.pop("processes"))
        return RunFile(**raw, processes=processes)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(home: Path, run: RunFile) -> None:
    """Replace the run file at once, readable by its owner only."""
    replace_whole(path_of(home), json.dumps(asdict(run), indent=1).encode())


def alive(pid: int, started: float) -> bool:
    """Whether the process with that pid began then (a pid may be used again) and is not a zombie."""
    if pid <= 0:
        return False
    try:
        p = psutil.Process(pid)
        return abs(p.create_time() - started) < 2 and p.status() != psutil.STATUS_ZOMBIE  # noqa: PLR2004
    except psutil.Error:
        return False


def connected(settings: Settings) -> Settings:
    """Settings with the URLs of the stack that runs on this home where none are given. Unchanged if none
    runs."""
    run = read(settings.home)
    if run is None or not run.alive:
        return settings
    empty = {k: v for k, v in run.urls.items() if k in Settings.model_fields and not getattr(settings, k)}
    return settings.model_copy(update=empty)


def wait_prepared(home: Path) -> None:
    """Wait while the stack on this home comes up; no longer than its supervisor lives, not at all where none does."""
    while (run := read(home)) is not None and not run.prepared and run.alive:
        time.sleep(WAIT_S)


def masked(url: str) -> str:
    """A URL without its password, for people to see."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)
