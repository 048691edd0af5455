"""Test only: DOUDI_FAULT="after_commit:3" kills this process with SIGKILL at that point of its third
cycle with outputs; "after_commit:3:2.5" has it wait there for 2.5 s first. Points: before_commit,
after_commit (before publishing), after_publish (before the outbox is emptied and slices are
acknowledged). Unset in production; then nothing happens here.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

_counts: Counter[str] = Counter()


def point(name: str) -> None:
    """Die here if the environment says so."""
    wanted, count, pause = (os.environ.get("DOUDI_FAULT", "") + "::").split(":")[:3]
    if wanted != name:
        return
    _counts[name] += 1
    if _counts[name] == int(count or 1):
        time.sleep(float(pause or 0))
        os.kill(os.getpid(), signal.SIGKILL)
