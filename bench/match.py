"""Doudi on the stateless job: slices decoded into columns, matched against the roster, hits forwarded.

``python -m bench.match NAMESPACE OUT PEOPLE RECORDS`` with the stack's addresses in DOUDI_*.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable

import polars as pl

from agents.app import build, die, run
from agents.slices import Slice
from bench.data import Load, person_key
from schemas.codec import decode
from schemas.load import of_topic
from wire.kafka import Publisher
from wire.registry import Registry
from wire.settings import Settings

TOPIC = "medical.settlement"
FEW = 12_000
"""Below so many rows a Python set beats building a join's hash table."""


def main() -> None:
    """Runs until everything is forwarded and acknowledged, prints ``RESULT {json}``."""
    namespace, out, people, records = sys.argv[1:5]
    settings = Settings(namespace=namespace)
    load = Load(int(people), int(records))
    keys = {person_key(i) for i in range(load.roster)}
    roster = pl.DataFrame({"person_key": sorted(keys)})
    reader = of_topic(TOPIC)
    writers = Registry(settings.registry, namespace).writers(TOPIC)
    publisher = Publisher(settings)
    seen, started, cpu = 0, 0.0, 0.0

    def work(part: Slice) -> None:
        frame = decode(part.values, part.keys, reader, writers, key=("person_key",)).frame
        sent = frame.select("person_key", "division", amount="psn_part_amt_fen")
        if frame.height < FEW:
            known = [k in keys for k in sent["person_key"].to_list()]
            hits = sent.filter(pl.Series(known, dtype=pl.Boolean))
        else:
            hits = sent.join(roster, on="person_key", how="semi")
        body = hits.select(pl.struct(pl.all()).struct.json_encode())
        publisher.send_all(
            out,
            [k.encode() for k in hits["person_key"].to_list()],
            [j.encode() for j in body.to_series().to_list()],
        )

    turns: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
    at_once = asyncio.Semaphore(os.cpu_count() or 1)
    running: set[asyncio.Task[None]] = set()

    async def handle(part: Slice, done: Callable[[], None]) -> None:
        nonlocal started, cpu
        if not started:
            started, cpu = time.perf_counter(), time.process_time()
        task = asyncio.create_task(in_turn(part, done))
        running.add(task)
        task.add_done_callback(ended)

    def ended(task: asyncio.Task[None]) -> None:
        running.discard(task)
        if error := task.exception():
            die(error, "bench.match")

    async def in_turn(part: Slice, done: Callable[[], None]) -> None:
        """Partitions beside each other in as many threads as there are processors, the slices of each in order."""
        nonlocal seen
        async with turns[part.partition], at_once:
            await asyncio.to_thread(work, part)
        done()
        seen += len(part)
        if seen >= load.settlements:
            await asyncio.to_thread(publisher.flush, 60.0)
            wall = time.perf_counter() - started
            result = {
                "mode": "match",
                "records": seen,
                "seconds": round(wall, 3),
                "records_per_s": round(seen / wall),
                "cpu_us_per_record": round((time.process_time() - cpu) / seen * 1e6, 2),
            }
            print("RESULT " + json.dumps(result), flush=True)
            os._exit(0)

    run(build(settings, f"bench-match-{os.getpid()}", (TOPIC,), handle), settings)


if __name__ == "__main__":
    main()
