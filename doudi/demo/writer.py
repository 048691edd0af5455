"""Plays changes into the departments' databases and the drop folder at a steady pace, each commit timed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg

from doudi.demo.changes import Change
from doudi.demo.county import LOCAL
from doudi.demo.databases import DATABASES, Departments, write_csv

TICK_S = 0.05
"""Rows due within so long share a transaction."""
LATE_S = 1.5
"""How long a late transaction stays open behind its rows' time of change."""
LATE_TICK_S = 0.5
"""… and such transactions take the rows of so long together."""
FILE_S = 1.0
AHEAD_S = 0.5


@dataclass(frozen=True)
class Began:
    """A change that begins something, and when its commit returned (UTC seconds)."""

    kind: str
    id_number: str
    record: str
    committed: float


@dataclass
class Written:
    """What was written: rows, seconds from the first due row to the last commit, the slowest transaction."""

    rows: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    began: list[Began] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Rows a second, as achieved."""
        return self.rows / self.seconds if self.seconds else 0.0


Due = tuple[float, Change]


class _Lane(threading.Thread):
    """One department: takes what is due and commits it."""

    def __init__(self, name: str) -> None:
        super().__init__(name=f"writer-{name}", daemon=True)
        self.due: queue.SimpleQueue[Due | None] = queue.SimpleQueue()
        self.written = Written()
        self.failed: BaseException | None = None
        self.last = 0.0

    def run(self) -> None:
        try:
            self.write()
        except Exception as error:  # reported by the writer, which then stops
            self.failed = error

    def write(self) -> None:
        """Everything until None comes."""
        raise NotImplementedError

    def _batch(self, first: Due, tick: float) -> tuple[list[Change], bool]:
        """What is due together with `first`, and whether the end was seen."""
        time.sleep(max(0.0, first[0] + tick - time.time()))
        batch = [first[1]]
        while True:
            try:
                item = self.due.get_nowait()
            except queue.Empty:
                return batch, False
            if item is None:
                return batch, True
            batch.append(item[1])
            if item[0] > time.time():
                return batch, False

    def _done(self, batch: list[Change], started: float, at: float) -> None:
        w = self.written
        w.rows += sum(c.rows for c in batch)
        w.slowest_ms = max(w.slowest_ms, (at - started) * 1000)
        w.began += [Began(*c.begins, at) for c in batch if c.begins]
        self.last = at


class _Database(_Lane):
    def __init__(self, name: str, url: str, hold_s: float = 0.0, tick_s: float = TICK_S) -> None:
        super().__init__(name)
        self._url, self._hold, self._tick = url, hold_s, tick_s

    def write(self) -> None:
        # Departments have disks of their own: what this one writes for them keeps none of the hub's commits waiting.
        with psycopg.connect(self._url, prepare_threshold=0, options="-c synchronous_commit=off") as connection:
            while (item := self.due.get()) is not None:
                batch, ended = self._batch(item, self._tick)
                started = time.time()
                with connection.pipeline():
                    for change in batch:
                        for statement, parameters in change.statements:
                            connection.execute(statement.encode(), parameters)
                if self._hold:
                    time.sleep(self._hold)
                    started = time.time()
                connection.commit()
                self._done(batch, started, time.time())
                if ended:
                    return


class _Files(_Lane):
    def __init__(self, departments: Departments) -> None:
        super().__init__("vital")
        self._folder = departments.drop

    def write(self) -> None:
        while (item := self.due.get()) is not None:
            batch, ended = self._batch(item, FILE_S)
            now = datetime.now(UTC) + LOCAL
            lines = [
                (*c.line, now.replace(microsecond=i).strftime("%Y-%m-%d %H:%M:%S.%f")) for i, c in enumerate(batch)
            ]
            started = time.time()
            write_csv(self._folder / f"life-events-{now:%Y%m%d-%H%M%S-%f}.csv", lines)
            self._done(batch, started, time.time())
            if ended:
                return


class Writer:
    """Writes changes into all departments, each department on a thread of its own."""

    def __init__(self, departments: Departments) -> None:
        self._departments = departments
        self._lanes: dict[str, _Lane] = {}
        self.rows = 0

    def recent(self, last: int) -> list[Began]:
        """The last changes that began something, while writing."""
        began = [b for lane in list(self._lanes.values()) for b in lane.written.began[-last:]]
        return sorted(began, key=lambda b: b.committed)[-last:]

    def write(self, changes: Iterable[Change], rate: float, stop: threading.Event | None = None) -> Written:
        """Write `changes` evenly, `rate` rows a second; returns when all are committed, or those drawn until `stop`."""
        lanes: dict[str, _Lane] = {d: _Database(d, self._departments.url(d)) for d in DATABASES}
        lanes["late"] = _Database("late", self._departments.url("medical"), LATE_S, LATE_TICK_S)
        lanes["vital"] = _Files(self._departments)
        self._lanes = lanes
        for lane in lanes.values():
            lane.start()
        begin, due, halt = time.time(), 0, stop or threading.Event()
        try:
            for change in changes:
                at = begin + due / rate
                while (ahead := at - time.time() - AHEAD_S) > 0 and not halt.wait(min(ahead, 0.2)):
                    pass
                if any(lane.failed for lane in lanes.values()):
                    break
                # Also when it is to stop: in the county that the change was drawn from, it has happened.
                lanes["late" if change.late else change.database].due.put((at, change))
                due += change.rows
                self.rows = due
                if halt.is_set():
                    break
        finally:
            for lane in lanes.values():
                lane.due.put(None)
            for lane in lanes.values():
                lane.join()
        for lane in lanes.values():
            if lane.failed is not None:
                raise lane.failed
        prompt = [lane for name, lane in lanes.items() if name not in ("late", "vital")]
        return Written(
            sum(lane.written.rows for lane in lanes.values()),
            max((lane.last for lane in prompt), default=begin) - begin,
            max(lane.written.slowest_ms for lane in lanes.values()),
            [b for lane in lanes.values() for b in lane.written.began],
        )
