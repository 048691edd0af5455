"""When small live slices are decided, and how long the broker may collect until then."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from agents.pace import Pace
from agents.transport import FETCH_AHEAD_MS, LAST_FETCH_MS, LONGEST_FETCH_MS, Options, SliceConsumer
from wire import pace


def clock(monkeypatch: pytest.MonkeyPatch, wall: float, monotonic: float) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: round(wall * 1e9))
    monkeypatch.setattr(time, "monotonic", lambda: monotonic)


def test_departments_records_are_decided_at_the_clocks_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Pace(400, departments=True)
    assert it.decides_at == 0.0, "the first record after a start waits for nothing"
    clock(monkeypatch, 1_000.0 + pace.DECIDED * 0.4, 50.0)  # at a moment: the next is one period away
    it.begin()
    assert it.decides_at == pytest.approx(50.4)
    clock(monkeypatch, 1_000.0 + pace.DECIDED * 0.4 + 0.55, 50.55)  # 150 ms late: the next moment is kept to again
    it.begin()
    assert it.decides_at == pytest.approx(50.8)


def test_what_other_stages_decided_goes_on_in_their_rhythm(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Pace(400, departments=False)
    clock(monkeypatch, 1_000.123, 50.0)
    it.begin()
    assert it.decides_at == pytest.approx(50.2)


def test_without_a_period_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 1_000.123, 50.0)
    for departments in (True, False):
        it = Pace(0, departments=departments)
        it.begin()
        assert it.decides_at == 50.0


@pytest.mark.parametrize(
    ("left_ms", "wait_ms"),
    [
        (-5_000, 40),  # nothing is waited for: as ever
        (370, 370 - FETCH_AHEAD_MS),
        (9_000, LONGEST_FETCH_MS),
        (FETCH_AHEAD_MS, 40),
        (30, LAST_FETCH_MS),
        (5, LAST_FETCH_MS),
    ],
)
def test_the_broker_collects_until_shortly_before(monkeypatch: pytest.MonkeyPatch, left_ms: int, wait_ms: int) -> None:
    clock(monkeypatch, 0.0, 64.0)
    consumer = SimpleNamespace(
        app=SimpleNamespace(slices=Options({}, fetch_wait_ms=40)), decides_at=64 + left_ms / 1000
    )
    assert SliceConsumer.fetch_wait_ms(consumer) == pytest.approx(wait_ms, abs=1)  # type: ignore[arg-type]
