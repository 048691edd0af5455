"""The command ``doudi``. Each group of commands is a module of doudi/commands with a function
``register``."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from typing import Any

from wire import memory

memory.seldom()
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""NumPy's library for matrices, of which there are none here, would start a thread for each processor and let it spin:
half the time of NumPy's import."""

import typer  # noqa: E402 - what comes is imported without looking for cycles
from pydantic import ValidationError  # noqa: E402

from wire.settings import Settings  # noqa: E402

MODULES = ("stack", "run", "connect", "demo", "screen", "roster", "rules", "ask", "outcomes", "keys")
"""Modules of doudi/commands, in the order of `doudi --help`. They import what is heavy only when a command
runs."""


class Doudi(typer.Typer):
    """Says errors that people can mend in three lines instead of a traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line. Exits 2 (or as the error says) where there is a remedy."""
        try:
            return super().__call__(*args, **kwargs)
        except ValidationError as e:
            for fault in e.errors():
                name = "DOUDI_" + "_".join(str(part) for part in fault["loc"]).upper()
                sys.stderr.write(f"doudi: {name}={fault['input']!r}: {fault['msg']}\n")
            sys.exit(2)
        except Exception as e:
            if not isinstance(getattr(e, "code", None), str) or getattr(e, "family", "") == "bug":
                raise  # not one that a person can mend
            sys.stderr.write(f"doudi: {e}\n")
            sys.exit(int(getattr(e, "exit_code", 2)))


app = Doudi(
    name="doudi",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="兜底 Doudi: the safety-net hub. Settings come from DOUDI_* variables or a .env file.",
)


@app.callback()
def main() -> None:
    """Set up logging, the same for every command."""
    logging.basicConfig(
        level=Settings().log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for talkative in ("httpx", "stamina"):
        logging.getLogger(talkative).setLevel(logging.ERROR)


for _name in MODULES:
    if importlib.util.find_spec(f"doudi.commands.{_name}"):
        importlib.import_module(f"doudi.commands.{_name}").register(app)
