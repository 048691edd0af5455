"""ID numbers for tests: right check digit, a county that does not exist. Nobody has such a number."""

from __future__ import annotations

from datetime import date, timedelta

from domain.persons import check_digit

COUNTY = "990101"
_DAYS = 20_000


def test_id(number: int, born_on: date | None = None) -> str:
    """The ``number``-th test ID, 18 characters; different numbers below 20 million give different IDs."""
    born = born_on or date(1940, 1, 1) + timedelta(days=number % _DAYS)
    first17 = f"{COUNTY}{born:%Y%m%d}{number // _DAYS % 1000:03d}"
    return first17 + check_digit(first17)


test_id.__test__ = False  # type: ignore[attr-defined]


def test_card(number: int, category: int = 6, grade: int = 1) -> str:
    """A certificate number of 20 digits for the ``number``-th test ID."""
    return f"{test_id(number)}{category}{grade}"


test_card.__test__ = False  # type: ignore[attr-defined]
