"""Copies of state files at any fsspec URL: a lost file need not be read from Kafka's beginning.

A missing, old or damaged snapshot costs time, never correctness: what it lacks is read from Kafka.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import fsspec

from agents.state import PartitionState, copied

log = logging.getLogger(__name__)

KEEP = 2
SUFFIX = ".duckdb"
PART = f"{SUFFIX}.part"
_COPY = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"


class Snapshots:
    """Snapshots under one URL, ``<stem>.<UTC time>.duckdb``, the newest two of each stem."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def of(self, stem: str) -> list[str]:
        """Names of a stem's snapshots, newest first; empty if the place cannot be read."""
        return self._named(stem, SUFFIX)

    def _named(self, stem: str, suffix: str) -> list[str]:
        try:
            found = [Path(p).name for p in self._fs.ls(self._root, detail=False)]
        except FileNotFoundError:
            return []
        except Exception as error:
            log.warning("snapshots at %s cannot be listed (%s)", self._url, type(error).__name__)
            return []
        prefix = f"{stem}."
        return sorted(
            (
                n
                for n in found
                if n.startswith(prefix) and n.endswith(suffix) and n.count(".") == f"{stem}{suffix}".count(".") + 1
            ),
            reverse=True,
        )

    def fetch(self, name: str, to: Path) -> bool:
        """Bring a snapshot to a local path; False if that fails."""
        part = to.with_name(to.name + ".part")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            self._fs.get_file(f"{self._root}/{name}", str(part))
            part.rename(to)
        except Exception as error:
            log.warning("snapshot %s could not be fetched (%s: %s)", name, type(error).__name__, error)
            part.unlink(missing_ok=True)
            return False
        return True

    def copy_aside(self, state: PartitionState) -> Path | None:
        """A consistent copy beside the state file; None, and logged, if that fails. No cycle may run meanwhile.

        Another process copies: closing any descriptor of the file in this one would drop DuckDB's
        lock on it (POSIX), and a second worker could then open it.
        """
        state.checkpoint()
        copy = copied(state.path)
        try:
            subprocess.run(  # noqa: S603 - our interpreter, our paths
                [sys.executable, "-I", "-S", "-c", _COPY, str(state.path), str(copy)],
                check=True,
                timeout=600,
                stderr=subprocess.PIPE,
                text=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", None) or error).strip().splitlines()[-1]
            log.warning(
                "no snapshot of %s was made (%s). It needs as much space again beside the file: free it there; "
                "the next one is tried when it is due",
                state.path,
                said,
            )
            with contextlib.suppress(OSError):
                copy.unlink()
            return None
        return copy

    def store(self, copy: Path, stem: str) -> None:
        """Upload a copy under a new name and drop the oldest; whatever fails is logged."""
        name = f"{stem}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}{SUFFIX}"
        try:
            self._fs.makedirs(self._root, exist_ok=True)
            self._drop_parts(stem)  # of one who ended as it stored
            self._fs.put_file(str(copy), f"{self._root}/{name}.part")
            self._fs.mv(f"{self._root}/{name}.part", f"{self._root}/{name}")
            log.info("snapshot %s stored", name)
            for old in self.of(stem)[KEEP:]:
                self._fs.rm(f"{self._root}/{old}")
        except Exception as error:
            log.warning(
                "snapshot %s was not stored at %s (%s: %s). Check that there is space and that this user may write "
                "there; the next one is tried when it is due",
                name,
                self._url,
                type(error).__name__,
                error,
            )
            self._drop_parts(stem)
        finally:
            with contextlib.suppress(OSError):
                copy.unlink()

    def _drop_parts(self, stem: str) -> None:
        with contextlib.suppress(Exception):
            for part in self._named(stem, PART):
                self._fs.rm(f"{self._root}/{part}")
