"""From rows to acknowledged messages, then to the state: publish, wait for acks, commit. In that order."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
import polars as pl

from connectors import identities, link
from connectors.catalogue import Feed
from connectors.mapping import ENVELOPE, Mapping, apply
from connectors.outflow import Outflow
from connectors.plan import Plan, Row, plan
from connectors.sending import Sender, same
from connectors.state import DELETED, LIVE, UNIDENTIFIED, Announced, Changes, State
from domain.quarantine import aside
from domain.sealing import seal_to
from schemas import load
from schemas.topics import of
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

log = logging.getLogger("doudi.connector")

LOCAL = timezone(timedelta(hours=8))
BAD_ROW = "bad_row"
"""Reason in hub.quarantine of a department's row that does not fit its mapping."""


def utc_now() -> datetime:
    """The clock of the process; passed in so that tests can set it."""
    return datetime.now(UTC)


@dataclass
class Counts:
    """What a page came to."""

    read: int = 0
    records: int = 0
    deletes: int = 0
    unidentified: int = 0
    resolved: int = 0
    rejected: int = 0
    identities: int = 0
    stale: int = 0


@dataclass
class Outlet:
    """Publishes for one connector process. Every value that leaves passes here."""

    settings: Settings
    registry: Registry
    secrets: Secrets
    state: State
    outflow: Outflow
    stop: threading.Event
    clock: Callable[[], datetime] = utc_now
    sender: Sender = field(init=False, repr=False)
    _settled: set[str] = field(default_factory=set, repr=False)
    """Feeds of which nothing is announced that was not committed."""

    def __post_init__(self) -> None:
        """One producer for all feeds."""
        self.sender = Sender(self.settings, self.registry, self.stop)

    def today(self) -> date:
        """The local day."""
        return self.clock().astimezone(LOCAL).date()

    def page(
        self,
        feed: Feed,
        mapping: Mapping,
        raw: pl.DataFrame,
        *,
        snapshot: bool,
        later_read_wins: bool = True,
        notes: dict[str, Any] | None = None,
    ) -> Counts:
        """Map, link, publish and commit one page of raw text rows; ``notes`` are saved with it.

        Raises KafkaDown (then nothing is committed: give the same rows again), Stopped, or a permanent error.
        """
        changes = Changes(notes=notes or {})
        counts = Counts(read=raw.height)
        if raw.height:
            frame = apply(mapping, raw, key=feed.key, updated_at=feed.updated_at, deleted=feed.deleted)
            linker = link.Linker(self.secrets.linking)
            frame = linker.link(mapping, frame, self.today(), hash_key=feed.key_contains_id)
            self._rows(
                feed,
                raw,
                frame,
                snapshot=snapshot,
                later_read_wins=later_read_wins,
                changes=changes,
                counts=counts,
            )
        if changes.records or changes.rejected or changes.said or changes.notes:
            self.state.commit(feed.source, changes)
        self._settled.add(feed.source)
        self.outflow.add(feed.source, feed.topic, counts)
        return counts

    def _rows(
        self,
        feed: Feed,
        raw: pl.DataFrame,
        frame: pl.DataFrame,
        *,
        snapshot: bool,
        later_read_wins: bool,
        changes: Changes,
        counts: Counts,
    ) -> None:
        rows = _rows_of(raw, frame, self.secrets.linking)
        ids = [r.record_id for r in rows]
        made = plan(
            rows,
            self.state.records(feed.source, ids),
            self.state.rejected(feed.source, ids),
            snapshot=snapshot,
            later_read_wins=later_read_wins,
        )
        changes.records, changes.rejected = made.records, made.rejected
        counts.stale = made.stale
        if made.publish or made.deletes or made.unidentified:
            self._settled.discard(feed.source)
            self.state.announce(feed.source, _announced(made, rows))
        now = self.clock()
        with self.sender as out:
            counts.identities = identities.publish(out, self.secrets, self.state, feed.source, frame, changes, now)
            self._records(out, feed, frame, made, snapshot=snapshot)
            self._unidentified(out, feed, raw, frame["division"], rows, made)
            self._quarantine(out, feed, raw, rows, made)
        counts.records, counts.deletes = len(made.publish), len(made.deletes)
        counts.unidentified = sum(s == "unidentified" for _, s, _ in made.unidentified)
        counts.resolved = len(made.unidentified) - counts.unidentified
        counts.rejected = len(made.quarantine)

    def _records(self, out: Sender, feed: Feed, frame: pl.DataFrame, made: Plan, *, snapshot: bool) -> None:
        topic = of(feed.topic).backlog if snapshot else feed.topic
        dtypes = load.of_topic(feed.topic).dtypes
        now = self.clock()
        deletes = [(n, "delete", v) for n, _, v in made.deletes]
        for some, persons in ((deletes, [p for _, p, _ in made.deletes]), (made.publish, None)):
            if not some:
                continue
            numbers = [n for n, _, _ in some]
            chosen = frame if numbers == list(range(frame.height)) else frame[numbers]
            ids = chosen["record_id"].to_list()
            known: dict[str, Sequence[Any]] = {
                "event_id": [f"{i}:{feed.epoch}:{v}:{o}" for i, (_, o, v) in zip(ids, some, strict=True)],
                "op": [o for _, o, _ in some],
                "record_version": [v for _, _, v in some],
            }
            everywhere = {"source": feed.source, "source_epoch": feed.epoch, "published_at": now}
            if persons is not None:
                known |= {"person_key": persons}
                everywhere |= dict.fromkeys(f for f in dtypes if f not in ENVELOPE)
            # column by column, without a query: for a small page a query costs more than its rows
            columns = chosen.to_dict()
            columns |= {c: pl.Series(values, dtype=dtypes[c]) for c, values in known.items()}
            columns |= {c: same(value, dtypes[c], len(some)) for c, value in everywhere.items()}
            out.frame(topic, pl.DataFrame({c: columns[c] for c in dtypes}), "person_key")

    def _unidentified(
        self, out: Sender, feed: Feed, raw: pl.DataFrame, divisions: pl.Series, rows: Sequence[Row], made: Plan
    ) -> None:
        public = self.secrets.hub.public
        out.rows(
            "hub.unidentified",
            [
                {
                    "source": feed.source,
                    "topic": feed.topic,
                    "record_id": rows[n].record_id,
                    "record_version": version,
                    "state": state,
                    "reason": rows[n].reason,
                    "division": divisions[n],
                    "sealed": seal_to(public, _original(raw, n)) if state == "unidentified" else b"",
                    "published_at": self.clock(),
                }
                for n, state, version in made.unidentified
            ],
        )

    def _quarantine(self, out: Sender, feed: Feed, raw: pl.DataFrame, rows: Sequence[Row], made: Plan) -> None:
        """Rows that do not fit: as they were read, sealed, under the topic that they were meant for."""
        public, where, now = self.secrets.hub.public, (feed.topic, -1, -1), self.clock()
        out.rows(
            "hub.quarantine",
            [
                aside(
                    public,
                    where,
                    (BAD_ROW, f"{feed.source}: {rows[n].problem}"),
                    rows[n].record_id.encode(),
                    _original(raw, n),
                    now,
                )
                for n in made.quarantine
            ],
        )
        for n in made.quarantine:
            log.warning(
                "%s: a row does not fit and is kept in quarantine: %s. Mend it at the department; it is read "
                "again when it changes.",
                feed.source,
                rows[n].problem,
            )

    def vanished(self, feed: Feed, ids: Sequence[str]) -> Counts:
        """Publish deletes of records that the department's table no longer has, and commit."""
        changes, gone = Changes(), []
        for record_id, before in self.state.records(feed.source, ids).items():
            version = before.version + 1
            gone.append((record_id, before.person, version))
            changes.records[record_id] = before._replace(version=version, hash=b"", kind=DELETED)
        counts = self._withdraw(feed, gone)
        self.state.commit(feed.source, changes)
        self.outflow.add(feed.source, feed.topic, counts)
        return counts

    def recover(self, feed: Feed) -> None:
        """After a page that failed or a crash: whoever may have a record announced to be another's loses it.

        Call before each step of a feed: what was announced may have been published, in part or whole.

        What the page would have made of its records is taken for published, so that whatever becomes of them since
        (another person, no person, no row) is seen as a change; and for uncertain, so that they are published again.
        Raises as `page`.
        """
        if feed.source in self._settled:
            return
        left = self.state.announced(feed.source)
        before = self.state.records(feed.source, list(left))
        changes, gone = Changes(), []
        for record_id, (after, others) in left.items():
            was = before.get(record_id)
            persons = {*others, *([was.person] if was and was.kind != DELETED else [])} - {after.person}
            gone += [(record_id, person, after.version) for person in sorted(persons)]
            changes.records[record_id] = after._replace(kind=LIVE if after.person else UNIDENTIFIED)
        if left:
            log.info("%s: %d records may have been published or not; they are looked at again", feed.source, len(left))
            self._withdraw(feed, gone)
            self.state.commit(feed.source, changes)
        self._settled.add(feed.source)

    def _withdraw(self, feed: Feed, gone: Sequence[tuple[str, str, int]]) -> Counts:
        """Publish that records are no longer a person's, or, without a person, no longer unidentified.

        ``gone``: (record_id, person, version).
        """
        now = self.clock()
        deletes, resolved = [], []
        for record_id, person, version in gone:
            envelope = {
                "source": feed.source,
                "record_id": record_id,
                "record_version": version,
                "division": "",
                "published_at": now,
            }
            if person:
                deletes.append(
                    {
                        **envelope,
                        "event_id": f"{record_id}:{feed.epoch}:{version}:delete",
                        "op": "delete",
                        "source_epoch": feed.epoch,
                        "person_key": person,
                        "occurred_at": now,
                    }
                )
            else:
                resolved.append({**envelope, "topic": feed.topic, "state": "resolved", "reason": "", "sealed": b""})
        with self.sender as out:
            out.rows(feed.topic, deletes)
            out.rows("hub.unidentified", resolved)
        return Counts(deletes=len(deletes), resolved=len(resolved))

    def heartbeats(self, rows: Sequence[dict[str, Any]], partitions: int) -> None:
        """Send each to every partition of hub.heartbeat."""
        with self.sender as out:
            for partition in range(partitions):
                out.rows("hub.heartbeat", rows, partition)


def _announced(made: Plan, rows: Sequence[Row]) -> dict[str, Announced]:
    """What a page is about to make of its records."""
    others: dict[str, set[str]] = {}
    for number, _, _ in made.publish:
        row = rows[number]
        if row.person != made.records[row.record_id].person:
            others.setdefault(row.record_id, set()).add(row.person)
    return {i: Announced(record, sorted(others.get(i, ()))) for i, record in made.records.items()}


def _original(raw: pl.DataFrame, number: int) -> bytes:
    """A row as the department gave it: JSON of its columns, in the order of their names, without the empty ones."""
    row = {name: text for name, text in raw.row(number, named=True).items() if text}
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def _rows_of(raw: pl.DataFrame, frame: pl.DataFrame, key: bytes) -> list[Row]:
    micros = [at or 0 for at in frame["_updated"].to_physical().to_list()]
    problems = _texts(frame["_problem"])
    marks = [b""] * frame.height
    ids = frame["record_id"].to_list()
    if any(problems):
        for n, problem in enumerate(problems):
            if problem:
                text = _original(raw, n)
                marks[n] = hashlib.blake2b(text, digest_size=12, key=key, person=b"doudi.row").digest()
                ids[n] = ids[n] or f"?{marks[n].hex()}"
    return [
        Row(*values)
        for values in zip(
            ids,
            micros,
            _texts(frame["person_key"]),
            _texts(frame["_reason"]),
            link.content_hashes(frame),
            frame["_deleted"].to_list(),
            problems,
            marks,
            strict=True,
        )
    ]


def _texts(column: pl.Series) -> list[str]:
    return [text or "" for text in column.to_list()]
