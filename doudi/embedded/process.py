"""One supervised process: how it is prepared, started, checked, restarted and stopped. Knows no component
by name."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import shutil
import signal
import stat
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Literal

import psutil

from doudi.embedded.errors import ComponentFailed, FolderUnusable, StackError
from doudi.embedded.ports import Ports

log = logging.getLogger(__name__)

State = Literal["waiting", "preparing", "starting", "up", "restarting", "failed", "stopped"]
GUARD = Path(__file__).with_name("guard.py")
STABLE_S = 60.0
"""A process that ran for so long has recovered: the next crash is the first again."""
_ERROR = re.compile(r"\b(ERROR|FATAL)\b")
LOG_LIMIT = 50_000_000
"""A log of more bytes is moved aside (one generation) when its process starts."""


class Component(ABC):
    """What to run, as told by a subclass; no state of a running process.

    ``name`` is also the name of its data folder, its log and its port. ``needs`` names components that must
    be healthy before this one starts.
    """

    name: str
    title: str
    needs: Sequence[str] = ()
    patient: bool = False
    """It waits by itself for what it needs, and boots beside it: started as soon as that has been spawned."""
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel when the supervisor dies without a word: sure rather than gentle."""
    boot_s: float = 60.0
    stop_s: float = 20.0
    tries: int = 1
    """Starts within one boot; more than one where it is known to end by itself, or to hang, as it starts."""
    try_s: float = 60.0
    """So long each of several starts may take but the last, which has what is left of ``boot_s``."""
    keeps: bool = False
    """As it ends orderly it leaves something outside of its home (parsed classes) to the next start. Known once it is
    prepared."""
    favour: int = 0
    """Nice value of its session among all; below zero it comes first, where the supervisor has the right to say so."""

    def __init__(self, home: Path, ports: Ports) -> None:
        self.home = home.absolute()
        self.ports = ports
        self.data = self.home / self.name
        self.log = self.home / "logs" / f"{self.name}.log"
        self.cwd = self.data
        self.uid = -1

    @property
    @abstractmethod
    def url(self) -> str:
        """How clients reach it; empty if they do not."""

    @abstractmethod
    def command(self) -> list[str]:
        """Absolute program and arguments."""

    @abstractmethod
    def check(self) -> None:
        """Return if it serves; raise anything if not (yet). May block for two seconds."""

    @abstractmethod
    def prepare(self, say: Callable[[str], None]) -> None:
        """Download, format, write configuration. Blocking; runs in a thread. Must be repeatable."""

    def ended(self) -> None:  # noqa: B027 - most have nothing to do
        """After an orderly end. Blocking."""

    def environment(self) -> dict[str, str]:
        """Variables in addition to (or instead of) the supervisor's."""
        return {}

    def hint(self, tail: str) -> str:
        """How to mend what the last lines of the log speak of."""
        if full(self.data) or "No space left on device" in tail or "Disk quota exceeded" in tail:
            return f"the disk is full: make room on the disk of {self.data}, then start again; nothing is lost"
        if "Permission denied" in tail or "AccessDenied" in tail:
            return f"give the user of this program the right to write in {self.data}"
        if "Address already in use" in tail:
            return f"another program took its port: end it, or remove {self.name} from {self.ports.path}"
        if "Cannot allocate memory" in tail or "OutOfMemoryError" in tail:
            return "the machine has too little free memory: end other programs"
        return f"read {self.log}"


class Process:
    """A component's process in the hands of the supervisor's event loop."""

    def __init__(self, component: Component, changed: Callable[[], None], ground: asyncio.Event | None = None) -> None:
        """``ground``: set once what it stands on is there. It is spawned before, but may not serve sooner."""
        self.component = component
        self.state: State = "waiting"
        self.note = ""
        self.restarts = 0
        self.started = 0.0
        self.pid = 0
        self.mark = str(component.data)
        self.healthy = asyncio.Event()
        self.spawned = asyncio.Event()
        self._ground = ground
        self._changed = changed
        self._child: asyncio.subprocess.Process | None = None
        self._stopping = False

    def set(self, state: State, note: str = "") -> None:
        """Tell the supervisor that something changed."""
        self.state, self.note = state, note
        self._changed()

    async def start(self) -> None:
        """Prepare, spawn and wait until healthy. Raises StackError."""
        c = self.component
        began = time.monotonic()
        self.set("preparing")
        usable(c.data)
        usable(c.log.parent)
        await asyncio.to_thread(c.prepare, lambda text: self.set("preparing", text))
        await self._spawn()
        if self._ground is not None:
            await self._ground.wait()
        await self._until_healthy()
        self.set("up", f"{time.monotonic() - began:.1f} s")

    async def _spawn(self) -> None:
        c = self.component
        rotate(c.log)
        command = c.command()
        search = "1" if c.uid >= 0 and closed_parent(Path(command[0]), c.data) else "0"
        guard = [
            sys.executable,
            "-IS",
            str(GUARD),
            str(os.getpid()),
            str(int(c.death_signal)),
            str(c.uid),
            search,
        ]
        with c.log.open("ab") as out:
            # The event loop runs in the main thread: the kernel's death signal is tied to the thread that
            # forks.
            self._child = await asyncio.create_subprocess_exec(
                *guard,
                "--",
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **c.environment()},
                cwd=c.cwd,
                start_new_session=True,
            )
        self.pid = self._child.pid
        if c.favour:
            favour(self.pid, c.favour)
        self.started = psutil.Process(self.pid).create_time() if psutil.pid_exists(self.pid) else time.time()
        self.spawned.set()
        self.set("starting")

    async def _until_healthy(self) -> None:
        c = self.component
        began = time.monotonic()
        deadline, left = began + c.boot_s, c.tries
        last: BaseException | None = None
        while time.monotonic() < deadline:
            child = self._child
            assert child is not None  # noqa: S101 - _spawn has run
            ended = child.returncode is not None
            if ended or (left > 1 and time.monotonic() - began > c.try_s):
                left -= 1
                how = f"ended with code {child.returncode}" if ended else f"did not answer for {c.try_s:.0f} s"
                error = self.failure(f"{c.title} {how} while starting")
                if not left:
                    raise error
                log.warning("%s; started once more", error)
                await self._end(gently=False)
                await self._spawn()
                began = time.monotonic()
                continue
            try:
                await asyncio.wait_for(asyncio.to_thread(c.check), 10)
            except Exception as e:  # whatever a client raises means: not yet
                last = e
                await asyncio.sleep(0.1)
            else:
                self.healthy.set()
                return
        raise self.failure(f"{c.title} did not answer within {c.boot_s:.0f} s ({type(last).__name__}: {last})")

    def failure(self, what: str) -> StackError:
        """The error with what the log calls errors, its last lines, and a hint."""
        last = tail(self.component.log)
        shown = "\n".join(f"    {line}" for line in telling(last.splitlines()))
        return ComponentFailed(what, f"{self.component.log}\n{shown}", self.component.hint(last))

    async def keep(self) -> None:
        """Restart it whenever it ends, until stopped. Never returns before."""
        crashes = 0
        while True:
            child, since = self._child, time.monotonic()
            if child is not None:
                code = await child.wait()
                if self._stopping:
                    return
                self.healthy.clear()
                crashes = 1 if time.monotonic() - since > STABLE_S else crashes + 1
                self.restarts += 1
                delay = 0.0 if crashes == 1 else min(30.0, 0.5 * 2 ** (crashes - 1))
                error = self.failure(f"{self.component.title} ended with code {code}")
                log.warning("%s: ended with code %s, restart in %.1f s", self.component.name, code, delay)
                self.set("restarting", str(error))
                await asyncio.sleep(delay)
            try:
                await self._spawn()
                await self._until_healthy()
                self.set("up", f"restarted {self.restarts}×")
            except StackError as e:
                self.set("failed", str(e))
                await self._end()
            except Exception as e:  # no memory to fork, no room for its log: tried again like any other start
                log.warning("%s: cannot be started: %s: %s", self.component.name, type(e).__name__, e)
                self.set("failed", f"{self.component.title} cannot be started ({type(e).__name__}: {e})")
                await self._end()

    async def look(self) -> None:
        """While it is up: say whether it still answers. Does not restart it: slow is not dead."""
        if self.state != "up":
            return
        try:
            await asyncio.wait_for(asyncio.to_thread(self.component.check), 10)
        except Exception as e:  # whatever a client raises
            if self.state == "up":
                self.set("up", f"does not answer: {type(e).__name__}")
        else:
            if self.note.startswith("does not answer"):
                self.set("up")

    async def stop(self, *, gently: bool = True) -> None:
        """End it in an orderly way, then surely; or surely at once. Returns when it is gone."""
        self._stopping = True
        await self._end(gently=gently)
        self.set("stopped")

    async def _end(self, *, gently: bool = True) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        ways = ((self.component.stop_signal, self.component.stop_s), (signal.SIGKILL, 10.0))
        for sent, patience in ways if gently else ways[1:]:
            try:
                with contextlib.suppress(ProcessLookupError):  # it may be gone before the second
                    os.killpg(child.pid, sent) if sent == signal.SIGKILL else child.send_signal(sent)
                    os.kill(child.pid, signal.SIGCONT)  # a stopped process gets no other signal
                code = await asyncio.wait_for(child.wait(), patience)
                if sent != signal.SIGKILL and code in (0, 128 + sent):
                    await asyncio.to_thread(self.component.ended)
                return
            except TimeoutError:
                log.warning("%s: still there %.0f s after %s", self.component.name, patience, sent.name)


FIRST = -10
"""Nice value of what others wait for: servers as they boot, the stages through which a person's alert passes, and
the demo's connectors, which stand for machines of their own."""


def favour(pid: int, nice: int) -> None:
    """Share processors with a process's session as if it had this nice value; nothing where that may not be said.

    Linux shares them among sessions first (autogroup), and each component is a session: a nice value of the process
    itself would only count within it. A session that somebody else leads (a terminal's) is left as it is.
    """
    with contextlib.suppress(OSError):
        if os.getsid(pid) == pid:
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def usable(folder: Path) -> None:
    """Make a folder and write in it. Raises FolderUnusable with the reason."""
    # Several processes try the same folder at the same moment: each with a file of its own.
    probe = folder / f".probe-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as e:
        with contextlib.suppress(OSError):
            probe.unlink()
        raise FolderUnusable(
            f"A folder of the hub cannot be written: {e.strerror or e}",
            str(folder),
            "make room on that disk or give yourself the right to write there, or choose another folder with "
            "DOUDI_HOME; then start again, nothing is lost",
        ) from e


def full(folder: Path) -> bool:
    """Whether less than a megabyte is free there. A program on a full disk cannot even log why it ends."""
    try:
        return shutil.disk_usage(folder).free < 1_000_000  # noqa: PLR2004 - a megabyte
    except OSError:
        return False


def closed_parent(*paths: Path) -> Path | None:
    """The first folder above these that other users may not pass through."""
    for path in paths:
        for folder in reversed(path.resolve().parents):
            if not folder.stat().st_mode & stat.S_IXOTH:
                return folder
    return None


def rotate(path: Path) -> None:
    """Move a log that has grown too large aside."""
    if path.is_file() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))


def tail(path: Path, size: int = 32_768) -> str:
    """The last bytes of a log as text."""
    try:
        with path.open("rb") as f:
            _seek_back(f, size)
            return f.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def telling(lines: Sequence[str], most: int = 8) -> list[str]:
    """The last lines, and before them the first ones that say ERROR: what came of it often hides the cause."""
    early = [line[:300] for line in lines[:-most] if _ERROR.search(line)]
    return [*early[:3], *lines[-most:]]


def _seek_back(f: IO[bytes], size: int) -> None:
    f.seek(0, os.SEEK_END)
    f.seek(max(0, f.tell() - size))
