"""Run ``doudi up`` as a child of this program (demo, tests, benchmarks) and use it while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doudi.embedded import runfile
from doudi.embedded.errors import ComponentFailed
from doudi.embedded.hub import environment
from doudi.embedded.process import GUARD, tail, usable
from doudi.embedded.supervisor import HASTE
from wire.settings import Settings


@contextmanager
def running(
    settings: Settings,
    *,
    hub: bool = True,
    brokers: int = 1,
    loud: bool = False,
    boot_s: float = 300.0,
    orderly: bool = True,
) -> Iterator[Settings]:
    """Start stack (and hub) on ``settings.home``, wait until ready, give the settings with all URLs, stop
    at the end.

    ``loud``: its progress goes to standard error instead of ``home/logs/up.log``. It dies with this program.
    ``orderly``: False where nobody will read the home again, so that it need not be left whole.
    Call from a thread that lives as long as the stack. Raises ComponentFailed with its own words if it does
    not start.
    """
    home = settings.home.absolute()
    out = home / "logs" / "up.log"
    usable(out.parent)
    options = ([] if hub else ["--only-stack"]) + ([f"--brokers={brokers}"] if brokers != 1 else [])
    command = [
        sys.executable,
        "-IS",
        str(GUARD),
        str(os.getpid()),
        str(int(signal.SIGTERM)),
        "-1",
        "0",
        "--",
        sys.executable,
        "-m",
        "doudi",
        "up",
        *options,
    ]
    code = str(Path(__file__).parents[2])
    search = os.pathsep.join(p for p in (code, os.environ.get("PYTHONPATH", "")) if p)
    with out.open("wb") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=None if loud else log,
            stdout=log,
            start_new_session=True,
            env={**os.environ, **environment(settings), "DOUDI_HOME": str(home), "PYTHONPATH": search},
        )
    try:
        yield _ready(child, settings, home, out, boot_s)
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM if orderly else HASTE)
        try:
            child.wait(120)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _ready(child: subprocess.Popen[bytes], settings: Settings, home: Path, out: Path, boot_s: float) -> Settings:
    deadline = time.monotonic() + boot_s
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise ComponentFailed(
                f"`doudi up` ended with code {child.returncode}",
                str(out),
                tail(out) or "see its messages above",
            )
        run = runfile.read(home)
        if run is not None and run.pid == child.pid and run.ready:
            return runfile.connected(settings.model_copy(update={"home": home}))
        time.sleep(0.1)
    raise ComponentFailed(f"`doudi up` was not ready within {boot_s:.0f} s", str(out), tail(out))
