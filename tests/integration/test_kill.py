"""The kill test in its short form; ``make bench`` runs the long one. The seed is printed."""

from __future__ import annotations

import sys
import time

import pytest

from bench import kills
from tests.stack import folder, fresh


@pytest.mark.stack
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1795621792, int(time.time())], ids=["showed a bug (ADR 13)", "of the day"])
def test_nothing_is_lost_whoever_is_killed(seed: int) -> None:
    plan = kills.Plan(seed=seed, people=4_000, rate=100.0, each=1, points=1, pauses=1, patience_s=240.0)

    def say(words: str) -> None:
        sys.stderr.write(f"{words}\n")

    with folder() as parent:
        report = kills.run(fresh(parent / "home", partitions=2), plan, say)
    compared = report.compared
    assert compared is not None
    assert not compared.differences, [str(d) for d in compared.differences[:10]]
    assert (compared.missing, compared.extra, compared.duplicates) == (0, 0, 0)
    assert compared.conditions > 100
    assert len(report.waiting) == sum(report.kills.values())
    assert all(report.waiting)
    assert set(report.kills) >= {*kills.SUPERVISED, *(f"connector-{d}" for d in kills.CONNECTORS), "asleep"}
