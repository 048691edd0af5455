"""The hub's own processes, as the supervisor sees them: each is ``python -m doudi …`` with every URL in its
environment."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

from doudi.embedded.errors import PortTaken
from doudi.embedded.ports import Ports, available, holder
from doudi.embedded.process import FIRST, Component, usable
from wire.http import check
from wire.settings import Settings


class Program(Component):
    """One process of the hub that people or programs reach by Kafka only. Up when it has run for a moment."""

    boot_s = 60.0
    stop_s = 20.0
    stop_signal = signal.SIGTERM
    settle_s = 1.0

    def __init__(self, settings: Settings, ports: Ports, name: str, title: str, *arguments: str) -> None:
        self.name, self.title, self.arguments, self.settings = name, title, arguments, settings
        super().__init__(settings.home, ports)
        self.data = self.home
        self.cwd = Path.cwd()
        self._since = 0.0

    @property
    def url(self) -> str:
        """None: it listens nowhere."""
        return ""

    def command(self) -> list[str]:
        """The same interpreter, the same code."""
        self._since = time.monotonic()
        return [sys.executable, "-m", "doudi", *self.arguments]

    def environment(self) -> dict[str, str]:
        """What its parent read, and how it is to allocate memory."""
        return program_environment(self.settings)

    def prepare(self, say: Callable[[str], None]) -> None:
        """The folder of the state files may lie on another disk."""
        usable(self.settings.state_dir)

    def check(self) -> None:
        """It has not ended at once."""
        if (left := self.settle_s - (time.monotonic() - self._since)) > 0:
            time.sleep(left)


class Gateway(Program):
    """The gateway: up when it answers /healthz."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        super().__init__(settings, ports, "gateway", "Gateway", "gateway")
        self.settings_port = settings.port
        self.port = settings.port or ports.get("gateway")
        self.settings = settings.model_copy(update={"port": self.port})

    @property
    def url(self) -> str:
        """Base URL."""
        host = "127.0.0.1" if self.settings.host in ("0.0.0.0", "::") else self.settings.host  # noqa: S104 - compared
        return f"http://{host}:{self.port}"

    def prepare(self, say: Callable[[str], None]) -> None:
        """Its port must be free."""
        if not self.settings_port:
            self.ports.claim("gateway")
        elif not available(self.port, self.settings.host):
            raise PortTaken(
                f"Port {self.port} of the gateway is in use by {holder(self.port)}",
                f"{self.settings.host}:{self.port}",
                "end that program, or choose another port with DOUDI_PORT (0: a free one)",
            )

    def check(self) -> None:
        """GET /healthz answers."""
        check(self.url, "healthz")


def hub(settings: Settings, ports: Ports) -> list[Component]:
    """Every process of the hub, in the order in which they start."""

    def worker(stage: str, title: str) -> Program:
        return Program(settings, ports, f"worker-{stage}", title, "worker", stage)

    persons = worker("persons", "Screening of persons")
    persons.favour = FIRST  # every record passes through it, and it alone may need a whole processor
    casework, projection = worker("casework", "Casework"), worker("projection", "Projection")
    casework.favour = projection.favour = FIRST  # an alert waits for them, and they need little
    return [
        persons,
        worker("households", "Screening of households"),
        casework,
        projection,
        worker("ingress", "Ingress"),
        Program(settings, ports, "watch", "Clock", "watch"),
        Gateway(settings, ports),
    ]


MIMALLOC = Path(sysconfig.get_path("platlib")) / "cmeel.prefix" / "lib" / "libmimalloc.so.3"
ALLOCATOR = {
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000:glibc.malloc.mmap_threshold=67108864:"
    "glibc.malloc.trim_threshold=268435456:glibc.malloc.top_pad=16777216",
    "DUCKDB_JE_MALLOC_CONF": "lg_tcache_max:19,tcache_gc_incr_bytes:1073741824,tcache_nslots_large:400,"
    "tcache_nslots_small_max:2000,lg_tcache_nslots_mul:4,dirty_decay_ms:-1,muzzy_decay_ms:-1",
}
"""DuckDB asks for many pieces of memory at every statement: kept at hand, a cycle costs a third less.

The small ones come from libc, or from mimalloc where its wheel is installed (a tenth less again, half of it by large
pages); the columns of its vectors (some 32 KiB each) from DuckDB's own jemalloc.
"""
if MIMALLOC.exists():
    ALLOCATOR |= {"LD_PRELOAD": str(MIMALLOC), "MIMALLOC_PURGE_DELAY": "-1", "MIMALLOC_ALLOW_THP": "1"}


def program_environment(settings: Settings) -> dict[str, str]:
    """For a program of the hub: the settings, and ``ALLOCATOR`` where the environment says nothing else."""
    return {k: v for k, v in ALLOCATOR.items() if k not in os.environ} | environment(settings)


def environment(settings: Settings) -> dict[str, str]:
    """Settings as DOUDI_* variables. Passwords too: the environment of a process is its owner's."""
    found = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value is None:
            continue
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        found[f"DOUDI_{name.upper()}"] = text
    return found
