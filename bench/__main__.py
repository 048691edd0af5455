"""``make bench``: all measurements in one run on one broker; figures and ratios to build/bench/results.json.

``python -m bench [--records N] [--peer-records N] [--no-try] [--no-kills]``. Timings here are noisy: read ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from bench import kills, latency, trying
from bench.data import Load, roster, settlements
from bench.load import day, prepare, publish
from doudi.embedded.hub import program_environment
from doudi.embedded.running import running
from wire.kafka import admin
from wire.settings import Settings

RESULTS = Path("build/bench/results.json")
PEOPLE = 100_000
ROUNDS = 3
SYSTEM_ALLOCATOR = {"LD_PRELOAD": ""}
"""What the hub's programs preload is for DuckDB, which the stateless job has not: the large pages that it takes cost
that job a fifth of its records a second. Faust's own ways keep it: they are a little quicker with it."""
Figures = dict[str, Any]


def say(words: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


def main() -> None:
    """Runs everything, prints a summary, exits non-zero if the kill test finds a difference."""
    arguments = parser().parse_args()
    found: Figures = {"machine": machine(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    with tempfile.TemporaryDirectory(prefix="doudi-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with running(Settings(home=Path(folder) / "stack"), hub=False) as settings:
            found["stateless"] = stateless(settings, arguments)
            found["stateful"] = stateful(settings, arguments)
            found["end_to_end"] = latency.end_to_end(settings, Load(PEOPLE, arguments.records), say)
            found["steady"] = latency.steady(settings, say)
        if not arguments.no_try:
            found["try"] = trying.figures(say)
        ok = True
        if not arguments.no_kills:
            plan = kills.Plan(seed=arguments.seed or int(time.time()))
            report = kills.run(Settings(home=Path(folder) / "kills"), plan, say)
            ok = report.good
            compared = report.compared
            found["kills"] = {
                **asdict(plan),
                "kills": dict(report.kills),
                "records": report.records,
                "rows_written": report.rows,
                **(
                    {k: getattr(compared, k) for k in ("conditions", "missing", "extra", "duplicates")}
                    if compared
                    else {}
                ),
            }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    say(f"written to {RESULTS}")
    sys.exit(0 if ok else 1)


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--records", type=int, default=1_000_000, help="records for Doudi")
    options.add_argument("--peer-records", type=int, default=60_000, help="records for the peers, which are slow")
    options.add_argument("--no-try", action="store_true", help="leave `doudi rules try` over 10 million records out")
    options.add_argument("--no-kills", action="store_true", help="leave the kill test out")
    options.add_argument("--seed", type=int, default=0, help="of the kill test; 0: by the clock, and printed")
    return options


def stateless(settings: Settings, arguments: argparse.Namespace) -> Figures:
    """Decode, look up in the roster, forward the hits: Faust's two ways and ours."""
    peers = _filled(settings, Load(PEOPLE, arguments.peer_records))
    ours = _filled(settings, Load(PEOPLE, arguments.records))
    runs: dict[str, list[Figures]] = {"each": [], "take": [], "match": []}
    for number in range(ROUNDS):
        for mode in ("each", "take"):
            runs[mode].append(_peer(peers, mode, number, arguments.peer_records))
        out = _topic(ours, f"out.match{number}")
        runs["match"].append(
            _child(ours, "bench.match", ours.namespace, out, PEOPLE, arguments.records, **SYSTEM_ALLOCATOR)
        )
    return _ratios(runs, "each")


def stateful(settings: Settings, arguments: argparse.Namespace) -> Figures:
    """A running sum in a Table against all rules over all facts, and against the first nine rules."""
    peers = _filled(settings, Load(PEOPLE, arguments.peer_records))
    runs: dict[str, list[Figures]] = {"table": [], "nine": [], "screen": []}
    for number in range(ROUNDS):
        runs["table"].append(_peer(peers, "table", number, arguments.peer_records))
        runs["nine"].append(_screened(settings, arguments.records, "nine"))
        runs["screen"].append(_screened(settings, arguments.records))
    found = _ratios(runs, "table")
    found["all_rules_to_nine"] = round(found["screen"]["cpu_us_per_record"] / found["nine"]["cpu_us_per_record"], 2)
    return found


def _screened(settings: Settings, records: int, *which: str) -> Figures:
    """The persons' worker on a hub of its own that knows the roster already."""
    load = Load(PEOPLE, records)
    ours = _named(settings)
    registry = prepare(ours)
    known = publish(ours, registry, "civil.roster", roster(load))
    known += day(ours, registry)
    _child(ours, "bench.screen", ours.namespace, known, *which)
    publish(ours, registry, "medical.settlement", settlements(load))
    return _child(ours, "bench.screen", ours.namespace, load.settlements, *which)


def _named(settings: Settings) -> Settings:
    name = f"b{time.monotonic_ns() // 1_000_000}"
    return settings.model_copy(update={"namespace": f"{name}.", "home": settings.home.parent / name})


def _filled(settings: Settings, load: Load) -> Settings:
    mine = _named(settings)
    publish(mine, prepare(mine), "medical.settlement", settlements(load))
    return mine


def _topic(settings: Settings, name: str) -> str:
    client = admin(settings)
    for future in client.create_topics([NewTopic(settings.topic(name), settings.partitions, 1)]).values():
        future.result(30)
    return settings.topic(name)


def _peer(settings: Settings, mode: str, number: int, records: int) -> Figures:
    out = _topic(settings, f"out.{mode}{number}")
    return _child(
        settings,
        "bench.peers",
        mode,
        settings.kafka,
        settings.topic("medical.settlement"),
        out,
        PEOPLE,
        records,
    )


def _child(settings: Settings, module: str, *arguments: object, **environment: str) -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, **program_environment(settings), **environment},
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), "")
    if not line:
        raise SystemExit(f"{module} {arguments} gave no result:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    figures: Figures = json.loads(line.removeprefix("RESULT "))
    say(f"{figures['mode']}: {figures['records_per_s']:,} records/s")
    return figures


def _ratios(runs: dict[str, list[Figures]], base: str) -> Figures:
    """Median, least and most per mode, and how many times the base's median."""
    found: Figures = {}
    for mode, figures in runs.items():
        rates = sorted(f["records_per_s"] for f in figures)
        found[mode] = {
            "records_per_s": rates[len(rates) // 2],
            "min": rates[0],
            "max": rates[-1],
            "cpu_us_per_record": sorted(f["cpu_us_per_record"] for f in figures)[len(figures) // 2],
        }
    for mode in found:
        found[mode]["times"] = round(found[mode]["records_per_s"] / found[base]["records_per_s"], 1)
    return found


def machine() -> Figures:
    """What the figures were measured on."""
    return {
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
