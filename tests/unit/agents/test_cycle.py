"""What a cycle takes of its slices, whom it believes, and when it says baseline."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from agents.coding import Batch, accepted
from agents.cycle import _batches, _lanes
from agents.errors import GapError
from agents.slices import Slice
from agents.state import PartitionState, open_file


@pytest.fixture
def state(tmp_path: Path) -> PartitionState:
    found = open_file(tmp_path / "s.duckdb")
    assert found is not None
    return found


def part(topic: str, start: int, end: int, offsets: list[int] | None = None) -> Slice:
    held = range(start, end) if offsets is None else offsets
    return Slice(topic, 0, start, end, held, [b"k"] * len(held), [b"v"] * len(held), 0, 0)


def test_records_below_the_position_are_dropped(state: PartitionState) -> None:
    with state.transaction():
        state.move({"medical.settlement": 10})
    batches = _batches(
        state,
        [
            part("medical.settlement", 0, 5),
            part("medical.settlement", 5, 12),
            part("medical.settlement", 12, 15),
        ],
    )
    assert [list(p.offsets) for b in batches for p in b.parts] == [[10, 11], [12, 13, 14]]


def test_a_gap_in_a_log_without_gaps_stops(state: PartitionState) -> None:
    with state.transaction():
        state.move({"medical.settlement": 10, "hub.member": 10})
    with pytest.raises(GapError, match="stands at 10, the next slice covers 11 to 14"):
        _batches(state, [part("medical.settlement", 11, 15)])
    with pytest.raises(GapError):
        _batches(state, [part("medical.settlement", 10, 15, [10, 12])])
    assert _batches(state, [part("hub.member", 11, 15, [12])])  # compacted


def condition(offset: int, epoch: int, who: str = "R01:p:2026") -> dict[str, object]:
    return {
        "condition_id": who,
        "state": "standing",
        "stage": "persons",
        "state_partition": 0,
        "epoch": epoch,
        "_offset": offset,
    }


def test_readers_refuse_an_owner_that_was_followed_by_another() -> None:
    kinds = {
        "condition_id": pl.String,
        "state": pl.String,
        "stage": pl.String,
        "state_partition": pl.Int32,
        "epoch": pl.Int64,
        "_offset": pl.Int64,
    }
    frame = pl.DataFrame(
        [
            condition(5, 0, "owner:persons:0"),
            condition(6, 5),
            condition(7, 0, "owner:persons:0"),
            condition(8, 5),
            condition(9, 7),
        ],
        schema=kinds,
    )
    rows, epochs = accepted(frame, "hub.condition-0", {})
    assert rows["_offset"].to_list() == [6, 9]
    assert epochs == {("hub.condition-0", "persons", 0): 7}
    rows, _ = accepted(frame.filter(pl.col("_offset") == 6), "hub.condition-0", epochs)
    assert rows.is_empty()


def test_baseline_is_what_only_backlog_or_the_first_day_brought(state: PartitionState) -> None:
    row = pl.DataFrame({"person_key": ["p"]})
    tick = (Batch("hub.tick", 0), pl.DataFrame({"day": ["d"]}))
    assert _lanes([(Batch("civil.roster.backlog", 0), row)], state, first_day=False) == (False, True)
    assert _lanes([(Batch("civil.roster", 0), row)], state, first_day=False) == (True, False)
    member = pl.DataFrame({"baseline": [True, True]})
    assert _lanes([(Batch("hub.member", 0), member)], state, first_day=False) == (False, True)
    assert _lanes([tick], state, first_day=True) == (False, True)
    with state.transaction():
        state.note({"live": 1})
    assert _lanes([tick], state, first_day=False) == (False, False)
