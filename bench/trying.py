"""``doudi rules try`` over a year of a county: 1,000,000 people, 47,000 of them on the roster, millions of records.

The records are written straight into state files as columns, by SQL over running numbers and their hashes, so they
are the same each time. The files have no indexes: workers need them, a try does not. The command is timed as it is
called, in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psutil

from bench.data import COUNTY, ROSTER_SHARE
from domain import rules
from domain.rules import SHIPPED
from domain.screening import PersonStage

PEOPLE = 1_000_000
SIZES = (2_000_000, 5_000_000, 10_000_000)
PARTITIONS = 4
YEAR = 2026
Figures = dict[str, Any]

_CHANCE = "((hash({0}, {1}) % 1000000007) / 1000000007.0)"
"""A number between 0 and 1 from a running number and what it is for."""
_TIER = (
    "case when i % 10 < 6 then 'dibao' when i % 10 < 8 then 'bianyuan' when i % 10 < 9 then 'jiance' else 'tekun' end"
)
_ENTERED = f"make_date({YEAR} - 1 - i % 5, 1 + i % 12, 1 + i % 28)"


def _u(of: str, use: int) -> str:
    return _CHANCE.format(of, use)


def _common(number: str, lane: int, at: str) -> dict[str, str]:
    """Envelope and place of a record of person ``i``."""
    return {
        "lane": str(lane),
        '"partition"': "0",
        '"offset"': number,
        "source": "'bench'",
        "source_epoch": "1",
        "record_id": f"'B' || {number}",
        "record_version": number,
        "op": "'create'",
        "person_key": "md5('bench' || i)",
        "division": f"'{COUNTY}' || (101001 + i % 12 * 1000 + i // 12 % 9)",
        "occurred_at": at,
        "published_at": at,
    }


def topics(people: int, records: int) -> dict[str, tuple[str, dict[str, str]]]:
    """Topic to the SELECT of its running numbers (``n`` of record, ``i`` of person) and its columns."""
    listed = int(people * ROSTER_SHARE)
    first_load = f"timestamp '{YEAR - 1}-06-01' + to_days((i % 150)::integer)"
    within = f"timestamp '{YEAR}-01-01' + to_seconds(({_u('n', 1)} * 31500000)::bigint)"
    everybody, roster = (f"select range as n, range as i from range({count})" for count in (people, listed))
    amount = f"exp(9.2 + 1.5 * sqrt(-2 * ln({_u('n', 2)} + 1e-9)) * cos(2 * pi() * {_u('n', 3)}))::bigint"
    settlements = max(0, records - people - 3 * listed - listed // 3)
    # One in twenty is a later version of an earlier record, and of the same person.
    versions = (
        f"select n, hash(if(n % 20 = 19, n - 19, n), 7) % {people} as i, if(n % 20 = 19, n - 19, n) as r "
        f"from (select range as n from range({settlements}))"
    )
    return {
        "civil.roster": (
            roster,
            {
                **_common("n", 0, first_load),
                "tier": _TIER,
                "status": "'active'",
                "start_on": _ENTERED,
                # One in seventeen leaves within the year.
                "end_on": f"if(i % 17 = 0, make_date({YEAR}, 1 + i % 12, 15), null)",
            },
        ),
        "civil.household": (
            roster,
            {
                **_common("n", 0, first_load),
                "household_key": "md5('house' || i // 3)",
                "head": "i % 3 = 0",
                "joined_on": _ENTERED,
            },
        ),
        "civil.benefit": (
            f"select range as n, range * 3 as i from range({listed // 3})",
            {
                **_common("n", 1, within),
                "benefit": "if(i % 4 = 0, 'temporary_aid', 'dibao')",
                "status": "'active'",
                "granted_on": f"make_date({YEAR}, 1 + i % 12, 10)",
                "start_on": _ENTERED,
            },
        ),
        "disability.card": (
            roster,
            {
                **_common("n", 0, first_load),
                "category": "(1 + i % 7)::integer",
                "grade": "(1 + i % 4)::integer",
                "status": "'active'",
            },
        ),
        "medical.insurance": (
            everybody,
            {
                **_common("n", 0, first_load),
                "insured": "i % 50 > 0",
                "insutype": "if(i % 3 = 0, '310', '390')",
                "idet_tier": f"if(i < {listed}, {_TIER}, null)",
                "idet_begndate": f"if(i < {listed}, {_ENTERED}, null)",
            },
        ),
        "medical.settlement": (
            versions,
            {
                **_common("n", 1, within),
                "record_id": "'B' || r",
                "setl_time": within,
                "insutype": "'390'",
                "med_type": "if(n % 3 = 0, '21', '11')",
                "psn_part_amt_fen": amount,
                "vali_flag": "'1'",
                "refd_setl_flag": "'0'",
            },
        ),
    }


def write(folder: Path, people: int, records: int) -> None:
    """Copies of the persons' state files, as a snapshot names them; not compressed, as workers keep them."""
    book = rules.load()
    given = topics(people, records)
    for partition in range(PARTITIONS):
        path = folder / f"persons-{partition}.{YEAR + 1}0101T000000000000.duckdb"
        with closing(duckdb.connect(str(path), config={"force_compression": "uncompressed"})) as con:
            stage = PersonStage(book)
            stage.create(con)
            for (index,) in con.execute("select index_name from duckdb_indexes()").fetchall():
                con.execute(f'drop index "{index}"')
            for topic, (numbers, columns) in given.items():
                con.execute(
                    f"insert into {stage.kept[topic].table} by name select "
                    f"{', '.join(f'{sql} as {name}' for name, sql in columns.items())} "
                    f"from ({numbers}) where i % {PARTITIONS} = {partition}"
                )
                con.execute(
                    "insert into heartbeat values (?, ?, ?, 1, 1, ?, true)",
                    [f"bench.{topic}", topic, COUNTY, f"{YEAR - 6}-01-01"],
                )


def changes(folder: Path) -> dict[str, Path]:
    """The changes to try: a line of the law for one tier, and a rule about everybody off the roster."""
    found = {}
    for name, place, old, new in (
        (
            "parameter",
            "parameters/annual_self_pay_fen.yaml",
            "value: 500000, from: 2020-01-01, tiers",
            "value: 400000, from: 2020-01-01, tiers",
        ),
        ("rule", "civil/R04.yaml", "when: not on_roster", "when: bills > 1 and not on_roster"),
    ):
        text = (SHIPPED / place).read_text(encoding="utf-8")
        if old not in text:
            raise SystemExit(f"{place} no longer says {old!r}; mend bench/trying.py")
        found[name] = folder / Path(place).name
        found[name].write_text(text.replace(old, new), encoding="utf-8")
    return found


def figures(say: Callable[[str], None], people: int = PEOPLE, sizes: tuple[int, ...] = SIZES) -> Figures:
    """Seconds and memory of each change at each size, and what came of it."""
    found: Figures = {"people": people, "roster": int(people * ROSTER_SHARE), "sizes": {}}
    for records in sizes:
        with tempfile.TemporaryDirectory(prefix="doudi-bench-try-") as name:
            folder = Path(name)
            begun = time.perf_counter()
            write(folder, people, records)
            size = sum(path.stat().st_size for path in folder.iterdir())
            say(f"{records:,} records written in {time.perf_counter() - begun:.0f} s, {size / 2**30:.1f} GB")
            found["sizes"][records] = {
                change: _timed(folder, path, say) for change, path in changes(folder).items()
            } | {"gigabytes": round(size / 2**30, 2)}
    return found


def _timed(folder: Path, file: Path, say: Callable[[str], None]) -> Figures:
    command = [sys.executable, "-m", "doudi", "rules", "try", str(file), "--json"]
    command += ["--from", f"{YEAR}-01-01", "--to", f"{YEAR}-12-31", "--state", str(folder)]
    settings = {"DOUDI_PARTITIONS": str(PARTITIONS), "DOUDI_RULES": str(SHIPPED)}
    begun = time.perf_counter()
    with (
        (folder / "out").open("w+") as out,
        (folder / "err").open("w+") as err,
        subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **settings}) as child,
    ):
        process, most, busy = psutil.Process(child.pid), 0, 0.0
        while child.poll() is None:
            try:
                most = max(most, process.memory_info().rss)
                times = process.cpu_times()
                busy = times.user + times.system
            except psutil.NoSuchProcess:
                break
            time.sleep(0.2)
        seconds = time.perf_counter() - begun
        out.seek(0)
        err.seek(0)
        if child.wait():
            raise SystemExit(f"{file.name} could not be tried:\n{err.read()[-3000:]}")
        answer = json.load(out)
    result = {
        "seconds": round(seconds, 1),
        "cpu_s": round(busy, 1),
        "memory_gb": round(most / 2**30, 2),
        "concerned": answer["concerned"],
        "days": len(answer["days"]),
        "rules": {
            r["rule"]: {sign: r[sign]["stood"] + r[sign]["begun"] for sign in ("more", "fewer")}
            for r in answer["rules"]
        },
    }
    say(f"rules try {file.name}: {result['seconds']} s, {result['cpu_s']} s of processors, {result['memory_gb']} GB")
    return result


if __name__ == "__main__":
    sizes = tuple(int(a) for a in sys.argv[1:]) or SIZES
    print(json.dumps(figures(lambda words: print(words, file=sys.stderr, flush=True), sizes=sizes), indent=2))
