"""A feed out of a drop folder: good rows published, bad rows handed back with the reason.

A file is complete when it has its final name (*.csv, *.xlsx). Published files move to done/; a file that
cannot be read, and the rows that do not fit, go to rejected/ with a .reason.txt beside them.
"""

from __future__ import annotations

import csv
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

import polars as pl

from connectors.catalogue import Feed
from connectors.errors import BadFile, SourceDown
from connectors.mapping import Mapping, apply
from connectors.publish import Counts, Outlet
from connectors.sources import files
from connectors.state import Changes
from wire.pace import until

log = logging.getLogger("doudi.connector")


@dataclass
class FolderFeed:
    """One drop folder into one topic."""

    feed: Feed
    mapping: Mapping
    folder: Path
    outlet: Outlet
    monotonic: Callable[[], float] = time.monotonic
    counts: Counts = field(default_factory=Counts)

    @property
    def complete(self) -> bool:
        """Whether the files that lay there at the first start have been published."""
        return bool(self.outlet.state.note(self.feed.source, "complete", False))

    def position(self) -> str:
        """When a file was published last; not its name: departments choose that."""
        return str(self.outlet.state.note(self.feed.source, "last", ""))

    def step(self) -> float:
        """Publish the next file. Returns seconds to wait. Raises SourceDown, KafkaDown."""
        self.outlet.recover(self.feed)
        waiting = self._waiting()
        if not waiting:
            if not self.complete:
                self.outlet.state.commit(self.feed.source, Changes(notes={"complete": True}))
            return until(self.feed.poll_seconds)
        self._file(waiting[0])
        return 0.0

    def _waiting(self) -> list[Path]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            there = [
                p
                for p in self.folder.iterdir()
                if p.suffix.lower() in files.SUFFIXES and not p.name.startswith((".", "~")) and p.is_file()
            ]
            return sorted(there, key=lambda p: p.name)
        except OSError as error:
            raise SourceDown(
                f"{self.feed.source}: drop folder {self.folder}: {error.strerror}. Mount it, and let this "
                "account read, write and move files there."
            ) from None

    def _file(self, path: Path) -> None:
        columns = list(dict.fromkeys([self.feed.key, self.feed.updated_at, *self.mapping.columns]))
        try:
            content = files.read(path, columns)
        except BadFile as error:
            self._reject(path, str(error))
            return
        except FileNotFoundError:
            return  # taken back by the department
        except OSError as error:
            raise SourceDown(f"{self.feed.source}: {path.name}: {error.strerror}. Let this account read it.") from None
        frame, bad = self._sift(path, content)
        size = self.feed.rows_per_query
        for start in range(0, max(frame.height, 1), size):
            last = start + size >= frame.height
            notes = {"last": self.outlet.clock().isoformat(timespec="seconds")} if last else {}
            counts = self.outlet.page(
                self.feed,
                self.mapping,
                frame[start : start + size],
                snapshot=not self.complete,
                later_read_wins=False,
                notes=notes,
            )
            for name, n in vars(counts).items():
                setattr(self.counts, name, getattr(self.counts, name) + n)
        if bad:
            self._hand_back(path, content.header, bad)
        self._move(path, "done")
        log.info("%s: a file with %d rows published, %d handed back", self.feed.source, frame.height, len(bad))

    def _sift(self, path: Path, content: files.Content) -> tuple[pl.DataFrame, list[tuple[int, str, list[str]]]]:
        """Rows that fit, with the file's time where a row has none, and those that go back."""
        frame = content.frame
        stamp = datetime.fromtimestamp(path.stat().st_mtime).astimezone().isoformat(" ")
        column = pl.col(self.feed.updated_at)
        given = pl.when(column.str.strip_chars() == "").then(pl.lit(stamp)).otherwise(column)
        frame = frame.with_columns(given.alias(self.feed.updated_at))
        mapped = apply(self.mapping, frame, key=self.feed.key, updated_at=self.feed.updated_at)
        late = pl.lit(f"{self.feed.updated_at} is not a time")
        problems = mapped.select(pl.coalesce("_problem", pl.when(pl.col("_updated").is_null()).then(late))).to_series()
        fits = problems.is_null()
        bad = list(content.bad)
        for number, problem in enumerate(problems.to_list()):
            if problem:
                cells = dict(zip(frame.columns, frame.row(number), strict=True))
                bad.append((content.lines[number], problem, [cells.get(h) or "" for h in content.header]))
        return frame.filter(fits), sorted(bad, key=lambda b: b[0])

    def _hand_back(self, path: Path, header: list[str], bad: list[tuple[int, str, list[str]]]) -> None:
        """The rows that do not fit, as a file to mend and drop again, and why."""
        folder = self._folder("rejected")
        target = _free(folder / f"{path.stem}.rows.csv")
        text = "\n".join(f"{path.name}, line {line}: {reason}" for line, reason, _ in bad)
        with _private(target) as out:
            writer = csv.writer(out)
            writer.writerow(header)
            writer.writerows(row for _, _, row in bad)
        with _private(target.with_name(f"{target.name}.reason.txt")) as out:
            out.write(f"{text}\n{len(bad)} rows were not published. Mend them in {target.name} and drop it again.\n")
        log.warning(
            "%s: %d rows of a file do not fit; they lie in rejected/ with the reasons",
            self.feed.source,
            len(bad),
        )

    def _reject(self, path: Path, reason: str) -> None:
        target = self._move(path, "rejected")
        with _private(target.with_name(f"{target.name}.reason.txt")) as out:
            out.write(f"{path.name}: {reason}\n")
        log.warning("%s: a file cannot be read and lies in rejected/ with the reason: %s", self.feed.source, reason)

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _move(self, path: Path, where: str) -> Path:
        target = _free(self._folder(where) / path.name)
        path.rename(target)
        return target


def _free(path: Path) -> Path:
    """The path itself, or with a number where one of that name lies there already."""
    number = 1
    target = path
    while target.exists():
        number += 1
        target = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return target


def _private(path: Path) -> TextIO:
    """A new file that only this account and its group read: it holds a department's rows."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="utf-8", newline="")
