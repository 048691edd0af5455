"""A hub from hub.condition to HTTP for tests: casework, projection and gateway on the real servers.

``start`` runs real processes, for what a kill or a restart does; ``here`` runs the same code in threads
of the test, without Faust around it, for everything else.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import redis
import uvicorn
from confluent_kafka import Message, TopicPartition

from agents.casework.worker import Worker
from agents.columns import Columns, instants
from agents.projection.projector import TOPICS
from agents.projection.worker import Views
from agents.slices import Slice
from agents.tasks import TaskAgent
from doudi.embedded.hub import environment
from gateway.app import RUNFILE, _Server, create_app
from gateway.asking import KafkaAsking
from gateway.client import connect
from gateway.laws import Laws
from gateway.outgoing import KafkaOutgoing
from gateway.users import Users
from schemas import load
from schemas.codec import encode
from schemas.topics import TOPICS as TABLE
from wire.kafka import Publisher, consumer, partitions_of, producer, publish_and_wait
from wire.lawbook import Lawbook
from wire.reading import read_all
from wire.rediskeys import RedisKeys
from wire.registry import Registry
from wire.secrets import Secrets
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
    "state": "standing",
    "stage": "persons",
    "state_partition": 0,
    "seq": 1,
    "rule": "R01",
    "rule_version": 1,
    "subject_kind": "person",
    "episode": "2026",
    "household_key": "",
    "division": VILLAGE,
    "tier": "tekun",
    "rule_class": "entry",
    "kind": "alert",
    "department": "civil",
    "level": "orange",
    "step": 1,
    "deadline_days": 5,
    "cause": "",
    "superseded_by": "",
    "evidence": json.dumps({"year": 2026, "self_pay_fen": 150000, "bills": 2, "tier": "tekun"}),
    "thresholds": json.dumps({"annual_self_pay_fen": {"value": 100000, "from": "2020-01-01", "region": ""}}),
    "records": json.dumps([{"topic": "medical.settlement", "partition": 0, "offset": 3, "record_id": "S1"}]),
    "baseline": False,
    "as_of": date(2026, 3, 2),
}
TASK = {
    "rule": "R09",
    "kind": "task",
    "department": "medical",
    "rule_class": "entitlement",
    "level": "yellow",
    "step": 0,
    "deadline_days": 10,
    "evidence": json.dumps({"entry_tier": "dibao", "entry_start_on": "2026-03-01"}),
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
    threads: dict[str, Thread] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
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

    def here(self, *names: str) -> None:
        """Run in threads of this process: casework, projection, tasks, gateway."""
        for name in names:
            self.threads[name] = Thread(self.settings, name)

    def leave(self, name: str) -> None:
        """End a thread."""
        self.threads.pop(name).stop()

    def stop(self) -> None:
        """End everything that still runs."""
        for name in list(self.threads):
            self.leave(name)
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
            self.settings,
            self.settings.topic("hub.condition"),
            mark.encode(),
            self.value("hub.condition", row),
        )
        return self.epoch

    def row(self, condition_id: str = "", **changes: Any) -> dict[str, Any]:
        """A row of hub.condition; a new person unless ``subject_key`` says who."""
        now = datetime.now(UTC)
        row = {
            **CONDITION,
            "epoch": self.epoch,
            "caused_at": now,
            "decided_at": now,
            "subject_key": key(),
            **changes,
        }
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
        self.publish(
            {
                **row,
                "epoch": self.epoch,
                "state": "ended",
                "cause": cause,
                "superseded_by": by,
                "decided_at": datetime.now(UTC),
            }
        )

    def events(self) -> list[dict[str, Any]]:
        """Everything in hub.case, with offsets."""
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
                b"string": self.redis.get,
                b"hash": self.redis.hgetall,
                b"zset": lambda n: self.redis.zrange(n, 0, -1, withscores=True),
                b"set": self.redis.smembers,
                b"stream": self.redis.xrange,
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
        if user not in self.tokens:
            answer = httpx.post(f"{self.url}/v1/token", json={"username": user, "password": PASSWORD}, timeout=30)
            assert answer.status_code == 200, answer.text
            self.tokens[user] = answer.json()["token"]
        return httpx.Client(base_url=self.url, timeout=30, headers={"Authorization": f"Bearer {self.tokens[user]}"})


class Thread:
    """One part of the hub in a thread; ``stop`` raises what ended it."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings, self._stopping = settings, threading.Event()
        self._failed: BaseException | None = None
        self._server: _Server | None = None
        if name == "gateway":
            (settings.home / RUNFILE).unlink(missing_ok=True)
        self._thread = threading.Thread(target=self._guarded, args=(getattr(self, f"_{name}"),), name=name)
        self._thread.start()

    def stop(self) -> None:
        """Orderly, as at SIGTERM."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._failed is not None:
            raise self._failed

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            self._failed = error

    def _casework(self) -> None:
        with closing(Worker(self._settings)) as worker:
            at = worker.acquire()
            self._follow({(t, 0): p for t, p in at.items()}, worker.apply)

    def _projection(self) -> None:
        with closing(Views(self._settings)) as views:
            at = {
                (t, p): views.projector.position(t, p)
                for t in TOPICS
                for p in range(partitions_of(self._settings, TABLE[t]))
            }
            self._follow(at, views.apply)

    def _tasks(self) -> None:
        with closing(TaskAgent(self._settings, self._stopping)) as agent:
            agent.start()
            while not self._stopping.is_set():
                agent.step(0.1)

    def _gateway(self) -> None:
        settings = self._settings
        with Registry(settings.registry, settings.namespace) as registry:
            outgoing = KafkaOutgoing(settings, registry, producer(settings, linger_ms=0))
            client = connect(settings)
            asking = KafkaAsking(settings, registry)
            laws, secrets = Laws(Lawbook(settings, registry)), Secrets.load(settings.secrets_dir)
            app = create_app(settings, client, outgoing, asking, laws, secrets)
            config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1, lifespan="on")
            self._server = _Server(config, settings.home / RUNFILE)
            self._server.run()
            outgoing.close()

    def _follow(self, at: dict[tuple[str, int], int], apply: Callable[[Slice], None]) -> None:
        client = consumer(self._settings, f"follow-{uuid.uuid4().hex}")
        names = {self._settings.topic(t): t for t, _ in at}
        client.assign([TopicPartition(self._settings.topic(t), p, n) for (t, p), n in at.items()])
        while not self._stopping.is_set():
            parts: dict[tuple[str, int], list[Message]] = {}
            for message in client.consume(500, 0.05):
                if message.error() is None:
                    parts.setdefault((message.topic(), message.partition()), []).append(message)
            for (topic, partition), some in parts.items():
                offsets = [m.offset() for m in some]
                start, end = at[names[topic], partition], offsets[-1] + 1
                at[names[topic], partition] = end
                apply(
                    Slice(
                        topic,
                        partition,
                        start,
                        end,
                        offsets,
                        [m.key() for m in some],
                        [m.value() for m in some],
                        some[0].timestamp()[1],
                        some[-1].timestamp()[1],
                    )
                )
        client.close()


@contextmanager
def rig(settings: Settings, *names: str) -> Iterator[Rig]:
    """A rig with these parts in threads, stopped at the end."""
    made = Rig(settings)
    made.users()
    try:
        made.here(*names)
        yield made
    finally:
        made.stop()
        made.close()
