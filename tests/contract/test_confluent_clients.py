"""Any Confluent client reads what the hub publishes and publishes what the hub reads."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas import codec, load, samples
from wire import kafka
from wire.reading import read_all
from wire.registry import Registry
from wire.settings import Settings

STRATEGY = {"subject.name.strategy": topic_subject_name_strategy}


@pytest.fixture
def theirs(hub: Settings) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": hub.registry, "timeout": 10}) as client:
        yield client


def one_message(settings: Settings, topic: str) -> tuple[bytes, bytes]:
    reader = Consumer(
        {
            "bootstrap.servers": settings.kafka,
            "group.id": f"theirs-{time.time_ns()}",
            "auto.offset.reset": "earliest",
        }
    )
    try:
        reader.subscribe([topic])
        message = reader.poll(20)
        assert message is not None and message.error() is None, message
        key, value = message.key(), message.value()
        assert isinstance(key, bytes) and isinstance(value, bytes)
        return key, value
    finally:
        reader.close()


@pytest.mark.parametrize("name", ["hub.case", "hub.condition", "task.medical", "medical.settlement"])
def test_their_deserializer_reads_our_messages(hub: Settings, theirs: SchemaRegistryClient, name: str) -> None:
    schema, topic = load.of_topic(name), hub.topic(name)
    row = samples.row_of(schema)
    with Registry(hub.registry, hub.namespace) as registry:
        value = codec.encode(schema, [row], registry.id_of(name))[0]
    publisher = kafka.Publisher(hub)
    publisher.send(topic, row[load.key_fields(name)[0]].encode(), value)
    publisher.flush()
    _, received = one_message(hub, topic)
    read = AvroDeserializer(theirs, conf=STRATEGY)
    assert read(received, SerializationContext(topic, MessageField.VALUE)) == row


def test_their_serializer_publishes_to_an_intake_topic(hub: Settings, theirs: SchemaRegistryClient) -> None:
    name = "intake.medical"
    schema, topic = load.of_topic(name), hub.topic(name)
    row = samples.row_of(schema)
    text = theirs.get_latest_version(f"{topic}-value").schema.schema_str
    assert text is not None
    write = AvroSerializer(theirs, text, conf={"auto.register.schemas": False, **STRATEGY})
    producer = Producer({"bootstrap.servers": hub.kafka, "partitioner": "murmur2_random"})
    producer.produce(topic, write(row, SerializationContext(topic, MessageField.VALUE)), row["record_id"].encode())
    assert producer.flush(20) == 0
    (batch,) = read_all(hub, topic)
    with Registry(hub.registry, hub.namespace) as registry:
        found = codec.decode(batch.values, batch.keys, schema, registry.writers(name), key=load.key_fields(name))
    assert found.bad == []
    assert found.frame.to_dicts() == [row]


@pytest.mark.parametrize("name", sorted(load.all_names()))
def test_their_deserializer_reads_every_golden_sample(hub: Settings, theirs: SchemaRegistryClient, name: str) -> None:
    topic = {"task": "task.civil", "intake": "intake.civil"}.get(name, name)
    row, body = samples.golden(name)
    with Registry(hub.registry, hub.namespace) as registry:
        header = b"\x00" + registry.id_of(topic).to_bytes(4, "big")
    context = SerializationContext(hub.topic(topic), MessageField.VALUE)
    assert AvroDeserializer(theirs, conf=STRATEGY)(header + body, context) == row
    write = AvroSerializer(theirs, load.schema(name).json, conf={"auto.register.schemas": False, **STRATEGY})
    assert write(row, context) == header + body
