"""The embedded stack as a whole: it serves, it is told of, it stops, it leaves nothing behind."""

from __future__ import annotations

import redis
import sqlalchemy as sa
from confluent_kafka.admin import AdminClient

from schemas import topics
from wire.registry import Registry
from wire.settings import Settings


def test_every_component_serves(hub: Settings) -> None:
    there = AdminClient({"bootstrap.servers": hub.kafka}).list_topics(timeout=10).topics
    assert {hub.topic(n) for n in topics.names()} <= set(there)
    with Registry(hub.registry, hub.namespace) as registry:
        assert registry.id_of("medical.settlement") > 0
    with redis.Redis.from_url(hub.redis) as client:
        assert client.info("persistence")["aof_enabled"] == 1
    engine = sa.create_engine(hub.postgres)
    with engine.connect() as connection:
        assert connection.execute(sa.text("show wal_level")).scalar() == "logical"
        assert connection.execute(sa.text("show password_encryption")).scalar() == "scram-sha-256"
    engine.dispose()
