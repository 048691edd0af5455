"""Partition p of every topic goes to one member, evenly, and few move."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.assignor import CopartitionAssignor, share

MEMBERS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.frozensets(st.integers(0, 15)), min_size=1, max_size=6
)


@settings(deadline=None)
@given(st.integers(1, 16), MEMBERS)
def test_everything_is_shared_once_and_evenly(count: int, held: dict[str, frozenset[int]]) -> None:
    shared = share(range(count), held)
    assert sorted(n for numbers in shared.values() for n in numbers) == list(range(count))
    sizes = [len(numbers) for numbers in shared.values()]
    assert max(sizes) - min(sizes) <= 1


@settings(deadline=None)
@given(st.integers(1, 16), MEMBERS)
def test_nothing_moves_when_nobody_came_or_went(count: int, held: dict[str, frozenset[int]]) -> None:
    first = share(range(count), held)
    assert share(range(count), {m: frozenset(n) for m, n in first.items()}) == first


def test_a_newcomer_takes_only_its_part() -> None:
    assert share(range(4), {"a": frozenset(range(4)), "b": frozenset()}) == {"a": [0, 1], "b": [2, 3]}


def test_topics_are_assigned_together() -> None:
    counts = {"x": {0, 1, 2}, "y": {0, 1, 2}, "z": {0}}
    cluster = SimpleNamespace(partitions_for_topic=counts.get)
    member = CopartitionAssignor.metadata(counts)
    result = CopartitionAssignor.assign(cluster, {"a": member, "b": member})
    assert dict(result["a"].assignment) == {"x": [0, 2], "y": [0, 2], "z": [0]}
    assert dict(result["b"].assignment) == {"x": [1], "y": [1]}
    assert result["a"].encode()  # the wire format takes it
