"""Tasks go on, each version once, when the broker is killed in the middle of their transactions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.columns import Columns
from bench.kills import entry_of
from doudi.commands.run import prepare
from doudi.embedded.hub import program_environment
from doudi.embedded.running import running
from schemas import load, samples
from schemas.codec import encode
from tests.stack import folder, fresh
from wire.kafka import Publisher
from wire.reading import read_all
from wire.registry import Registry
from wire.settings import Settings

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
PAUSES_S = (2.0, 1.5, 1.0)
"""Before each kill: the agent is at work again."""
TASKS = """
import threading
from agents.tasks import TaskThread
from wire.settings import Settings

TaskThread(Settings()).start()
threading.Event().wait()
"""


class Agent(threading.Thread):
    """The task agent in a process of its own, started again when it ends, as the supervisor does."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._environment = {**os.environ, **program_environment(settings)}
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while not self._stopping:
            self._process = subprocess.Popen([sys.executable, "-c", TASKS], env=self._environment)
            self._process.wait()

    def stop(self) -> None:
        self._stopping = True
        while self.is_alive():
            if self._process is not None:
                self._process.kill()
            self.join(0.2)


class Cases(threading.Thread):
    """Publishes an event of a new task's case every 10 ms: some wait whenever the broker is killed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self.stopping = threading.Event()
        self.sent: list[str] = []

    def run(self) -> None:
        schema, topic = load.of_topic("hub.case"), self._settings.topic("hub.case")
        with Registry(self._settings.registry) as registry:
            number = registry.id_of("hub.case")
        publisher = Publisher(self._settings)
        while not self.stopping.wait(0.01):
            row = _event(len(self.sent))
            publisher.send(topic, row["case_id"].encode(), encode(schema, [row], number)[0])
            publisher.poll()
            self.sent.append(row["case_id"])
        publisher.flush()


def _event(number: int) -> dict[str, Any]:
    row = samples.row_of(load.of_topic("hub.case"))
    row |= {"case_id": f"case-{number}", "version": 1, "kind": "task", "state": "open", "event": "opened"}
    row["conditions"][0]["evidence"] = "{}"
    return row | {"department": "medical", "epoch": 0, "at": LONG_AGO}


def _kill_kafka(settings: Settings) -> None:
    """SIGKILL, and wait until the supervisor has another one up."""
    killed = entry_of(settings, "kafka").pid
    os.kill(killed, signal.SIGKILL)
    while entry_of(settings, "kafka").pid == killed:
        time.sleep(0.1)


def _published(settings: Settings) -> Counter[tuple[str, int]]:
    with Registry(settings.registry) as registry:
        columns = Columns(registry)
        found: Counter[tuple[str, int]] = Counter()
        for batch in read_all(settings, settings.topic("task.medical")):
            frame, bad = columns.frame("task.medical", batch.keys, batch.values, batch.offsets)
            assert not bad
            found.update(frame.select("task_id", "version").iter_rows())
    return found


@pytest.mark.stack
@pytest.mark.timeout(400)
def test_tasks_go_on_when_the_broker_is_killed_within_a_transaction() -> None:
    with folder() as home, running(fresh(home), hub=False) as settings:
        prepare(settings)
        agent, cases = Agent(settings), Cases(settings)
        agent.start()
        cases.start()
        for pause in PAUSES_S:
            time.sleep(pause)
            _kill_kafka(settings)
        time.sleep(1.0)
        cases.stopping.set()
        cases.join()
        assert len(cases.sent) > 100
        until = time.monotonic() + 60
        while len(published := _published(settings)) < len(cases.sent) and time.monotonic() < until:
            time.sleep(0.5)
        agent.stop()
    assert published == Counter((case, 1) for case in cases.sent)
