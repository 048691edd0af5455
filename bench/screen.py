"""Doudi on the stateful job: the persons' worker as it runs in production, timed from inside its process.

``python -m bench.screen NAMESPACE RECORDS [nine]`` takes in so many records beyond what its state holds, publishes
what comes of them, prints ``RESULT {json}`` and ends. The clock starts with the first record. ``nine``: by the
persons' rules of the first nine alone; the facts are those of all rules.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace

from agents.app import run
from agents.stage_runtime import Runtime
from domain import rules
from domain.questions import answer
from domain.rules import RuleBook
from domain.screening import PersonStage
from wire.secrets import Secrets
from wire.settings import Settings

FIRST = ("R01", "R02", "R03", "R04", "R09", "R10", "R13", "R32", "R32F")


def first_nine() -> RuleBook:
    """The book with the rules alone that the hub began with (the ninth, about households, is not this stage's)."""
    book = rules.load()
    few = {rule: book.rules[rule] for rule in FIRST}
    return replace(book, rules=few, digest=f"{book.digest}-nine")


def main() -> None:
    """Runs until the records are decided, published and acknowledged."""
    namespace, records, nine = sys.argv[1], int(sys.argv[2]), "nine" in sys.argv[3:]
    settings = Settings(namespace=namespace)
    book = first_nine() if nine else rules.load()
    runtime = Runtime(
        settings, PersonStage(book), Secrets.load(settings.secrets_dir).hub.public, answer, lambda _: None
    )

    def watch() -> None:
        def seen() -> int:
            return sum(r.figures.records for r in list(runtime._runners.values()))

        while not runtime._runners or not runtime.last_live:
            time.sleep(0.001)
        started, cpu = time.perf_counter(), time.process_time()
        while seen() < records:
            time.sleep(0.005)
        wall = time.perf_counter() - started
        print(
            "RESULT "
            + json.dumps(
                {
                    "mode": "nine" if nine else "screen",
                    "records": seen(),
                    "seconds": round(wall, 3),
                    "records_per_s": round(seen() / wall),
                    "cpu_us_per_record": round((time.process_time() - cpu) / seen() * 1e6, 2),
                }
            ),
            flush=True,
        )
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    run(runtime.app, settings)


if __name__ == "__main__":
    main()
