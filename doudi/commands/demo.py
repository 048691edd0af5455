"""``doudi demo``: the hub on a synthetic county, live in the terminal or once with an independent check."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from wire.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="A fixed load, a steady phase, the comparison, one JSON line")
    ] = False,
    people: Annotated[int, typer.Option(min=1000, max=2_000_000, help="People of the county")] = 100_000,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Rows a second [--once 500, else 5]")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the steady phase (--once)")] = 60.0,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal counties")] = 7,
    home: Annotated[Path | None, typer.Option(help="Folder of the demo; it is cleared at each start")] = None,
    patience: Annotated[float, typer.Option(min=1, help="Longest wait for quiet, seconds (--once)")] = 180.0,
    near: Annotated[bool, typer.Option("--near", help="Count near misses of each rule at the end (--once)")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder as it is at the end")] = False,
) -> None:
    """Run the whole hub on a synthetic county. Exits 1 if --once finds any difference."""
    from doudi.embedded.libraries import read_in_large_pieces  # noqa: PLC0415

    read_in_large_pieces()  # before this process maps them
    from doudi.demo import run  # noqa: PLC0415 - slow to import

    settings = Settings()
    update: dict[str, object] = {"home": (home or settings.home / "demo").absolute()}
    if "partitions" not in settings.model_fields_set:
        # The demo installs for the machine that it finds: the stack and the departments need processors too.
        update["partitions"] = max(1, min(settings.partitions, (os.cpu_count() or 1) // 2))
    settings = settings.model_copy(update=update)
    options = run.Options(people, rate or (500.0 if once else 5.0), seconds, seed, keep, patience, near)
    # Ctrl-C and SIGTERM end it in an orderly way, wherever it is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if once:
            result = run.once(settings, options, lambda words: print(words, file=sys.stderr, flush=True))  # noqa: T201
            sys.stdout.write(result.line() + "\n")
            raise typer.Exit(0 if result.good else 1)
        run.live(settings, options, threading.Event())
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        raise typer.Exit(130 if once else 0) from None
