"""The peers: idiomatic Faust in three ways, as its manual shows them. One process, one mode.

``each`` reads record by record and forwards those on the roster; ``take`` the same by ``take(2000)``;
``table`` keeps a running sum per person in a Table. Prints one line ``RESULT {json}``.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from typing import Any

import fastavro
import faust
from faust.serializers import codecs

from bench.data import Load, person_key
from schemas.load import of_topic


class Clock:
    """From the first record until everything read is committed."""

    def __init__(self) -> None:
        self.started = 0.0
        self.cpu = 0.0
        self.seen = 0

    def tick(self, n: int = 1) -> None:
        """Counts records; the first one starts the clock."""
        if not self.started:
            self.started, self.cpu = time.perf_counter(), time.process_time()
        self.seen += n


def main() -> None:
    """Runs one mode: ``python -m bench.peers MODE BROKER TOPIC OUT PEOPLE RECORDS``."""
    mode, broker, topic, out, people, records = sys.argv[1:7]
    load = Load(int(people), int(records))
    parsed = fastavro.parse_schema(json.loads(of_topic("medical.settlement").json))

    class Avro(codecs.Codec):
        def _loads(self, s: bytes) -> Any:
            return fastavro.schemaless_reader(io.BytesIO(s[5:]), parsed, None)

    codecs.register("settlement", Avro())
    app = faust.App(
        f"bench-{mode}-{os.getpid()}",
        broker=f"kafka://{broker}",
        store="memory://",
        topic_partitions=4,
        topic_replication_factor=1,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        producer_compression_type="lz4",
        worker_redirect_stdouts=False,
        datadir=tempfile.mkdtemp(prefix="doudi-bench-"),
    )
    source = app.topic(topic, key_serializer="raw", value_serializer="settlement")
    target = app.topic(out, key_serializer="raw", value_serializer="json")
    clock = Clock()
    roster = {person_key(i) for i in range(load.roster)}

    async def forward(row: dict[str, Any]) -> None:
        if row["person_key"] in roster:
            await target.send(
                key=row["person_key"].encode(),
                value={
                    "person_key": row["person_key"],
                    "division": row["division"],
                    "amount": row["psn_part_amt_fen"],
                },
            )

    if mode == "each":

        @app.agent(source)
        async def each(stream: Any) -> None:
            async for row in stream:
                clock.tick()
                await forward(row)
    elif mode == "take":

        @app.agent(source)
        async def take(stream: Any) -> None:
            async for rows in stream.take(2000, within=0.2):
                clock.tick(len(rows))
                for row in rows:
                    await forward(row)
    else:
        sums = app.Table("sums", default=int, partitions=4)

        @app.agent(source)
        async def table(stream: Any) -> None:
            async for row in stream:
                clock.tick()
                sums[row["person_key"]] += row["psn_part_amt_fen"]

    def committed() -> int:
        consumer: Any = app.consumer
        return sum(o or 0 for tp, o in consumer._committed_offset.items() if tp.topic == topic)

    async def watch() -> None:
        while clock.seen < load.settlements:  # noqa: ASYNC110 - an event a record would be timed as well
            await asyncio.sleep(0.01)
        while committed() < load.settlements:
            await app.consumer.commit()
            await asyncio.sleep(0.01)
        wall = time.perf_counter() - clock.started
        result = {
            "mode": mode,
            "records": clock.seen,
            "seconds": round(wall, 3),
            "records_per_s": round(clock.seen / wall),
            "cpu_us_per_record": round((time.process_time() - clock.cpu) / clock.seen * 1e6, 2),
        }
        print("RESULT " + json.dumps(result), flush=True)
        threading.Thread(target=leave).start()

    def leave() -> None:
        """Faust's own stop waits for the group, and a folder of `with` would wait for that."""
        shutil.rmtree(app.conf.datadir, ignore_errors=True)
        os._exit(0)

    app.task(watch)
    faust.Worker(app, loglevel="warn").execute_from_commandline()


if __name__ == "__main__":
    main()
