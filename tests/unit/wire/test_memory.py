"""Large pages are asked for wherever much was mapped."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

import numpy as np
import pytest

from wire.memory import LARGE, LargePages

pytestmark = pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="this kernel has no large pages"
)


def _asked(at: int) -> bool:
    """Whether large pages were asked for where an address lies."""
    for mapping in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(encoding="utf-8")):
        start, end = (int(part, 16) for part in mapping.split(" ", 1)[0].split("-"))
        if start <= at < end:
            return bool(re.search(r"^VmFlags:.* hg\b", mapping, re.MULTILINE))
    raise AssertionError(f"nothing is mapped at {at:x}")


def _mapped(size: int, flags: int = 0) -> np.ndarray:
    return np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags), np.uint8)


def test_what_is_mapped_later_gets_them_at_the_next_time() -> None:
    pages = LargePages()
    pages.ask()
    memory = _mapped(2 * LARGE)
    assert not _asked(memory.ctypes.data)
    pages.ask()
    assert _asked(memory.ctypes.data)


def test_a_stack_does_not() -> None:
    memory = _mapped(LARGE // 2, mmap.MAP_NORESERVE)  # not joined with its neighbours
    LargePages().ask()
    assert not _asked(memory.ctypes.data)
