"""`doudi demo`: the whole hub on a synthetic county, live or once with the independent check at the end."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
import redis

from doudi.demo import compare, databases, expected, places
from doudi.demo.changes import Statement
from doudi.demo.connecting import Connectors
from doudi.demo.county import County, generate, local_day
from doudi.demo.databases import Departments
from doudi.demo.errors import DemoFolder, NotQuiet
from doudi.demo.observe import Hub, Observer
from doudi.demo.stream import MARK, Stream
from doudi.demo.users import Login, sign_up
from doudi.demo.writer import Began, Writer, Written
from doudi.embedded import runfile
from doudi.embedded.running import running
from wire.rediskeys import RedisKeys
from wire.secrets import Secrets
from wire.settings import Settings

FOLDER_MARK = "demo.json"
"""In the home of a demo: what may be cleared away at the next start."""
MOST_SHOWN = 20
SETTLE_S = 1.0


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    people: int = 100_000
    rate: float = 500.0
    seconds: float = 60.0
    seed: int = 7
    keep: bool = False
    patience_s: float = 180.0
    near: bool = False


@dataclass
class Demo:
    """A running hub with its county. `say` shows progress."""

    settings: Settings
    county: County
    departments: Departments
    connectors: Connectors
    hub: Hub
    stream: Stream
    say: Callable[[str], None]
    writer: Writer
    logins: tuple[Login, ...] = ()

    @property
    def gateway(self) -> str:
        """Where to open the console."""
        run = runfile.read(self.settings.home)
        return next((p.url for p in run.processes if p.name == "gateway"), "") if run else ""

    def recent_delays(self, observer: Observer, last: int = 200) -> list[float]:
        """Milliseconds from commit until readable, of the last changes that began something."""
        return delays(self.writer.recent(last), observer.seen, secrets_of(self.settings).linking)


class Session:
    """Starts stack, hub, county and connectors; stops all of it when left. ``at_rest``: done then, while the
    files are there."""

    def __init__(self, settings: Settings, options: Options, say: Callable[[str], None], *, loud: bool) -> None:
        if not settings.namespace and (settings.kafka or settings.redis):
            # A cluster of one's own may hold another hub: nothing of it is touched.
            settings = settings.model_copy(update={"namespace": f"demo{secrets.token_hex(3)}."})
        self._settings, self._options, self._say, self._loud = settings, options, say, loud
        self._stack = ExitStack()
        self.at_rest: Callable[[], None] | None = None

    def __enter__(self) -> Demo:
        try:
            return self._start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if self.at_rest is not None:
            self.at_rest()
        if not self._options.keep:
            shutil.rmtree(self._settings.home, ignore_errors=True)

    def _start(self) -> Demo:
        settings, options = self._settings, self._options
        fresh_home(settings.home, options)
        if settings.divisions is None:
            table = settings.home / "divisions.yaml"
            places.write(table)
            settings = settings.model_copy(update={"divisions": table})
        pool = self._stack.enter_context(ThreadPoolExecutor(2))
        # While Kafka and the registry boot.
        made: Future[tuple[County, Departments]] = pool.submit(_fill, settings, options, self._say)
        users: Future[tuple[Login, ...]] = pool.submit(sign_up, settings)
        self._say("starting the stack and the hub")
        began = time.monotonic()
        # What is thrown away needs no orderly end; a cluster of one's own sees everybody leave.
        orderly = options.keep or options.near or bool(settings.kafka)
        up = self._stack.enter_context(running(settings, loud=self._loud, orderly=orderly))
        self._say(f"the hub is up after {time.monotonic() - began:.1f} s")
        county, departments = made.result()
        if settings.postgres and not options.keep:
            self._stack.callback(databases.remove, departments)
        logins = users.result()
        connectors = self._stack.enter_context(Connectors(up, departments))
        return Demo(
            up,
            county,
            departments,
            connectors,
            Hub(up),
            Stream(county, options.seed),
            self._say,
            Writer(departments),
            logins,
        )


def _fill(settings: Settings, options: Options, say: Callable[[str], None]) -> tuple[County, Departments]:
    began = time.monotonic()
    county = generate(options.people, options.seed, datetime.now(UTC))
    prefix = settings.namespace.replace(".", "_")
    departments = Departments(_postgres(settings), settings.home / "drop", prefix)
    databases.create(departments)
    rows = databases.load(county, departments)
    say(
        f"{options.people:,} people, {rows:,} rows in the departments' databases after {time.monotonic() - began:.1f} s"
    )
    return county, departments


def _postgres(settings: Settings) -> str:
    """The server's URL as soon as it answers."""
    if settings.postgres:
        return settings.postgres
    until = time.monotonic() + 120
    while time.monotonic() < until:
        run = runfile.read(settings.home)
        if run and run.alive and any(p.name == "postgres" and p.state == "up" for p in run.processes):
            return run.urls["postgres"]
        time.sleep(0.1)
    raise NotQuiet("PostgreSQL did not come up within 120 s", str(settings.home / "logs"), "see postgres.log there")


def fresh_home(home: Path, options: Options) -> None:
    """An empty folder with the demo's mark; an older demo there is cleared away, anything else stays."""
    run = runfile.read(home)
    if run is not None and run.alive:
        raise DemoFolder("A hub runs on the demo's folder", str(home), "`doudi down` stops it, or give another --home")
    if home.exists() and any(home.iterdir()):
        if not (home / FOLDER_MARK).exists():
            raise DemoFolder("The folder holds something else than a demo", str(home), "give another --home")
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / FOLDER_MARK).write_text(json.dumps({"people": options.people, "seed": options.seed}))


@dataclass(frozen=True)
class Result:
    """What `doudi demo --once` found."""

    population: int
    records: int
    compared: compare.Comparison
    written: Written
    latencies_ms: tuple[float, ...]
    load_s: float
    load_records: int

    def line(self) -> str:
        """The one JSON line."""
        c = self.compared
        p50, p99 = (round(float(v), 1) for v in np.percentile(self.latencies_ms or (0.0,), (50, 99)))
        return json.dumps(
            {
                "population": self.population,
                "records": self.records,
                "conditions": c.conditions,
                "alerts_open": c.alerts_open,
                "tasks_open": c.tasks_open,
                "unidentified": c.unidentified,
                "missing": c.missing,
                "extra": c.extra,
                "duplicates": c.duplicates,
                "steady_rate": round(self.written.rate, 1),
                "p50_ms": p50,
                "p99_ms": p99,
                "records_per_s": round(self.load_records / self.load_s),
            }
        )

    @property
    def good(self) -> bool:
        """Whether what stands is what should stand."""
        return not self.compared.differences


def once(settings: Settings, options: Options, say: Callable[[str], None]) -> Result:
    """Fixed load, steady phase, comparison. Raises NotQuiet when the hub does not come to rest."""
    session = Session(settings, options, say, loud=False)
    with session as demo:
        load_s = first_load(demo, options.patience_s)
        load_records = demo.hub.published()
        say(f"first load: {load_records:,} records, quiet after {load_s:.1f} s")
        psutil.cpu_percent()  # from here on
        written, observer = steady(demo, options)
        busy = psutil.cpu_percent()
        ended = mark_end(demo, options.patience_s)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(recomputed, demo)  # while the hub comes to rest: the tables have
            settled(demo, options.patience_s, ended)
            observer.stop()
            should = answer.result()
        latencies = delays(written.began, observer.seen, secrets_of(demo.settings).linking)
        say(
            f"steady: {written.rows:,} rows, {written.rate:.0f}/s, "
            f"slowest commit {written.slowest_ms:.0f} ms; "
            f"{len(latencies)} of {len(written.began)} conditions timed; "
            f"processors {busy:.0f} % busy"
        )
        compared = check(demo, should)
        if options.near:
            from doudi.demo.near import near_misses  # noqa: PLC0415 - slow to import, seldom wanted

            session.at_rest = partial(near_misses, demo.settings, say)
        return Result(options.people, demo.hub.published(), compared, written, tuple(latencies), load_s, load_records)


def first_load(demo: Demo, patience_s: float) -> float:
    """Seconds from the start of the connectors until everything that lay there stands in Redis."""
    began = time.time()
    demo.connectors.start()
    wait(demo.connectors.loaded, patience_s, demo.connectors.pending)
    try:
        return demo.hub.wait_quiet(patience_s, SETTLE_S, demo.say) - began
    except TimeoutError as late:
        raise _not_quiet(demo, late) from None


def steady(demo: Demo, options: Options) -> tuple[Written, Observer]:
    """Write changes for the seconds asked for, and watch what comes of them."""
    changes = demo.stream.take(int(options.rate * options.seconds))
    os.sync()  # what a first load leaves to be written is not the steady phase's
    demo.say(f"steady phase: {options.rate:.0f} rows/s for {options.seconds:.0f} s")
    observer = Observer(demo.settings)
    observer.start()
    return demo.writer.write(changes, options.rate), observer


def quiet(demo: Demo, patience_s: float) -> None:
    """Wait until late transactions and vanished rows are found too, and nobody is behind."""
    settled(demo, patience_s, mark_end(demo, patience_s))


def mark_end(demo: Demo, patience_s: float) -> float:
    """A bill marks the end of what is written, and goes again once its alert stands; when that began (monotonic).

    Afterwards the tables are what they stay.
    """
    began, mark = time.monotonic(), _mark(demo)
    with psycopg.connect(demo.departments.url("medical"), autocommit=True) as medical:
        medical.execute(*_bytes(demo.stream.mark()))
        wait(lambda: demo.hub.stands(mark), patience_s, lambda: "the last bill raises no alert")
        medical.execute(*_bytes(("DELETE FROM setl_d WHERE setl_id = %s", (MARK,))))
    demo.connectors.compare_now("medical")
    return began


def settled(demo: Demo, patience_s: float, began: float) -> None:
    """Wait until the mark's alert is gone and nobody is behind.

    It goes by a full comparison of keys, which has then begun after everything that was written before the mark.
    """
    mark = _mark(demo)
    wait(lambda: not demo.hub.stands(mark), patience_s, lambda: "the last bill's alert stays")
    try:
        # What the mark does not prove (the other feeds' late commits) has had this time already.
        left = demo.connectors.settle_s - (time.monotonic() - began)
        demo.hub.wait_quiet(patience_s, max(left, SETTLE_S), demo.say)
    except TimeoutError as late:
        raise _not_quiet(demo, late) from None


def _mark(demo: Demo) -> str:
    """Id of the condition that the mark raises."""
    (name,) = expected.condition_ids(
        [("R04", demo.stream.marker, str(_today().year))], secrets_of(demo.settings).linking
    )
    return name


def _bytes(statement: Statement) -> tuple[bytes, tuple[Any, ...]]:
    return statement[0].encode(), statement[1]


def _today() -> date:
    return local_day(datetime.now(UTC))


def recomputed(demo: Demo) -> expected.Expected:
    """What should stand today, straight from the departments' tables as they are now."""
    return expected.recompute(expected.read(demo.departments.sources), _today())


def check(demo: Demo, should: expected.Expected | None = None) -> compare.Comparison:
    """Compare what should stand (recomputed now, if not given) with Redis, and say the differences."""
    answer = should or recomputed(demo)
    rows = expected.keyed(answer.conditions, secrets_of(demo.settings).linking)
    with redis.Redis.from_url(demo.settings.redis) as client:
        standing = compare.read(client, RedisKeys(demo.settings.namespace))
    compared = compare.compare(rows, standing, len(answer.unidentified))
    demo.say("conditions by rule: " + ", ".join(f"{rule} {n}" for rule, n in compared.by_rule.items()))
    if len(answer.unidentified) != demo.stream.unidentified:
        compared.differences.append(
            compare.Difference(
                "unidentified",
                "-",
                f"{len(answer.unidentified)} in the tables, {demo.stream.unidentified} planted",
            )
        )
    for difference in compared.differences[:MOST_SHOWN]:
        demo.say(str(difference))
    if len(compared.differences) > MOST_SHOWN:
        demo.say(f"… and {len(compared.differences) - MOST_SHOWN} differences more")
    return compared


def secrets_of(settings: Settings) -> Secrets:
    """The hub's keys: the comparison names persons as the hub does."""
    return Secrets.load(settings.secrets_dir)


def delays(began: list[Began], seen: dict[str, float], linking: bytes) -> list[float]:
    """Milliseconds from commit until readable, for each change that began a condition."""
    year = str(_today().year)
    names = expected.condition_ids(((b.kind, b.id_number, b.record or year) for b in began), linking)
    return [(seen[name] - b.committed) * 1000 for b, name in zip(began, names, strict=True) if name in seen]


def wait(done: Callable[[], bool], patience_s: float, words: Callable[[], str]) -> None:
    """Look five times a second. Raises NotQuiet with the words when patience ends."""
    until = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > until:
            raise NotQuiet(f"After {patience_s:.0f} s: {words()}", "the running hub", "see logs/ of the demo's folder")
        time.sleep(0.2)


def _not_quiet(demo: Demo, late: TimeoutError) -> NotQuiet:
    return NotQuiet(str(late), str(demo.settings.home / "logs"), "see the log of the stage that is behind")


def live(settings: Settings, options: Options, stop: threading.Event) -> None:
    """The county goes on until `stop` is set, with a summary in the terminal."""
    from doudi.demo.summary import Summary  # noqa: PLC0415 - rich is only needed here

    def say(words: str) -> None:
        sys.stderr.write(f"{words}\n")

    with Session(settings, options, say, loud=True) as demo:
        first_load(demo, options.patience_s)
        observer = Observer(demo.settings)
        observer.start()
        with Summary(demo, observer), ThreadPoolExecutor(1) as pool:
            written = pool.submit(demo.writer.write, demo.stream, options.rate, stop)
            try:
                while not stop.wait(0.5) and not written.done():
                    pass
            finally:
                stop.set()  # also on Ctrl-C: leaving the pool waits for the writer
                written.result()
                observer.stop()
