"""What the runtime asks of a stage of the reasoning: it owns tables in the state file, but never commits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import duckdb
import polars as pl


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the runtime writes on every decision of one commit.

    ``epoch`` and ``seq`` order decisions of one (stage, state_partition): readers keep the greatest
    pair and refuse a smaller epoch. ``decided_at`` is UTC. ``baseline``: this commit was caused by
    backlog records (or first-load catch-up) only. ``division_default`` fills a missing division.
    """

    stage: str
    state_partition: int
    epoch: int
    seq: int
    decided_at: datetime
    baseline: bool
    division_default: str


class Stage(Protocol):
    """Reasoning over one partition's state, inside the transaction that the runtime opened.

    No method may begin, commit or roll back, and none may raise for bad data: what could not be
    decoded never arrives here. An exception is a bug and ends the worker.
    """

    @property
    def name(self) -> str:
        """``persons`` or ``households``."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Logical topics, without lanes; ``hub.tick`` and ``hub.heartbeat`` where needed."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Logical topics that ``evaluate`` may return."""

    @property
    def rules_version(self) -> str:
        """Digest of the rule book; a state file with another one is evaluated anew for everybody."""

    def create(self, con: duckdb.DuckDBPyConnection) -> None:
        """Create tables and indexes where absent."""

    def ingest(self, con: duckdb.DuckDBPyConnection, frames: Iterable[tuple[str, pl.DataFrame]]) -> None:
        """Append decoded records with their topic, and remember the subjects touched.

        Each frame has the schema's columns and ``_lane`` (int8, 1 live, 0 backlog), ``_partition``
        (int32), ``_offset`` (int64), in the order of the log.
        """

    def evaluate(
        self, con: duckdb.DuckDBPyConnection, stamp: Stamp, *, everybody: bool = False, chunks: int | None = None
    ) -> dict[str, pl.DataFrame]:
        """Recompute the touched subjects, store the difference, and return it; everybody in a sweep.

        ``everybody`` begins a sweep, as a new day does; ``chunks`` of it are taken now, None: all that is left.

        One frame per output topic with the columns of its schema, rows in the order in which they
        are to be published.
        """

    def unswept(self, con: duckdb.DuckDBPyConnection) -> int:
        """Chunks of a sweep that are still to be evaluated; they are kept in the file."""

    def rehearse(self, con: duckdb.DuckDBPyConnection, division_default: str) -> bool:
        """Prepare, some at a time, what an evaluation would else prepare while somebody waits; whether any was left.

        Outside a transaction; changes nothing in the file.
        """

    def adopt(self, con: duckdb.DuckDBPyConnection, topic: str, frame: pl.DataFrame) -> None:
        """Replace what this partition has published on an output topic by what stands in Kafka.

        ``frame`` has the schema's columns and holds the last accepted row per key that stands:
        conditions with state ``standing``, members and relations with ``present``.
        """
