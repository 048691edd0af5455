"""The projection beside a rebuild, and what it reads again when Redis has lost something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from faust.types import TP

from agents.columns import Columns
from agents.projection import worker
from agents.projection.projector import Moved
from agents.projection.worker import Tails, Views
from agents.slices import Slice
from wire.registry import Registry
from wire.settings import Settings

CASES, IDENTITIES = TP("hub.case", 0), TP("hub.identity", 3)


def part(tp: TP, start: int, end: int) -> Slice:
    values: list[bytes | None] = [b"v"] * (end - start)
    return Slice(tp.topic, tp.partition, start, end, range(start, end), list(values), values, 1, 2)


def places(parts: list[Slice]) -> list[tuple[TP, int, int, int]]:
    return [(TP(p.topic, p.partition), p.start, p.next, len(p)) for p in parts]


def test_what_redis_has_lost_lies_before_an_empty_slice() -> None:
    tails = Tails()
    tails.begin({CASES: 5, IDENTITIES: 0})
    assert tails.ahead_of({CASES: 5, IDENTITIES: 0}) == []
    tails.handed(part(CASES, 5, 9))
    assert tails.ahead_of({CASES: 9, IDENTITIES: 0}) == []
    assert places(tails.ahead_of({CASES: 8, IDENTITIES: 0})) == [(CASES, 9, 9, 0)]


def test_lost_partitions_are_forgotten() -> None:
    tails = Tails()
    tails.begin({CASES: 5, IDENTITIES: 5})
    tails.forget([CASES])
    tails.handed(part(CASES, 5, 9))  # was on its way when the partition was lost
    assert tails.partitions == [IDENTITIES]
    assert places(tails.ahead_of({CASES: 0, IDENTITIES: 0})) == [(IDENTITIES, 5, 5, 0)]
    tails.begin({CASES: 7})
    assert tails.partitions == [CASES]


class Ahead:
    """A projector whose Redis a rebuild has moved on whenever something is applied."""

    def __init__(self) -> None:
        self.at = 0

    def position(self, _topic: str, _partition: int) -> int:
        return self.at

    def apply(self, *_: Any) -> int:
        self.at += 1
        raise Moved(self.at)


def test_a_rebuild_that_is_always_faster_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any, **__: Any) -> Iterator[Any]:
        return iter(())

    monkeypatch.setattr(worker, "read_all", nothing)
    monkeypatch.setattr(worker, "REST_S", 0.0)
    views, ahead = Views.__new__(Views), Ahead()
    views._settings, views.projector = Settings(), ahead  # type: ignore[assignment]
    views._columns = Columns(cast("Registry", None))
    views.replay("hub.case", 0, 5000)
    assert ahead.at == 5000
