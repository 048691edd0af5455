"""Tasks wait for identities that are on their way; a transaction that does not end ends the process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any, cast

import orjson
import pytest
import redis

from agents import tasks
from agents.errors import BrokerError
from agents.tasks import Identities, ended_within
from wire.rediskeys import RedisKeys

HANGS = """
import time
from agents.tasks import ended_within

with ended_within(0.3):
    time.sleep(60)
"""


def test_what_hangs_ends_the_process_and_says_why() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == BrokerError.exit_code
    assert "a transaction of tasks did not end within 0.3 s" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("fails", [False, True])
def test_what_ends_in_time_leaves_the_process_alone(fails: bool) -> None:
    try:
        with ended_within(0.2):
            if fails:
                raise ValueError
    except ValueError:
        assert fails
    time.sleep(0.4)  # the watch would have ended this process


LONG_AGO = 1_772_000_000_000
ENDS = {0: 2, 1: 5}
THERE = {b"hub.identity:0": b"2", b"hub.identity:1": b"5"}
DOCUMENT = {"key_id": "k0001"}


class Vault:
    """Redis as it answers: each look sees the next of ``states`` (documents, held, positions), or is refused."""

    def __init__(self, *states: tuple[list[Any], int, dict[bytes, bytes]] | Exception) -> None:
        self.states = list(states)
        self.asked_ends = 0

    def ends(self) -> dict[int, int]:
        self.asked_ends += 1
        return ENDS

    def of(self, rows: list[dict[str, Any]], stopping: threading.Event | None = None) -> Any:
        keys, client = RedisKeys(), cast("redis.Redis", self)
        return Identities(client, keys, self.ends, stopping or threading.Event()).of(rows)

    def pipeline(self, *, transaction: bool) -> Vault:
        assert transaction
        return self

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *_: object) -> None: ...

    def mget(self, wanted: list[str]) -> None:
        assert wanted == [RedisKeys().vault("p")]

    def exists(self, key: str) -> None:
        assert key == RedisKeys().hold

    def hgetall(self, key: str) -> None:
        assert key == RedisKeys().position

    def execute(self) -> Any:
        state = self.states.pop(0)
        if isinstance(state, Exception):
            raise state
        return ([orjson.dumps(d) if d else None for d in state[0]], *state[1:])


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_POLL_S", 0.0)


def row(at: int = LONG_AGO, state: str = "open") -> dict[str, Any]:
    return {"subject_key": "p", "state": state, "at": at}


@pytest.mark.parametrize(
    "before",
    [
        ([None], 0, {}),  # Redis was lost
        ([None], 0, {**THERE, b"hub.identity:1": b"4"}),  # the projection was away
        ([None], 1, THERE),  # a rebuild clears away
        redis.ConnectionError(),
    ],
)
def test_an_identity_that_redis_does_not_have_yet_is_waited_for(before: Any) -> None:
    vault = Vault(*[before] * 5, ([DOCUMENT], 0, THERE))
    assert vault.of([row()]) == [DOCUMENT]
    assert (vault.asked_ends, vault.states) == (1, [])


def test_a_person_whose_identity_the_hub_does_not_have_is_not_waited_for() -> None:
    vault = Vault(*[([None], 0, THERE)] * 2)
    assert vault.of([row()]) == [None]
    assert (vault.asked_ends, vault.states) == (1, [])


def test_within_the_patience_kafka_is_not_asked() -> None:
    vault = Vault(*[([None], 0, THERE)] * 5, ([DOCUMENT], 0, THERE))
    assert vault.of([row(at=int(time.time() * 1000) + 60_000)]) == [DOCUMENT]
    assert vault.asked_ends == 0


def test_a_closed_task_needs_no_identity() -> None:
    assert Vault(([None], 0, {})).of([row(state="closed")]) == [None]
    assert Vault().of([]) == []


def test_a_long_wait_is_told_once_and_ends_when_asked_to(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = threading.Event()

    class Stopped(Vault):
        def execute(self) -> Any:
            found = super().execute()
            if not self.states:
                stopping.set()
            return found

    monkeypatch.setattr(tasks, "_LONG_S", -1.0)
    assert Stopped(*[([None], 0, {})] * 5).of([row()], stopping) is None
    assert [r.getMessage() for r in caplog.records if "wait for identities" in r.getMessage()] == [
        "tasks wait for identities: Redis is away, or has not yet all of hub.identity"
    ]
