"""A hub from hub.condition to HTTP for tests: real processes of casework, projection and gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import redis

from doudi.embedded.hub import environment
from gateway.users import Users
from schemas import load
from schemas.codec import encode
from wire.kafka import Publisher, publish_and_wait, read_all
from wire.rediskeys import RedisKeys
from wire.registry import Registry
from wire.settings import Settings

ROOT = Path(__file__).parents[2]
COUNTY = "990101"
TOWN = "990101001"
OTHER_TOWN = "990101002"
VILLAGE = "990101001001"
PASSWORD = "correct horse battery"
USERS = {
    "town": ("township", "civil", TOWN),
    "othertown": ("township", "civil", OTHER_TOWN),
    "county": ("county", "civil", COUNTY),
    "medical": ("department", "medical", COUNTY),
    "disability": ("department", "disability", COUNTY),
    "auditor": ("auditor", "civil", COUNTY),
}
CONDITION: dict[str, Any] = {
    "state": "standing", "stage": "persons", "state_partition": 0, "seq": 1, "rule": "R01", "rule_version": 1,
    "subject_kind": "person", "episode": "2026", "household_key": "", "division": VILLAGE, "tier": "tekun",
    "rule_class": "entry", "kind": "alert", "department": "civil", "level": "orange", "step": 1,
    "deadline_days": 5, "cause": "", "superseded_by": "",
    "evidence": json.dumps({"year": 2026, "self_pay_fen": 150000, "bills": 2, "tier": "tekun"}),
    "thresholds": json.dumps({"annual_self_pay_fen": {"value": 100000, "from": "2020-01-01", "region": ""}}),
    "records": json.dumps([{"topic": "medical.settlement", "partition": 0, "offset": 3, "record_id": "S1"}]),
    "baseline": False, "as_of": date(2026, 3, 2),
}
TASK = {
    "rule": "R09", "kind": "task", "department": "medical", "rule_class": "entitlement", "level": "yellow",
    "step": 0, "deadline_days": 10, "evidence": json.dumps({"entry_tier": "dibao", "entry_start_on": "2026-03-01"}),
}


def key() -> str:
    """A new person or household key."""
    return uuid.uuid4().hex


def wait(what: Callable[[], Any], seconds: float = 90.0) -> Any:
    """The first true answer within so many seconds."""
    until = time.monotonic() + seconds
    while True:
        if found := what():
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


@dataclass
class Rig:
    """One hub and what runs of it."""

    settings: Settings
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    epoch: int = 0

    def __post_init__(self) -> None:
        self.registry = Registry(self.settings.registry, self.settings.namespace)
        self.publisher = Publisher(self.settings)
        self.redis = redis.Redis.from_url(self.settings.redis)
        self.keys = RedisKeys(self.settings.namespace)

    # processes

    def start(self, *names: str, **extra: str) -> None:
        """Start processes: casework, projection, gateway."""
        for name in names:
            arguments = ["gateway"] if name == "gateway" else ["worker", name]
            if name == "gateway":
                (self.settings.home / "run" / "gateway.json").unlink(missing_ok=True)
            env = {**os.environ, **environment(self.settings), **extra}
            with (self.settings.home / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [sys.executable, "-m", "doudi", *arguments], cwd=ROOT, env=env, stdout=log, stderr=log
                )

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self.running.pop(name)
        process.kill()
        process.wait(10)

    def stop(self) -> None:
        """End everything that still runs."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        self.running.clear()

    def close(self) -> None:
        """Close our own connections."""
        self.registry.close()
        self.redis.close()

    def log(self, name: str) -> str:
        """What a process has logged."""
        return (self.settings.home / f"{name}.log").read_text(errors="replace")

    # the inside

    def value(self, topic: str, row: dict[str, Any]) -> bytes:
        """A framed message."""
        return encode(load.of_topic(topic), [row], self.registry.id_of(topic))[0]

    def own(self, stage: str = "persons", partition: int = 0) -> int:
        """Publish an owner record; the epoch from now on."""
        mark = f"owner:{stage}:{partition}"
        row = self.row(mark, state="owner", stage=stage, state_partition=partition, rule="", subject_key="")
        _, self.epoch = publish_and_wait(
            self.settings, self.settings.topic("hub.condition"), mark.encode(), self.value("hub.condition", row)
        )
        return self.epoch

    def row(self, condition_id: str = "", **changes: Any) -> dict[str, Any]:
        """A row of hub.condition; a new person unless ``subject_key`` says who."""
        now = datetime.now(UTC)
        row = {**CONDITION, "epoch": self.epoch, "caused_at": now, "decided_at": now, "subject_key": key(), **changes}
        row["condition_id"] = condition_id or f"{row['rule']}:{row['subject_key']}:{row['episode']}"
        return row

    def publish(self, *rows: dict[str, Any], topic: str = "hub.condition") -> None:
        """Publish rows and wait until Kafka has them."""
        for row in rows:
            name = ":".join(str(row[f]) for f in load.key_fields(topic))
            self.publisher.send(self.settings.topic(topic), name.encode(), self.value(topic, row))
        self.publisher.flush()

    def raise_(self, **changes: Any) -> dict[str, Any]:
        """Publish a new condition; returns its row."""
        row = self.row(**changes)
        self.publish(row)
        return row

    def end(self, row: dict[str, Any], cause: str, by: str = "") -> None:
        """Publish the ending of a condition."""
        self.publish({**row, "epoch": self.epoch, "state": "ended", "cause": cause, "superseded_by": by,
                      "decided_at": datetime.now(UTC)})

    def events(self) -> list[dict[str, Any]]:
        """Everything in hub.case, with offsets."""
        from agents.columns import Columns, instants

        columns, found = Columns(self.registry), []
        for batch in read_all(self.settings, self.settings.topic("hub.case")):
            frame, bad = columns.frame("hub.case", batch.keys, batch.values, batch.offsets)
            assert not bad
            found += instants(frame).to_dicts()
        return found

    def case_of(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """The case's document in Redis that holds a condition."""
        name = self.redis.hget(self.keys.standing, row["condition_id"])
        return self.document(name.decode()) if name else None

    def document(self, case_id: str) -> dict[str, Any] | None:
        """A case's document in Redis."""
        raw = self.redis.get(self.keys.case(case_id))
        return json.loads(raw) if raw else None

    def snapshot(self) -> dict[str, Any]:
        """Every projected key with its value."""
        skip = tuple(self.keys.everything[:-1] + n for n in ("metrics:", "ticket:", "attempts:", "hold"))
        found: dict[str, Any] = {}
        for raw in self.redis.scan_iter(self.keys.everything):
            name = raw.decode()
            if name.startswith(skip):
                continue
            kind = self.redis.type(name)
            found[name] = {
                b"string": lambda n: self.redis.get(n),
                b"hash": lambda n: self.redis.hgetall(n),
                b"zset": lambda n: self.redis.zrange(n, 0, -1, withscores=True),
                b"set": lambda n: self.redis.smembers(n),
                b"stream": lambda n: self.redis.xrange(n),
            }[kind](name)
        return found

    # the outside

    def users(self) -> None:
        """One user of each kind."""
        users = Users(self.settings.secrets_dir)
        for name, (role, department, division) in USERS.items():
            users.put(name, PASSWORD, name, role, department, division)

    @property
    def url(self) -> str:
        """The gateway's address, once it listens."""
        file = self.settings.home / "run" / "gateway.json"

        def ready() -> str:
            if not file.exists():
                return ""
            url = str(json.loads(file.read_text())["url"])
            try:
                return url if httpx.get(f"{url}/healthz", timeout=1).is_success else ""
            except httpx.HTTPError:
                return ""

        return str(wait(ready))

    def client(self, user: str) -> httpx.Client:
        """A signed-in client."""
        client = httpx.Client(base_url=self.url, timeout=10)
        answer = client.post("/v1/token", json={"username": user, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client


@contextmanager
def rig(settings: Settings, *names: str) -> Iterator[Rig]:
    """A rig with processes, stopped at the end."""
    made = Rig(settings)
    made.users()
    try:
        made.start(*names)
        yield made
    finally:
        made.stop()
        made.close()
