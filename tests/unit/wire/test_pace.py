"""Moments by the clock: all processes name the same ones."""

from __future__ import annotations

import pytest

from wire import pace


@pytest.mark.parametrize(
    ("now", "behind", "wait"),
    [
        (1_000.1, 0.0, 0.3),
        (1_000.0, 0.0, 0.4),  # never 0: whoever looked at this moment has looked
        (1_000.1, 0.5, 0.1),
        (1_000.3, 0.5, 0.3),
        (1_000.39, 0.0, 0.01),
    ],
)
def test_the_next_moment(monkeypatch: pytest.MonkeyPatch, now: float, behind: float, wait: float) -> None:
    monkeypatch.setattr(pace.time, "time_ns", lambda: round(now * 1e9))
    assert pace.until(0.4, behind) == pytest.approx(wait, abs=1e-6)


def test_different_clocks_of_one_machine_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever two ask, they wait for the same moment."""
    met = set()
    for now in (1_795_000_000.01, 1_795_000_000.06, 1_795_000_000.09):
        monkeypatch.setattr(pace.time, "time_ns", lambda now=now: round(now * 1e9))
        met.add(round(now + pace.until(0.37), 4))
    assert len(met) == 1
