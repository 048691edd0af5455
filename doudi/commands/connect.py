"""``doudi connector``: read one department and publish what changed, until stopped."""

from __future__ import annotations

import signal
import sys
import threading
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
    department: Annotated[str, typer.Argument(help="civil, disability, medical or vital")],
    config: Annotated[
        Path | None, typer.Option(help="YAML whose keys replace those of the shipped connector.yaml")
    ] = None,
) -> None:
    """Read a department's tables or drop folder and publish every change, until SIGTERM.

    SIGUSR1 has the keys of its tables compared now, which finds rows that were deleted.
    """
    one_thread()
    from connectors import catalogue  # noqa: PLC0415 - slow to import
    from connectors.runner import Connector  # noqa: PLC0415
    from doudi.embedded import runfile  # noqa: PLC0415

    settings = runfile.connected(Settings())
    read = catalogue.load(department, config)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    running = Connector(with_places(read, settings), settings, stop=stop)
    if sys.platform != "win32":
        signal.signal(signal.SIGUSR1, lambda *_: running.compare.set())
    running.run()


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
