"""What to publish for a page of rows, given what was published before. Pure: no Kafka, no clock, no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.state import DELETED, LIVE, UNIDENTIFIED, Record

TIE_MICROS = 1_000
"""Versions of rows that share a time lie above it by less than this."""


class Row(NamedTuple):
    """What matters of a row. ``person``: empty without a usable ID, ``reason`` then says why."""

    record_id: str
    micros: int
    person: str
    reason: str
    hash: bytes
    deleted: bool
    problem: str
    raw_hash: bytes


@dataclass
class Plan:
    """Row numbers with what to publish for each; ``records`` and ``rejected`` are the state afterwards."""

    publish: list[tuple[int, str, int]] = field(default_factory=list)
    """(row, op, version)"""
    deletes: list[tuple[int, str, int]] = field(default_factory=list)
    """(row, person, version): under the person that the record belonged to"""
    unidentified: list[tuple[int, str, int]] = field(default_factory=list)
    """(row, state, version)"""
    quarantine: list[int] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    rejected: dict[str, bytes | None] = field(default_factory=dict)
    stale: int = 0

    def __bool__(self) -> bool:
        return bool(
            self.publish or self.deletes or self.unidentified or self.quarantine or self.rejected or self.records
        )


def plan(
    rows: Sequence[Row],
    known: dict[str, Record],
    rejected: dict[str, bytes],
    *,
    snapshot: bool,
    later_read_wins: bool,
) -> Plan:
    """Decide for each row, in order. ``known`` and ``rejected``: what the state holds of these records.

    A version is the time of change in µs, or one more than the last one where that is not greater: two
    changes that share a timestamp stay in order; what may not have been published goes out again under its own
    version. ``later_read_wins``: the source shows its present (a table); otherwise (a file) a row older than what was
    published, or than a row before it here, is stale.
    """
    made = Plan()
    known = dict(known)
    taken: dict[str, int] = {}
    for number, row in enumerate(rows):
        before = known.get(row.record_id)
        if row.problem and not row.deleted:
            if rejected.get(row.record_id) != row.raw_hash:
                made.quarantine.append(number)
                made.rejected[row.record_id] = row.raw_hash
            continue
        if row.record_id in rejected:
            made.rejected[row.record_id] = None
        if before and not later_read_wins:
            # a version that may not have been published may be a tie's, and this its row, read again
            since = before.version - (TIE_MICROS - 1 if before.uncertain else 0)
            if row.micros < taken.get(row.record_id, since):
                made.stale += 1
                continue
        taken[row.record_id] = row.micros
        version = max(row.micros, before.version + (not before.uncertain)) if before else row.micros
        after = _decide(made, number, row, before, version=version, snapshot=snapshot)
        if after is not None:
            known[row.record_id] = made.records[row.record_id] = after
    return made


def _decide(made: Plan, number: int, row: Row, before: Record | None, *, version: int, snapshot: bool) -> Record | None:
    """Adds to ``made``; returns the record's new state, or None where nothing changed."""
    kind = before.kind if before else None
    if row.deleted:
        if before and kind == DELETED:
            return _touched(before, row)
        if person := (before.person if before and before.person else row.person):
            made.deletes.append((number, person, version))
        if kind == UNIDENTIFIED or (before is None and not row.person):
            made.unidentified.append((number, "resolved", version))
        return Record(person, version, b"", DELETED)
    if before and kind != DELETED and (before.hash, before.person) == (row.hash, row.person):
        return _touched(before, row)
    moved = kind == LIVE and before is not None and before.person != row.person
    if moved and before:
        made.deletes.append((number, before.person, version))
    if not row.person:
        made.unidentified.append((number, "unidentified", version))
        return Record("", version, row.hash, UNIDENTIFIED)
    if kind == UNIDENTIFIED:
        made.unidentified.append((number, "resolved", version))
    known = kind == LIVE and not moved and not (before and before.uncertain)
    op = "snapshot" if snapshot else "update" if known else "create"
    made.publish.append((number, op, version))
    return Record(row.person, version, row.hash, LIVE)


def _touched(before: Record, row: Row) -> Record | None:
    """Changed in time only: nothing to publish, but remembered, so that it is not read again and again."""
    return before._replace(version=row.micros) if row.micros > before.version else None
