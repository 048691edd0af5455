"""Small files that others read while they are written: they appear under their name whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def replace_whole(path: Path, data: bytes, mode: int = 0o600, *, durable: bool = False) -> None:
    """Put a file's content in its place at once: a reader sees the old or the new.

    ``durable``: that the new one outlasts a loss of power too, which waits for the disk. Raises what writing raises,
    also where the folder is missing; the old content then stands.
    """
    with _beside(path, data, mode, durable=durable) as part:
        part.replace(path)


def create_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make a file that outlasts a loss of power; where there is one it stays, also one that appeared meanwhile."""
    with _beside(path, data, mode, durable=True) as part, contextlib.suppress(FileExistsError):
        os.link(part, path)


@contextlib.contextmanager
def _beside(path: Path, data: bytes, mode: int, *, durable: bool) -> Iterator[Path]:
    """The content under another name of the folder, readable by its owner only until it is whole; gone afterwards."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.chmod(mode)
        yield part
    finally:
        part.unlink(missing_ok=True)
