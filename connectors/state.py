"""What a connector remembers: positions, and of each record its person, version and content hash.

One SQLite file per connector process. What is remembered as published is written after Kafka acknowledged it,
never before; what is about to be published is announced before, so that after a crash in between nothing that may
have gone out is forgotten. Losing the file costs a second reading. It holds no clear ID number: keys of rows that
contain one are hashed, positions sealed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from connectors.errors import ConfigError
from domain.sealing import CannotOpen, open_local, seal_local
from wire.rows import exclusive

LIVE, DELETED, UNIDENTIFIED = 0, 1, 2

_LOG_PAGES = 8_000
"""So many pages (of 4 KiB) the log holds before they are copied to the file, and waited for: keys are random, so each
page of a table touches many pages here, and most of them again and again."""
_DDL = """
CREATE TABLE IF NOT EXISTS record(
    feed TEXT, id TEXT, person TEXT, version INTEGER, hash BLOB, kind INTEGER, pass INTEGER,
    PRIMARY KEY(feed, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rejected(feed TEXT, id TEXT, hash BLOB, PRIMARY KEY(feed, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS said(person TEXT, feed TEXT, hash BLOB, PRIMARY KEY(person, feed)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity(person TEXT PRIMARY KEY, key_id TEXT, wrapped BLOB, sealed BLOB);
CREATE TABLE IF NOT EXISTS note(feed TEXT, name TEXT, value BLOB, PRIMARY KEY(feed, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS announced(feed TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS seen(feed TEXT, id TEXT, PRIMARY KEY(feed, id)) WITHOUT ROWID;
"""


class Record(NamedTuple):
    """The last published state of a record. ``person`` is empty where nobody was identified."""

    person: str
    version: int
    hash: bytes
    kind: int

    @property
    def uncertain(self) -> bool:
        """It may not have been published: a crash came between."""
        return self.kind != DELETED and not self.hash


class Announced(NamedTuple):
    """What a page is about to make of a record: what stands afterwards, and persons who have it in between."""

    record: Record
    others: list[str]


class Envelope(NamedTuple):
    """A person's identity as last published by this connector, sealed by the vault."""

    key_id: str
    wrapped: bytes
    sealed: bytes


@dataclass
class Changes:
    """What one page changes in the state; written in one transaction."""

    records: dict[str, Record] = field(default_factory=dict)
    rejected: dict[str, bytes | None] = field(default_factory=dict)
    said: dict[str, bytes] = field(default_factory=dict)
    identities: dict[str, Envelope] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


class State:
    """The state file. Not shared between processes: a second one is refused."""

    def __init__(self, path: Path, key: bytes) -> None:
        """``key`` (32 bytes) seals the notes. Raises ConfigError where the file cannot be used."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = key
        self._notes: dict[tuple[str, str], Any] = {}
        try:
            self._con = exclusive(path, _DDL, synchronous="NORMAL", log_pages=_LOG_PAGES, wait_s=0.2)
            self._con.execute("PRAGMA cache_size=-65536")
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"The connector's state {path} cannot be used: {error}. Another connector of this department "
                "may be running: stop it. If the file is damaged, move it aside: everything is read again."
            ) from None

    def close(self) -> None:
        """Give the file up."""
        self._con.close()

    def records(self, feed: str, ids: Sequence[str]) -> dict[str, Record]:
        """Those of the records that are known."""
        rows = self._con.execute(
            "SELECT id, person, version, hash, kind FROM record WHERE feed=? AND id IN "
            "(SELECT value FROM json_each(?))",
            (feed, json.dumps(ids)),
        )
        return {r[0]: Record(*r[1:]) for r in rows}

    def rejected(self, feed: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Content hashes of those rows that were last rejected."""
        sql = "SELECT id, hash FROM rejected WHERE feed=? AND id IN (SELECT value FROM json_each(?))"
        return dict(self._con.execute(sql, (feed, json.dumps(ids))).fetchall())

    def said(self, feed: str, persons: Sequence[str]) -> dict[str, bytes]:
        """Hash of what the feed last said of each person's identity."""
        sql = "SELECT person, hash FROM said WHERE feed=? AND person IN (SELECT value FROM json_each(?))"
        return dict(self._con.execute(sql, (feed, json.dumps(persons))).fetchall())

    def identities(self, persons: Sequence[str]) -> dict[str, Envelope]:
        """The sealed identities that this connector published."""
        sql = "SELECT person, key_id, wrapped, sealed FROM identity WHERE person IN (SELECT value FROM json_each(?))"
        return {r[0]: Envelope(*r[1:]) for r in self._con.execute(sql, (json.dumps(persons),))}

    def announce(self, feed: str, records: Mapping[str, Announced]) -> None:
        """Note what is about to be published; the next commit of the feed says that it was."""
        body = [(i, r.person, r.version, r.kind, others) for i, (r, others) in records.items()]
        self._con.execute("INSERT OR REPLACE INTO announced VALUES(?,?)", (feed, json.dumps(body).encode()))

    def announced(self, feed: str) -> dict[str, Announced]:
        """What was announced and never committed: it may have been published, in part or whole."""
        rows = self._con.execute("SELECT body FROM announced WHERE feed=?", (feed,)).fetchall()
        body = json.loads(rows[0][0]) if rows else []
        return {i: Announced(Record(person, version, b"", kind), others) for i, person, version, kind, others in body}

    def commit(self, feed: str, changes: Changes) -> None:
        """Write all of it or nothing. Call only after Kafka acknowledged what it speaks of."""
        current = self.passes(feed)
        con = self._con
        con.execute("BEGIN IMMEDIATE")
        try:
            con.executemany(
                "INSERT OR REPLACE INTO record VALUES(?,?,?,?,?,?,?)",
                [(feed, i, *r, current) for i, r in changes.records.items()],
            )
            con.executemany(
                "INSERT OR REPLACE INTO rejected VALUES(?,?,?)",
                [(feed, i, h) for i, h in changes.rejected.items() if h is not None],
            )
            con.executemany(
                "DELETE FROM rejected WHERE feed=? AND id=?",
                [(feed, i) for i, h in changes.rejected.items() if h is None],
            )
            con.executemany(
                "INSERT OR REPLACE INTO said VALUES(?,?,?)", [(p, feed, h) for p, h in changes.said.items()]
            )
            con.executemany(
                "INSERT INTO identity VALUES(?,?,?,?) ON CONFLICT(person) DO UPDATE SET key_id=excluded.key_id, "
                "wrapped=excluded.wrapped, sealed=excluded.sealed",
                [(p, *e) for p, e in changes.identities.items()],
            )
            con.executemany(
                "INSERT OR REPLACE INTO note VALUES(?,?,?)",
                [(feed, n, self._seal(v)) for n, v in changes.notes.items()],
            )
            con.execute("DELETE FROM announced WHERE feed=?", (feed,))
            con.execute("COMMIT")
        except BaseException:
            con.execute("ROLLBACK")
            raise
        self._notes.update({(feed, name): value for name, value in changes.notes.items()})

    def _seal(self, value: Any) -> bytes:
        return seal_local(self._key, json.dumps(value).encode())

    def note(self, feed: str, name: str, default: Any = None) -> Any:
        """A position or another small value (JSON)."""
        if (feed, name) in self._notes:
            return self._notes[feed, name]
        rows = self._con.execute("SELECT value FROM note WHERE feed=? AND name=?", (feed, name)).fetchall()
        if not rows:
            return default
        try:
            return json.loads(open_local(self._key, rows[0][0]))
        except CannotOpen:
            raise ConfigError(
                "The connector's state was written under another linking key. Put the key file back, or move "
                "the state aside and raise the feeds' epoch: everything is read again."
            ) from None

    def passes(self, feed: str) -> int:
        """Number of the current (or, between two, the next) full comparison."""
        return int(self.note(feed, "pass", 0))

    def begin_pass(self, feed: str) -> None:
        """Begin a full comparison: forget what an interrupted one has seen."""
        self._con.execute("DELETE FROM seen WHERE feed=?", (feed,))
        self.commit(feed, Changes(notes={"pass": self.passes(feed) + 1}))

    def see(self, feed: str, ids: Iterable[str]) -> None:
        """These records exist at the department."""
        self._con.execute("BEGIN")
        self._con.executemany("INSERT OR IGNORE INTO seen VALUES(?,?)", [(feed, i) for i in ids])
        self._con.execute("COMMIT")

    def vanished(self, feed: str) -> list[str]:
        """Records known before this comparison began, not seen in it and not published since."""
        return [
            r[0]
            for r in self._con.execute(
                "SELECT id FROM record r WHERE feed=? AND kind<>? AND pass<? AND NOT EXISTS "
                "(SELECT 1 FROM seen s WHERE s.feed=r.feed AND s.id=r.id)",
                (feed, DELETED, self.passes(feed)),
            )
        ]

    def count(self, feed: str) -> dict[int, int]:
        """Records by kind."""
        sql = "SELECT kind, count(*) FROM record WHERE feed=? GROUP BY kind"
        return dict(self._con.execute(sql, (feed,)).fetchall())

    def rejected_count(self, feed: str) -> int:
        """Rows that stand rejected."""
        return int(self._con.execute("SELECT count(*) FROM rejected WHERE feed=?", (feed,)).fetchall()[0][0])
