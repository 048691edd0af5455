"""The hub's own processes, one command each: topics and schemas, workers, clock, gateway, rebuild of the
views.

`doudi up` starts these as children; in production each is a service of its own.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer

from doudi.embedded import runfile
from wire.settings import Settings

STAGES: dict[str, tuple[str, str]] = {
    "persons": ("agents.worker", "screening of persons"),
    "households": ("agents.worker", "screening of households"),
    "casework": ("agents.casework", "conditions to cases"),
    "projection": ("agents.projection", "cases to Redis and tasks to departments"),
    "ingress": ("agents.ingress", "external producers' records"),
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (init, worker, watch, gateway, rebuild):
        app.command()(command)


def one_thread() -> None:
    """Polars in this thread alone: slices are small, and a hub has its processors busy with other processes."""
    os.environ.setdefault("POLARS_MAX_THREADS", "1")


def here() -> Settings:
    """The settings, with the URLs of the stack that runs on this home where none are given."""
    return runfile.connected(Settings())


def grounded() -> Settings:
    """The settings of a program of the hub, once what it stands on is there: a stack may still be coming up."""
    settings = Settings()
    runfile.wait_prepared(settings.home)
    return runfile.connected(settings)


def _topics(settings: Settings) -> None:
    from wire.kafka import create_topics  # noqa: PLC0415 - slow to import

    create_topics(settings)


def _schemas(settings: Settings) -> None:
    from wire.registry import Registry  # noqa: PLC0415 - slow to import

    with Registry(settings.registry, settings.namespace) as registry:
        registry.register_all()


PREPARE: dict[str, Callable[[Settings], None]] = {"kafka": _topics, "registry": _schemas}
"""What is made before the hub runs, by who keeps it."""


def prepare(settings: Settings) -> None:
    """Create topics and register schemas; repeating changes nothing. Raises errors of wire/."""
    for work in PREPARE.values():
        work(settings)


def init() -> None:
    """Create the topics and register the schemas. `doudi up` does it by itself."""
    settings = here()
    prepare(settings)
    sys.stdout.write(f"Topics and schemas are there ({settings.kafka}).\n")


def worker(stage: Annotated[str, typer.Argument(help=", ".join(STAGES))]) -> None:
    """Run one stage of the hub until stopped. Several of `persons` or `households` share the partitions."""
    if stage not in STAGES:
        raise typer.BadParameter(f"{stage!r} is no stage; choose one of {', '.join(STAGES)}")
    one_thread()
    run = entry_point(STAGES[stage][0], "run")
    settings = grounded()
    run(stage, settings) if STAGES[stage][0] == "agents.worker" else run(settings)


def watch(
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Send this day once and end")] = None,
) -> None:
    """The clock: tell every partition that a day has begun, at start and at each midnight (UTC+8)."""
    run = entry_point("agents.watch", "run")
    run(grounded(), day=day.date() if day else None)


def gateway() -> None:
    """Serve the API and the console."""
    serve = entry_point("gateway.app", "serve")
    serve(grounded())


def rebuild() -> None:
    """Make everything in Redis anew from the topics. Keys, values and stream ids come out the same."""
    entry_point("agents.projection", "rebuild")(here())


def entry_point(module: str, name: str) -> Callable[..., Any]:
    """A function of another layer, imported when it is needed."""
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
