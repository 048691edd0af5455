"""What casework takes from the rule book, the calendar and the settings."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import date
from functools import cache

from domain import calendar, rules
from domain.cases import Policy
from domain.cases.model import local_day
from domain.errors import Permanent
from wire.settings import Settings

log = logging.getLogger("doudi.casework")


def policy(settings: Settings, today: date | None = None) -> Policy:
    """Rules' closings and deadlines in working days. Raises RuleError, or CalendarError without this year."""
    book = rules.load(settings.rules)
    return Policy(
        due=due(settings, today),
        closes={rule.id: frozenset(rule.closes) for rule in book.rules.values()},
        division=settings.region,
        storm_limit=settings.storm_limit,
    )


def due(settings: Settings, today: date | None = None) -> Callable[[date, int], date | None]:
    """Local day and working days to the deadline.

    A calendar that does not know today stops casework at its start: somebody is there to mend it. One that
    ends before a deadline later costs that case its date, never the case: None, counted as ``undated``.
    """
    calendar.is_working_day(today or local_day(int(time.time() * 1000)), settings.calendar)

    @cache
    def of(day: date, days: int) -> date | None:
        try:
            return calendar.add_working_days(day, days, settings.calendar)
        except Permanent as error:
            log.error("A case opened on %s has no deadline: %s", day, error)
            return None

    return of
