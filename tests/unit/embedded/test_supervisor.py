"""The supervisor with small programs in place of servers: order, restarts, messages, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from doudi.embedded import runfile
from doudi.embedded.errors import AlreadyRunning, ComponentFailed, FolderUnusable
from doudi.embedded.ports import Ports
from doudi.embedded.process import Component, Process, favour, telling
from doudi.embedded.supervisor import Supervisor

SERVE = "import pathlib, time; pathlib.Path('up').touch(); time.sleep(60)"


class Toy(Component):
    """A program that is up when its file ``up`` is there."""

    title = "Toy"
    boot_s = 20.0

    def __init__(self, home: Path, name: str, code: str = SERVE, needs: tuple[str, ...] = ()) -> None:
        self.name, self.code, self.needs = name, code, needs
        super().__init__(home, Ports(home / "run" / "ports.json"))

    @property
    def url(self) -> str:
        return f"toy://{self.name}"

    def prepare(self, say: Callable[[str], None]) -> None:
        (self.data / "up").unlink(missing_ok=True)

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.code]

    def check(self) -> None:
        (self.data / "up").stat()


def supervise(home: Path, toys: list[Toy], act: Callable[[Supervisor], object]) -> Supervisor:
    """Run until ``act`` (called in a thread once all are up) returns, then stop."""
    boss = Supervisor(home, toys)

    async def main() -> None:
        stop = asyncio.Event()

        async def play() -> None:
            while not boss.ready:  # noqa: ASYNC110 - it has no event to wait for
                await asyncio.sleep(0.02)
            try:
                await asyncio.to_thread(act, boss)
            finally:
                stop.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(boss.run(stop))
            player = group.create_task(play())
            player.add_done_callback(lambda _: stop.set())

    try:
        asyncio.run(main())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return boss


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


BYE = """
import pathlib, signal, sys, time
def end(*_):
    pathlib.Path('bye').touch()
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path('up').touch()
time.sleep(60)
"""


@pytest.mark.parametrize("haste", [False, True])
def test_in_haste_only_who_leaves_something_to_the_next_start_ends_orderly(tmp_path: Path, haste: bool) -> None:
    toys = [Toy(tmp_path, name, BYE) for name in ("a", "b")]
    toys[1].keeps = True
    boss = supervise(tmp_path, toys, lambda boss: setattr(boss, "haste", haste))
    assert [p.state for p in boss.processes] == ["stopped", "stopped"]
    assert [(toy.data / "bye").exists() for toy in toys] == [not haste, True]


def test_only_an_orderly_end_is_told(tmp_path: Path) -> None:
    told: list[str] = []

    class Told(Toy):
        def ended(self) -> None:
            told.append(self.name)

    deaf = SERVE.replace("import", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); import", 1)
    toys = [Told(tmp_path, "a", BYE), Told(tmp_path, "b", deaf), Told(tmp_path, "c")]
    toys[1].stop_s = 0.5  # for it alone: the others have as long as they need
    supervise(tmp_path, toys, lambda _: None)
    assert told == ["a"]


def test_in_haste_nobody_who_ends_orderly_goes_before_those_that_need_it(tmp_path: Path) -> None:
    slow = BYE.replace("def end(*_):", "def end(*_):\n    time.sleep(0.3)")
    toys = [Toy(tmp_path, "a", BYE), Toy(tmp_path, "b", slow, needs=("a",))]
    for toy in toys:
        toy.keeps = True
    supervise(tmp_path, toys, lambda boss: setattr(boss, "haste", True))
    first, second = ((toy.data / "bye").stat().st_mtime_ns for toy in (toys[1], toys[0]))
    assert first < second


@pytest.mark.parametrize("tries", [1, 2])
def test_one_that_is_known_to_end_as_it_starts_is_started_once_more(tmp_path: Path, tries: int) -> None:
    once = "import pathlib, sys; p = pathlib.Path('been'); p.exists() or (p.touch(), sys.exit(3));" + SERVE
    toy = Toy(tmp_path, "a", once)
    toy.tries = tries
    if tries == 1:
        with pytest.raises(ComponentFailed, match="code 3"):
            supervise(tmp_path, [toy], lambda _: None)
    else:
        boss = supervise(tmp_path, [toy], lambda _: None)
        assert boss.processes[0].restarts == 0


@pytest.mark.parametrize("tries", [1, 2])
def test_one_that_is_known_to_hang_as_it_starts_is_started_once_more(tmp_path: Path, tries: int) -> None:
    once = "import pathlib, time; p = pathlib.Path('been'); p.exists() or (p.touch(), time.sleep(60));" + SERVE
    toy = Toy(tmp_path, "a", once)
    toy.tries, toy.try_s, toy.boot_s = tries, 1.0, 3.0 if tries == 1 else 20.0
    if tries == 1:
        with pytest.raises(ComponentFailed, match="did not answer within 3 s"):
            supervise(tmp_path, [toy], lambda _: None)
    else:
        first: list[int] = []
        boss = supervise(tmp_path, [toy], lambda boss: first.append(boss.processes[0].restarts))
        assert (first, boss.processes[0].state) == ([0], "stopped")


def test_starts_by_need_tells_of_itself_and_stops_in_reverse(tmp_path: Path) -> None:
    states: list[tuple[str, str]] = []

    def look(boss: Supervisor) -> None:
        run = runfile.read(tmp_path)
        assert run is not None
        assert run.alive
        assert run.ready
        assert [(e.name, e.state, e.alive) for e in run.processes] == [("a", "up", True), ("b", "up", True)]
        assert runfile.path_of(tmp_path).stat().st_mode & 0o077 == 0

    boss = Supervisor(tmp_path, [Toy(tmp_path, "a"), Toy(tmp_path, "b", needs=("a",))])
    boss._show = lambda processes: states.extend(
        (p.component.name, p.state) for p in processes if (p.component.name, p.state) not in states
    )
    stop = asyncio.Event()

    async def main() -> None:
        task = asyncio.create_task(boss.run(stop))
        while not boss.ready:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.02)
        look(boss)
        stop.set()
        await task

    asyncio.run(main())
    assert states.index(("a", "up")) < states.index(("b", "preparing"))
    assert states.index(("b", "stopped")) < states.index(("a", "stopped"))
    assert not any(psutil.pid_exists(p.pid) for p in boss.processes)
    assert runfile.read(tmp_path) is None


def test_a_patient_one_boots_beside_what_it_needs(tmp_path: Path) -> None:
    """It is spawned while the other is not healthy yet, and stopped before it all the same."""
    gate = tmp_path / "gate"
    slow = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)\n{SERVE}"
    opens = f"import pathlib; pathlib.Path({str(gate)!r}).touch(); {SERVE}"  # the slow one waits for the patient one
    patient = Toy(tmp_path, "b", opens, needs=("a",))
    patient.patient = True
    supervise(tmp_path, [Toy(tmp_path, "a", slow), patient], lambda boss: None)


def test_what_is_spawned_early_is_not_called_up_before_its_ground_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        ground, told = asyncio.Event(), []
        process = Process(Toy(tmp_path, "a"), lambda: told.append(process.state), ground)
        starting = asyncio.create_task(process.start())
        while not (process.component.data / "up").exists():  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert "up" not in told
        ground.set()
        await starting
        assert told[-1] == "up"
        await process.stop()

    asyncio.run(main())


def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    def kill(boss: Supervisor) -> None:
        (process,) = boss.processes
        old = process.pid
        os.kill(old, signal.SIGKILL)
        until(lambda: process.state == "up" and process.pid != old)
        assert process.restarts == 1

    supervise(tmp_path, [Toy(tmp_path, "a")], kill)


def test_a_process_that_keeps_failing_waits_longer_and_shows_its_log(tmp_path: Path) -> None:
    code = "import pathlib, sys, time; pathlib.Path('up').touch(); time.sleep(0.3); sys.exit('no disk')"

    def watch(boss: Supervisor) -> None:
        (process,) = boss.processes
        until(lambda: process.restarts >= 3 and process.state == "restarting")
        assert "no disk" in process.note
        assert str(process.component.log) in process.note

    supervise(tmp_path, [Toy(tmp_path, "a", code)], watch)


def test_one_that_cannot_even_be_spawned_for_a_while_comes_back(tmp_path: Path) -> None:
    class Refused(Toy):
        refusals: list[BaseException]

        def command(self) -> list[str]:
            if self.refusals:
                raise self.refusals.pop()
            return super().command()

    toy = Refused(tmp_path, "a")
    toy.refusals = []
    notes: list[str] = []

    def kill(boss: Supervisor) -> None:
        (process,) = boss.processes
        boss._show = lambda _: notes.append(process.note) if process.state == "failed" else None
        toy.refusals = [OSError(11, "Resource temporarily unavailable"), psutil.NoSuchProcess(1)]
        old = process.pid
        os.kill(old, signal.SIGKILL)
        until(lambda: process.state == "up" and process.pid != old)
        assert process.restarts == 3

    supervise(tmp_path, [toy], kill)
    assert len(notes) == 2
    assert "Toy cannot be started (NoSuchProcess: " in notes[0]
    assert "Resource temporarily unavailable" in notes[1]


def test_waits_grow_while_one_that_was_up_for_long_cannot_be_spawned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long the last process ran says nothing of the starts that failed since."""
    waits: list[float] = []

    async def main() -> None:
        process = Process(Toy(tmp_path, "a"), lambda: None)
        await process.start()
        process.started -= 3600.0

        async def refuse() -> None:
            raise OSError(11, "Resource temporarily unavailable")

        async def wait(delay: float) -> None:
            waits.append(delay)
            if len(waits) == 4:
                raise asyncio.CancelledError

        monkeypatch.setattr(process, "_spawn", refuse)
        assert process._child is not None
        process._child.kill()
        await process._child.wait()
        monkeypatch.setattr(asyncio, "sleep", wait)
        with pytest.raises(asyncio.CancelledError):
            await process.keep()

    asyncio.run(main())
    assert waits == [0.0, 1.0, 2.0, 4.0]


def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    code = "import sys; sys.exit('OSError: [Errno 28] No space left on device')"
    with pytest.raises(ComponentFailed) as error:
        supervise(tmp_path, [Toy(tmp_path, "a", code)], lambda _: None)
    text = str(error.value)
    assert "ended with code 1 while starting" in text
    assert "No space left on device" in text
    assert "make room on the disk" in text
    assert str(tmp_path / "logs" / "a.log") in text


def test_a_second_one_on_the_same_home_is_refused(tmp_path: Path) -> None:
    def second(_: Supervisor) -> None:
        with pytest.raises(AlreadyRunning, match="doudi down"):
            supervise(tmp_path, [Toy(tmp_path, "a")], lambda _: None)

    supervise(tmp_path, [Toy(tmp_path, "a")], second)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(FolderUnusable, match="DOUDI_HOME"):
        supervise(tmp_path, [Toy(tmp_path, "a")], lambda _: None)


def test_a_stopped_process_still_ends(tmp_path: Path) -> None:
    boss = supervise(tmp_path, [Toy(tmp_path, "a")], lambda b: os.kill(b.processes[0].pid, signal.SIGSTOP))
    assert not psutil.pid_exists(boss.processes[0].pid)


def test_leftovers_of_a_crash_are_ended_but_no_stranger(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        entry = runfile.Entry("a", left.pid, psutil.Process(left.pid).create_time(), "up", "", "", "")
        again = runfile.Entry("b", stranger.pid, 1.0, "up", "", "", "")
        (tmp_path / "run").mkdir()
        runfile.write(tmp_path, runfile.RunFile(1, 1.0, True, {}, (entry, again)))
        supervise(tmp_path, [Toy(tmp_path, "c")], lambda _: None)
        assert not psutil.pid_exists(left.pid)
        assert stranger.poll() is None
    finally:
        for child in (left, stranger):
            child.kill()
            child.wait()


def test_a_failure_tells_the_cause_that_later_lines_push_out() -> None:
    lines = ["start", "t ERROR the port is taken", *(f"closing {n}" for n in range(20))]
    shown = telling(lines)
    assert shown[0] == "t ERROR the port is taken"
    assert shown[1:] == lines[-8:]
    assert telling(lines[-8:]) == lines[-8:]


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists() or os.geteuid() != 0, reason="root alone may favour a session"
)
def test_a_favoured_component_comes_first(tmp_path: Path) -> None:
    first, plain = Toy(tmp_path, "first"), Toy(tmp_path, "plain")
    first.favour = -7
    shares: dict[str, str] = {}

    def look(boss: Supervisor) -> None:
        for process in boss.processes:
            shares[process.component.name] = Path(f"/proc/{process.pid}/autogroup").read_text().split()[-1]

    supervise(tmp_path, [first, plain], look)
    assert shares == {"first": "-7", "plain": "0"}


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="sessions share by themselves on Linux only")
def test_a_session_of_somebody_else_is_left_as_it_is() -> None:
    share = Path("/proc/self/autogroup").read_text()
    child = subprocess.Popen(["sleep", "60"])  # in our session, which it does not lead
    try:
        favour(child.pid, 3)
    finally:
        child.kill()
        child.wait()
    assert Path("/proc/self/autogroup").read_text() == share


def test_who_may_not_favour_is_not_stopped_by_it() -> None:
    favour(2**22 + 1, -7)  # no such process: refused as without the right
