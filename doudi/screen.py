"""Screening of files without a broker: the same facts and rules, in memory, for a department or a rule's author.

Reads one CSV or JSON-lines file a topic with clear ID numbers, keeps them in memory only, and maps
the answers back to them. docs/screen.md describes the files.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from domain import persons
from domain.errors import Permanent
from domain.rulefiles import meant, near
from domain.rules import RuleBook, RuleError
from domain.trial import Trial
from doudi import screened
from schemas.load import Schema, of_topic
from schemas.topics import DEPARTMENT_TOPICS

SOURCE = "screen"
MOST_PROBLEMS = 20
_LOCAL = timedelta(hours=8)
_DERIVED = {
    "person_key",
    "household_key",
    "guardian_key",
    "born_on",
    "event_id",
    "source",
    "source_epoch",
    "published_at",
}
"""Fields that this command fills in itself."""
_EXTRA = ("id_number", "household_no", "guardian_id_number", "published_on", "updated_at")
_TRUE, _FALSE = ("true", "1", "是"), ("false", "0", "否")


class BadFiles(Permanent):
    """The files cannot be screened. One message a mistake: file, line, column, what is wrong, how to mend it."""

    code = "screen_files"

    def __init__(self, problems: list[str]) -> None:
        more = f"\n… and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        super().__init__("\n".join(problems[:MOST_PROBLEMS]) + more)
        self.problems = problems


@dataclass
class Load:
    """Files read: records by topic with the day they became known, whom the keys stand for, who has no usable ID."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    records: dict[str, pl.DataFrame] = field(default_factory=dict)
    coverage: list[tuple[str, str, date]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    unidentified: list[dict[str, Any]] = field(default_factory=list)


def screen(folder: Path, as_of: date, out: Path, book: RuleBook, region: str = "", why_not: str = "") -> dict[str, int]:
    """Screen the files of a folder and write conditions.jsonl and unidentified.jsonl into ``out``.

    With ``why_not``, the id of a rule, also why-not.jsonl. Returns counts: records, standing, ended, unknown,
    unidentified. Raises BadFiles, and RuleError for an unknown rule.
    """
    if why_not and why_not not in book.rules:
        raise RuleError([f"rule {why_not} is not known{near(why_not, book.rules)}; name one of the rule book"])
    load = read(folder, as_of)
    trial = Trial(book, region)
    try:
        rows = list(_replayed(trial, load, as_of))
        unknown = trial.unknown_rows()
        answers = trial.why_not(why_not, load.names) if why_not else []
    finally:
        trial.close()
    conditions = [*screened.said(rows, book, load.names), *screened.unknown(unknown, load.names)]
    out.mkdir(parents=True, exist_ok=True)
    if why_not:
        person = book.rules[why_not].subject == "person"
        _write(out / "why-not.jsonl", [screened.unmet(a, why_not, load.names, person=person) for a in answers])
    _write(out / "conditions.jsonl", conditions)
    _write(out / "unidentified.jsonl", load.unidentified)
    states = [c["state"] for c in conditions]
    return {
        "records": sum(frame.height for frame in load.records.values()),
        **{state: states.count(state) for state in ("standing", "ended", "unknown")},
        "unidentified": len(load.unidentified),
    }


def _replayed(trial: Trial, load: Load, as_of: date) -> Iterator[dict[str, Any]]:
    """The condition rows, day by day: the records in the order in which they became known."""
    for topic, prefix, since in load.coverage:
        trial.cover(topic, prefix=prefix, since=since)
    days = {day for frame in load.records.values() for day in frame["published_on"].to_list() if day <= as_of}
    for day in sorted(days | {as_of}):
        trial.tick(day)
        for topic, frame in load.records.items():
            known = frame.filter(pl.col("published_on") == day)
            if known.height:
                trial.give(topic, known.drop("published_on"))
        yield from trial.evaluate()


# ---------------------------------------------------------------------- in


def read(folder: Path, as_of: date, key: bytes | None = None) -> Load:
    """Everything in a folder, under a key of this run's own unless one is given. Raises BadFiles with all mistakes."""
    load, problems = Load(key) if key else Load(), []
    if not folder.is_dir():
        raise BadFiles([f"{folder}: no such folder; give the folder that holds <topic>.csv or <topic>.jsonl"])
    known = {topic.name for topic in DEPARTMENT_TOPICS}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".csv", ".jsonl") and path.stem not in known and path.name != "coverage.csv":
            problems.append(
                f"{path.name}: no topic of that name{meant(path.stem, known)}; "
                f"name the file after one of {', '.join(sorted(known))}"
            )
    for topic in sorted(known):
        found = [p for p in (folder / f"{topic}.csv", folder / f"{topic}.jsonl") if p.is_file()]
        if len(found) > 1:
            problems.append(f"{topic}: both {found[0].name} and {found[1].name} are there; keep one")
        elif found:
            _topic(load, topic, found[0], as_of, problems)
    if not load.records and not problems:
        problems.append(f"{folder}: no <topic>.csv or <topic>.jsonl there; topics are {', '.join(sorted(known))}")
    load.coverage = _coverage(folder / "coverage.csv", sorted(load.records), problems)
    if problems:
        raise BadFiles(problems)
    return load


def _topic(load: Load, topic: str, path: Path, as_of: date, problems: list[str]) -> None:
    texts = _texts(path, problems)
    if texts is None:
        return
    schema = of_topic(topic)
    allowed = [name for name in schema.dtypes if name not in _DERIVED]
    yuan = {name.removesuffix("_fen"): name for name in allowed if name.endswith("_fen")}
    for column in texts.columns:
        if column not in (*allowed, *yuan, *_EXTRA):
            problems.append(
                f"{path.name}: column {column} is not known"
                f"{meant(column, [*allowed, *yuan, *_EXTRA])}; rename or remove it"
            )
    if "id_number" not in texts.columns:
        problems.append(f"{path.name}: column id_number is missing; add the clear ID number of each person")
        return
    before = len(problems)
    columns = {
        name: _column(path.name, name, texts[name], schema.dtypes[name], problems)
        for name in allowed
        if name in texts.columns
    }
    for name, fen in yuan.items():
        if name in texts.columns:
            amounts = _fen(path.name, texts[name], problems)
            columns[fen] = columns[fen].fill_null(amounts) if fen in columns else amounts
    published = (
        _column(path.name, "published_on", texts["published_on"], pl.Date(), problems)
        if "published_on" in texts.columns
        else pl.Series("published_on", [None] * texts.height, dtype=pl.Date)
    )
    if len(problems) == before:
        _keep(load, topic, schema, texts, columns, published.fill_null(as_of), as_of)


def _keep(
    load: Load,
    topic: str,
    schema: Schema,
    texts: pl.DataFrame,
    columns: dict[str, pl.Series],
    published: pl.Series,
    as_of: date,
) -> None:
    lines = pl.Series("line", range(2, texts.height + 2), dtype=pl.Int64)
    keys = persons.link(texts["id_number"].to_list(), load.key, as_of)
    numbers = {raw: persons.normalise_id(raw, as_of) for raw in keys}
    frame = pl.DataFrame({"line": lines, "id_number": texts["id_number"], "published_on": published}).with_columns(
        person_key=pl.Series([keys.get(raw) for raw in texts["id_number"].to_list()], dtype=pl.String),
        **columns,
    )
    load.unidentified += [
        {"topic": topic, "line": line, "reason": _unusable(raw, as_of)}
        for line, raw in frame.filter(pl.col("person_key").is_null()).select("line", "id_number").iter_rows()
    ]
    load.names.update({k: numbers[raw].clear for raw, k in keys.items()})
    at = (pl.col("published_on").cast(pl.Datetime("ms")) - _LOCAL).dt.replace_time_zone("UTC")
    defaults: dict[str, pl.Expr | pl.Series] = {
        "event_id": pl.format("{}-{}", pl.lit(SOURCE), "line"),
        "source": pl.lit(SOURCE),
        "source_epoch": pl.lit(1),
        "record_id": pl.format("line {}", "line"),
        "record_version": pl.col("line"),
        "op": pl.lit("create"),
        "division": pl.lit(""),
        "occurred_at": at,
        "published_at": at,
    }
    if "updated_at" in texts.columns and "record_version" not in columns:
        defaults["record_version"] = _instants(texts["updated_at"]).dt.epoch("us").fill_null(0)
    if "household_no" in texts.columns and "household_key" in schema.dtypes:
        defaults["household_key"] = pl.Series(_households(load, texts, columns), dtype=pl.String)
    if "guardian_id_number" in texts.columns and "guardian_key" in schema.dtypes:
        guardians = persons.link(texts["guardian_id_number"].to_list(), load.key, as_of)
        load.names.update({k: persons.normalise_id(raw, as_of).clear for raw, k in guardians.items()})
        defaults["guardian_key"] = pl.Series(
            [guardians.get(r) for r in texts["guardian_id_number"].to_list()], dtype=pl.String
        )
    if "born_on" in schema.dtypes:
        born = {raw: number.born_on for raw, number in numbers.items()}
        defaults["born_on"] = pl.Series([born.get(r) for r in texts["id_number"].to_list()], dtype=pl.Date)
    full = frame.with_columns(
        **{name: pl.col(name).fill_null(value) if name in columns else value for name, value in defaults.items()},
        **{
            name: pl.lit(None, dtype)
            for name, dtype in schema.dtypes.items()
            if name not in columns and name not in defaults and name != "person_key"
        },
    ).filter(pl.col("person_key").is_not_null())
    load.records[topic] = full.select(
        *(pl.col(name).cast(dtype) for name, dtype in schema.dtypes.items()), "published_on"
    )


def _unusable(raw: str | None, as_of: date) -> str:
    try:
        persons.normalise_id(raw, as_of)
    except persons.BadId as error:
        return error.reason
    raise AssertionError("linked, and yet without a key")


def _households(load: Load, texts: pl.DataFrame, columns: dict[str, pl.Series]) -> list[str | None]:
    divisions = columns["division"].to_list() if "division" in columns else [""] * texts.height
    keys: list[str | None] = []
    for number, division in zip(texts["household_no"].to_list(), divisions, strict=True):
        key = persons.household_key((division or "")[:6], number, load.key) if number else None
        if key:
            load.names[key] = number
        keys.append(key)
    return keys


def _texts(path: Path, problems: list[str]) -> pl.DataFrame | None:
    """The file with every value as text; line n of a CSV is row n - 2. None where it cannot be read."""
    try:
        if path.suffix == ".csv":
            frame = pl.read_csv(path, infer_schema=False)
            return frame.select(pl.col(pl.String).str.strip_chars().replace("", None))
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        problems.append(f"{path.name}: a line is not JSON ({error.msg}); write one object a line")
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        problems.append(f"{path.name}: cannot be read ({str(error).splitlines()[0]}); save it as UTF-8 with a header")
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        return pl.DataFrame({n: pl.Series([_text(row.get(n)) for row in rows], dtype=pl.String) for n in names})
    return None


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _column(file: str, name: str, texts: pl.Series, dtype: pl.DataType, problems: list[str]) -> pl.Series:
    """A column in its type; a problem for the first value of a column that cannot be."""
    how = {
        pl.Date: "a date; write YYYY-MM-DD",
        pl.Datetime: "an instant; write YYYY-MM-DD HH:MM[:SS], local time",
        pl.Boolean: "true or false; write one of them",
    }.get(type(dtype), "a whole number; write digits only")
    if isinstance(dtype, pl.String):
        return texts
    if isinstance(dtype, pl.Boolean):
        lower = texts.str.to_lowercase()
        values = pl.select(pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)).to_series()
    elif isinstance(dtype, pl.Date):
        values = texts.str.to_date("%Y-%m-%d", strict=False)
    elif isinstance(dtype, pl.Datetime):
        values = _instants(texts)
    else:
        values = texts.cast(dtype, strict=False)
    _refuse(file, name, texts, values, how, problems)
    return values.alias(name)


def _instants(texts: pl.Series) -> pl.Series:
    """Instants, UTC: local time (UTC+8) where the text names no zone; a day is its midnight."""
    spaced = texts.str.replace("T", " ")
    found = spaced.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ms", strict=False)
    found = found.fill_null(spaced.str.to_datetime("%Y-%m-%d %H:%M", time_unit="ms", strict=False))
    found = found.fill_null(spaced.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms")))
    return (found - _LOCAL).dt.replace_time_zone("UTC")


def _fen(file: str, texts: pl.Series, problems: list[str]) -> pl.Series:
    """Fen of amounts in yuan with at most two decimals."""
    values = (texts.cast(pl.Decimal(18, 2), strict=False) * 100).cast(pl.Int64, strict=False)
    _refuse(file, texts.name, texts, values, "an amount in yuan; write 1234.56", problems)
    return values


def _refuse(file: str, name: str, texts: pl.Series, values: pl.Series, how: str, problems: list[str]) -> None:
    wrong = (texts.is_not_null() & values.is_null()).arg_true()
    problems += [f"{file}:{row + 2}: column {name}: {texts[row]!r} is not {how}" for row in wrong.to_list()]


def _coverage(path: Path, topics: list[str], problems: list[str]) -> list[tuple[str, str, date]]:
    """Who covers what: coverage.csv, or every topic whose file is there covers everything."""
    if not path.is_file():
        return [(topic, "", date(1900, 1, 1)) for topic in topics]
    texts = _texts(path, problems)
    if texts is None:
        return []
    missing = [c for c in ("topic", "division_prefix", "covers_from") if c not in texts.columns]
    if missing:
        problems.append(
            f"coverage.csv: column {missing[0]} is missing; its columns are topic, division_prefix, covers_from"
        )
        return []
    since = _column("coverage.csv", "covers_from", texts["covers_from"], pl.Date(), problems)
    return [
        (t, p or "", s or date(1900, 1, 1))
        for t, p, s in zip(texts["topic"].to_list(), texts["division_prefix"].to_list(), since.to_list(), strict=True)
    ]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, default=lambda day: day.isoformat()) + "\n")
