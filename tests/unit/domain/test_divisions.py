"""Names of divisions: by day, and tables that cannot be used are refused with what to mend."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from domain.divisions import DivisionsError, load

TABLE = """
divisions:
  - {code: "990101201", zh: 甲镇, en: Jia Town, from: 2026-07-01}
  - {code: "990101201", zh: 甲乡, from: 2000-01-01, until: 2026-07-01}
  - {code: "990102", zh: 乙县, from: 2000-01-01}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "divisions.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_no_names() -> None:
    assert load(None).on(date(2026, 1, 1)) == []


@pytest.mark.parametrize(
    ("day", "names"),
    [
        (date(1999, 12, 31), []),
        (date(2000, 1, 1), ["甲乡", "乙县"]),
        (date(2026, 6, 30), ["甲乡", "乙县"]),
        (date(2026, 7, 1), ["甲镇", "乙县"]),
    ],
)
def test_a_name_holds_from_its_day_until_before_the_next(tmp_path: Path, day: date, names: list[str]) -> None:
    assert [n.zh for n in load(written(tmp_path, TABLE)).on(day)] == names


def test_by_prefix(tmp_path: Path) -> None:
    found = load(written(tmp_path, TABLE)).on(date(2026, 7, 1), "990101")
    assert [(n.code, n.en) for n in found] == [("990101201", "Jia Town")]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{code: "990101201", zh: 丙镇, from: 2026-08-01}', "end the earlier one with until: 2026-08-01"),
        ('{code: "990103", zh: 丙, from: 2026-01-01, until: 2026-01-01}', "must be later than from"),
        ("{code: 990103, zh: 丙, from: 2026-01-01}", "put the code in quotes"),
        ('{code: "99010", zh: 丙, from: 2026-01-01}', "code"),
        ('{code: "990103", zh: 丙, from: 2026-01-01, successor: "990104"}', "successor"),
        ("{", "expected"),
    ],
)
def test_a_bad_table_says_what_where_and_how_to_mend(tmp_path: Path, row: str, says: str) -> None:
    path = written(tmp_path, f"{TABLE}  - {row}\n")
    with pytest.raises(DivisionsError, match=says) as error:
        load(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DivisionsError, match="DOUDI_DIVISIONS"):
        load(tmp_path / "none.yaml")
