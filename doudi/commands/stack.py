"""``doudi up``, ``status`` and ``down``: the stack and the hub on one home."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Annotated, Any

import typer

from doudi.embedded import runfile
from doudi.embedded.errors import NotRunning
from wire.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(status)
    app.command()(down)


def up(
    only_stack: Annotated[bool, typer.Option(help="Kafka, registry, Valkey and PostgreSQL without the hub")] = False,
    brokers: Annotated[int, typer.Option(help="Kafka nodes: 1, or 3 to try the loss of one")] = 1,
) -> None:
    """Run everything in the foreground until Ctrl-C. What is given by URL is used instead of started."""
    from doudi.embedded.libraries import read_in_large_pieces  # noqa: PLC0415 - only `up` needs all this

    read_in_large_pieces()
    from doudi.commands.run import PREPARE  # noqa: PLC0415
    from doudi.embedded.hub import hub  # noqa: PLC0415
    from doudi.embedded.process import FIRST, favour  # noqa: PLC0415
    from doudi.embedded.show import Show  # noqa: PLC0415
    from doudi.embedded.stack import Stack  # noqa: PLC0415
    from doudi.embedded.supervisor import HASTE  # noqa: PLC0415

    settings = Settings()

    async def main() -> None:
        stop = asyncio.Event()
        for sent in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sent, stop.set)
        favour(os.getpid(), FIRST)  # what it prepares, everybody waits for
        with Show("兜底 Doudi") as show:
            stack = Stack(
                settings,
                hub=None if only_stack else hub,
                prepare={} if only_stack else PREPARE,
                show=show,
                brokers=brokers,
            )

            def in_haste() -> None:
                stack.haste = True
                stop.set()

            asyncio.get_running_loop().add_signal_handler(HASTE, in_haste)
            await stack.run(stop)

    asyncio.run(main())


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output")] = False,
) -> None:
    """What runs on this home: address, pid, health and data folder of each component."""
    settings = Settings()
    run = runfile.read(settings.home)
    running = run is not None and run.alive
    rows = [row(e) for e in run.processes] if run is not None and running else []
    if as_json:
        found: dict[str, Any] = {
            "home": str(settings.home.absolute()),
            "running": running,
            "ready": bool(running and run and run.ready),
            "pid": run.pid if run is not None and running else None,
            "components": {r["name"]: r for r in rows},
        }
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    elif not running:
        sys.stdout.write(f"Nothing runs on {settings.home.absolute()}. `doudi up` starts it.\n")
    else:
        from rich.console import Console  # noqa: PLC0415 - slow to import for a program of the hub
        from rich.table import Table  # noqa: PLC0415

        table = Table(box=None)
        for name in ("name", "health", "pid", "url", "data", "log"):
            table.add_column(name, overflow="fold")
        for r in rows:
            table.add_row(*(str(r[k] or "") for k in ("name", "health", "pid", "url", "data", "log")))
        Console().print(table)
    raise typer.Exit(0 if running and all(r["health"] == "up" for r in rows) else 1)


def row(entry: runfile.Entry) -> dict[str, Any]:
    """One component as told to people and programs."""
    health = entry.state if entry.alive or entry.state in ("waiting", "preparing") else "down"
    return {
        "name": entry.name,
        "url": runfile.masked(entry.url) or None,
        "pid": entry.pid or None,
        "health": health,
        "data": entry.data,
        "log": entry.log,
        "restarts": entry.restarts,
        "note": entry.note,
    }


def down(
    wait: Annotated[float, typer.Option(help="Seconds to wait until it has stopped")] = 90.0,
) -> None:
    """Stop what runs on this home, in an orderly way, and wait for it."""
    settings = Settings()
    run = runfile.read(settings.home)
    if run is None or not run.alive:
        raise NotRunning("Nothing runs on this home", str(settings.home.absolute()), "another home: DOUDI_HOME")
    os.kill(run.pid, signal.SIGTERM)
    end = time.monotonic() + wait
    while runfile.alive(run.pid, run.started):
        if time.monotonic() > end:
            raise NotRunning(
                f"It has not stopped after {wait:.0f} s",
                f"pid {run.pid} on {settings.home.absolute()}",
                "wait with `doudi down --wait 300`, or see its logs",
            )
        time.sleep(0.1)
    sys.stdout.write("Stopped.\n")
