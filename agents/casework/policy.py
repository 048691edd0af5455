"""What casework takes from the rule book, the calendar, the table of divisions and the settings."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import date
from functools import cache

from domain import calendar, divisions
from domain.cases import Policy
from domain.cases.model import local_day
from domain.errors import Permanent
from domain.law import Law
from wire.settings import Settings

log = logging.getLogger("doudi.casework")


def policy(settings: Settings, law: Law, today: date | None = None) -> Policy:
    """Rules' closings by version, deadlines in working days, scopes by day.

    Raises DivisionsError, or CalendarError without this year.
    """
    return Policy(
        due=due(settings, today),
        closes=closings(law),
        division=settings.region,
        storm_limit=settings.storm_limit,
        divisions=divisions.load(settings.divisions),
    )


def closings(law: Law) -> Callable[[str, int], frozenset[str]]:
    """Rule and version to the causes of ending that close a case by themselves."""

    def closes(rule: str, version: int) -> frozenset[str]:
        known = law.rule(rule, version)
        return frozenset(known.closes) if known else frozenset()

    return closes


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
