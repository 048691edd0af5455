"""What ``doudi rules try`` reads and prints: a file laid over the rule book, kept records, the difference as tables.

Decides nothing: domain/trying.py does. State files are only read as copies, never those that a worker holds.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import polars as pl

from domain import facts, law, rules, tiers
from domain.errors import Permanent
from domain.records import stream
from domain.rules import RuleBook
from domain.screening import PersonStage
from domain.trying import Attempt, Change, Records, answer, days
from doudi.copies import newest
from doudi.rulebook import CAUSES
from doudi.screen import read

_HELD = ("Could not set lock", "Conflicting lock", "already open")
WHAT = {"stood": ("期初已成立", "stood before"), "begun": ("新成立", "begun"), "ended": ("结束", "ended")}
SIGNS = {"more": ("增加", "more"), "fewer": ("减少", "fewer")}
MOST_PLACES = 20


class NoRecords(Permanent):
    """The records cannot be read. The text says which, why, and what to do."""

    code = "try_records"


# ---------------------------------------------------------------------- the law


def laid_over(given: Path, folder: Path | None) -> RuleBook:
    """The rule book of a folder (default: the one shipped) with a rule or parameter file laid over it.

    ``given`` may be a whole folder: then it is the book. Raises RuleError with the messages of ``doudi rules check``.
    """
    if given.is_dir():
        return rules.load(given)
    return law.laid_over(folder, law.read_files([given]))


# ---------------------------------------------------------------------- records


def copies(folder: Path, partitions: int) -> list[Path]:
    """The newest copy of each of the persons' state files in a folder. Raises NoRecords where one is missing."""
    found = newest(folder) if folder.is_dir() else {}
    missing = [str(n) for n in range(partitions) if n not in found]
    if missing:
        raise NoRecords(
            f"{folder}: no copy of the persons' state of partition {', '.join(missing)} of {partitions}; give the "
            f"folder of the snapshots (DOUDI_SNAPSHOTS), which workers write every DOUDI_SNAPSHOT_MINUTES minutes"
        )
    return [found[n] for n in sorted(found)]


def snapshots(url: str) -> Path:
    """The folder behind DOUDI_SNAPSHOTS. Raises NoRecords where it is not on this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("", "file"):
        raise NoRecords("the snapshots (DOUDI_SNAPSHOTS) are not on this machine; copy them here and give --state DIR")
    return Path(unquote(parts.path))


@contextmanager
def of_state(folder: Path, partitions: int, region: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Records]]:
    """A connection to copies of state files, read only. Raises NoRecords."""
    with _database() as con:
        tables: dict[str, list[str]] = {}
        coverage: set[tuple[str, str, date]] = set()
        for number, path in enumerate(copies(folder, partitions)):
            try:
                con.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as state{number} (read_only)")
            except duckdb.Error as error:
                why = str(error).splitlines()[0]
                held = any(sign in str(error) for sign in _HELD)
                raise NoRecords(
                    f"{path.name} is held by a worker, and nobody else may open it; give the folder of the snapshots "
                    f"(DOUDI_SNAPSHOTS) instead"
                    if held
                    else f"{path.name} cannot be read ({why}); give the folder of the snapshots, or an older copy"
                ) from error
            there = con.execute(
                "select table_name from duckdb_tables() where database_name = ?", [f"state{number}"]
            ).fetchall()
            names = {name for (name,) in there}
            for topic, kept in facts.kept_of(PersonStage.name).items():
                if kept.table in names:
                    tables.setdefault(topic, []).append(f"state{number}.{kept.table}")
            if "heartbeat" not in names:
                raise NoRecords(f"{path.name} is not a persons' state file; give the folder of the snapshots")
            con.execute(f"use state{number}")
            coverage |= {*PersonStage.covered(con)}
            con.execute("use memory")
        yield con, Records(tables, sorted(coverage), region)


@contextmanager
def of_files(folder: Path, until: date, region: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Records]]:
    """A connection with the files of a folder, as ``doudi screen`` reads them. Raises BadFiles."""
    load = read(folder, until)
    with _database() as con:
        tables = {}
        for topic, frame in load.records.items():
            tables[topic] = [f"given_{topic.replace('.', '_')}"]
            rows = stream(  # noqa: F841 - read by the SQL
                frame.drop("published_on").with_columns(
                    lane=pl.lit(1, pl.Int8),
                    partition=pl.lit(0, pl.Int32),
                    offset=pl.int_range(frame.height, dtype=pl.Int64),
                )
            )
            con.execute(f"create table {tables[topic][0]} as from rows")
        yield con, Records(tables, load.coverage, region)


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with all processors; what does not fit goes to a folder of its own, without clear IDs."""
    with tempfile.TemporaryDirectory(prefix="doudi-try-") as spill:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": spill,
            "preserve_insertion_order": False,
        }
        with closing(duckdb.connect(config=settings)) as con:
            yield con


# ---------------------------------------------------------------------- the run


def run(
    before: RuleBook,
    after: RuleBook,
    asked: tuple[date, date, int],
    source: Callable[[], Any],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Try a change between two days (and every so many, 0: at ends of months); the answer of ``domain.trying``.

    ``say`` gets a line a step with the seconds so far. Raises TryError, NoRecords, BadFiles.
    """
    since, until, every = asked
    change = Change(before, after)
    steps = days(since, until, every)
    begun = time.monotonic()

    def progress(words: str) -> None:
        say(f"{time.monotonic() - begun:6.1f} s  {words}")

    salt = secrets.token_bytes(32)
    with source() as (con, records):
        attempt = Attempt(con, records, change)
        attempt.lay_out(since, until, progress)
        attempt.run(steps, progress)
        found = answer(attempt, steps, lambda who: hashlib.blake2b(who.encode(), digest_size=5, key=salt).hexdigest())
    found["seconds"] = round(time.monotonic() - begun, 1)
    return found


# ---------------------------------------------------------------------- words


def as_json(found: dict[str, Any]) -> str:
    """One object."""
    return json.dumps(found, ensure_ascii=False, default=lambda day: day.isoformat())


def as_text(found: dict[str, Any]) -> str:
    """The tables, in both languages."""
    return "\n".join(_text(found))


def _text(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"试算 / try: {found['from']} – {found['to']}; 变更的规则 / rules changed: {', '.join(found['changed'])}; "
        f"涉及人数 / people concerned: {found['concerned']:,}; 判定日 / days asked: {len(found['days'])}"
    )
    for rule in found["rules"]:
        yield ""
        yield f"{rule['rule']} {rule['title_zh']} / {rule['title_en']}"
        if "before" in rule:
            for side, words in (("before", "现行 / as it is"), ("after", "变更后 / as it would be")):
                yield f"  {words}: {_counts(rule[side])}"
        for sign, (zh, en) in SIGNS.items():
            yield f"  {zh} / {en}: {_counts(rule[sign])}"
    if found["places"]:
        yield from ("", "乡镇 town    类别 tier    期初 stood   成立 begun   结束 ended   (+增加 more −减少 fewer)")
        for p in found["places"][:MOST_PLACES]:
            tier = tiers.TITLES[p["tier"] or tiers.OFF_ROSTER][0]
            shown = "   ".join(f"+{p[f'{what}_more']} −{p[f'{what}_fewer']}" for what in WHAT)
            yield f"{p['town'] or '—'}    {tier}    {shown}"
        if len(found["places"]) > MOST_PLACES:
            yield f"… {len(found['places']) - MOST_PLACES} more (--json)"
    if found["examples"]:
        yield from ("", "举例（化名，每次不同） / examples (pseudonyms of this run only)")
        for e in found["examples"]:
            cause = f" {' / '.join(CAUSES[e['cause']])}" if e["cause"] else ""
            seen = (e["who"], e["day"], e["episode"], e["town"], e["tier"] or tiers.OFF_ROSTER, e["level"])
            yield (
                f"  {e['rule']} {' / '.join(SIGNS[e['sign']])} {' / '.join(WHAT[e['what']])}{cause}: "
                f"{' '.join(str(part) for part in seen if part)}"
            )
    v = found["visits"]
    if v["villages"]:
        yield ""
        yield (
            f"每名村级工作人员每周入户 / visits a week and village worker, {v['villages']} 村 / villages: "
            f"平均 / mean {v['mean_before']:.3f} → {v['mean_after']:.3f}, "
            f"最多 / most {v['most_before']:.2f} → {v['most_after']:.2f}"
        )
        for b in v["busiest"]:
            yield f"  {b['village']}: {b['before']:.2f} → {b['after']:.2f}"
    yield ""
    yield f"未发布任何内容 / nothing was published ({found['seconds']} s)"


def _counts(counts: dict[str, Any]) -> str:
    ended = ", ".join(f"{' / '.join(CAUSES[cause])} {n}" for cause, n in sorted(counts["ended"].items()))
    return (
        f"{' / '.join(WHAT['stood'])} {counts['stood']}, {' / '.join(WHAT['begun'])} {counts['begun']}, "
        f"{' / '.join(WHAT['ended'])} {sum(counts['ended'].values())}{f' ({ended})' if ended else ''}"
    )
