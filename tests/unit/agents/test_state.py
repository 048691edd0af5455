"""The state file by itself: one transaction, an outbox that survives, damage, a full disk, snapshots."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from agents import snapshots as storing
from agents.errors import CorruptStateError, StateFolderError, StateFullError
from agents.opening import Place, attempt, remove_older
from agents.snapshots import KEEP, Snapshots
from agents.state import PartitionState, Row, copied, explain, open_file, suspect

ROWS = [Row("hub.condition", b"k%d" % i, 0, b"v%d" % i) for i in range(3)]


def opened(path: Path) -> PartitionState:
    state = open_file(path)
    assert state is not None
    return state


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "state", "ns.persons-0")


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots((tmp_path / "snapshots").as_uri())


def acquire(place: Place, snapshots: Snapshots, *, fresh: bool = False) -> PartitionState:
    state = attempt(place, snapshots, "persons", 0, fresh=fresh)
    assert state is not None
    return state


def test_commits_positions_notes_and_outbox_together(tmp_path: Path) -> None:
    state = opened(tmp_path / "s.duckdb")
    with state.transaction():
        state.move({"hub.tick": 3, "medical.settlement": 10})
        state.note({"epoch": 7, "tick": "2026-03-01"})
        state.queue(1, ROWS)
    with pytest.raises(ZeroDivisionError), state.transaction():
        state.move({"hub.tick": 99})
        raise ZeroDivisionError
    state.close()
    again = opened(tmp_path / "s.duckdb")
    assert again.positions == {"hub.tick": 3, "medical.settlement": 10}
    assert again.number("epoch") == 7
    assert again.waiting() == ROWS
    again.close()


def test_outbox_is_emptied_only_of_what_was_confirmed(tmp_path: Path) -> None:
    state = opened(tmp_path / "s.duckdb")
    with state.transaction():
        state.queue(1, ROWS)
    state.published()
    with state.transaction():
        state.queue(2, ROWS[:1])
    assert state.waiting() == ROWS[:1]
    state.published()
    state.tidy()
    assert state.con.execute("SELECT count(*) FROM outbox").fetchall() == [(0,)]
    state.close()


def test_file_held_by_another_gives_none_then_a_new_number(place: Place, snapshots: Snapshots) -> None:
    acquire(place, snapshots).close()
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(place.file(1))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert attempt(place, snapshots, "persons", 0, fresh=False) is None
        state = acquire(place, snapshots, fresh=True)
        assert state.path == place.file(2)
        assert state.flag("readback")
        other.kill()
    remove_older(place, state.path)
    assert place.numbers() == [2]
    state.close()


def test_damaged_file_is_set_aside(place: Place, snapshots: Snapshots) -> None:
    acquire(place, snapshots).close()
    place.file(1).write_bytes(b"garbage" * 5000)
    state = acquire(place, snapshots)
    assert state.flag("readback")
    assert list(place.folder.glob("*.bad-*"))
    state.close()


def test_file_found_damaged_while_open_is_set_aside_later(place: Place, snapshots: Snapshots) -> None:
    acquire(place, snapshots).close()
    error = explain(duckdb.IOException("Corrupt database file: computed checksum 1 …"), place.file(1))
    assert isinstance(error, CorruptStateError)
    assert suspect(place.file(1)).exists()
    acquire(place, snapshots).close()
    assert not suspect(place.file(1)).exists()


def test_file_of_another_layout_or_partition_is_built_anew(place: Place, snapshots: Snapshots) -> None:
    state = acquire(place, snapshots)
    with state.transaction():
        state.note({"layout": "0", "epoch": 5})
    state.close()
    again = acquire(place, snapshots)
    assert again.number("epoch", -1) == -1
    again.close()


def test_full_disk_and_wrong_folder_say_what_to_do(tmp_path: Path) -> None:
    full = explain(duckdb.IOException("IO Error: No space left on device"), tmp_path / "s.duckdb")
    assert isinstance(full, StateFullError)
    assert "Free space" in str(full)
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFolderError, match="DOUDI_STATE"):
        open_file(tmp_path / "file" / "s.duckdb")


def test_snapshots_bring_back_a_lost_file(place: Place, snapshots: Snapshots) -> None:
    state = acquire(place, snapshots)
    for number in range(KEEP + 2):
        with state.transaction():
            state.move({"hub.tick": number})
        snapshots.store(snapshots.copy_aside(state), place.stem)
    held = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    other = subprocess.run([sys.executable, "-c", held, str(state.path)], capture_output=True, check=False)
    assert b"lock" in other.stderr  # copying did not lose the lock
    state.close()
    assert len(snapshots.of(place.stem)) == KEEP
    place.file(1).unlink()
    again = acquire(place, snapshots)
    assert again.positions == {"hub.tick": KEEP + 1}
    assert again.flag("readback")
    again.close()


def test_damaged_newest_snapshot_is_passed_over(place: Place, snapshots: Snapshots, tmp_path: Path) -> None:
    state = acquire(place, snapshots)
    with state.transaction():
        state.move({"hub.tick": 1})
    snapshots.store(snapshots.copy_aside(state), place.stem)
    state.close()
    (tmp_path / "snapshots" / f"{place.stem}.99999999T000000000000.duckdb").write_bytes(b"garbage" * 5000)
    place.file(1).unlink()
    again = acquire(place, snapshots)
    assert again.positions == {"hub.tick": 1}
    again.close()


def test_unreachable_snapshots_cost_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "nothing").write_text("")
    state = acquire(place, Snapshots((tmp_path / "nothing" / "here").as_uri()))
    assert state.positions == {}
    state.close()


def test_a_copy_that_fails_costs_no_more_than_the_snapshot(
    place: Place, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state = acquire(place, snapshots)
    half = "import sys; open(sys.argv[2], 'w').write('half'); raise OSError(28, 'No space left on device')"
    monkeypatch.setattr(storing, "_COPY", half)
    assert snapshots.copy_aside(state) is None
    assert not copied(state.path).exists()
    assert "No space left on device" in caplog.text
    assert "free it there" in caplog.text
    state.close()


def test_a_snapshot_that_is_not_stored_leaves_nothing_behind(
    place: Place, snapshots: Snapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = acquire(place, snapshots)
    copy = snapshots.copy_aside(state)
    assert copy is not None

    def half(_: str, to: str) -> None:
        Path(to).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots._fs, "put_file", half)
    snapshots.store(copy, place.stem)
    assert list((tmp_path / "snapshots").iterdir()) == []
    assert not copy.exists()
    state.close()


def test_what_one_left_who_ended_as_it_stored_a_snapshot_is_removed(
    place: Place, snapshots: Snapshots, tmp_path: Path
) -> None:
    state = acquire(place, snapshots)
    state.close()
    copied(state.path).write_text("whole")
    (tmp_path / "snapshots").mkdir()
    theirs, others = (tmp_path / "snapshots" / f"{stem}.2026.duckdb.part" for stem in (place.stem, "ns.persons-1"))
    theirs.write_text("half")
    others.write_text("half")
    state = acquire(place, snapshots)
    assert not copied(state.path).exists()
    copy = snapshots.copy_aside(state)
    assert copy is not None
    snapshots.store(copy, place.stem)
    assert not theirs.exists()
    assert others.exists()
    assert len(snapshots.of(place.stem)) == 1
    state.close()


_CRASHES = """
import os, signal, sys
from pathlib import Path
from agents.state import open_file
state = open_file(Path(sys.argv[1]))
con = state.con
con.execute("create table if not exists kept (who varchar, n integer)")
con.execute("create index if not exists kept_who on kept (who)")
for turn in range(int(sys.argv[2]), int(sys.argv[2]) + 20):
    with state.transaction():
        con.execute("insert into kept select 'p' || (i % 300), ? from range(100) t(i)", [turn])
        state.move({"topic": turn})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_an_index_finds_after_crashes_is_what_is_there(tmp_path: Path) -> None:
    """Killed again and again with an uncheckpointed log: a look-up that finds less would lose conditions."""
    path = tmp_path / "persons-0.1.duckdb"
    for turn in range(5):
        died = subprocess.run([sys.executable, "-c", _CRASHES, str(path), str(turn * 20)], check=False)
        assert died.returncode == -signal.SIGKILL
    state = open_file(path)
    assert state is not None
    assert state.positions == {"topic": 99}
    everybody = state.con.execute("select who, count(*) from kept group by who order by who").fetchall()
    assert sum(n for _, n in everybody) == 5 * 20 * 100
    for who, n in everybody:
        assert state.con.execute("select count(*) from kept where who = ?", [who]).fetchall() == [(n,)]
    state.close()
