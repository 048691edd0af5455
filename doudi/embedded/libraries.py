"""Shared libraries in the page cache in large pieces."""

from __future__ import annotations

import contextlib
import mmap
import os
import sysconfig
from pathlib import Path

PIECE = 2 << 20
SIZE = 4 << 20
"""Bytes from which a library is worth it."""


def read_in_large_pieces(folder: Path | None = None) -> None:
    """Read what a process of the hub maps anew, so that the kernel keeps it in pieces that it can map as large pages.

    What pip wrote, or what was read page by page, lies there in small ones: the code that every process wakes up with
    is then fetched a few pages at a time. Takes some tenths of a second; what some process has mapped already stays as
    it is. Without large pages, or on a file system without them, it is read and no more. ``folder``: of the libraries,
    by default those of this Python.
    """
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    if advice is None:
        return
    for library in (folder or Path(sysconfig.get_path("platlib"))).rglob("*.so*"):
        if library.is_file() and not library.is_symlink() and library.stat().st_size >= SIZE:
            with library.open("rb") as file, contextlib.suppress(OSError):
                os.fsync(file.fileno())  # what is not on disk yet cannot be dropped
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                with mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as pages:
                    pages.madvise(advice)
                    for at in range(0, len(pages), PIECE):
                        pages[at]
