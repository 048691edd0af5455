"""Working days by the national calendar: the library, and an extension file for years that it lacks.

The State Council announces a year's holidays late in the year before. Neither knowing is an error
that says what to do; nothing is guessed.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

import chinese_calendar
import yaml
from chinese_calendar import constants
from pydantic import Field, ValidationError

from domain.errors import Permanent
from domain.parameters import Strict

SHIPPED = Path(__file__).parents[1] / "rules" / "calendar"
_SATURDAY = 5


class CalendarError(Permanent):
    """No calendar for a year, or a calendar file that cannot be used."""

    code = "calendar"


class Year(Strict):
    """An announced year: days off that would be working days, and weekend days that are worked."""

    year: int = Field(ge=2000, le=2100)
    ref: Annotated[str, Field(min_length=1)]
    days_off: tuple[date, ...]
    worked: tuple[date, ...] = ()


def add_working_days(day: date, n: int, extension: Path | None = None) -> date:
    """The n-th working day after a day (the day itself for 0).

    ``extension``: a YAML file, or a folder of them, with years that the library lacks.
    Raises CalendarError where a year that is passed through is known to neither.
    """
    for _ in range(n):
        day += timedelta(days=1)
        while not is_working_day(day, extension):
            day += timedelta(days=1)
    return day


def is_working_day(day: date, extension: Path | None = None) -> bool:
    """Whether people work on that day. Raises CalendarError for a year known to neither."""
    known = _extension(extension or SHIPPED).get(day.year)
    if known is not None:
        return day in known.worked or (day.weekday() < _SATURDAY and day not in known.days_off)
    if not _first_year() <= day.year <= _last_year():
        raise CalendarError(
            f"no working days known for {day.year}: the calendar library ends with {_last_year()}; "
            f"add rules/calendar/{day.year}.yaml with the announced holidays, or set DOUDI_CALENDAR"
        )
    return bool(chinese_calendar.is_workday(day))


@cache
def _first_year() -> int:
    return min(int(day.year) for day in constants.holidays)


@cache
def _last_year() -> int:
    return max(int(day.year) for day in constants.holidays)


@cache
def _extension(path: Path) -> dict[int, Year]:
    """Years of a file or folder. A path that is not there has none."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path] if path.is_file() else []
    years = [_year(file) for file in files]
    return {year.year: year for year in years}


def _year(file: Path) -> Year:
    try:
        return Year.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CalendarError(f"{file.name}: not YAML in UTF-8; mend the file ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CalendarError(
            f"{file.name}: {where}: {first['msg']}; write year, ref, days_off and worked as in docs/adding-a-rule.md"
        ) from error
