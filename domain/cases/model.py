"""The words of casework: conditions as they come in, cases, commands and events. Instants are ms UTC."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b

from domain.divisions import Divisions

ALERT, TASK = "alert", "task"
OPEN, SIGNED, CLOSED, HELD = "open", "signed", "closed", "held"
TOWNSHIP_DIGITS = 9
DATA = "data"
"""``closed_by`` of a case that the departments' own records closed."""

LEVELS = {"yellow": 1, "orange": 2, "red": 3}
RED = "red"
DAY_MS = 86_400_000
_LOCAL = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A coded outcome with its titles."""

    code: str
    label_zh: str
    label_en: str


OUTCOMES: dict[str, tuple[Outcome, ...]] = {
    ALERT: (
        Outcome("needs_aid", "属实需救助", "True, needs aid"),
        Outcome("covered", "属实已保障", "True, already covered"),
        Outcome("not_true", "不属实", "Not true"),
        Outcome("mismatch", "人户不符", "Person and household do not match"),
        Outcome("unreachable", "无法联系", "Cannot be reached"),
        Outcome("data_error", "数据错误", "Data error"),
    ),
    TASK: (
        Outcome("done", "已落实", "Done"),
        Outcome("already_received", "已享受", "Already received"),
        Outcome("not_eligible", "不符合", "Not eligible"),
        Outcome("declined", "本人放弃", "Declined by the person"),
        Outcome("unreachable", "无法联系", "Cannot be reached"),
        Outcome("data_error", "数据错误", "Data error"),
    ),
}
"""Finding codes of an alert's check and of a department's feedback (domain.md, section 5)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One record of hub.condition (not an owner record) with its offset."""

    offset: int
    condition_id: str
    standing: bool
    rule: str
    rule_version: int
    subject_kind: str
    subject_key: str
    episode: str
    household_key: str
    division: str
    tier: str
    rule_class: str
    kind: str
    department: str
    level: str
    step: int
    deadline_days: int
    cause: str
    superseded_by: str
    evidence: str
    thresholds: str
    records: str
    baseline: bool
    as_of: date
    caused_at: int
    decided_at: int


@dataclass(frozen=True, slots=True)
class CaseCondition:
    """A condition as its case keeps it: what people decide on."""

    condition_id: str
    rule: str
    rule_version: int
    subject_kind: str
    subject_key: str
    episode: str
    state: str
    cause: str
    superseded_by: str
    level: str
    step: int
    tier: str
    evidence: str
    thresholds: str
    records: str
    as_of: date
    caused_at: int

    @property
    def standing(self) -> bool:
        """Whether the departments' records still show it."""
        return self.state == "standing"


@dataclass(frozen=True, slots=True)
class Case:
    """An alert for civil affairs or a task for a department, as it stands after an event."""

    case_id: str
    version: int = 0
    kind: str = ""
    state: str = ""
    level: str = ""
    rule_class: str = ""
    department: str = ""
    division: str = ""
    household_key: str = ""
    subject_kind: str = ""
    subject_key: str = ""
    conditions: tuple[CaseCondition, ...] = ()
    opened_at: int = 0
    updated_at: int = 0
    signed_at: int | None = None
    closed_at: int | None = None
    due_on: date | None = None
    signed_by: str = ""
    closed_by: str = ""
    outcome: str = ""
    baseline: bool = False
    caused_at: int = 0

    def holds(self, condition_id: str) -> CaseCondition:
        """The condition of that id. Raises KeyError where the case does not hold it."""
        for condition in self.conditions:
            if condition.condition_id == condition_id:
                return condition
        raise KeyError(condition_id)

    @property
    def group(self) -> tuple[str, str, str, str]:
        """What an alert shares with those that join it."""
        return group_of(self.kind, self.rule_class, self.department, self.household_key or self.subject_key)

    @property
    def joinable(self) -> bool:
        """Whether a condition of the group may join: not closed, or closed only because a rule took over."""
        taken_over = self.closed_by == DATA and any(c.superseded_by for c in self.conditions)
        return self.kind == ALERT and (self.state != CLOSED or taken_over)


@dataclass(frozen=True, slots=True)
class Command:
    """One record of hub.command with its offset."""

    offset: int
    command_id: str
    case_id: str
    expected_version: int
    command: str
    outcome: str
    actor: str
    role: str
    department: str
    division: str
    at: int


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """What happened, with the case as it then stood and how far casework had read."""

    event_id: str
    event: str
    case: Case
    condition_position: int
    command_position: int
    at: int
    command_id: str = ""
    refusal: str = ""


def _no_closing(_rule: str, _version: int) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """What casework takes from the rules, the calendar and the table of divisions.

    ``closes``: rule and version to the causes of ending that close a case by themselves. ``due``: local
    day and working days to the deadline, None where the calendar cannot say. ``window_days``: how long
    after its opening an alert takes in others of its household (product default). ``division``: used
    where a condition names none, so that somebody sees it. ``storm_limit``: so many cases of one rule
    open in a township on one local day (product default); more are held for review, red ones and a
    first load never. ``divisions``: what a scope reaches on a day.
    """

    due: Callable[[date, int], date | None]
    closes: Callable[[str, int], Collection[str]] = _no_closing
    window_days: int = 30
    division: str = ""
    storm_limit: int = 50
    divisions: Divisions = field(default_factory=Divisions)

    def tally(self, condition: Condition) -> str:
        """Under what a case that this condition opens counts (`tally_of`)."""
        return tally_of(
            condition.rule,
            condition.division or self.division,
            condition.level,
            condition.decided_at,
            baseline=condition.baseline,
        )


def group_of(kind: str, rule_class: str, department: str, key: str) -> tuple[str, str, str, str]:
    """Alerts of one household, class and department share a group."""
    return (kind, rule_class, department, key)


def tally_of(rule: str, division: str, level: str, at: int, *, baseline: bool) -> str:
    """Under what the opening of a case counts: rule, township and local day; empty where it counts nowhere and is
    never held: red, or of a first load."""
    if baseline or level == RED:
        return ""
    return f"{rule}:{division[:TOWNSHIP_DIGITS]}:{local_day(at)}"


def case_id_of(condition_id: str, offset: int) -> str:
    """26 characters, the same at every replay: from the condition and the record that opened the case."""
    digest = blake2b(f"{condition_id}:{offset}".encode(), digest_size=16).digest()
    return base64.b32encode(digest).decode().lower().rstrip("=")


def local_day(at: int) -> date:
    """The day in Asia/Shanghai (UTC+8, no daylight saving since 1991) of an instant in ms UTC."""
    return (datetime.fromtimestamp(at / 1000, UTC) + _LOCAL).date()


def highest(levels: list[str], otherwise: str) -> str:
    """The highest of these levels, or ``otherwise`` where there is none."""
    return max(levels, key=lambda level: LEVELS.get(level, 0), default=otherwise)
