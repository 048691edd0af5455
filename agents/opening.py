"""Which state file to open: the newest, unless another process holds it, it is damaged, or it is gone."""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from agents.errors import CorruptStateError
from agents.snapshots import Snapshots
from agents.state import LAYOUT, PartitionState, open_file, set_aside, suspect

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one partition of a stage lie: ``<stem>.<n>.duckdb``, the highest n counts.

    A number is used up when its file is held by a process that does not let go.
    """

    folder: Path
    stem: str

    def file(self, number: int) -> Path:
        """The file of a number."""
        return self.folder / f"{self.stem}.{number}.duckdb"

    def numbers(self) -> list[int]:
        """Numbers of the files that exist, ascending."""
        pattern = re.compile(re.escape(self.stem) + r"\.(\d+)\.duckdb")
        found = (pattern.fullmatch(f.name) for f in self.folder.glob(f"{_literal(self.stem)}.*.duckdb"))
        return sorted(int(m[1]) for m in found if m)


def _literal(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def attempt(place: Place, snapshots: Snapshots, stage: str, partition: int, *, fresh: bool) -> PartitionState | None:
    """Open the partition's state, or None while another process holds it.

    ``fresh``: stop waiting for the holder, take the next number. A file that is lost or damaged is
    restored from the newest usable snapshot; without one it begins empty and is filled from Kafka.
    Raises StateFullError, StateFolderError.
    """
    numbers = place.numbers()
    if numbers and not fresh:
        path = place.file(numbers[-1])
        if suspect(path).exists():
            set_aside(path, "bad")
        else:
            try:
                state = open_file(path)
            except CorruptStateError as error:
                log.error("%s", error)
                set_aside(path, "bad")
            else:
                return state and _checked(place, snapshots, state, stage, partition)
    number = (numbers[-1] if numbers else 0) + 1
    state = _restored(place.file(number), snapshots, place.stem) or open_file(place.file(number))
    return state and _checked(place, snapshots, state, stage, partition)


def _checked(
    place: Place, snapshots: Snapshots, state: PartitionState, stage: str, partition: int
) -> PartitionState | None:
    expected = {"layout": LAYOUT, "stage": stage, "partition": str(partition)}
    if not state.meta:
        with state.transaction():
            state.note({**expected, "readback": 1})
        return state
    if all(state.meta.get(k) == v for k, v in expected.items()):
        return state
    found = {k: state.meta.get(k) for k in expected}
    log.warning("state file %s is of %s, wanted is %s: it is built anew", state.path, found, expected)
    state.close()
    set_aside(state.path, f"layout{found['layout']}")
    return attempt(place, snapshots, stage, partition, fresh=False)


def _restored(path: Path, snapshots: Snapshots, stem: str) -> PartitionState | None:
    for name in snapshots.of(stem):
        if not snapshots.fetch(name, path):
            continue
        try:
            state = open_file(path)
        except CorruptStateError:
            log.warning("snapshot %s is damaged; trying an older one", name)
            path.unlink(missing_ok=True)
            suspect(path).unlink(missing_ok=True)
            continue
        if state is not None:
            log.info("state file %s restored from snapshot %s", path, name)
            with state.transaction():
                state.note({"readback": 1})
        return state
    return None


def remove_older(place: Place, current: Path) -> None:
    """Delete files that a newer number replaced; a sleeper that still holds one keeps it until it wakes."""
    for number in place.numbers():
        old = place.file(number)
        if old == current:
            return
        for file in (old, Path(f"{old}.wal"), suspect(old)):
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
