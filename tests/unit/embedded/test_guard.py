"""The guard: a child's life is tied to its parent's, root is given up, and only the right to pass is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from doudi.embedded.process import GUARD

root_on_linux = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="gives up root")
SLEEP = "import time; time.sleep(60)"


def gone(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the watchdog does it, tested below")
@pytest.mark.parametrize("uid", [-1, pytest.param(65534, marks=root_on_linux)])
def test_no_orphan_when_the_parent_is_killed(uid: int) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", f"""
import os, subprocess, sys
c = subprocess.Popen([sys.executable, "-IS", {str(GUARD)!r}, str(os.getpid()), "9", "{uid}", "0", "--",
                      "/bin/sleep", "60"], start_new_session=True)
print(c.pid, flush=True); c.wait()
"""], stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    until_exec(child, "sleep")
    assert (psutil.Process(child).uids().effective == uid) or uid < 0
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child)


def until_exec(pid: int, name: str) -> None:
    end = time.monotonic() + 10
    while psutil.Process(pid).name() != name:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_parent_that_is_dead_already(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-IS", str(GUARD), "1", "9", "-1", "0", "--", "/bin/echo", "alive"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == ((1, b"") if sys.platform == "linux" else (0, b"alive\n"))


@root_on_linux
def test_another_user_passes_a_closed_folder_only_where_asked(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner" / "file").write_text("x")
    closed.chmod(0o700)

    def read(search: str) -> int:
        command = ["/bin/cat", str(closed / "inner" / "file")]
        guard = [sys.executable, "-IS", str(GUARD), str(os.getpid()), "9", "65534", search, "--"]
        return subprocess.run([*guard, *command], capture_output=True, check=False).returncode

    assert read("1") == 0
    assert read("0") != 0


@root_on_linux
def test_that_user_may_not_write_there() -> None:
    guard = [sys.executable, "-IS", str(GUARD), str(os.getpid()), "9", "65534", "1", "--"]
    done = subprocess.run([*guard, "/bin/grep", "CapEff", "/proc/self/status"], capture_output=True, check=True)
    assert int(done.stdout.split()[1], 16) == 1 << 2  # CAP_DAC_READ_SEARCH and nothing else


def test_the_watchdog_ends_what_the_run_file_names(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", SLEEP])
    other = subprocess.Popen([sys.executable, "-c", SLEEP])
    run = tmp_path / "stack.json"
    named = [(child.pid, SLEEP), (other.pid, "another program"), (0, "")]
    run.write_text(json.dumps({"processes": [{"pid": pid, "mark": mark} for pid, mark in named]}))
    watchdog = subprocess.Popen([sys.executable, "-IS", str(GUARD), "--watch", str(run)], stdin=subprocess.PIPE)
    try:
        assert watchdog.stdin is not None
        time.sleep(0.2)
        assert child.poll() is None
        watchdog.stdin.close()  # what happens when the supervisor dies
        assert child.wait(10) == -signal.SIGTERM
        assert watchdog.wait(10) == 0
        assert other.poll() is None
    finally:
        for p in (child, other, watchdog):
            p.kill()
            p.wait()
