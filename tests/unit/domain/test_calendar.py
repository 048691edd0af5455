"""Working days: the library's years, years of a file, and neither."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domain.calendar import CalendarError, add_working_days, is_working_day


@pytest.mark.parametrize(
    ("day", "n", "until"),
    [
        (date(2026, 6, 1), 0, date(2026, 6, 1)),
        (date(2026, 6, 5), 1, date(2026, 6, 8)),  # over a weekend
        (date(2026, 9, 30), 1, date(2026, 10, 8)),  # over the National Day holiday
        (date(2026, 10, 9), 1, date(2026, 10, 10)),  # a Saturday that is worked
    ],
)
def test_days_of_the_national_calendar(day: date, n: int, until: date) -> None:
    assert add_working_days(day, n) == until


def test_a_file_answers_for_a_year_that_the_library_lacks(tmp_path: Path) -> None:
    file = tmp_path / "2031.yaml"
    file.write_text(
        "year: 2031\nref: 国务院办公厅通知\ndays_off: [2031-01-01]\nworked: [2031-01-04]\n", encoding="utf-8"
    )
    assert not is_working_day(date(2031, 1, 1), tmp_path)
    assert is_working_day(date(2031, 1, 4), tmp_path)  # a Saturday
    assert add_working_days(date(2031, 1, 2), 2, file) == date(2031, 1, 4)


def test_neither_knows() -> None:
    with pytest.raises(CalendarError, match=r"no working days known for 2099.*add rules/calendar/2099.yaml"):
        add_working_days(date(2099, 6, 1), 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("year: [", "not YAML"),
        ("year: 2031\ndays_off: []\n", "ref: Field required"),
        ("year: 2031\nref: x\ndays_off: [soon]\n", "days_off.0"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "2031.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CalendarError, match=message):
        is_working_day(date(2031, 1, 1), file)
