"""A transaction that does not end, although its calls have time-outs, ends the process."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from agents.errors import BrokerError
from agents.tasks import ended_within

HANGS = """
import time
from agents.tasks import ended_within

with ended_within(0.3):
    time.sleep(60)
"""


def test_what_hangs_ends_the_process_and_says_why() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == BrokerError.exit_code
    assert "a transaction of tasks did not end within 0.3 s" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("fails", [False, True])
def test_what_ends_in_time_leaves_the_process_alone(fails: bool) -> None:
    try:
        with ended_within(0.2):
            if fails:
                raise ValueError
    except ValueError:
        assert fails
    time.sleep(0.4)  # the watch would have ended this process
