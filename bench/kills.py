"""The kill test: a county's changes flow while every process is killed in turn, then the whole is compared.

Seeded; only processes that this run started are touched. ``doudi demo``'s own independent SQL judges.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import psutil

from doudi.demo import run as demo_run
from doudi.demo.compare import Comparison
from doudi.demo.errors import NotQuiet
from doudi.demo.run import Demo, Options, Session
from doudi.embedded import runfile
from doudi.embedded.hub import program_environment
from wire.settings import Settings

Say = Callable[[str], None]
SUPERVISED = (
    "worker-persons",
    "worker-households",
    "worker-casework",
    "worker-projection",
    "kafka",
    "valkey",
    "gateway",
)
CONNECTORS = ("medical", "civil", "disability")
POINTS = ("before_commit", "after_commit", "after_publish")
"""Where a second worker kills itself: around the state's commit, before publishing, before acknowledgement."""
BOOT_S = 60.0
JOIN_S = 40.0


@dataclass(frozen=True, slots=True)
class Plan:
    """``each``: kills per process. ``pauses``: a worker stopped past its session timeout and woken."""

    seed: int
    people: int = 120_000
    rate: float = 300.0
    each: int = 4
    points: int = 2
    pauses: int = 2
    patience_s: float = 300.0


@dataclass
class Report:
    """What was done and what came of it."""

    plan: Plan
    kills: Counter[str] = field(default_factory=Counter)
    waiting: list[int] = field(default_factory=list)
    """Records not yet read by whoever has to, just before each strike."""
    records: int = 0
    rows: int = 0
    compared: Comparison | None = None

    @property
    def good(self) -> bool:
        """Whether nothing is missing, extra or double."""
        return self.compared is not None and not self.compared.differences


def run(settings: Settings, plan: Plan, say: Say) -> Report:
    """Run the plan on a home of its own. Raises NotQuiet if the hub does not come to rest afterwards."""
    say(f"seed {plan.seed}")
    report = Report(plan)
    options = Options(people=plan.people, seed=plan.seed, patience_s=plan.patience_s)
    with Session(settings, options, say, loud=False) as demo, ThreadPoolExecutor(1) as pool:
        stop = threading.Event()
        demo.connectors.start()
        writing = pool.submit(demo.writer.write, demo.stream, plan.rate, stop)
        try:
            for name, strike in _strikes(demo, plan):
                if writing.done():
                    break
                waiting = _backlog(demo)
                strike()
                report.kills[name] += 1
                report.waiting.append(waiting)
                say(f"{sum(report.kills.values())}: {name}, {waiting} records waiting; {demo_backlog(demo)}")
        finally:
            stop.set()
        report.rows = writing.result().rows
        _whole(demo)
        demo_run.quiet(demo, plan.patience_s)
        report.compared = demo_run.check(demo)
        report.records = demo.hub.published()
    return report


def _backlog(demo: Demo) -> int:
    """Wait until somebody is behind, and say by how many records. Raises NotQuiet if nobody ever is."""
    until, said = time.monotonic() + 2 * BOOT_S, "nobody was behind"
    while time.monotonic() < until:
        try:
            if behind := sum(demo.hub.look().behind.values()):
                return behind
        except Exception as error:  # the broker or Redis is on its way up again
            said = f"the hub could not be asked who is behind ({type(error).__name__})"
        time.sleep(0.05)
    raise NotQuiet(f"{said}, for {2 * BOOT_S:.0f} s", str(demo.settings.home / "logs"), "see kafka.log there")


def demo_backlog(demo: Demo) -> str:
    """Who is behind right now, in words; the broker may be down."""
    try:
        return demo.hub.look().words
    except Exception as error:
        return f"not to be asked ({type(error).__name__})"


def _strikes(demo: Demo, plan: Plan) -> list[tuple[str, Callable[[], None]]]:
    chance = random.Random(plan.seed)  # noqa: S311 - not for secrets

    def pause() -> float:
        return chance.uniform(0.2, 1.5)

    found: list[tuple[str, Callable[[], None]]] = []
    for _ in range(plan.each):
        found += [(name, partial(_kill, demo, name, pause())) for name in SUPERVISED]
        found += [(f"connector-{d}", partial(_kill_connector, demo, d, pause())) for d in CONNECTORS]
    for _ in range(plan.points):
        found += [(f"second worker {p}", partial(_second, demo, p, chance.randint(1, 4))) for p in POINTS]
    found += [("asleep", partial(_sleep, demo, pause())) for _ in range(plan.pauses)]
    chance.shuffle(found)
    return found


def entry_of(settings: Settings, name: str) -> runfile.Entry:
    """A supervised process, once it is up. Raises NotQuiet if it is not for a minute."""
    until = time.monotonic() + BOOT_S
    while time.monotonic() < until:
        state = runfile.read(settings.home)
        entry = next((e for e in state.processes if e.name == name), None) if state else None
        if entry is not None and entry.alive and entry.state == "up":
            return entry
        time.sleep(0.05)
    raise NotQuiet(f"{name} was not up within {BOOT_S:.0f} s", str(settings.home / "logs"), f"see {name}.log")


def _kill(demo: Demo, name: str, pause: float) -> None:
    entry = entry_of(demo.settings, name)
    time.sleep(pause)
    if entry.alive:
        os.kill(entry.pid, signal.SIGKILL)


def _kill_connector(demo: Demo, department: str, pause: float) -> None:
    time.sleep(pause)
    demo.connectors.kill(department)
    time.sleep(pause)
    demo.connectors.start()


def _second(demo: Demo, point: str, count: int) -> None:
    """A second worker joins, takes partitions over, and dies at the given point of its cycle."""
    child = subprocess.Popen(
        [sys.executable, "-m", "doudi", "worker", "persons"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **program_environment(demo.settings), "DOUDI_FAULT": f"{point}:{count}"},
    )
    try:
        child.wait(JOIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _sleep(demo: Demo, pause: float) -> None:
    """A worker sleeps past its session timeout while another takes its partitions, then wakes."""
    time.sleep(pause)
    second = subprocess.Popen(
        [sys.executable, "-m", "doudi", "worker", "persons"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **program_environment(demo.settings)},
    )
    try:
        time.sleep(demo.settings.session_timeout_s / 2)
        sleeper = _suspended(demo, "worker-persons")
        time.sleep(demo.settings.session_timeout_s + 4)
        sleeper.resume()
        time.sleep(2)
    finally:
        second.terminate()
        try:
            second.wait(30)
        except subprocess.TimeoutExpired:
            second.kill()
            second.wait()


def _suspended(demo: Demo, name: str) -> psutil.Process:
    """The process, stopped. One that ends by itself just then (after the broker's restart) is followed by the next."""
    while True:
        process = psutil.Process(entry_of(demo.settings, name).pid)
        try:
            process.suspend()
        except psutil.NoSuchProcess:
            continue
        return process


def _whole(demo: Demo) -> None:
    """Everything runs again, and every connector has had a turn since the last change."""
    since = time.time()
    for name in SUPERVISED:
        entry_of(demo.settings, name)
    demo.connectors.start()
    demo_run.wait(lambda: not demo.connectors.silent(since), 2 * BOOT_S, lambda: demo.connectors.silent(since))
