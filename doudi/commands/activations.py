"""``doudi rules activate``, ``activations`` and ``withdraw``: the law from a day on, on a running hub."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doudi.commands.run import here

if TYPE_CHECKING:
    from wire.lawbook import Lawbook


def register(group: typer.Typer) -> None:
    """Add the commands."""
    for command in (activate, activations, withdraw):
        group.command()(command)


def activate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Rules and parameters as they are to be")],
    since: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; none that has begun already")
    ],
    account: Annotated[str, typer.Option("--by", help="Account of whoever answers for it; left out: yours here")] = "",
) -> None:
    """Have files be the law from a day on: their cases are tried, everybody is screened anew when it begins."""
    from doudi import activation  # noqa: PLC0415 - slow to import

    with lawbook() as reader:
        said, book = activation.activate(reader, files, since.date(), account or getpass.getuser())
    names = ", ".join(file.name for file in said.files)
    typer.echo(
        f"{said.activation_id}: {names} in force from {said.day}; the book of that day: {len(book.rules)} rules, "
        f"version {book.digest}. Everybody is decided for when the day begins, behind live records; more cases of "
        f"one rule in a town than DOUDI_STORM_LIMIT ({here().storm_limit}) are held for review. "
        f"`doudi rules withdraw {said.activation_id}` takes it back before."
    )


def activations(as_json: Annotated[bool, typer.Option("--json", help="As JSON")] = False) -> None:
    """What was activated over the installed rules, by the day on which it comes or came into force."""
    from doudi import activation  # noqa: PLC0415 - slow to import

    with lawbook() as reader:
        today, _ = reader.newest()
        rows = activation.listed(reader.law, today)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(
            f"{row['day']}  {row['state']:<9}  {row['activation_id']}  {row['files']}  ({row['account']}, {row['at']})"
        )
    if not rows:
        typer.echo("nothing was activated: the installed rules are the law")


def withdraw(activation_id: Annotated[str, typer.Argument(help="As `doudi rules activations` lists it")]) -> None:
    """Take back an activation whose day has not begun."""
    from doudi import activation  # noqa: PLC0415 - slow to import

    with lawbook() as reader:
        gone = activation.withdraw(reader, activation_id)
    typer.echo(f"{gone.activation_id}: withdrawn; {gone.day} begins without it")


@contextmanager
def lawbook() -> Iterator[Lawbook]:
    """The law of the hub that runs here, or that the settings name. Raises WireError."""
    from wire.kafka import check_reachable  # noqa: PLC0415 - slow to import
    from wire.lawbook import Lawbook  # noqa: PLC0415
    from wire.registry import Registry  # noqa: PLC0415

    settings = here()
    check_reachable(settings)
    with Registry(settings.registry, settings.namespace) as registry:
        yield Lawbook(settings, registry)
