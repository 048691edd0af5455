"""Memory, told how the hub's processes work: Python's collector of cycles, and large pages."""

from __future__ import annotations

import ctypes
import gc
import mmap
from pathlib import Path

YOUNG = 100_000
"""A slice makes thousands of short-lived objects without cycles: at the default of 700 a third of a worker's time
went into looking for cycles among them (measured)."""
LARGE = 16 << 20
"""Bytes from which a mapping gets large pages. A thread's stack has 8 MiB, and uses a fraction of them."""
_ADVICE = getattr(mmap, "MADV_HUGEPAGE", None)


def seldom() -> None:
    """Look for cycles seldom. Call first of all: what is imported and read at start stays, and was looked at in vain
    for a tenth of the time that it took (a fifth where rules are read)."""
    gc.set_threshold(YOUNG, 20, 100)


def settle() -> None:
    """Call when everything is imported: what lives now is never looked at again."""
    gc.collect()
    gc.freeze()
    seldom()


class LargePages:
    """Asks Linux for large pages for what this process has mapped. mimalloc asks for itself, DuckDB's allocator never.

    A process that does something every few tenths of a second finds few of its small pages still mapped on some
    virtual machines, and small pages cost more of the processor's tables on all (docs/adr/0019).
    """

    def __init__(self) -> None:
        self._mapped = ""
        self._madvise = ctypes.CDLL(None).madvise
        self._madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def ask(self) -> None:
        """Ask for every anonymous mapping of `LARGE` bytes and more; at once where nothing was mapped since.

        What was touched before stays in small pages until the kernel comes by. Does nothing but on Linux; a kernel
        without large pages refuses, which harms nothing.
        """
        if _ADVICE is None:
            return
        mapped = Path("/proc/self/statm").read_text(encoding="ascii").split(" ", 1)[0]
        if mapped == self._mapped:
            return
        self._mapped = mapped
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            place, rights, _, _, inode, *name = line.split()
            start, end = (int(part, 16) for part in place.split("-"))
            if rights == "rw-p" and inode == "0" and not name and end - start >= LARGE:
                self._madvise(start, end - start, _ADVICE)
