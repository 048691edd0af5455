"""Who owns a state partition: epochs, what an earlier owner left, and reading back what stands in Kafka.

Blocking; runs in a worker thread. See ``Acquired`` for what comes out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from agents.coding import Coder, Epochs, accepted, owned
from agents.errors import StateAheadError
from agents.outlet import Outlet
from agents.state import PartitionState
from domain.questions import LIFE
from domain.stage import Stage
from schemas import load
from schemas.codec import decode
from schemas.topics import names, of
from wire.asking import QUESTION
from wire.kafka import admin, fault
from wire.reading import read_all
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger(__name__)

Ends = dict[str, dict[int, int]]
"""End offset by topic and partition."""
EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Acquired:
    """A partition that is ours from ``epoch`` on.

    ``positions``: where to read each input (with its lanes) and the questions. ``catch_up``: where each ends now, if
    inputs are to be ingested silently up to there and everybody evaluated then; empty otherwise. ``ticks``: where
    hub.tick ends now.
    """

    epoch: int
    positions: dict[str, int]
    catch_up: dict[str, int]
    ticks: int


class Ownership:
    """Acquires partitions of one stage."""

    def __init__(self, settings: Settings, stage: Stage, coder: Coder, registry: Registry, outlet: Outlet) -> None:
        self._settings = settings
        self._stage = stage
        self._coder = coder
        self._registry = registry
        self._outlet = outlet
        self._admin = admin(settings)
        self._outputs = [t for t in dict.fromkeys(("hub.condition", *stage.outputs)) if owned(t)]

    def acquire(self, state: PartitionState, partition: int, mine: Callable[[], bool]) -> Acquired:
        """Take the partition over. Raises NotOwner, BrokerError, StateAheadError, WireError."""
        positions, ends = self._inputs(state, partition)
        epoch = state.number("epoch", -1)
        seen: Ends = {
            t: {int(p): o for p, o in by.items()} for t, by in json.loads(state.meta.get("seen", "{}")).items()
        }
        outdated = epoch < 0 or state.flag("readback")
        if not outdated:
            outdated, seen = self._foreign(partition, seen, epoch, state.number("seq"))
        waiting = [] if outdated else state.waiting()
        if waiting:
            # still under the old epoch: no newer one has been announced
            log.info("%s-%d: %d decisions left by the last run", self._stage.name, partition, len(waiting))
            self._outlet.publish(waiting, mine)
            state.published()
        mine_now = self._announce(partition, mine)
        if not outdated:
            outdated, seen = self._foreign(partition, seen, epoch, state.number("seq"), announced=mine_now)
        standing: dict[str, pl.DataFrame] = {}
        if outdated:
            log.info("%s-%d: reading back what stands in Kafka", self._stage.name, partition)
            standing, seen = self._standing(partition)
        with state.transaction() as con:
            self._stage.create(con)
            if outdated:
                state.discard_outbox()
                state.note({"readback": 1})
            for topic in self._stage.outputs:
                if topic in standing:
                    self._stage.adopt(con, topic, standing[topic])
            state.note({"epoch": mine_now, "seen": json.dumps(seen)})
        positions[QUESTION] = self._still_asked(partition)
        return Acquired(mine_now, positions, ends if outdated else {}, ends.get("hub.tick", 0))

    def _inputs(self, state: PartitionState, partition: int) -> tuple[dict[str, int], dict[str, int]]:
        """Positions of the inputs, moved up to where logs begin, and their ends."""
        lanes = [n for t in self._stage.inputs for n in names() if of(n).name == t]
        wanted = {n: TopicPartition(self._settings.topic(n), partition) for n in lanes}
        first = self._offsets(wanted, EARLIEST)
        ends = self._offsets(wanted, LATEST)
        positions = {}
        for name in lanes:
            at = state.positions.get(name, 0)
            if at > ends[name]:
                raise StateAheadError(
                    f"the state file {state.path} has read {name}-{partition} up to {at}, but the topic ends "
                    f"at {ends[name]}: this is another cluster, or its log was lost. Set DOUDI_KAFKA or "
                    f"DOUDI_STATE right; to build the state anew from this cluster, move the file away."
                )
            if at < first[name] and of(name).retention == "forever" and first[name] > 0:
                log.warning("%s-%d begins at %d, but %d was asked", name, partition, first[name], at)
            positions[name] = max(at, first[name])
        return positions, ends

    def _still_asked(self, partition: int) -> int:
        """Offset of the first question that somebody may still wait for."""
        wanted = {QUESTION: TopicPartition(self._settings.topic(QUESTION), partition)}
        since = int((datetime.now(UTC) - LIFE).timestamp() * 1000)
        at = self._offsets(wanted, OffsetSpec.for_timestamp(since))[QUESTION]
        return at if at >= 0 else self._offsets(wanted, LATEST)[QUESTION]

    def _offsets(self, wanted: Mapping[str, TopicPartition], spec: Any) -> dict[str, int]:
        futures = self._admin.list_offsets(dict.fromkeys(wanted.values(), spec), request_timeout=20)
        found = {}
        for tp, future in futures.items():
            try:
                found[tp.topic, tp.partition] = future.result(30).offset
            except KafkaException as error:
                raise fault(self._settings, error.args[0]) from error
        return {name: found[tp.topic, tp.partition] for name, tp in wanted.items()}

    def _announce(self, partition: int, mine: Callable[[], bool]) -> int:
        """Open an epoch: its number is the offset of its own record in hub.condition."""
        name = self._stage.name
        epoch = self._outlet.publish([self._coder.mark("hub.condition", name, partition, 0, 0)], mine)
        marks = [
            self._coder.mark(topic, name, partition, epoch, to)
            for topic in self._outputs
            if topic != "hub.condition"
            for to in range(self._coder.partitions(topic))
        ]
        if marks:
            self._outlet.publish(marks, mine)
        return epoch

    def _foreign(
        self, partition: int, seen: Ends, epoch: int, seq: int, announced: int | None = None
    ) -> tuple[bool, Ends]:
        """Whether others published for the partition since, or we did after this file was copied."""
        until: Ends = {}
        foreign = False
        for topic in self._outputs:
            for where, frame in self._read(topic, partition, seen.get(topic, {}), until):
                others = frame if announced is None else _without(frame, topic, announced)
                _, greatest = accepted(others, where, {})
                newer = any(e > epoch for e in greatest.values())
                later = others.filter((pl.col("epoch") == epoch) & (pl.col("seq") > seq)).height
                foreign = foreign or newer or bool(later)
        return foreign, until

    def _standing(self, partition: int) -> tuple[dict[str, pl.DataFrame], Ends]:
        """What stands of the partition's outputs, as every reader folds it."""
        until: Ends = {}
        result = {}
        for topic in self._outputs:
            kept: list[pl.DataFrame] = []
            epochs: Epochs = {}
            for where, frame in self._read(topic, partition, {}, until):
                rows, greatest = accepted(frame, where, epochs)
                epochs |= greatest
                kept.append(rows.drop("_offset"))
            empty = load.of_topic(topic).empty()
            key = list(load.key_fields(topic))
            rows = pl.concat([empty, *kept]).unique(key, keep="last", maintain_order=True)
            result[topic] = rows.filter(_stands(rows))
        return result, until

    def _read(
        self, topic: str, partition: int, start: Mapping[int, int], until: Ends
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """The partition's records of an output topic with their ``_offset``; fills ``until``: the ends."""
        full = self._settings.topic(topic)
        wanted = {str(p): TopicPartition(full, p) for p in range(self._coder.partitions(topic))}
        ends = {int(p): end for p, end in self._offsets(wanted, LATEST).items()}
        until[topic] = ends
        todo = [p for p, end in ends.items() if end > start.get(p, 0)]
        if not todo:
            return
        batches = read_all(
            self._settings,
            full,
            partitions=todo,
            start=lambda p: start.get(p, 0),
            until=ends,
        )
        reader, writers, key = load.of_topic(topic), self._registry.writers(topic), load.key_fields(topic)
        ours = (pl.col("stage") == self._stage.name) & (pl.col("state_partition") == partition)
        for batch in batches:
            decoded = decode(batch.values, batch.keys, reader, writers, key=key, max_bytes=64 << 20)
            offsets = pl.Series("_offset", batch.offsets, dtype=pl.Int64).gather(decoded.index)
            frame = decoded.frame.with_columns(offsets.alias("_offset")).filter(ours)
            if frame.height:
                yield f"{topic}-{batch.partition}", frame


def _without(frame: pl.DataFrame, topic: str, epoch: int) -> pl.DataFrame:
    """All but our own announcement."""
    ours = pl.col("epoch") == epoch
    return frame.filter(~(ours | (pl.col("_offset") == epoch) if topic == "hub.condition" else ours))


def _stands(rows: pl.DataFrame) -> pl.Expr:
    return pl.col("state") == "standing" if "state" in rows.columns else pl.col("present")
