"""One page's messages to Kafka: queued, then waited for. Nothing counts as published before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import polars as pl
import pyarrow as pa
from confluent_kafka import KafkaError, Message

from connectors.errors import KafkaDown, Permanent
from schemas import codec, load
from wire.errors import DeliveryFailed, WireError
from wire.kafka import Publisher, fault
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger("doudi.connector")

_ACK_WAIT_S = 5.0


class Stopped(Exception):
    """The process is asked to stop; nothing was committed."""


@dataclass
class Sender:
    """Encodes and sends. As a context: leaving it waits until Kafka has acknowledged everything.

    Raises KafkaDown (send the same again), Stopped, or Permanent where Kafka refuses us.
    """

    settings: Settings
    registry: Registry
    stop: threading.Event
    _publisher: Publisher | None = field(default=None, repr=False)
    _any: bool = False
    _failed: WireError | None = None
    """The first failed delivery of this producer: nothing that is acknowledged after it makes up for it."""

    def __enter__(self) -> Sender:
        self._any = False
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None and self._any:
            try:
                self._acknowledge()
            except WireError as failure:
                raise self._ours(failure) from failure
        elif isinstance(error, WireError):
            raise self._ours(error) from error

    def _acknowledge(self) -> None:
        publisher = self._open()
        while True:
            try:
                publisher.flush(_ACK_WAIT_S)
                break
            except DeliveryFailed as error:
                if not len(publisher):
                    raise
                if self.stop.is_set():
                    raise Stopped from None
                log.warning("%s", error)
        if self._failed is not None:
            raise self._failed  # for good: the page is sent again

    def _open(self) -> Publisher:
        if self._publisher is None:
            self._publisher = Publisher(self.settings, on_delivery=self._report)
        return self._publisher

    def _report(self, error: KafkaError | None, _message: Message) -> None:
        # the publisher's own report is forgotten once told, also while others are still queued
        if error is not None and self._failed is None:
            self._failed = fault(self.settings, error)

    def _ours(self, error: WireError) -> KafkaDown | Permanent:
        # a new producer next time, so that nothing half-sent comes along later under an old page
        self._publisher = self._failed = None
        return KafkaDown(str(error)) if error.family == "transient" else Permanent(str(error))

    def send(self, topic: str, keys: Sequence[bytes], values: Sequence[bytes], partition: int = -1) -> None:
        """Queue encoded messages of a logical topic."""
        self._any = True
        self._open().send_all(self.settings.topic(topic), keys, values, partition)

    def frame(self, topic: str, frame: pl.DataFrame, key: str) -> None:
        """Encode and queue a frame's rows, keyed by one column."""
        if not frame.height:
            return
        schema = load.of_topic(topic)
        given = frame.to_dict()
        columns = [given[c] if given[c].dtype == t else given[c].cast(t) for c, t in schema.dtypes.items()]
        values = codec.encode_frame(schema, pl.DataFrame(columns), self.registry.id_of(topic))
        self.send(topic, [k.encode() for k in given[key].to_list()], values)

    def rows(self, topic: str, rows: Sequence[dict[str, Any]], partition: int = -1) -> None:
        """Encode and queue rows; the key is what schemas/topics.py says."""
        if not rows:
            return
        keys = [":".join(str(row[f]) for f in load.key_fields(topic)).encode() for row in rows]
        values = codec.encode(load.of_topic(topic), rows, self.registry.id_of(topic))
        self.send(topic, keys, values, partition)


def same(value: Any, dtype: pl.DataType | type[pl.DataType], rows: int) -> pl.Series:
    """A column of one value."""
    return pl.Series([value], dtype=dtype).new_from_index(0, rows)


def blobs(values: list[bytes]) -> pl.Series:
    """A column of bytes; Polars itself would look at each value by itself."""
    return pl.Series(pa.array(values, pa.large_binary()))


def lists(rows: list[list[str]]) -> pl.Series:
    """A column of lists, built flat: a Series for each row costs forty times as much."""
    offsets = pa.array([0, *accumulate(map(len, rows))], pa.int32())
    flat = pa.array([v for row in rows for v in row], pa.string())
    return pl.Series(pa.ListArray.from_arrays(offsets, flat), dtype=pl.List(pl.String))
