"""Our Kafka clients against the real broker: partitions, topics, reading to the end, errors that help."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka.admin import ConfigResource, ConfigSource
from pydantic import SecretStr

from doudi.embedded.artifacts import Artifacts
from doudi.embedded.kafka import Kafka, Logins
from doudi.embedded.ports import Ports
from schemas import topics
from tests.stack import folder
from wire import kafka
from wire.errors import DeliveryFailed, KafkaRefused, KafkaUnreachable, TopicMismatch
from wire.partitioner import partition_for, partitions_for
from wire.reading import read_all
from wire.settings import Settings


def test_the_producer_chooses_the_partition_that_we_compute(hub: Settings) -> None:
    topic = hub.topic("hub.member")
    generator = random.Random(7)  # noqa: S311 - not for secrets
    keys = [generator.randbytes(generator.choice((1, 3, 16, 32, 32, 32, 65))) for _ in range(3_000)]
    publisher = kafka.Publisher(hub)
    publisher.send_all(topic, keys, [b"x"] * len(keys))
    publisher.flush()
    seen = {key: batch.partition for batch in read_all(hub, topic) for key in batch.keys}
    assert seen == {key: partition_for(key, hub.partitions) for key in keys}
    assert len(set(seen.values())) == hub.partitions
    assert partitions_for(keys, hub.partitions) == [seen[key] for key in keys]


def test_reading_all_stops_at_the_end_and_starts_where_told(hub: Settings) -> None:
    topic = hub.topic("hub.relation")
    assert list(read_all(hub, topic)) == []
    publisher = kafka.Publisher(hub)
    for partition in range(hub.partitions):
        publisher.send_all(topic, [b"k"] * 5_000, [str(i).encode() for i in range(5_000)], partition)
    publisher.flush()
    found: dict[int, list[int]] = {}
    for batch in read_all(hub, topic):
        assert [int(v or b"-1") for v in batch.values] == batch.offsets
        found.setdefault(batch.partition, []).extend(batch.offsets)
    assert found == {p: list(range(5_000)) for p in range(hub.partitions)}
    part = [
        (b.partition, o)
        for b in read_all(hub, topic, partitions=[1], start=lambda _: 4_990, until={1: 4_995})
        for o in b.offsets
    ]
    assert part == [(1, o) for o in range(4_990, 4_995)]


def test_a_caller_that_takes_its_time_with_a_batch_is_not_a_silent_broker(hub: Settings) -> None:
    topic = hub.topic("hub.unidentified")
    publisher = kafka.Publisher(hub)
    publisher.send_all(topic, [b"k"] * 300, [b"v"] * 300, 0)
    publisher.flush()
    seen = 0
    for batch in read_all(hub, topic, batch=100, patience_s=1.0):
        seen += len(batch.offsets)
        time.sleep(1.1)
    assert seen == 300


def test_one_message_and_where_it_stands(hub: Settings) -> None:
    first = kafka.publish_and_wait(hub, hub.topic("hub.audit"), b"a", b"1")
    second = kafka.publish_and_wait(hub, hub.topic("hub.audit"), b"a", b"2")
    assert (first, second) == ((0, 0), (0, 1))


def test_topics_are_made_once_with_what_the_table_says(hub: Settings) -> None:
    assert kafka.create_topics(hub) == []
    client = kafka.admin(hub)
    there = client.list_topics(timeout=10).topics
    names = {n: topics.of(n) for n in ("medical.settlement.backlog", "hub.condition", "hub.heartbeat", "hub.case")}
    futures = client.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, hub.topic(n)) for n in names])
    said = {r.name: {k: v.value for k, v in f.result(10).items()} for r, f in futures.items()}
    for name, topic in names.items():
        assert len(there[hub.topic(name)].partitions) == (hub.partitions if topic.partitions == "state" else 1)
    assert said[hub.topic("hub.condition")]["cleanup.policy"] == "compact"
    assert said[hub.topic("hub.case")]["cleanup.policy"] == "delete"
    assert said[hub.topic("hub.case")]["retention.ms"] == "-1"
    assert said[hub.topic("medical.settlement.backlog")]["retention.ms"] == "-1"
    assert said[hub.topic("hub.heartbeat")]["retention.ms"] == str(30 * 86_400_000)
    limits = [f.result(10)["max.message.bytes"] for f in futures.values()]
    own = (str(topics.MESSAGE_MAX_BYTES), ConfigSource.DYNAMIC_TOPIC_CONFIG.value)  # whatever the broker's own is
    assert {(limit.value, limit.source) for limit in limits} == {own}


def test_another_number_of_partitions_is_refused(hub: Settings) -> None:
    other = hub.model_copy(update={"partitions": hub.partitions + 1})
    with pytest.raises(TopicMismatch, match=r"has 4 partitions, the settings say 5.*DOUDI_PARTITIONS back"):
        kafka.create_topics(other)


def test_a_full_queue_waits_instead_of_failing(hub: Settings) -> None:
    publisher = kafka.Publisher(hub, queue_buffering_max_messages=100)
    topic = hub.topic("hub.command")
    publisher.send_all(topic, [b"k"] * 5_000, [b"v"] * 5_000)
    publisher.flush()
    assert len(publisher) == 0
    assert sum(len(b.offsets) for b in read_all(hub, topic)) == 5_000


def test_a_delivery_that_fails_is_told(hub: Settings) -> None:
    publisher = kafka.Publisher(hub, message_timeout_ms=1500)
    publisher.send(f"{hub.namespace}no.such.topic", b"k", b"v")
    with pytest.raises(DeliveryFailed, match=r"1 messages were not delivered, the first to .*no\.such\.topic"):
        publisher.flush(20)


@pytest.mark.stack
def test_an_unreachable_broker_says_so_soon(tmp_path: Path) -> None:
    nowhere = Settings(kafka="127.0.0.1:9", home=tmp_path)
    begin = time.monotonic()
    with pytest.raises(KafkaUnreachable, match=r"Kafka at 127\.0\.0\.1:9 does not answer .*DOUDI_KAFKA"):
        kafka.check_reachable(nowhere, 3)
    assert time.monotonic() - begin < 10
    with pytest.raises(KafkaUnreachable, match="no Kafka address: set DOUDI_KAFKA"):
        kafka.producer(Settings(home=tmp_path))


@pytest.mark.stack
def test_an_id_of_the_cluster_that_looks_like_an_option(stack: Settings) -> None:
    """It is made from the folder's path; one in 64 begins with a hyphen."""
    with folder() as parent:
        homes = (parent / str(number) for number in count())
        brokers = (Kafka(home, Ports(parent / "ports.json"), Artifacts(stack.cache)) for home in homes)
        broker = next(one for one in brokers if one.cluster_id().startswith("-"))
        broker.data.mkdir(parents=True)
        broker.prepare(lambda _: None)
        assert f"cluster.id={broker.cluster_id()}" in (broker.data / "log" / "meta.properties").read_text()


@pytest.fixture(scope="module")
def secured(stack: Settings) -> Iterator[Settings]:
    """A broker that wants SCRAM and grants nobody but its own user anything."""
    with folder() as home:
        broker = Kafka(
            home,
            Ports(home / "ports.json"),
            Artifacts(stack.cache),
            heap="256m",
            logins=Logins((("admin", "adminpw"), ("guest", "guestpw"))),
        )
        broker.data.mkdir(parents=True, exist_ok=True)
        broker.prepare(lambda _: None)
        with (home / "log.txt").open("wb") as log:
            child = subprocess.Popen(broker.command(), stdout=log, stderr=log, cwd=broker.data)
            try:
                yield stack.model_copy(
                    update={
                        "kafka": broker.url,
                        "kafka_user": "admin",
                        "kafka_password": SecretStr("adminpw"),
                    }
                )
            finally:
                child.terminate()
                child.wait(30)


def test_a_secured_broker(secured: Settings) -> None:
    kafka.check_reachable(secured, 60)
    wrong = secured.model_copy(update={"kafka_password": SecretStr("hunter2")})
    begin = time.monotonic()
    with pytest.raises(KafkaRefused, match=r"refuses user admin: .*DOUDI_KAFKA_PASSWORD") as raised:
        kafka.check_reachable(wrong, 8)
    assert time.monotonic() - begin < 8
    assert "hunter2" not in str(raised.value)
    own = secured.model_copy(update={"namespace": "own."})
    assert set(kafka.create_topics(own)) == {own.topic(n) for n in topics.names()}
    kafka.publish_and_wait(own, own.topic("hub.audit"), b"a", b"1")
    guest = own.model_copy(update={"kafka_user": "guest", "kafka_password": SecretStr("guestpw")})
    kafka.check_reachable(guest)
    publisher = kafka.Publisher(guest)
    publisher.send(own.topic("hub.audit"), b"a", b"2")
    with pytest.raises(KafkaRefused, match=r"denies guest an access.*Grant the ACL"):
        publisher.flush(20)
