"""Gives partition p of every topic to the same member, because one state file holds them all.

Sticky: a member that stays keeps its partitions as far as balance allows, so that few state files
change hands when a worker joins or leaves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

BYTE = 255


def share(numbers: Iterable[int], held: Mapping[str, frozenset[int]]) -> dict[str, list[int]]:
    """Partition numbers per member: balanced to within one, moving as few as possible.

    ``held`` names every member with what it holds now; of two that claim one number (a sleeper
    that wakes), the first by name keeps it. The result does not depend on any order.
    """
    wanted = sorted(set(numbers))
    members = sorted(held)
    result: dict[str, list[int]] = {m: [] for m in members}
    least, extra = divmod(len(wanted), len(members))
    free = []
    for number in wanted:
        holder = next((m for m in members if number in held[m]), None)
        if holder is None or len(result[holder]) >= least + (extra > 0):
            free.append(number)
            continue
        extra -= len(result[holder]) == least
        result[holder].append(number)
    for number in free:
        result[min(members, key=lambda m: (len(result[m]), m))].append(number)
    return {m: sorted(p) for m, p in result.items()}


class CopartitionAssignor(AbstractPartitionAssignor):  # type: ignore[misc]
    """aiokafka's interface is made of class methods: what the process holds is kept on the class."""

    name = "copartition"
    version = 0
    held: ClassVar[frozenset[int]] = frozenset()

    @classmethod
    def assign(cls, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        """Called on the group's leader."""
        held = {m: frozenset(data.user_data or b"") for m, data in members.items()}
        topics = sorted({t for data in members.values() for t in data.subscription})
        partitions = {t: cluster.partitions_for_topic(t) or set() for t in topics}
        shared = share((n for p in partitions.values() for n in p), held)
        result = {}
        for member, numbers in shared.items():
            topic_numbers = defaultdict(list)
            for topic in topics:
                topic_numbers[topic] = [n for n in numbers if n in partitions[topic]]
            result[member] = ConsumerProtocolMemberAssignment(
                cls.version, [(t, n) for t, n in topic_numbers.items() if n], b""
            )
        return result

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> Any:
        """What this member says when it joins; partition numbers fit a byte each (checked at creation)."""
        return ConsumerProtocolMemberMetadata(cls.version, sorted(topics), bytes(sorted(cls.held)))

    @classmethod
    def on_assignment(cls, assignment: Any) -> None:
        """Remember what is held."""
        cls.held = frozenset(tp.partition for tp in assignment.partitions() if tp.partition <= BYTE)
