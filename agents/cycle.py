"""One cycle of a partition: slices in, one transaction of facts, decisions, outbox and positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import polars as pl

from agents import faults
from agents.coding import Batch, Coder, Epochs, accepted, owned
from agents.errors import AgentError, CycleError, GapError
from agents.slices import Slice
from agents.state import PartitionState, Row
from domain.stage import Stage, Stamp
from schemas.topics import of

CONTROL = ("hub.tick", "hub.heartbeat")
"""Inputs that say when and how much, never what happened to a person."""


@dataclass(slots=True)
class Result:
    """What a cycle committed."""

    rows: list[Row] = field(default_factory=list)
    records: int = 0
    quarantined: int = 0
    unswept: int = 0
    begun: bool = False
    """A sweep by the rules of the stage began, or everybody was decided for."""


Lawful = Callable[[date], None]
"""Raises LawChanged where the stage's rule book is not the law of that day."""


class Cycles:
    """Cycles of one stage. Each call blocks; one thread at a time for one state."""

    def __init__(self, stage: Stage, coder: Coder, division_default: str, lawful: Lawful) -> None:
        self._stage = stage
        self._coder = coder
        self._division_default = division_default
        self._lawful = lawful

    def run(
        self,
        state: PartitionState,
        partition: int,
        slices: Sequence[Slice],
        *,
        silent: bool = False,
        everybody: bool = False,
        chunks: int | None = None,
    ) -> Result:
        """Take in slices (of one lane) and decide; see ``Stage.evaluate`` for everybody and chunks.

        ``silent``: take in only, the decision comes later for everybody. Raises GapError, StateFullError,
        CorruptStateError, LawChanged; CycleError with the place for anything else.
        """
        batches = _batches(state, slices)
        try:
            return self._run(state, partition, batches, silent, everybody, chunks)
        except AgentError:
            raise
        except Exception as error:
            where = f"{self._stage.name}-{partition}, {_places(batches) or 'no slice'}"
            raise CycleError(f"{where}: {type(error).__name__}") from error

    def _run(
        self,
        state: PartitionState,
        partition: int,
        batches: list[Batch],
        silent: bool,
        everybody: bool,
        chunks: int | None,
    ) -> Result:
        result = Result(records=sum(map(len, batches)))
        frames: list[tuple[Batch, pl.DataFrame]] = []
        epochs: Epochs = {}
        for batch in batches:
            frame, unread = self._coder.read(batch)
            if owned(batch.name):
                frame, newer = accepted(frame, f"{batch.name}-{batch.partition}", state.reader_epochs)
                epochs |= newer
            result.rows += unread
            frames.append((batch, frame))
        result.quarantined = len(result.rows)
        day = _day(frames)
        new_day = day > state.meta.get("tick", "")
        result.begun = not silent and (everybody or new_day)
        if result.begun:
            self._lawful(date.fromisoformat(max(day, state.meta.get("tick", "")) or date.min.isoformat()))
        live, baseline = _lanes(frames, state, first_day=new_day and not state.meta.get("tick"))
        stamp = Stamp(
            self._stage.name,
            partition,
            state.number("epoch"),
            state.number("seq") + 1,
            datetime.now(UTC),
            baseline,
            self._division_default,
        )
        with state.transaction() as con:
            self._stage.ingest(con, ((batch.name, frame) for batch, frame in frames))
            if not silent:
                decided = self._stage.evaluate(con, stamp, everybody=everybody or new_day, chunks=chunks)
                result.unswept = self._stage.unswept(con)
                for topic in self._stage.outputs:
                    if topic in decided:
                        result.rows += self._coder.rows(topic, decided[topic])
            state.queue(stamp.seq, result.rows)
            state.move({b.topic: b.parts[-1].next for b in batches})
            changed = {k: e for k, e in epochs.items() if state.reader_epochs.get(k) != e}
            state.remember_epochs(changed)
            notes: dict[str, str | int] = {"seq": stamp.seq}
            if new_day:
                notes["tick"] = day
            if live and not state.flag("live"):
                notes["live"] = 1
            if result.begun:
                notes["rules_version"] = self._stage.rules_version
            if everybody and not silent:
                notes["readback"] = 0
            state.note(notes)
            if result.rows:
                faults.point("before_commit")
        if result.rows:
            faults.point("after_commit")
        return result


def _batches(state: PartitionState, slices: Sequence[Slice]) -> list[Batch]:
    """Slices by topic, what the state already holds left out. Raises GapError."""
    found: dict[str, Batch] = {}
    for part in slices:
        batch = found.get(part.topic)
        at = batch.parts[-1].next if batch else state.positions.get(part.topic)
        if at is not None and part.next <= at:
            continue
        fresh = part.after(at) if at is not None and part.start < at else part
        missing = not fresh.contiguous or (at is not None and fresh.start > at)
        if missing and not fresh.hole and of(part.topic).retention == "forever":
            raise GapError(
                f"{part.topic}-{part.partition}: the state stands at {at}, the next slice covers "
                f"{fresh.start} to {fresh.next - 1} with {len(fresh)} records. This log must have no gaps."
            )
        if batch is None:
            batch = found[part.topic] = Batch(part.topic, part.partition)
        batch.parts.append(fresh)
    return list(found.values())


def _day(frames: Sequence[tuple[Batch, pl.DataFrame]]) -> str:
    days = [frame["day"].max() for batch, frame in frames if batch.name == "hub.tick" and frame.height]
    return max((str(d) for d in days), default="")


def _lanes(
    frames: Sequence[tuple[Batch, pl.DataFrame]], state: PartitionState, *, first_day: bool
) -> tuple[bool, bool]:
    """Whether live records came, and whether what is decided now is part of a first load."""
    facts = [(b, f) for b, f in frames if f.height and b.name not in CONTROL]
    live = any(b.live and ("baseline" not in f.columns or not f["baseline"].all()) for b, f in facts)
    if facts:
        return live, not live
    return False, not state.flag("live") and (first_day or bool(frames) or state.flag("readback"))


def _places(batches: Sequence[Batch]) -> str:
    return "; ".join(f"{b.topic}-{b.partition} offsets {b.parts[0].start} to {b.parts[-1].next - 1}" for b in batches)
