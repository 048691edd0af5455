"""task.<department>: what a department has to do, in its own pseudonym, only the fields that it needs.

Every version of a task goes out exactly once: messages and the position in hub.case are one Kafka
transaction, and the transaction's id lets only the newest owner write. Read with read_committed.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from agents.app import die
from agents.columns import Columns, instants
from agents.errors import BrokerError
from domain.errors import Permanent
from domain.persons import pseudonym
from domain.rules import Rule
from domain.sealing import seal_to
from schemas import load as schemas
from schemas.codec import encode
from schemas.topics import DEPARTMENTS, TOPICS
from wire.kafka import consumer, partitions_of, producer
from wire.lawbook import Lawbook
from wire.reading import end_offsets
from wire.rediskeys import RedisKeys
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

log = logging.getLogger("doudi.tasks")

CASES, IDENTITIES = "hub.case", "hub.identity"
_BATCH = 500
_GATHER_S = 0.2
"""A transaction costs Kafka much more than what is in it: tasks of a moment go out together."""
_PATIENCE_MS = 3000
"""How long after an event a task waits for the identity, which may be published after it by another topic."""
_POLL_S = 0.1
_LONG_S = 10.0
"""Who waits longer for identities says so."""
_LONGEST_S = 90.0
"""A transaction's calls have time-outs of 30 s, but a client that has lost its coordinator may not keep them."""
_AWAY = (redis.ConnectionError, redis.TimeoutError)


class TaskMaker:
    """Makes messages of case events. ``identities``: documents of the vault by person key."""

    def __init__(self, secrets: Secrets, rule: Callable[[str, int], Rule | None]) -> None:
        """``rule``: a rule by its id and version."""
        self._secrets, self._rule = secrets, rule

    def task(self, row: Mapping[str, Any], document: Mapping[str, Any] | None) -> dict[str, Any]:
        """The record of task.<department> for an event of a task's case."""
        keys = self._secrets.departments[row["department"]]
        condition = row["conditions"][0]
        rule = self._rule(condition["rule"], condition["rule_version"])
        wanted = rule.purpose_fields if rule else ()
        evidence = orjson.loads(condition["evidence"] or b"{}")
        identity = self._identity(row, document)
        return {
            "task_id": row["case_id"],
            "version": row["version"],
            "state": row["state"],
            "rules": [c["rule"] for c in row["conditions"]],
            "title_zh": rule.title_zh if rule else condition["rule"],
            "title_en": rule.title_en if rule else condition["rule"],
            "division": row["division"],
            "tier": condition["tier"],
            "person": pseudonym(row["subject_key"], keys.pseudonym),
            "sealed_identity": seal_to(keys.pair.public, orjson.dumps(identity)) if identity else b"",
            "facts": orjson.dumps({f: evidence[f] for f in wanted if f in evidence}).decode(),
            "opened_at": row["opened_at"],
            "due_on": row["due_on"],
            "outcome": row["outcome"],
            "at": row["at"],
        }

    def _identity(self, row: Mapping[str, Any], document: Mapping[str, Any] | None) -> dict[str, str | None] | None:
        if document is None or row["state"] == "closed":
            return None
        try:
            opened = self._secrets.vault.open(
                row["subject_key"],
                document["key_id"],
                base64.b64decode(document["wrapped_key"]),
                base64.b64decode(document["sealed"]),
            )
        except Permanent as error:  # forgotten, or sealed under a key that is not here
            log.warning("the identity for task %s cannot be opened: %s", row["case_id"], error.code)
            return None
        return {name: opened.get(name) for name in ("name", "id_number")}


def _told(row: Mapping[str, Any]) -> bool:
    """Whether an event is the department's to know: of a task, not of one that the county still reviews."""
    return row["kind"] == "task" and row["state"] != "held" and row["event"] not in ("refused", "repeated")


class Identities:
    """Documents of the vault in Redis, waited for while the projection has not yet all of hub.identity."""

    def __init__(
        self, client: redis.Redis, keys: RedisKeys, ends: Callable[[], Mapping[int, int]], stopping: threading.Event
    ) -> None:
        """``ends``: where the partitions of hub.identity end now. ``stopping``: ends every wait."""
        self._redis, self._keys, self._ends, self._stopping = client, keys, ends, stopping

    def of(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None] | None:
        """The document of each event's person, None where the hub has none; None for all when asked to stop.

        Raises what ``ends`` raises.
        """
        wanted = [self._keys.vault(r["subject_key"]) for r in rows]
        ends: Mapping[int, int] | None = None
        began, told = time.monotonic(), False
        while rows and not self._stopping.is_set():
            found, reached = self._look(wanted, ends)
            missing = [r for r, d in zip(rows, found, strict=True) if d is None and r["state"] != "closed"]
            if not missing or reached:
                return [orjson.loads(d) if d else None for d in found]
            if ends is None and time.time() * 1000 - max(r["at"] for r in missing) > _PATIENCE_MS:
                ends = self._ends()
                continue
            if not told and time.monotonic() - began > _LONG_S:
                log.warning("tasks wait for identities: Redis is away, or has not yet all of %s", IDENTITIES)
                told = True
            self._stopping.wait(_POLL_S)
        return None if rows else []

    def _look(self, wanted: Sequence[str], ends: Mapping[int, int] | None) -> tuple[Sequence[bytes | None], bool]:
        """What is there of the documents, and whether all that was published up to ``ends`` is in Redis."""
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                # At one moment: a rebuild clears the documents before the positions.
                pipe.mget(wanted)
                pipe.exists(self._keys.hold)
                pipe.hgetall(self._keys.position)
                found, held, at = pipe.execute()
        except _AWAY:
            return [None] * len(wanted), False
        if ends is None or held:
            return found, False
        return found, all(int(at.get(f"{IDENTITIES}:{p}".encode(), 0)) >= end for p, end in ends.items())


class TaskAgent:
    """Follows hub.case and publishes tasks, one transaction a batch."""

    def __init__(self, settings: Settings, stopping: threading.Event) -> None:
        """``stopping``: ends every wait; what waits for identities is published at the next start."""
        self._settings, self._stopping = settings, stopping
        self._registry = registry = Registry(settings.registry, settings.namespace)
        self._columns = Columns(registry)
        self._maker = TaskMaker(Secrets.load(settings.secrets_dir), Lawbook(settings, registry, checked=False).rule)
        self._schema = schemas.of_topic(f"task.{DEPARTMENTS[0]}")
        self._ids = {d: registry.id_of(f"task.{d}") for d in DEPARTMENTS}
        self._redis = redis.Redis.from_url(settings.redis, socket_timeout=10, socket_connect_timeout=5, retry=None)
        self._identities = Identities(self._redis, RedisKeys(settings.namespace), self._identity_ends, stopping)
        self._topic = settings.topic(CASES)
        self._epoch = -1
        self._consumer: Consumer = consumer(
            settings,
            "tasks-position",
            **{
                "isolation_level": "read_committed",
                "queued_max_messages_kbytes": 16_384,
            },
        )
        self._producer: Producer = producer(
            settings,
            transactional_id=f"{settings.namespace}doudi-tasks",
            linger_ms=0,
        )

    def start(self) -> None:
        """Shut out every earlier owner and go to where the last transaction ended."""
        self._producer.init_transactions(30)
        at = self._consumer.committed([TopicPartition(self._topic, 0)], timeout=30)[0]
        if at.error is not None:
            raise KafkaException(at.error)
        self._epoch = int(at.metadata or -1)
        self._consumer.assign([TopicPartition(self._topic, 0, max(at.offset, 0))])

    def step(self, wait_s: float = 0.5) -> int:
        """Take what is there (or wait for it), and what comes in the same moment, and publish its tasks; returns the
        records done.

        None are done when it was asked to stop while it waited: whoever starts next begins with them.
        """
        first = self._consumer.poll(wait_s)
        if first is None:
            return 0
        taken = [first, *self._consumer.consume(_BATCH, 0)]
        if len(taken) < _BATCH:
            self._stopping.wait(_GATHER_S)
            taken += self._consumer.consume(_BATCH, 0)
        messages = [m for m in taken if _good(m)]
        if not messages:
            return 0
        rows = self._rows(messages)
        end = (messages[-1].offset() or 0) + 1
        documents = self._identities.of(rows)
        if documents is None:
            return 0
        with ended_within(_LONGEST_S):
            self._producer.begin_transaction()
            for row, document in zip(rows, documents, strict=True):
                self._send(row, document)
            self._producer.send_offsets_to_transaction(
                # The epoch goes with the position: behind the owner's record nothing else tells it.
                [TopicPartition(self._topic, 0, end, str(self._epoch))],
                self._consumer.consumer_group_metadata(),
                30,
            )
            self._producer.commit_transaction(30)
        return len(messages)

    def close(self) -> None:
        """Leave Kafka, Redis and the registry."""
        self._consumer.close()
        self._redis.close()
        self._registry.close()

    def _rows(self, messages: list[Message]) -> list[dict[str, Any]]:
        frame, _ = self._columns.frame(
            CASES,
            [_bytes(m.key()) for m in messages],
            [_bytes(m.value()) for m in messages],
            [m.offset() or 0 for m in messages],
        )
        rows = []
        for row in instants(frame).to_dicts():
            if row["event"] == "owner":
                self._epoch = max(self._epoch, row["_offset"])
            elif row["epoch"] >= self._epoch:
                self._epoch = row["epoch"]
                if _told(row):
                    rows.append(row)
        return rows

    def _identity_ends(self) -> dict[int, int]:
        partitions = range(partitions_of(self._settings, TOPICS[IDENTITIES]))
        return end_offsets(self._settings, self._consumer, self._settings.topic(IDENTITIES), partitions)

    def _send(self, row: dict[str, Any], document: dict[str, Any] | None) -> None:
        department = row["department"]
        value = encode(self._schema, [self._maker.task(row, document)], self._ids[department])[0]
        self._producer.produce(self._settings.topic(f"task.{department}"), value, row["case_id"].encode())


@contextmanager
def ended_within(seconds: float) -> Iterator[None]:
    """End the process unless the block has ended by then: the next start goes on behind the last transaction."""
    late = BrokerError(
        f"a transaction of tasks did not end within {seconds:g} s. They are published at the next start."
    )
    watch = threading.Timer(seconds, die, (late, "tasks"))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


class TaskThread:
    """Runs a `TaskAgent` beside the projection, while this process owns hub.case."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, unless it runs."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="tasks", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish the batch, unless it waits for identities, and stop."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=60)
            self._thread = None

    def _run(self) -> None:
        try:
            agent = TaskAgent(self._settings, self._stopping)
            agent.start()
            while not self._stopping.is_set():
                agent.step()
            agent.close()
        except KafkaException as error:
            # Nothing is lost: the next start begins behind the last transaction that was committed.
            die(
                BrokerError(f"tasks were not published: {error.args[0].str()}. They are at the next start."),
                "tasks",
            )
        except Exception as error:
            die(error, "tasks")


def _good(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal() or error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._AUTHENTICATION):
        raise KafkaException(error)
    return False


def _bytes(value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else str(value).encode()
