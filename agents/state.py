"""One partition's DuckDB file: the stage's tables, positions of its inputs, outbox and what owns it.

Everything that a cycle does is one transaction, so positions, facts and decisions move together.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from agents.errors import CorruptStateError, StateFolderError, StateFullError
from domain.records import stream

log = logging.getLogger(__name__)

LAYOUT = "2"
"""Version of the runtime's own tables; a file with another one is set aside and rebuilt."""
MEMORY_LIMIT = "1GB"
CHECKPOINT_AT = "256MB"
_LOCKED = ("Could not set lock", "Conflicting lock", "already open")
_DAMAGED = (
    "corrupt",
    "checksum",
    "not a valid DuckDB",
    "INTERNAL Error",
    "Serialization Error",
    "deserialize",
    "magic bytes",
    "storage version",
)
_FULL = ("No space left", "Disk quota exceeded", "out of disk")
_ROWS = {
    "id": pl.Int64,
    "seq": pl.Int64,
    "topic": pl.String,
    "key": pl.Binary,
    "partition": pl.Int32,
    "value": pl.Binary,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A message to publish: logical topic, key, Kafka partition, framed value."""

    topic: str
    key: bytes
    partition: int
    value: bytes


class PartitionState:
    """An open state file. Used by one thread at a time; no method waits for anything but the disk."""

    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.con = con
        self.path = path
        self.positions: dict[str, int] = dict(con.execute("SELECT topic, off FROM position").fetchall())
        self.meta: dict[str, str] = dict(con.execute("SELECT k, v FROM meta").fetchall())
        self.reader_epochs: dict[tuple[str, str, int], int] = {
            (t, s, p): e for t, s, p, e in con.execute("FROM reader_epoch").fetchall()
        }
        self._last_id = con.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchall()[0][0]
        self._published_to = 0

    def number(self, key: str, default: int = 0) -> int:
        """A note of the file as a number."""
        return int(self.meta.get(key, default))

    def flag(self, key: str) -> bool:
        """A note of the file as yes or no."""
        return self.meta.get(key) == "1"

    @contextlib.contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All or nothing. Raises StateFullError, CorruptStateError, or what the body raises."""
        try:
            self.con.execute("BEGIN")
            if self._published_to:
                self.con.execute("DELETE FROM outbox WHERE id <= ?", [self._published_to])
            yield self.con
            self.con.execute("COMMIT")
        except duckdb.Error as error:
            self._roll_back()
            raise explain(error, self.path) from error
        except BaseException:
            self._roll_back()
            raise
        self._published_to = 0

    def _roll_back(self) -> None:
        with contextlib.suppress(duckdb.Error):
            self.con.execute("ROLLBACK")

    def note(self, notes: Mapping[str, str | int]) -> None:
        """Keep notes, inside a transaction."""
        text = {k: str(v) for k, v in notes.items()}
        self._put("meta", ("k",), list(text.items()))
        self.meta.update(text)

    def move(self, positions: Mapping[str, int]) -> None:
        """Set the positions to read on from, inside a transaction."""
        self._put("position", ("topic",), list(positions.items()))
        self.positions.update(positions)

    def remember_epochs(self, epochs: Mapping[tuple[str, str, int], int]) -> None:
        """Keep the greatest owner's epochs read so far, inside a transaction."""
        self._put("reader_epoch", ("topic", "stage", "state_partition"), [(*k, e) for k, e in epochs.items()])
        self.reader_epochs.update(epochs)

    def _put(self, table: str, key: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows in place of those of the same key. Without a primary key: see ``_reindex``."""
        if rows:
            same = " or ".join(["(" + " and ".join(f"{k} = ?" for k in key) + ")"] * len(rows))
            self.con.execute(f"DELETE FROM {table} WHERE {same}", [v for row in rows for v in row[: len(key)]])
            places = ",".join(["(" + ",".join("?" * len(rows[0])) + ")"] * len(rows))
            self.con.execute(f"INSERT INTO {table} VALUES {places}", [v for row in rows for v in row])

    def queue(self, seq: int, rows: Sequence[Row]) -> None:
        """Append messages to the outbox, inside a transaction."""
        if not rows:
            return
        count, first = len(rows), self._last_id + 1
        columns = {
            "id": range(first, first + count),
            "seq": [seq] * count,
            "topic": [r.topic for r in rows],
            "key": [r.key for r in rows],
            "partition": [r.partition for r in rows],
            "value": [r.value for r in rows],
        }
        queued = stream(pl.DataFrame(columns, schema=_ROWS))  # noqa: F841 - read by the SQL
        self.con.execute("INSERT INTO outbox SELECT * FROM queued")
        self._last_id += len(rows)

    def waiting(self) -> list[Row]:
        """What was committed and never confirmed as published, in order."""
        found = self.con.execute(
            "SELECT topic, key, partition, value FROM outbox WHERE id > ? ORDER BY id", [self._published_to]
        ).fetchall()
        return [Row(t, bytes(k), p, bytes(v)) for t, k, p, v in found]

    def published(self) -> None:
        """Everything queued was acknowledged; the rows go with the next transaction (or ``tidy``)."""
        self._published_to = self._last_id

    def tidy(self) -> None:
        """Empty the outbox of what was acknowledged, when there is no next transaction soon."""
        if self._published_to:
            with self.transaction():
                pass

    def discard_outbox(self) -> None:
        """Drop what was never published, inside a transaction: its decisions are taken anew."""
        self.con.execute("DELETE FROM outbox")

    def checkpoint(self) -> None:
        """Bring the file on disk up to date, so that it can be copied."""
        try:
            self.con.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise explain(error, self.path) from error

    def close(self) -> None:
        """Close the file and give up its lock."""
        with contextlib.suppress(duckdb.Error, StateFullError):
            self.tidy()
        with contextlib.suppress(duckdb.Error):
            self.con.close()


def open_file(path: Path) -> PartitionState | None:
    """Open or create a state file. None: another process holds it.

    Raises CorruptStateError, StateFullError, StateFolderError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        con = duckdb.connect(
            str(path),
            config={
                "threads": 1,
                "memory_limit": MEMORY_LIMIT,
                "checkpoint_threshold": CHECKPOINT_AT,
                # A record of somebody touched is one row among thousands: unpacking its neighbours costs a
                # fifth of a small cycle (docs/adr/0012), and the file is two and a half times as large.
                "force_compression": "uncompressed",
            },
        )
    except duckdb.Error as error:
        if any(sign in str(error) for sign in _LOCKED):
            return None
        raise explain(error, path) from error
    except OSError as error:
        raise explain(error, path) from error
    try:
        with contextlib.suppress(OSError):
            copied(path).unlink()  # of a holder that ended before it was stored
        # Asked while the file is ours: before, its last holder may still be writing, and end.
        if path.with_name(f"{path.name}.wal").exists():
            _reindex(con)
        con.execute("""
            BEGIN;
            CREATE TABLE IF NOT EXISTS meta(k VARCHAR, v VARCHAR);
            CREATE TABLE IF NOT EXISTS position(topic VARCHAR, off BIGINT);
            CREATE TABLE IF NOT EXISTS outbox(
                id BIGINT, seq BIGINT, topic VARCHAR, key BLOB, "partition" INTEGER, value BLOB);
            CREATE TABLE IF NOT EXISTS reader_epoch(
                topic VARCHAR, stage VARCHAR, state_partition INTEGER, epoch BIGINT);
            COMMIT
        """)
        return PartitionState(con, path)
    except duckdb.Error as error:
        con.close()
        raise explain(error, path) from error


def _reindex(con: duckdb.DuckDBPyConnection) -> None:
    """Make every index anew after a crash: DuckDB 1.5 may leave rows that it replays from its log out of them.

    Then a look-up by index finds less than is there, and nobody is told (docs/adr/0013).
    """
    for name, sql in con.execute("SELECT index_name, sql FROM duckdb_indexes()").fetchall():
        con.execute(f'DROP INDEX "{name}"')
        con.execute(sql)


def explain(error: Exception, path: Path) -> Exception:
    """The error to raise for one of DuckDB or the file system: what, where, how to mend it."""
    text = str(error)
    first = text.splitlines()[0][:200] if text else type(error).__name__
    if any(sign in text for sign in _FULL) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return full(path)
    if any(sign.lower() in text.lower() for sign in _DAMAGED):
        return damaged(path, first)
    if isinstance(error, duckdb.IOException | OSError | duckdb.PermissionException):
        return unusable(path, first)
    return error


def full(path: Path) -> StateFullError:
    """No space is left for a state file."""
    return StateFullError(
        f"no space left for the state file {path}. Free space there, or set DOUDI_STATE to a larger disk "
        f"and move the files; then start again: nothing is lost, the last cycle is repeated."
    )


def damaged(path: Path, why: str) -> CorruptStateError:
    """A state file is damaged; it is marked for the next start."""
    with contextlib.suppress(OSError):
        suspect(path).touch()
    return CorruptStateError(
        f"the state file {path} is damaged ({why}). It is set aside at the next start and built again "
        f"from the newest snapshot or from Kafka; check the disk."
    )


def unusable(path: Path, why: str) -> StateFolderError:
    """A state file cannot be opened, read or written."""
    return StateFolderError(
        f"the state file {path} cannot be used: {why}. Check that DOUDI_STATE is a folder that this user may write to."
    )


def copied(path: Path) -> Path:
    """Where a snapshot of a file lies until it is stored."""
    return path.with_name(path.name + ".snapshot")


def suspect(path: Path) -> Path:
    """Marks a file as damaged until the next start sets it aside."""
    return path.with_name(path.name + ".suspect")


def set_aside(path: Path, why: str) -> Path:
    """Rename a file (and its log) so that it is never opened again; returns its new name."""
    aside = path.with_name(f"{path.name}.{why}-{int(time.time())}")
    for suffix in ("", ".wal", "-wal"):  # DuckDB's log, SQLite's
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    suspect(path).unlink(missing_ok=True)
    log.warning("state file %s was set aside as %s", path, aside.name)
    return aside
