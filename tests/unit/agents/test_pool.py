"""A small cycle does not hand over to Polars' threads: on a busy machine each hand-over waits for its turn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from agents.coding import accepted
from agents.columns import instants
from domain.trial import Trial
from tests.unit.domain.test_screening import BOOK, TODAY, bill, entry
from tests.unit.domain.test_sweep import decide

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the threads' figures in /proc")


def handed_over() -> int:
    """How often a thread of Polars' has gone to sleep, which it does after each piece of work."""
    time.sleep(0.05)
    found = 0
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().startswith("polars-"):
            status = (task / "status").read_text()
            found += int(status.split("voluntary_ctxt_switches:", 1)[1].split()[0])
    return found


def a_query_does() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": [3, 4]})
    before = handed_over()
    frame.lazy().filter(pl.col("a") > 1).select("a").collect()
    assert handed_over() > before


def deciding_does_not() -> None:
    with closing(Trial(BOOK)) as hub:
        hub.cover("civil.roster", "medical.settlement", "civil.benefit", "vital.life_event")
        hub.tick(TODAY)
        hub.give("civil.roster", entry())
        decide(hub)
        hub.give("medical.settlement", bill("b1", 250_000))
        before = handed_over()
        assert decide(hub) == ["A"]
        assert handed_over() == before


def reading_what_others_decided_does_not() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "condition_id": ["a", "b"],
            "state": ["standing", "ended"],
            "stage": ["persons"] * 2,
            "state_partition": [0, 0],
            "epoch": [3, 3],
            "decided_at": pl.Series([at, at], dtype=pl.Datetime("ms", "UTC")),
            "_offset": [7, 8],
        }
    )
    before = handed_over()
    kept, known = accepted(frame, "hub.condition-0", {("hub.condition-0", "persons", 0): 2})
    numbers = instants(kept)
    assert handed_over() == before
    assert known == {("hub.condition-0", "persons", 0): 3}
    assert numbers["decided_at"].to_list() == [1_767_225_600_000] * 2


CHECKS = (a_query_does, deciding_does_not, reading_what_others_decided_does_not)


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=[check.__name__ for check in CHECKS])
def test_hands_over(number: int) -> None:
    """In a process that has one thread of Polars', as workers do."""
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(number)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    CHECKS[int(sys.argv[1])]()
