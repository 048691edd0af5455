"""Which announcements of owners are heard."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents import watchman
from agents.watchman import Watchman


class Log:
    """hub.condition with an announcement of persons-<partition> at each offset given, read as a consumer does."""

    def __init__(self, announced: dict[int, int]) -> None:
        self.announced = announced
        self.at = 0

    def assign(self, places: list[Any]) -> None:
        self.at = places[0].offset

    def consume(self, *_: Any) -> list[Any]:
        found = [
            SimpleNamespace(error=lambda: None, key=lambda p=p: b"owner:persons:%d" % p, offset=lambda o=o: o)
            for o, p in self.announced.items()
            if o >= self.at
        ]
        self.at = max(self.announced) + 1
        return found


def test_partitions_acquired_in_another_order_than_announced_hear_of_their_next_owners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log({10: 0, 11: 0, 12: 1, 13: 2})  # the second of partition 0 is a sleeper's
    monkeypatch.setattr(watchman, "consumer", lambda *_, **__: log)
    watching = Watchman(SimpleNamespace(topic=lambda name: name), "persons")  # type: ignore[arg-type]
    assert watching.look() == {}
    watching.from_offset(12)
    assert watching.look() == {1: 12, 2: 13}
    watching.from_offset(10)
    assert watching.look() == {0: 11, 1: 12, 2: 13}
    watching.from_offset(13)
    assert log.at == 14  # nothing is read again for those that come later
