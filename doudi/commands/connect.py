"""``doudi connector``: read one department and publish what changed, until stopped."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doudi.commands.run import one_thread
from wire.settings import Settings

if TYPE_CHECKING:
    from connectors.catalogue import Catalogue


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(connector)


def connector(
    departments: Annotated[
        list[str],
        typer.Argument(
            help="agriculture, civil, disability, education, employment, housing, medical, vital, water; or several"
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML whose keys replace those of the shipped connector.yaml, or a folder with <department>.yaml"
        ),
    ] = None,
) -> None:
    """Read departments' tables or drop folders and publish every change, until SIGTERM.

    Several departments share the process, each with a thread of its own; one that fails ends it.
    SIGUSR1 has the keys of its tables compared now, which finds rows that were deleted.
    """
    one_thread()
    from connectors import catalogue  # noqa: PLC0415 - slow to import
    from connectors.runner import Connector, together  # noqa: PLC0415
    from doudi.embedded import runfile  # noqa: PLC0415

    settings = runfile.connected(Settings())
    found = [with_places(catalogue.load(d, _override(config, d)), settings) for d in departments]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    running: list[Connector] = []

    def run(one: Catalogue) -> None:
        mine = Connector(one, settings, stop=stop)  # in its own thread, to which its state file belongs
        running.append(mine)
        mine.run()

    def compare_all(*_: object) -> None:
        for mine in running:
            mine.compare.set()

    if sys.platform != "win32":
        signal.signal(signal.SIGUSR1, compare_all)
    together([partial(run, one) for one in found], stop)


def _override(config: Path | None, department: str) -> Path | None:
    """The file of a department, of a folder or the only one."""
    if config is None or not config.is_dir():
        return config
    path = config / f"{department}.yaml"
    return path if path.exists() else None


def with_places(read: Catalogue, settings: Settings) -> Catalogue:
    """The catalogue with its database on the example server where it names no URL, and folders under home.

    Raises ConfigError where no database is known.
    """
    import sqlalchemy as sa  # noqa: PLC0415 - slow to import

    from connectors.errors import ConfigError  # noqa: PLC0415

    feeds = tuple(
        f.model_copy(update={"folder": str(settings.home / f.folder)}) if f.kind == "files" else f for f in read.feeds
    )
    if read.url or not any(f.kind == "sql" for f in feeds):
        return read.model_copy(update={"feeds": feeds})
    if not settings.postgres or not read.database:
        raise ConfigError(
            f"No database is known for the connector of {read.department}. Put `url:` (SQLAlchemy, a "
            "read-only account) into a file for --config, or start the embedded stack with `doudi up`."
        )
    url = sa.make_url(settings.postgres).set(database=read.database).render_as_string(hide_password=False)
    return read.model_copy(update={"feeds": feeds, "url": url})
