"""The look at the hub from outside, while a broker has just come back."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from doudi.demo import observe
from wire.settings import Settings


class Asked:
    """An admin client that still has the old leader's epoch, or not."""

    def __init__(self, stale: bool) -> None:
        self.stale = stale

    def list_offsets(self, wanted: dict[Any, Any]) -> dict[Any, Future[Any]]:
        """One answer for each partition."""
        answers = {}
        for tp in wanted:
            answers[tp] = Future[Any]()
            if self.stale:
                answers[tp].set_exception(KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH)))
            else:
                answers[tp].set_result(SimpleNamespace(offset=7))
        return answers


@pytest.mark.parametrize("stale", [[True, False], [True, True]])
def test_an_old_leaders_epoch_is_forgotten_with_the_client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stale: list[bool]
) -> None:
    clients = [Asked(s) for s in stale]
    monkeypatch.setattr(observe, "admin", lambda _: clients.pop(0))
    hub = observe.Hub(Settings(home=tmp_path, redis="redis://127.0.0.1:1/0", partitions=2))
    if all(stale):
        with pytest.raises(KafkaException):
            hub.ends(["hub.tick"])
    else:
        assert hub.ends(["hub.tick"]) == {("hub.tick", 0): 7, ("hub.tick", 1): 7}
    assert not clients
    hub.close()
