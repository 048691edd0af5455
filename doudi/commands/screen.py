"""``doudi screen``: try facts and rules on files, without Kafka."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from wire.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(screen)


def screen(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with <topic>.csv or <topic>.jsonl")],
    as_of: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day for which is asked")],
    out: Annotated[Path, typer.Option(help="Folder for conditions.jsonl and unidentified.jsonl")],
    why_not: Annotated[str, typer.Option(metavar="RULE", help="Write why this rule does not stand, too")] = "",
) -> None:
    """Screen files by the same facts and rules as the hub; docs/screen.md says what the files hold."""
    from domain import rules  # noqa: PLC0415 - slow to import
    from doudi import screen as screening  # noqa: PLC0415

    settings = Settings()
    counts = screening.screen(folder, as_of.date(), out, rules.load(settings.rules), settings.region, why_not)
    typer.echo(json.dumps(counts))
