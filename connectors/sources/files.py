"""Reading one dropped file: CSV (UTF-8 or GB18030) or XLSX into rows of text, with the line of each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import polars as pl

from connectors.errors import BadFile

SUFFIXES = (".csv", ".xlsx")
_MOST_BYTES = 512 * 1024 * 1024


@dataclass
class Content:
    """``frame``: good rows as text; ``lines``: their numbers; ``bad``: (line, reason, cells)."""

    frame: pl.DataFrame
    lines: list[int]
    header: list[str] = field(default_factory=list)
    bad: list[tuple[int, str, list[str]]] = field(default_factory=list)


def read(path: Path, columns: Sequence[str]) -> Content:
    """The file's rows. Columns may stand in any order; others are not taken.

    Raises BadFile if the file as a whole cannot be read: encoding, header, format, size.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise BadFile(f"The file is larger than {_MOST_BYTES >> 20} MB. Split it.")
    rows = (_csv if path.suffix.lower() == ".csv" else _xlsx)(path.read_bytes())
    numbered = iter(rows)
    _, header = next(numbered, (0, []))
    header = [h.strip() for h in header]
    _check(header, columns)
    places = [header.index(c) for c in columns]
    kept: list[list[str]] = []
    content = Content(pl.DataFrame(), [], header)
    for line, row in numbered:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            content.bad.append((line, f"{len(row)} cells, the header has {len(header)}", row))
            continue
        kept.append([row[p] for p in places])
        content.lines.append(line)
    turned = list(zip(*kept, strict=True)) or [()] * len(columns)
    content.frame = pl.DataFrame([pl.Series(c, v, pl.String) for c, v in zip(columns, turned, strict=True)])
    return content


def _check(header: list[str], columns: Sequence[str]) -> None:
    if not any(header):
        raise BadFile(f"The file has no header line. The first line must name: {', '.join(columns)}.")
    if missing := [c for c in columns if c not in header]:
        raise BadFile(f"The header lacks {', '.join(missing)}. The first line must name: {', '.join(columns)}.")
    if twice := sorted({h for h in header if h and header.count(h) > 1}):
        raise BadFile(f"The header names {', '.join(twice)} twice. Each column may stand once.")


def decode(data: bytes) -> str:
    """Text of UTF-8 (with or without its mark) or GB18030. Raises BadFile naming the line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf8 = error
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, max(error.start, utf8.start)) + 1
        raise BadFile(
            f"The file is neither UTF-8 nor GB18030: first bad byte near line {line}. Save it as CSV UTF-8."
        ) from None


def _csv(data: bytes) -> Iterable[tuple[int, list[str]]]:
    text = decode(data)
    if "\x00" in text:
        raise BadFile("The file holds NUL bytes: it is no CSV. Save it as CSV UTF-8 or XLSX.")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadFile(f"Line {line} is no CSV: {error}. Mend the quotation marks or save the file again.") from None
        yield line, row
        line = reader.line_num + 1


def _xlsx(data: bytes) -> Iterable[tuple[int, list[str]]]:
    import openpyxl  # noqa: PLC0415 - a tenth of the time to start, and seldom needed

    try:
        sheet = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
        sheet.reset_dimensions()  # what a sheet says of its size may be old: rows beyond it would not be read
        width = 0
        for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            row = [_cell(c) for c in cells]
            while row and not row[-1] and len(row) > width:
                row.pop()
            width = width or len(row)
            yield line, row + [""] * (width - len(row))
    except Exception as error:  # a damaged file fails in openpyxl in every way there is
        raise BadFile(f"The file is no readable XLSX ({type(error).__name__}). Save it again as .xlsx.") from None


def _cell(value: object) -> str:
    """A cell as a person would have typed it."""
    match value:
        case None:
            return ""
        case datetime():
            whole = value.time().isoformat() == "00:00:00"
            return value.date().isoformat() if whole else value.isoformat(" ")
        case date():
            return value.isoformat()
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
    return str(value)
