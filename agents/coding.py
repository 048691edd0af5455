"""From slices to the stage's frames, from its decisions to messages; what cannot be read is sealed away.

Column by column where a query of Polars' would hand over to its pool of threads: on a busy machine a small
slice waits longer for that thread to come on than its work takes (docs/adr/0017).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from agents.slices import Slice
from agents.state import Row
from domain.quarantine import aside
from schemas import load
from schemas.codec import Bad, decode, encode, encode_frame
from schemas.topics import BACKLOG, TOPICS, of
from wire.errors import WireError
from wire.partitioner import partition_for, partitions_for
from wire.registry import Registry
from wire.settings import Settings

HUB_MAX_BYTES = 8 << 20
"""Our own topics carry long lists now and then; only other people's messages are held to the setting."""
OWNER_MARK = "owner:"
"""Begins the first key field of records that open an epoch; stages never see them."""

Epochs = dict[tuple[str, str, int], int]
"""Greatest epoch seen by (topic-partition, stage, state partition)."""


@dataclass(slots=True)
class Batch:
    """All of one lane that one cycle takes of one topic."""

    topic: str
    partition: int
    parts: list[Slice] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Not the backlog lane."""
        return not self.topic.endswith(BACKLOG)

    @property
    def name(self) -> str:
        """The topic without its lane."""
        return self.topic.removesuffix(BACKLOG)

    def __len__(self) -> int:
        return sum(map(len, self.parts))


class Coder:
    """Decodes inputs and encodes outputs of one worker. Safe for threads."""

    def __init__(self, registry: Registry, settings: Settings, seal_key: bytes) -> None:
        self._registry = registry
        self._settings = settings
        self._seal_key = seal_key

    def check(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Ask the registry for everything needed. Raises NotRegistered, RegistryUnreachable."""
        for topic in (*inputs, *outputs, "hub.condition", "hub.quarantine"):
            self._registry.id_of(topic)

    def meet(self, inputs: Sequence[str]) -> None:
        """Learn who writes these topics before a first record has to wait for it. From any thread.

        Where the registry does not answer, that record asks again.
        """
        with contextlib.suppress(WireError):
            for topic in inputs:
                self._registry.meet(topic)

    def read(self, batch: Batch) -> tuple[pl.DataFrame, list[Row]]:
        """The records with ``_lane``, ``_partition``, ``_offset``; and the unreadable, as messages."""
        keys = [k for p in batch.parts for k in p.keys]
        values = [v for p in batch.parts for v in p.values]
        offsets = pl.concat([pl.Series(p.offsets, dtype=pl.Int64) for p in batch.parts])
        foreign = of(batch.name).family != "hub"
        decoded = decode(
            values,
            keys,
            load.of_topic(batch.name),
            self._registry.writers(batch.topic),
            key=load.key_fields(batch.name),
            max_bytes=self._settings.message_max_bytes if foreign else HUB_MAX_BYTES,
        )
        count = decoded.frame.height
        frame = decoded.frame.hstack(
            [
                pl.Series("_lane", np.full(count, batch.live, np.int8)),
                pl.Series("_partition", np.full(count, batch.partition, np.int32)),
                offsets.gather(decoded.index).alias("_offset"),
            ]
        )
        unread = [self._quarantine(batch, b, keys[b.index], values[b.index], offsets[b.index]) for b in decoded.bad]
        return frame, unread

    def _quarantine(self, batch: Batch, bad: Bad, key: bytes | None, value: bytes | None, offset: int) -> Row:
        where, why = (batch.topic, batch.partition, offset), (bad.reason, bad.detail)
        return self.one("hub.quarantine", aside(self._seal_key, where, why, key, value, datetime.now(UTC)))

    def rows(self, topic: str, frame: pl.DataFrame) -> list[Row]:
        """Messages of a frame with the columns of an output topic, in order."""
        if not frame.height:
            return []
        wanted = load.of_topic(topic)
        values = encode_frame(
            wanted, frame[[n for n in wanted.dtypes if n in frame.columns]], self._registry.id_of(topic)
        )
        keys = _joined(frame, load.key_fields(topic))
        by = of(topic).partition_by
        where = partitions_for(_joined(frame, (by,)) if by else keys, self.partitions(topic))
        return [Row(topic, k, p, v) for k, p, v in zip(keys, where, values, strict=True)]

    def one(self, topic: str, row: Mapping[str, Any], partition: int | None = None) -> Row:
        """One message."""
        value = encode(load.of_topic(topic), [row], self._registry.id_of(topic))[0]
        key = ":".join(str(row[f]) for f in load.key_fields(topic)).encode()
        if partition is None:
            partition = partition_for(key, self.partitions(topic))
        return Row(topic, key, partition, value)

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        return self._settings.partitions if of(topic).partitions == "state" else 1

    def mark(self, topic: str, stage: str, state_partition: int, epoch: int, partition: int) -> Row:
        """A record that opens an epoch in one partition of an output topic.

        Every reader learns from it that older owners are out; its other fields mean nothing.
        """
        key = load.key_fields(topic)
        row = {name: _nothing(dtype) for name, dtype in load.of_topic(topic).dtypes.items()}
        row |= dict.fromkeys(key, "owner")
        row |= {
            key[0]: f"{OWNER_MARK}{stage}:{state_partition}",
            "stage": stage,
            "state_partition": state_partition,
            "epoch": epoch,
        }
        if topic == "hub.condition":
            row["state"] = "owner"
        return self.one(topic, row, partition)


def _joined(frame: pl.DataFrame, fields: Sequence[str]) -> list[bytes]:
    text = frame.select(pl.concat_str([pl.col(f).cast(pl.String) for f in fields], separator=":")).to_series()
    return text.cast(pl.Binary).to_list()


def _nothing(dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.Datetime):
        return datetime.now(UTC)
    if isinstance(dtype, pl.Date):
        return datetime.now(UTC).date()
    if isinstance(dtype, pl.List):
        return []
    if isinstance(dtype, pl.Boolean):
        return False
    return "" if isinstance(dtype, pl.String) else b"" if isinstance(dtype, pl.Binary) else 0


def owned(topic: str) -> bool:
    """The topic's records carry the epoch of the partition that decided."""
    return topic in TOPICS and "epoch" in load.of_topic(topic).dtypes


def accepted(frame: pl.DataFrame, where: str, seen: Mapping[tuple[str, str, int], int]) -> tuple[pl.DataFrame, Epochs]:
    """Rows of an owned topic that no newer owner has outdated, and the greatest epochs now known.

    Rows are in the order of one log (``where``: topic-partition, key of ``seen``). A record that opens an
    epoch counts with its own epoch, in hub.condition with its offset; it is not among the rows.
    """
    if not frame.height:
        return frame, {}
    first = load.key_fields(where.rsplit("-", 1)[0])[0]
    mark = frame[first].str.starts_with(OWNER_MARK).to_numpy()
    epoch = frame["epoch"].to_numpy()
    if "state" in frame.columns:
        epoch = np.where(mark, frame["_offset"].to_numpy(), epoch)
    stages, partitions = frame["stage"], frame["state_partition"].to_numpy()
    kept = ~mark
    greatest: Epochs = {}
    for stage in stages.unique().to_list():
        decided = (stages == stage).to_numpy()
        for partition in np.unique(partitions[decided]).tolist():
            own = decided & (partitions == partition)
            owner = (where, stage, partition)
            so_far = np.maximum(np.maximum.accumulate(epoch[own]), seen.get(owner, -1))
            kept[own] &= epoch[own] >= so_far
            greatest[owner] = int(so_far[-1])
    return frame if kept.all() else frame.filter(pl.Series(kept)), greatest
