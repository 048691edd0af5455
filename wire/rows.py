"""A SQLite file that one process keeps its rows in: locked by it, a log ahead of the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal


def exclusive(
    path: Path, tables: str, *, synchronous: Literal["NORMAL", "FULL"], log_pages: int, wait_s: float = 0.0
) -> sqlite3.Connection:
    """Open or create the file, for this process and user alone; ``tables``: statements that make them.

    Transactions are begun by the caller. FULL waits for the disk at each commit, NORMAL when the log, which holds
    ``log_pages`` pages of 4 KiB, is copied to the file. Threads take turns by themselves. Raises sqlite3.Error
    (SQLITE_BUSY: another process holds the file, also after ``wait_s``) and OSError; nothing is open then.
    """
    con = sqlite3.connect(path, timeout=wait_s, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)  # before there is a log, which takes over its rights
        con.execute("PRAGMA locking_mode=EXCLUSIVE")
        con.execute("PRAGMA journal_mode=WAL")
        con.execute(f"PRAGMA synchronous={synchronous}")
        con.execute(f"PRAGMA wal_autocheckpoint={log_pages}")
        con.executescript(tables)
        con.execute("BEGIN IMMEDIATE")
        con.execute("COMMIT")
    except (sqlite3.Error, OSError):
        con.close()
        raise
    return con
