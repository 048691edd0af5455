"""The calendar of all partitions together, and who may ask for it."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pytest

from domain.cases import Actor
from domain.divisions import Reach
from gateway import access, asking
from gateway.errors import Problem
from wire.asking import Answered, Question

UNTIL = date(2026, 9, 30)


class Partitions:
    """Workers that answer what they are told to."""

    def __init__(self, *answers: Answered) -> None:
        self.answers = list(answers)
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Answered:
        """Never for a calendar."""
        raise AssertionError(question)

    async def ask_all(self, question: Question) -> list[Answered]:
        """One answer a partition."""
        self.asked.append(question)
        return self.answers


def entry(name: str, due_on: str | None) -> dict[str, Any]:
    place = {"tier": "dibao", "review_class": "C", "division": "990101001001"}
    return {"entry": name, **place, "why": "period", "due_on": due_on}


def answer(counts: list[list[Any]], *entries: dict[str, Any], on: str = "2026-06-30") -> Answered:
    return Answered("", {"on": on, "counts": counts, "entries": list(entries)})


def calendar(workers: Partitions) -> dict[str, Any]:
    return asyncio.run(asking.calendar(workers, "990101", Reach.parse("990101 -990101003"), UNTIL))


def test_partitions_are_added_up_and_put_in_order() -> None:
    workers = Partitions(
        answer(
            [["2026-07", "dibao", "990101001", 2], ["undated", "qita", "990101001", 1]],
            entry("c", "2026-07-01"),
            entry("n", None),
        ),
        answer(
            [["overdue", "dibao", "990101002", 1], ["2026-07", "dibao", "990101001", 3], ["2026-07", "tekun", "9", 1]],
            entry("a", "2026-05-01"),
            entry("b", "2026-07-01"),
            on="2026-07-01",
        ),
    )
    found = calendar(workers)
    assert workers.asked == [Question("calendar", "division", "990101 -990101003", "", day=UNTIL)]
    assert [tuple(c.values()) for c in found["counts"]] == [
        ("overdue", "dibao", "990101002", 1),
        ("2026-07", "tekun", "9", 1),
        ("2026-07", "dibao", "990101001", 5),
        ("undated", "qita", "990101001", 1),
    ]
    assert [e["entry"] for e in found["entries"]] == ["a", "b", "c", "n"]
    assert {e["review_class"] for e in found["entries"]} == {"C"}
    assert (found["on"], found["until"], found["division"]) == ("2026-07-01", "2026-09-30", "990101")


def test_only_those_due_first_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "DUE_FIRST", 2)
    days = [f"2026-07-{n:02d}" for n in range(1, 5)]
    workers = Partitions(*(answer([["2026-07", "dibao", "990101001", 1]], entry(day, day)) for day in reversed(days)))
    found = calendar(workers)
    assert [e["entry"] for e in found["entries"]] == days[:2]
    assert found["counts"][0]["entries"] == 4


def test_a_partition_that_cannot_answer_is_not_left_out() -> None:
    workers = Partitions(answer([]), Answered("no_day", {"zh": "尚无日期", "en": "no day has begun"}))
    with pytest.raises(Problem, match="no day has begun"):
        calendar(workers)


@pytest.mark.parametrize(
    ("role", "may"),
    [("village", True), ("township", True), ("county", True), ("auditor", True), ("department", False), ("x", False)],
)
def test_it_is_civil_affairs_own(role: str, may: bool) -> None:
    assert access.recertifies(Actor("a", role, "civil", "990101", Reach.parse("990101"))) is may
