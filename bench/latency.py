"""End to end: from Kafka through every stage into Redis; throughput of a load, latency at a steady rate."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.data import Load, person_key, roster, settlements
from bench.load import day, prepare, publish
from doudi.demo.observe import Hub, Observer
from doudi.embedded.hub import program_environment
from schemas.codec import encode
from schemas.load import of_topic
from wire.kafka import Publisher
from wire.settings import Settings

Say = Callable[[str], None]
STAGES = ("households", "casework", "projection", "persons")
RATE, SECONDS, EVERY = 500, 30, 25
"""Records a second, for so long; each so-manieth begins a condition of somebody new."""
PATIENCE_S = 300.0


@contextmanager
def workers(settings: Settings) -> Iterator[None]:
    """One worker a stage."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "doudi", "worker", stage],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=program_environment(settings) | _inherited(),
        )
        for stage in STAGES
    ]
    try:
        yield
    finally:
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _inherited() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("DOUDI_")}


def _named(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"namespace": f"{name}.", "home": settings.home.parent / name})


def end_to_end(settings: Settings, load: Load, say: Say) -> dict[str, Any]:
    """Records a second from the workers' start on a full topic until everything stands in Redis."""
    mine = _named(settings, "load")
    registry = prepare(mine)
    publish(mine, registry, "civil.roster", roster(load))
    day(mine, registry)
    publish(mine, registry, "medical.settlement", settlements(load))
    hub = Hub(mine)
    began = time.time()
    with workers(mine):
        seconds = hub.wait_quiet(PATIENCE_S, settle_s=2.0) - began
    found = {
        "records": load.settlements,
        "seconds": round(seconds, 1),
        "records_per_s": round(load.settlements / seconds),
        "includes": "start of four workers",
    }
    say(f"end to end: {found['records_per_s']:,} records/s")
    return found


def steady(settings: Settings, say: Say) -> dict[str, Any]:
    """Milliseconds from a record's sending until its case is readable in Redis, at a steady rate."""
    mine = _named(settings, "steady")
    registry = prepare(mine)
    load = Load(100_000, 200_000)
    publish(mine, registry, "civil.roster", roster(load))
    day(mine, registry)
    publish(mine, registry, "medical.settlement", settlements(load))
    hub = Hub(mine)
    with workers(mine):
        hub.wait_quiet(PATIENCE_S, settle_s=3.0)
        observer = Observer(mine)
        observer.start()
        sent = _send(mine, registry.id_of("medical.settlement"), load)
        hub.wait_quiet(PATIENCE_S, settle_s=2.0)
        observer.stop()
    delays = [(observer.seen[c] - at) * 1000 for c, at in sent.items() if c in observer.seen]
    p50, p99 = (round(float(v), 1) for v in np.percentile(delays or [0.0], (50, 99)))
    found = {
        "records_per_s": RATE,
        "seconds": SECONDS,
        "samples": len(delays),
        "lost": len(sent) - len(delays),
        "p50_ms": p50,
        "p99_ms": p99,
    }
    say(f"steady: p50 {p50} ms, p99 {p99} ms")
    return found


def _send(settings: Settings, schema_id: int, load: Load) -> dict[str, float]:
    """Send at the rate; condition ids that begin, with the time of sending."""
    publisher, schema = Publisher(settings), of_topic("medical.settlement")
    topic = settings.topic("medical.settlement")
    sent: dict[str, float] = {}
    began = time.monotonic()
    for i in range(RATE * SECONDS):
        time.sleep(max(0.0, began + i / RATE - time.monotonic()))
        grave = i % EVERY == 0
        person = person_key(load.people + i)
        now = dt.datetime.now(dt.UTC)
        [value] = encode(
            schema,
            [
                {
                    "event_id": f"steady-{i}",
                    "source": "bench.steady",
                    "source_epoch": 1,
                    "record_id": f"T{i}",
                    "record_version": 1,
                    "op": "create",
                    "person_key": person,
                    "division": "990101101102",
                    "occurred_at": now,
                    "published_at": now,
                    "setl_time": dt.datetime(2026, 11, 19, tzinfo=dt.UTC),
                    "psn_part_amt_fen": 1_600_000 if grave else 1_000,
                    "vali_flag": "1",
                }
            ],
            schema_id,
        )
        if grave:
            sent[f"R04:{person}:2026"] = time.time()
        publisher.send(topic, person.encode(), value)
        publisher.poll()
    publisher.flush()
    return sent
