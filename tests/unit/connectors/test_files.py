"""Dropped files: encodings, headers, rows that do not fit."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from connectors.errors import BadFile
from connectors.sources.files import read

HEADER = "记录编号,证件号码,姓名"
COLUMNS = ["证件号码", "记录编号"]


def dropped(tmp_path: Path, text: str | bytes, encoding: str = "utf-8") -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    content = read(dropped(tmp_path, f"{HEADER}\r\n1,x,𠮷甲\r\n", encoding), COLUMNS)
    assert content.frame.to_dicts() == [{"证件号码": "x", "记录编号": "1"}]


def test_lines_are_those_of_the_file_also_after_a_cell_of_two_lines(tmp_path: Path) -> None:
    content = read(dropped(tmp_path, f'{HEADER}\n1,x,"甲\n乙"\n\n2,y\n3,z,丙\n'), COLUMNS)
    assert content.lines == [2, 6]
    assert [(line, why) for line, why, _ in content.bad] == [(5, "2 cells, the header has 3")]
    assert content.frame["记录编号"].to_list() == ["1", "3"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no header line"),
        ("编号,证件号码\n", r"header lacks 记录编号\. The first line must name"),
        ("记录编号,证件号码,证件号码\n", "names 证件号码 twice"),
        (
            f"{HEADER}\n1,x,甲\n".encode() + b"\xff\xff\xff\n",
            "neither UTF-8 nor GB18030: first bad byte near line 3",
        ),
        (f"{HEADER}\n1,\x00,甲\n", "NUL bytes"),
        (f'{HEADER}\n1,x,甲\n2,"y"z,乙\n', "Line 3 is no CSV"),
    ],
)
def test_bad_files_say_what_and_how_to_mend(tmp_path: Path, data: str | bytes, says: str) -> None:
    with pytest.raises(BadFile, match=says):
        read(dropped(tmp_path, data), COLUMNS)


def test_a_header_alone_is_a_file_without_rows(tmp_path: Path) -> None:
    assert read(dropped(tmp_path, HEADER), COLUMNS).frame.height == 0


def test_xlsx(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for line in (
        HEADER.split(","),
        ["1", "x", "甲"],
        [2, date(2026, 5, 1), None],
        [3.0, datetime.fromisoformat("2026-05-01 09:30:00"), "丙"],
        [None, None, None],
        [4, 1.5, "丁"],
    ):
        sheet.append(line)
    path = tmp_path / "a.xlsx"
    book.save(path)
    content = read(path, COLUMNS)
    assert content.frame["记录编号"].to_list() == ["1", "2", "3", "4"]
    assert content.frame["证件号码"].to_list() == ["x", "2026-05-01", "2026-05-01 09:30:00", "1.5"]
    assert content.lines == [2, 3, 4, 6]


def test_something_else_named_xlsx(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"no zip")
    with pytest.raises(BadFile, match="no readable XLSX"):
        read(path, COLUMNS)


def rewritten(tmp_path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """A workbook of a header and three rows with one of its parts changed."""
    book = openpyxl.Workbook()
    for line in (HEADER.split(","), ["1", "x", "甲"], ["2", "y", "乙"], ["3", "z", "丙"]):
        book.worksheets[0].append(line)
    whole, path = tmp_path / "whole.xlsx", tmp_path / "a.xlsx"
    book.save(whole)
    with zipfile.ZipFile(whole) as given, zipfile.ZipFile(path, "w") as made:
        for name in given.namelist():
            data = given.read(name)
            made.writestr(name, change(data) if name == part else data)
    return path


@pytest.mark.parametrize("said", ["A1:C2", "A1"])
def test_rows_and_columns_beyond_the_size_that_a_sheet_says_are_read(tmp_path: Path, said: str) -> None:
    def resized(data: bytes) -> bytes:
        changed, count = re.subn(rb'<dimension ref="[^"]*"', f'<dimension ref="{said}"'.encode(), data)
        assert count == 1
        return changed

    content = read(rewritten(tmp_path, "xl/worksheets/sheet1.xml", resized), COLUMNS)
    assert content.frame.rows() == [("x", "1"), ("y", "2"), ("z", "3")]
    assert content.lines == [2, 3, 4]


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"])
def test_a_workbook_with_a_damaged_part_is_a_bad_file(tmp_path: Path, part: str) -> None:
    with pytest.raises(BadFile, match="no readable XLSX"):
        read(rewritten(tmp_path, part, lambda data: data[: len(data) * 2 // 3]), COLUMNS)


def test_a_workbook_without_sheets_is_a_bad_file(tmp_path: Path) -> None:
    path = rewritten(tmp_path, "xl/workbook.xml", lambda data: re.sub(rb"<sheets>.*</sheets>", b"<sheets/>", data))
    with pytest.raises(BadFile, match="no readable XLSX"):
        read(path, COLUMNS)
