"""Puts the records of a benchmark into Kafka: once per run, read by every peer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import polars as pl

from bench.data import COUNTY, DAY
from schemas.codec import encode, encode_frame
from schemas.load import of_topic
from wire.kafka import Publisher, create_topics
from wire.registry import Registry
from wire.settings import Settings

Row = dict[str, object]
COVERED = ("medical.insurance", "civil.benefit", "civil.roster", "medical.settlement")


def prepare(settings: Settings) -> Registry:
    """Topics and schemas of a fresh namespace."""
    create_topics(settings)
    registry = Registry(settings.registry, settings.namespace)
    registry.register_all()
    return registry


def publish(settings: Settings, registry: Registry, topic: str, frames: Iterable[pl.DataFrame]) -> int:
    """Publish rows by key and wait for their acknowledgement; returns their number."""
    publisher, schema, schema_id = Publisher(settings), of_topic(topic), registry.id_of(topic)
    total = 0
    for frame in frames:
        keys = [key.encode() for key in frame["person_key"].to_list()]
        publisher.send_all(settings.topic(topic), keys, encode_frame(schema, frame, schema_id))
        total += frame.height
    publisher.flush(120)
    return total


def broadcast(settings: Settings, registry: Registry, topic: str, row: Row, key: str) -> None:
    """One message to every state partition."""
    publisher = Publisher(settings)
    [value] = encode(of_topic(topic), [row], registry.id_of(topic))
    for partition in range(settings.partitions):
        publisher.send(settings.topic(topic), key.encode(), value, partition)
    publisher.flush(30)


def day(settings: Settings, registry: Registry) -> int:
    """The tick of the benchmark's day, and feeds that cover the county; returns the messages sent."""
    now = dt.datetime.now(dt.UTC)
    broadcast(settings, registry, "hub.tick", {"day": DAY, "sent_at": now}, DAY.isoformat())
    for seq, topic in enumerate(COVERED):
        broadcast(
            settings,
            registry,
            "hub.heartbeat",
            {
                "source": f"bench.{topic}",
                "topic": topic,
                "source_epoch": 1,
                "seq": seq + 1,
                "division_prefix": COUNTY,
                "covers_from": dt.date(2020, 1, 1),
                "complete": True,
                "position": "",
                "sent_at": now,
            },
            f"bench.{topic}",
        )
    return settings.partitions * (1 + len(COVERED))
