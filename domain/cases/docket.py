"""The cases at hand: what a slice of conditions and commands needs of casework's state, held in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from domain.cases.model import Case, group_of


class Answer(NamedTuple):
    """How a command was answered: an empty refusal means accepted."""

    case_id: str
    refusal: str


@dataclass(slots=True)
class Docket:
    """Cases by id, by condition and by group, answered commands, and how far both topics were read."""

    condition_position: int = 0
    command_position: int = 0
    cases: dict[str, Case] = field(default_factory=dict)
    case_of: dict[str, str] = field(default_factory=dict)
    groups: dict[tuple[str, str, str, str], list[str]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    joined: dict[str, str] = field(default_factory=dict)
    tallies: dict[str, int] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)

    def take(self, case: Case) -> None:
        """Hold a case as the state has it, or as it is after an event, which may have changed its group."""
        before = self.cases.get(case.case_id)
        self.cases[case.case_id] = case
        for condition in case.conditions:
            self.case_of[condition.condition_id] = case.case_id
        if before is not None:
            self.groups[before.group].remove(case.case_id)
        self.groups.setdefault(case.group, []).append(case.case_id)

    def put(self, case: Case) -> None:
        """Hold a case after an event, and remember that it has to be written."""
        for condition in case.conditions:
            if condition.condition_id not in self.case_of:
                self.joined[condition.condition_id] = case.case_id
        self.take(case)
        self.touched.add(case.case_id)

    def remember(self, command_id: str, answer: Answer) -> None:
        """Take the answer of a command as hub.case tells it (state made anew); the first one counts."""
        self.answers.setdefault(command_id, answer)

    def count(self, tally: str) -> int:
        """One more case opened under a tally; how many there were before."""
        before = self.tallies.get(tally, 0)
        self.tallies[tally] = before + 1
        self.counted.add(tally)
        return before

    def holding(self, condition_id: str) -> Case | None:
        """The case of a condition; a condition stays with its first case for good."""
        case_id = self.case_of.get(condition_id)
        return self.cases[case_id] if case_id else None

    def of_group(self, kind: str, rule_class: str, department: str, key: str) -> list[Case]:
        """Cases of a group, the latest opened first."""
        found = [self.cases[c] for c in self.groups.get(group_of(kind, rule_class, department, key), ())]
        return sorted(found, key=lambda c: (c.opened_at, c.case_id), reverse=True)
