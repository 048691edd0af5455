"""What counts as acknowledged: nothing of a page of which one message was not delivered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from connectors.errors import KafkaDown, Permanent
from connectors.sending import Sender
from wire.registry import Registry
from wire.settings import Settings


class Producer:
    """As Kafka's, whose flushes end as told: (an error for one message or none, how many stay queued)."""

    flushes: list[tuple[int | None, int]]

    def __init__(self, on_delivery: Callable[[KafkaError | None, Any], None]) -> None:
        self._on_delivery, self._queued = on_delivery, 0

    def produce(self, topic: str, *_: object) -> None:
        self._topic = topic
        self._queued += 1

    def poll(self, _timeout: float) -> None:
        pass

    def topic(self) -> str:
        return self._topic

    def flush(self, _timeout: float) -> int:
        code, self._queued = self.flushes.pop(0) if self.flushes else (None, 0)
        if code is not None:
            self._on_delivery(KafkaError(code), self)
        return self._queued

    def __len__(self) -> int:
        return self._queued


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Sender:
    monkeypatch.setattr("wire.kafka.producer", lambda _settings, **given: Producer(given["on_delivery"]))
    return Sender(Settings(kafka="nowhere:1"), Registry("http://nowhere", ""), threading.Event())


@pytest.mark.parametrize(
    ("code", "error"), [(KafkaError._MSG_TIMED_OUT, KafkaDown), (KafkaError.TOPIC_AUTHORIZATION_FAILED, Permanent)]
)
@pytest.mark.parametrize("left", [0, 1])
def test_a_failed_delivery_fails_the_page_also_when_others_are_acknowledged_after_it(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception], left: int
) -> None:
    monkeypatch.setattr(Producer, "flushes", [(code, left), (None, 0)], raising=False)
    with pytest.raises(error), sender as out:
        out.send("civil.benefit", [b"a", b"b"], [b"1", b"2"])
    monkeypatch.setattr(Producer, "flushes", [])
    with sender as out:  # the page again, by another producer
        out.send("civil.benefit", [b"a", b"b"], [b"1", b"2"])


def test_a_kafka_that_is_slow_is_waited_for(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Producer, "flushes", [(None, 2), (None, 1), (None, 0)], raising=False)
    with sender as out:
        out.send("civil.benefit", [b"a", b"b"], [b"1", b"2"])
    assert not Producer.flushes
