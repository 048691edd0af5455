"""What people do about conditions: cases, their grouping, endings and commands.

Pure: events are returned, never sent, and every instant comes in with the record that caused it.
"""

from domain.cases.access import Actor, may_act, may_read, may_release
from domain.cases.commands import handle
from domain.cases.conditions import fold
from domain.cases.docket import Answer, Docket
from domain.cases.model import (
    OUTCOMES,
    Case,
    CaseCondition,
    CaseEvent,
    Command,
    Condition,
    Outcome,
    Policy,
)

__all__ = [
    "OUTCOMES",
    "Actor",
    "Answer",
    "Case",
    "CaseCondition",
    "CaseEvent",
    "Command",
    "Condition",
    "Docket",
    "Outcome",
    "Policy",
    "fold",
    "handle",
    "may_act",
    "may_read",
    "may_release",
]
