"""Ends of a topic are waited for while nobody leads it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from wire.errors import KafkaRefused, KafkaUnreachable
from wire.reading import end_offsets
from wire.settings import Settings

SETTINGS = Settings(kafka="127.0.0.1:9")


class Leaderless:
    """A client whose broker answers with errors first."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)
        self.asked = 0

    def get_watermark_offsets(self, where: TopicPartition, timeout: float) -> tuple[int, int]:
        """The next error, then (0, 7)."""
        assert timeout > 0
        self.asked += 1
        if self.errors:
            raise KafkaException(KafkaError(self.errors.pop(0)))
        return 0, 7 + where.partition


def ends(client: Any, patience_s: float = 5.0) -> dict[int, int]:
    return end_offsets(SETTINGS, cast("Consumer", client), "t", [0, 1], patience_s=patience_s)


def test_a_new_leader_is_waited_for() -> None:
    client = Leaderless(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
    assert ends(client) == {0: 7, 1: 8}


def test_not_for_ever() -> None:
    with pytest.raises(KafkaUnreachable, match=r"Not leader.*retry"):
        ends(Leaderless(*[KafkaError.NOT_LEADER_FOR_PARTITION] * 10_000), patience_s=0.3)


def test_a_refusal_is_told_at_once() -> None:
    client = Leaderless(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaRefused):
        ends(client)
    assert client.asked == 1
