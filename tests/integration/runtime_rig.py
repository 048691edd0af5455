"""Drives the toy stage on a real broker: feeds bills, starts and ends workers, reads as readers do."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from confluent_kafka import KafkaException, TopicPartition

from agents.app import group
from agents.coding import Epochs, accepted
from schemas import load
from schemas.codec import decode, encode, encode_frame
from tests.integration.toy_stage import DAY, LIMIT, bills
from wire.kafka import Publisher, admin, consumer
from wire.reading import read_all
from wire.registry import Registry
from wire.settings import Settings

WORKER = Path(__file__).with_name("toy_stage.py")
PATIENCE_S = 120.0
STAGE = "persons"


class Rig:
    """A hub with the toy stage. ``truth`` is the sum per person after everything fed."""

    def __init__(self, settings: Settings, seed: int = 1) -> None:
        self.settings = settings
        self.rng = random.Random(seed)  # noqa: S311 - a fixed seed is wanted
        self.registry = Registry(settings.registry, settings.namespace)
        self.publisher = Publisher(settings)
        self.rows: dict[str, tuple[str, int, int, bool]] = {}
        self.workers: list[subprocess.Popen[bytes]] = []
        self.log = Path(settings.home) / "worker.log"
        self._records = 0

    @property
    def truth(self) -> dict[str, int]:
        """Sum in fen by person."""
        sums: dict[str, int] = {}
        for person, _, amount, gone in self.rows.values():
            sums[person] = sums.get(person, 0) + (0 if gone else amount)
        return sums

    def tick(self) -> None:
        """Begin the day in every partition."""
        value = encode(
            load.of_topic("hub.tick"),
            [{"day": DAY, "sent_at": datetime.now(UTC)}],
            self.registry.id_of("hub.tick"),
        )[0]
        for partition in range(self.settings.partitions):
            self.publisher.send(self.settings.topic("hub.tick"), str(DAY).encode(), value, partition)
        self.publisher.flush()

    def feed(self, count: int, people: int = 200, lane: str = "", *, flush: bool = True) -> None:
        """Bills: new ones, corrections, deletions and repetitions."""
        rows = []
        for _ in range(count):
            again = self.rows and self.rng.random() < 0.15
            known = self.rng.choice(list(self.rows)[-500:]) if again else None
            if known is None:
                record, person, version = f"r{self._records}", f"{self.rng.randrange(people):032x}", 1
                self._records += 1
            else:
                record, (person, version, _, _) = known, self.rows[known]
                version += 1
            amount, gone = self.rng.randrange(-2_000, 30_000), self.rng.random() < 0.05
            self.rows[record] = (person, version, amount, gone)
            rows.append((person, record, version, amount, "delete" if gone else "update"))
            if self.rng.random() < 0.03:
                rows.append(rows[-1])
        frame = bills(rows)
        topic = f"medical.settlement{lane}"
        values = encode_frame(load.of_topic(topic), frame, self.registry.id_of(topic))
        keys: list[bytes | None] = [k.encode() for k in frame["person_key"].to_list()]
        self.publisher.send_all(self.settings.topic(topic), keys, values)
        if flush:
            self.publisher.flush()

    def forget(self, topic: str) -> None:
        """Remove a topic from the broker."""
        client = admin(self.settings)
        (gone,) = client.delete_topics([self.settings.topic(topic)], operation_timeout=10).values()
        gone.result(30)

    def start(self, *arguments: str, before: Sequence[str] = (), **environment: str) -> subprocess.Popen[bytes]:
        """A worker process on this hub. ``before``: a command that runs it."""
        return self.run([*before, sys.executable, str(WORKER), *arguments], **environment)

    def environment(self) -> dict[str, str]:
        """This hub's settings as variables of a process."""
        skip = {"home", "cache", "rules", "calendar"}
        env = dict(os.environ) | {
            f"DOUDI_{name.upper()}": getattr(value, "get_secret_value", value.__str__)()
            for name, value in self.settings.model_dump().items()
            if name not in skip and value is not None
        }
        return env | {"DOUDI_HOME": str(self.settings.home)}

    def run(self, command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
        """A process on this hub, ended with the rig."""
        with self.log.open("ab") as log:
            worker = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment() | environment)
        self.workers.append(worker)
        return worker

    def wait_log(self, text: str, count: int = 1, patience: float = PATIENCE_S) -> None:
        """Until the workers have logged a text so many times."""
        until = time.monotonic() + patience
        while self.logged().count(text) < count:
            assert time.monotonic() < until, f"{text!r} not logged {count} times:\n{self.logged()[-4000:]}"
            time.sleep(0.05)

    def logged(self) -> str:
        """What the workers have logged."""
        return self.log.read_text() if self.log.exists() else ""

    def stop(self, worker: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        worker.send_signal(how)
        return worker.wait(30)

    def read(self, topic: str) -> pl.DataFrame:
        """All records of a topic that readers accept, in the order of each partition."""
        frames = []
        epochs: Epochs = {}
        schema = load.of_topic(topic)
        for batch in read_all(self.settings, self.settings.topic(topic)):
            decoded = decode(
                batch.values,
                batch.keys,
                schema,
                self.registry.writers(topic),
                key=load.key_fields(topic),
                max_bytes=8 << 20,
            )
            assert not decoded.bad
            offsets = pl.Series("_offset", batch.offsets, dtype=pl.Int64).gather(decoded.index)
            frame = decoded.frame.with_columns(offsets.alias("_offset"))
            if "epoch" in frame.columns:
                frame, greatest = accepted(frame, f"{topic}-{batch.partition}", epochs)
                epochs |= greatest
            frames.append(frame)
        empty = schema.empty().with_columns(pl.Series("_offset", [], dtype=pl.Int64))
        return pl.concat([empty, *frames])

    def standing(self) -> dict[str, int]:
        """Total by person of what stands in hub.condition."""
        last = self.read("hub.condition").unique("condition_id", keep="last", maintain_order=True)
        rows = (
            last.filter(pl.col("state") == "standing")
            .select("subject_key", pl.col("evidence").str.json_path_match("$.total").cast(pl.Int64))
            .rows()
        )
        return dict(rows)

    def members(self) -> dict[str, int]:
        """Total by person of what stands in hub.member."""
        last = self.read("hub.member").unique("person_key", keep="last", maintain_order=True)
        total = pl.col("years").list.first().struct.field("self_pay_fen")
        return dict(last.select("person_key", total).rows())

    def right(self) -> bool:
        """What stands in Kafka is what follows from the rows."""
        truth = self.truth
        return self.standing() == {p: t for p, t in truth.items() if t > LIMIT} and self.members() == truth

    def settle(self, patience: float = PATIENCE_S) -> None:
        """Wait until everything is right; fail with the difference."""
        until = time.monotonic() + patience
        while not self.right():
            if time.monotonic() > until:
                truth, standing, members = self.truth, self.standing(), self.members()
                wanted = {p: t for p, t in truth.items() if t > LIMIT}
                lines = [f"standing {len(standing)}/{len(wanted)}, members {len(members)}/{len(truth)}"]
                lines += [
                    f"{p}: {standing.get(p)} {wanted.get(p)}"
                    for p in sorted(standing.keys() | wanted.keys())
                    if standing.get(p) != wanted.get(p)
                ][:5]
                raise AssertionError("\n".join([*lines, self.logged()[-5000:]]))
            time.sleep(0.3)

    def begun_twice(self) -> list[Any]:
        """Conditions that were published again without any change."""
        rows = self.read("hub.condition").sort("_offset").select("condition_id", "state", "evidence").rows()
        last: dict[str, tuple[str, str]] = {}
        again = []
        for key, state, evidence in rows:
            if last.get(key) == (state, evidence):
                again.append(key)
            last[key] = (state, evidence)
        return again

    def forget_offsets(self) -> None:
        """Remove the group of the killed workers, once the broker knows that they are gone."""
        client, until, name = admin(self.settings), time.monotonic() + PATIENCE_S, group(self.settings, STAGE)
        while True:
            try:
                client.delete_consumer_groups([name])[name].result(PATIENCE_S)
                return
            except KafkaException:
                assert time.monotonic() < until
                time.sleep(0.5)

    def unread(self) -> dict[tuple[str, int], int]:
        """By topic and partition, how many records of the stage's inputs its group has not committed yet."""
        reader = consumer(self.settings, STAGE)
        try:
            found = reader.committed([TopicPartition(t, p) for t, p in self._inputs()], timeout=10)
            ends = {(tp.topic, tp.partition): reader.get_watermark_offsets(tp, timeout=10)[1] for tp in found}
        finally:
            reader.close()
        return {
            (tp.topic, tp.partition): ends[tp.topic, tp.partition] - max(tp.offset, 0)
            for tp in found
            if ends[tp.topic, tp.partition] > max(tp.offset, 0)
        }

    def _inputs(self) -> list[tuple[str, int]]:
        names = ("medical.settlement", "hub.tick")
        return [(self.settings.topic(name), p) for name in names for p in range(self.settings.partitions)]

    def close(self) -> None:
        """End everything started."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
                worker.wait()
        self.registry.close()


@contextmanager
def rig(settings: Settings, seed: int = 1) -> Iterator[Rig]:
    """A rig that leaves no process behind."""
    one = Rig(settings, seed)
    try:
        yield one
    finally:
        one.close()
