"""A file that others read while it is written: old or new, never half."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from wire.files import create_whole, replace_whole


def test_a_reader_sees_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    both = (b"a" * 50_000, b"b" * 50_000)
    replace_whole(path, both[0])
    assert path.stat().st_mode & 0o777 == 0o600
    done = threading.Event()

    def write() -> None:
        for n in range(200):
            replace_whole(path, both[n % 2], 0o644)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= set(both)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in path.parent.iterdir()] == ["some.json"]


def test_a_write_that_fails_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.json"
    replace_whole(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_whole(path, b"new", durable=True)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["some.json"]


def test_who_creates_second_takes_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "some.key"
    create_whole(path, b"first")
    create_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["some.key"]
