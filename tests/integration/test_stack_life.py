"""One stack through its life: a killed broker, a killed supervisor, a restart; state, ports and clients
survive."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
import sqlalchemy as sa
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from doudi.embedded import runfile
from doudi.embedded.hub import environment
from doudi.embedded.running import running
from tests.stack import folder, fresh
from wire.registry import Registry
from wire.settings import Settings

COMPONENTS = {"kafka", "registry", "valkey", "postgres"}


def until(condition: Callable[[], object], seconds: float = 400.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def doudi(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "doudi", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **environment(settings)},
    )


@contextmanager
def up(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """`doudi up --only-stack`, ready."""
    with (settings.home / "up.out").open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "doudi", "up", "--only-stack"],
            stdout=out,
            stderr=out,
            env={**os.environ, **environment(settings)},
        )
    try:
        until(lambda: child.poll() is not None or ready(settings, child.pid))
        assert child.poll() is None, (settings.home / "up.out").read_text()
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
        child.wait(120)


def ready(settings: Settings, pid: int) -> bool:
    """Whether that supervisor (not one that died) has everything up."""
    run = runfile.read(settings.home)
    return run is not None and run.pid == pid and run.ready


def status(settings: Settings) -> dict[str, dict[str, object]]:
    found = json.loads(doudi(settings, "status", "--json").stdout)["components"]
    assert isinstance(found, dict)
    return found


def left(home: Path) -> list[str]:
    """Processes that still name this home."""
    return [
        " ".join(p.info["cmdline"])
        for p in psutil.process_iter(["cmdline", "status"])
        if p.info["status"] != psutil.STATUS_ZOMBIE and any(str(home) in a for a in p.info["cmdline"] or ())
    ]


def write(settings: Settings) -> None:
    """Something in each component."""
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
    producer = Producer({"bootstrap.servers": settings.kafka, "acks": "all"})
    producer.produce("kept", b"value")
    assert producer.flush(30) == 0
    with redis.Redis.from_url(settings.redis) as client:
        client.set("kept", "value")
    engine = sa.create_engine(settings.postgres)
    with engine.begin() as connection:
        connection.execute(sa.text("create table kept (x text)"))
        connection.execute(sa.text("insert into kept values ('value')"))
    engine.dispose()
    with Registry(settings.registry) as registry:
        registry.register_all(["hub.tick"])


def check(settings: Settings) -> None:
    """It is all there."""
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "g", "log_level": 0})
    consumer.assign([TopicPartition("kept", 0, 0)])
    message = consumer.poll(60)
    consumer.close()
    assert message is not None
    assert message.value() == b"value"
    with redis.Redis.from_url(settings.redis) as client:
        assert client.get("kept") == b"value"
    engine = sa.create_engine(settings.postgres)
    with engine.connect() as connection:
        assert connection.execute(sa.text("select x from kept")).scalars().all() == ["value"]
    engine.dispose()
    with Registry(settings.registry) as registry:
        assert registry.id_of("hub.tick") > 0


@pytest.mark.timeout(1200)
def test_a_life() -> None:
    with folder() as home:
        settings = fresh(home)
        with up(settings) as boss:
            urls = runfile.connected(settings)
            write(urls)
            told = status(settings)
            assert set(told) == COMPONENTS
            assert all(c["health"] == "up" and psutil.pid_exists(int(str(c["pid"]))) for c in told.values())
            assert all(str(home) in str(c["data"]) and Path(str(c["log"])).is_file() for c in told.values())
            assert "***" in str(told["postgres"]["url"])

            second = doudi(settings, "up", "--only-stack")
            assert second.returncode == 2
            assert "Doudi already runs on this home" in second.stderr
            assert "doudi down" in second.stderr

            os.kill(int(str(told["kafka"]["pid"])), signal.SIGKILL)
            until(lambda: (k := status(settings)["kafka"])["health"] == "up" and k["pid"] != told["kafka"]["pid"])
            check(urls)

            boss.kill()
            boss.wait()
            until(lambda: not left(home), 30)
            assert doudi(settings, "status").returncode == 1

        with up(settings) as boss:
            assert runfile.connected(settings) == urls
            check(urls)
            down = doudi(settings, "down")
            assert down.returncode == 0, down.stderr
            assert boss.wait(30) == 0
            assert not left(home)
        # What the JVMs loaded is kept, parsed, for their next start.
        kept = {name: (settings.cache.expanduser() / f"{name}.jsa").stat().st_size for name in ("kafka", "registry")}
        assert all(size > 10_000_000 for size in kept.values()), kept


@pytest.mark.timeout(900)
def test_three_brokers_survive_the_loss_of_one(stack: Settings) -> None:
    """Replicated three times, two in sync: what is acknowledged while one broker is dead is kept."""
    with folder() as home:
        given = stack.model_copy(update={"home": home, "kafka": "", "replication": 3})
        with running(given, hub=False, brokers=3, orderly=False) as settings:
            quiet = {"bootstrap.servers": settings.kafka, "log_level": 0}
            topic = NewTopic("kept", 1, 3, config={"min.insync.replicas": "2"})
            admin = AdminClient(quiet)
            admin.create_topics([topic])["kept"].result(60)
            run = runfile.read(home)
            assert run is not None
            assert [e.name for e in run.processes] == ["kafka1", "kafka2", "kafka3"]
            producer = Producer({**quiet, "acks": "all", "enable.idempotence": True})
            for number in range(200):
                producer.produce("kept", str(number))
                if number == 100:
                    os.kill(run.processes[number % 3].pid, signal.SIGKILL)
                producer.poll(0)
            assert producer.flush(60) == 0
            consumer = Consumer({**quiet, "group.id": "g"})
            assert consumer.get_watermark_offsets(TopicPartition("kept", 0), timeout=60) == (0, 200)
            consumer.close()
        assert not left(home)  # ended at once, all of it
