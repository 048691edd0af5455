"""``doudi outcomes``: what became of the conditions that people looked at, for whoever sets thresholds."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from doudi.commands.run import here

if TYPE_CHECKING:
    import polars as pl

    from wire.settings import Settings


class By(StrEnum):
    """What is counted apart."""

    rule = "rule"
    tier = "tier"
    township = "township"
    source = "source"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(outcomes)


def outcomes(
    by: Annotated[list[By] | None, typer.Option(help="Counted apart by these; may be given several times")] = None,
    rule: Annotated[str, typer.Option(help="Of one rule only")] = "",
    curve: Annotated[
        str, typer.Option(metavar="MEASURE", help="With --rule: what other thresholds of a number would have brought")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line")] = False,
) -> None:
    """Of what people looked at, the share found true, with its 95 % interval. Reads hub.case; changes nothing."""
    from domain import outcomes as reckoned  # noqa: PLC0415 - slow to import
    from domain import rules  # noqa: PLC0415

    settings = here()
    book = rules.load(settings.rules)
    if rule and rule not in book.rules:
        raise typer.BadParameter(f"no rule {rule}; `doudi rules docs` lists them", param_hint="--rule")
    if curve and not rule:
        raise typer.BadParameter("name the rule with --rule", param_hint="--curve")
    if curve and curve not in book.rules[rule].evidence:
        raise typer.BadParameter(
            f"{curve} is not in the evidence of {rule}: {', '.join(book.rules[rule].evidence)}", param_hint="--curve"
        )
    rows = reckoned.looked_at(_cases(settings))
    if rule:
        rows = rows.filter(rule=rule)
    if rows.is_empty():
        typer.echo("Nobody has closed such a case yet.", err=True)
        raise typer.Exit(0)
    table = reckoned.curve(rows, rule, curve) if curve else reckoned.conversion(rows, by or [By.rule])
    for line in table.to_dicts():
        typer.echo(json.dumps(line, ensure_ascii=False) if as_json else _line(line))


def _cases(settings: Settings) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - slow to import

    from agents.columns import Columns  # noqa: PLC0415
    from wire.reading import read_all  # noqa: PLC0415
    from wire.registry import Registry  # noqa: PLC0415

    with Registry(settings.registry, settings.namespace) as registry:
        columns = Columns(registry)
        frames = [
            columns.frame("hub.case", batch.keys, batch.values, batch.offsets)[0]
            for batch in read_all(settings, settings.topic("hub.case"))
        ]
    return pl.concat([Columns.empty("hub.case"), *frames])


def _line(row: dict[str, object]) -> str:
    shown = {name: f"{value:.1%}" if name in ("share", "low", "high") else value for name, value in row.items()}
    return "  ".join(f"{name} {value}" for name, value in shown.items())
