"""A feed out of a table: first load behind, live changes ahead, sweeps for late commits, key comparison.

Each `step` does a bounded piece of work, so that no feed keeps another waiting. The order is always:
read, publish, acknowledged, position.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.catalogue import Feed
from connectors.link import Linker
from connectors.mapping import Mapping
from connectors.plan import TIE_MICROS
from connectors.publish import Counts, Outlet
from connectors.sources.sql import Position, Table
from connectors.state import DELETED, Changes
from wire.pace import until

log = logging.getLogger("doudi.connector")

_MICROS = 1_000_000
_MASS_FRACTION, _MASS_ROWS = 0.2, 1000
_DELETE_PAGE = 5_000


@dataclass
class TableFeed:
    """One table into one topic. ``clock`` and ``monotonic`` in seconds."""

    feed: Feed
    mapping: Mapping
    table: Table
    outlet: Outlet
    monotonic: Callable[[], float] = time.monotonic
    counts: Counts = field(default_factory=Counts)
    _complete: bool = False
    _live: Position | None = None
    _moved_at: float | None = None
    _near_until: float = float("-inf")
    _swept_at: float = float("-inf")
    _swept_from: float = float("-inf")
    """When the last finished sweep ended, and when it began."""
    _sweep_began: float = float("-inf")
    _compared_at: float | None = None
    _comparing: str | None = None
    _compare_wanted: bool = False
    _look_at: float = float("-inf")
    _sweeping: tuple[Position, int] | None = None
    _published: frozenset[int] = field(default_factory=frozenset, repr=False)
    """Hashes of the rows of the last look: rereading the near past costs only what is new in it."""
    _certain: dict[str, int | None] = field(default_factory=dict, repr=False)
    _checked: dict[str, int | None] = field(default_factory=dict, repr=False)
    """Rows of the last sweep and of this one, by key and time of change: known to be published."""

    # what people and heartbeats see

    @property
    def complete(self) -> bool:
        """Whether the first load has been published whole."""
        self._complete = self._complete or bool(self.outlet.state.note(self.feed.source, "complete", False))
        return self._complete

    def position(self) -> str:
        """Where reading stands, without any key."""
        micros = self._position().micros if self._position() else 0
        return f"{micros / _MICROS:.6f} s UTC" if self.complete else "first load"

    # one piece of work

    def step(self) -> float:
        """Do what is due; returns the seconds until the next step (0: go on at once).

        Raises SourceDown, KafkaDown (try again: nothing is skipped) or a permanent error.
        """
        self.outlet.recover(self.feed)
        if self._moved_at is None:
            self._moved_at = self.monotonic()
            if self.outlet.state.note(self.feed.source, "start") is None:
                self._begin()
        more = False
        if self.monotonic() >= self._look_at:
            more = self._look()
            if not more:
                self._look_at = self.monotonic() + until(self.feed.poll_seconds)
        if not self.complete:
            self._load_page()
            return 0.0
        if not more:
            more = self._sweep_if_due() or self._compare_if_due()
        if more:
            return 0.0
        return max(0.0, self._look_at - self.monotonic())

    def _begin(self) -> None:
        """Draw the line: what changed up to here is the first load, what changes later is live."""
        start = self.table.newest() or 0
        start = min(start, self._now())
        log.info("%s: first load of table %s begins", self.feed.source, self.feed.table)
        self._save({"start": start, "live": [start + 1, ""], "loaded": ""})

    def _load_page(self) -> None:
        state, source = self.outlet.state, self.feed.source
        page = self.table.everything(state.note(source, "loaded", ""), state.note(source, "start", 0))
        keys, _ = self.table.split(page)
        notes = {"loaded": keys[-1]} if self.table.full(page) else {"complete": True, "loaded": ""}
        self._add(self.outlet.page(self.feed, self.mapping, page, snapshot=True, notes=notes))
        if "complete" in notes:
            self._moved_at = self.monotonic()  # sweeps look for what committed late meanwhile
            log.info("%s: first load complete, %d rows; live from now on", source, self.counts.read)

    # live changes

    def _now(self) -> int:
        return int(self.outlet.clock().timestamp() * _MICROS)

    def _position(self) -> Position:
        if self._live is None:
            start = self.outlet.state.note(self.feed.source, "start", 0)
            self._live = Position(*self.outlet.state.note(self.feed.source, "live", [start + 1, ""]))
        return self._live

    def _floor(self) -> int:
        """Nothing older is live: until the first load is complete it belongs to that."""
        start: int = self.outlet.state.note(self.feed.source, "start", 0)
        return start + 1 if not self.complete else 0

    def _look(self) -> bool:
        """Publish the next page of changes. True if there may be more."""
        at = self._position()
        near = int(self.feed.near_seconds * _MICROS)
        begin = at
        if near and self.monotonic() < self._near_until:
            begin = Position(max(at.micros - near, self._floor()), "")
        if not self.complete and begin.micros < self._floor():
            begin = Position(self._floor(), "")
        page = self.table.changes(begin)
        if self.table.full(page) and begin != at and at.micros >= self._floor():
            page = self.table.changes(at)  # a burst: do not read the near past again and again
        if not page.height:
            return False
        keys, stamps = self.table.split(page)
        newest, now = stamps[-1], self._now()
        # a clock ahead of ours, or no time that can be said: do not step over what comes in between
        last = Position(now, "") if newest is None or newest > now else Position(newest, keys[-1])
        moved = last != at
        notes = {"live": [*last]} if moved else {}
        hashes = page.hash_rows().to_list()
        new = [n for n, row in enumerate(hashes) if row not in self._published]
        fresh = page if len(new) == page.height else page[new]
        if fresh.height or moved:
            self._add(self.outlet.page(self.feed, self.mapping, fresh, snapshot=False, notes=notes))
        self._published = frozenset(hashes)
        if moved:
            self._live, self._moved_at = last, self.monotonic()
            self._near_until = self._moved_at + self.feed.near_seconds + self.feed.poll_seconds
        return moved and self.table.full(page)

    # late commits

    def _sweep_if_due(self) -> bool:
        """One page of the sweep over the overlap. True while one is under way."""
        now = self.monotonic()
        if self._sweeping is None:
            # what had a time before the last row that was new has committed by then; a source that cannot be
            # reached puts that sweep off, however long
            quiet = self._moved_at is not None and self._swept_from > self._moved_at + self.feed.overlap_seconds
            if quiet or not self.feed.overlap_seconds or now - self._swept_at < self.feed.sweep_seconds:
                return False
            # from where the last sweep ended, however long ago: a stop or a long first load leaves no hole
            state, source, until = self.outlet.state, self.feed.source, self._position().micros
            begin = min(state.note(source, "swept", state.note(source, "start")), until)
            self._sweeping = (Position(begin - int(self.feed.overlap_seconds * _MICROS), ""), until)
            self._certain, self._checked = self._checked, {}
            self._sweep_began = now
        after, until = self._sweeping
        page = self.table.stamps(after, until)
        keys, stamps = self.table.split(page)
        pairs = list(zip(keys, stamps, strict=True))
        news = [(k, s) for k, s in pairs if self._certain.get(k) != s]
        self._catch_up([k for k, _ in news], [s for _, s in news])
        self._checked.update(pairs)
        if self.table.full(page):
            self._sweeping = (Position(stamps[-1] or 0, keys[-1]), until)
            return True
        self._sweeping, self._swept_from, self._swept_at = None, self._sweep_began, self.monotonic()
        if until != self.outlet.state.note(self.feed.source, "swept"):
            self._save({"swept": until})
        return False

    def _catch_up(self, keys: list[str], stamps: list[int | None]) -> None:
        """Publish those of these rows whose version was never published."""
        if not keys:
            return
        ids = self._ids(keys)
        known = self.outlet.state.records(self.feed.source, ids)
        missed = [
            key
            for key, record_id, micros in zip(keys, ids, stamps, strict=True)
            if (before := known.get(record_id)) is None
            or before.uncertain
            or _differs(before.version, micros)
            or (before.kind == DELETED and not self.feed.deleted)
        ]
        if missed:
            rows = self.table.rows(missed)
            self._add(self.outlet.page(self.feed, self.mapping, rows, snapshot=False))

    def _ids(self, keys: list[str]) -> list[str]:
        linker = Linker(self.outlet.secrets.linking)
        return linker.record_ids([k.strip() for k in keys], hash_key=self.feed.key_contains_id)

    # deletes without a flag

    def compare_soon(self) -> None:
        """Begin a full comparison of keys with the next step, whenever the last one was."""
        self._compare_wanted = True

    def _compare_if_due(self) -> bool:
        """One page of the full key comparison. True while one is under way."""
        if not self.feed.compare_seconds:
            return False
        now = self.monotonic()
        if self._compared_at is None:
            self._compared_at = now
        if self._comparing is None:
            if not self._compare_wanted and now - self._compared_at < self.feed.compare_seconds:
                return False
            self._compare_wanted = False
            self.outlet.state.begin_pass(self.feed.source)
            self._comparing = ""
        page = self.table.keys(self._comparing)
        keys, stamps = self.table.split(page)
        self.outlet.state.see(self.feed.source, self._ids(keys))
        self._catch_up(keys, stamps)
        if self.table.full(page):
            self._comparing = keys[-1]
            return True
        self._comparing, self._compared_at = None, self.monotonic()
        self._delete_vanished()
        return False

    def _delete_vanished(self) -> None:
        gone = self.outlet.state.vanished(self.feed.source)
        if not gone:
            return
        there = sum(n for kind, n in self.outlet.state.count(self.feed.source).items() if kind != DELETED)
        if len(gone) >= _MASS_ROWS and len(gone) > there * _MASS_FRACTION and not self.feed.allow_mass_delete:
            log.error(
                "%s: %d of %d records are no longer in table %s. Nothing was deleted in the hub. If the "
                "department really removed them, set allow_mass_delete: true for this feed and start again; "
                "otherwise mend the table or the account's rights.",
                self.feed.source,
                len(gone),
                there,
                self.feed.table,
            )
            return
        for i in range(0, len(gone), _DELETE_PAGE):
            self._add(self.outlet.vanished(self.feed, gone[i : i + _DELETE_PAGE]))

    def _save(self, notes: dict[str, object]) -> None:
        self.outlet.state.commit(self.feed.source, Changes(notes=dict(notes)))

    def _add(self, counts: Counts) -> None:
        for name, n in vars(counts).items():
            setattr(self.counts, name, getattr(self.counts, name) + n)


def _differs(version: int, micros: int | None) -> bool:
    """Whether a row was changed since that version."""
    return micros is not None and not micros <= version < micros + TIE_MICROS
