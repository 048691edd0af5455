"""``doudi roster``: who was in which tier on a day, what becomes of an abolished tier, and how far a help reaches."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wire.settings import Settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import date

    from doudi.roster import Source

On = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day for which is asked")]
State = Annotated[
    Path | None, typer.Option(help="Folder of copies of state files, such as the hub's snapshots; never live files")
]
Records = Annotated[Path | None, typer.Option(help="Folder with <topic>.csv or <topic>.jsonl (docs/screen.md)")]
Division = Annotated[str, typer.Option(metavar="PREFIX", help="Only places whose code begins so")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help="The roster on any day, re-certification, reclassification, coverage of a duty.",
        invoke_without_command=True,
    )
    group.callback()(roster)
    group.command()(reclassify)
    group.command()(coverage)
    group.command()(calendar)
    app.add_typer(group, name="roster")


def roster(
    ctx: typer.Context,
    on: On = None,
    known: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="By what was known at the end of this day; else now")
    ] = None,
    state: State = None,
    records: Records = None,
    out: Annotated[Path | None, typer.Option(help="CSV to write, one line a person and tier")] = None,
    division: Division = "",
) -> None:
    """Who was in which tier on a day: counts by tier and town, and with --out everybody."""
    if ctx.invoked_subcommand:
        return
    from domain import roster as history  # noqa: PLC0415 - slow to import
    from domain import rules  # noqa: PLC0415
    from domain.tiers import TITLES  # noqa: PLC0415
    from doudi import roster as rostered  # noqa: PLC0415

    day = _day(on)
    then = known.date() if known else None
    settings = Settings()
    with _source(settings, state, records, then or day) as source:
        rows = rostered.on_day(source, day, rules.load(settings.rules), settings.region, then, division)
        _say_until(source)
    if out:
        rostered.write_rows(out, rows)
    for tier, town, persons in history.counts(rows):
        typer.echo(f"{tier}\t{' / '.join(TITLES[tier])}\t{town}\t{persons}")
    standing = Counter(rows["standing"].to_list())
    typer.echo(" ".join(f"{name}={standing[name]}" for name in ("held", "tapering", "abolished", "left", "refused")))


def reclassify(
    on: On = None,
    state: State = None,
    records: Records = None,
    out: Annotated[Path | None, typer.Option(help="CSV to write, one line a member")] = None,
    division: Division = "",
) -> None:
    """What becomes of each member of 防止返贫监测对象 if the tier is abolished on a day: new tier, or why none."""
    from domain import rules  # noqa: PLC0415 - slow to import
    from doudi import roster as rostered  # noqa: PLC0415

    day = _day(on)
    if out is None:
        raise typer.BadParameter("give a CSV to write", param_hint="--out")
    settings = Settings()
    with _source(settings, state, records, day) as source:
        found = rostered.reclassified(source, day, rules.load(settings.rules), settings.region, division)
        _say_until(source)
    rostered.write_members(out, found)
    for (basis, tier), members in sorted(Counter((m.basis, m.tier) for _, m in found).items()):
        typer.echo(f"{basis}\t{tier or '-'}\t{members}")
    typer.echo(f"members={len(found)}")


def coverage(
    rule: Annotated[str, typer.Argument(help="A rule with a target, such as R46")],
    on: On = None,
    state: State = None,
    records: Records = None,
    division: Division = "",
) -> None:
    """Of those who need what a rule asks for, how many have it: by town, in all, and beside the target."""
    from domain import coverage as reckoned  # noqa: PLC0415 - slow to import
    from domain import rules  # noqa: PLC0415
    from doudi import roster as rostered  # noqa: PLC0415

    day = _day(on)
    settings = Settings()
    with _source(settings, state, records, day) as source:
        towns = rostered.covered(source, rule, day, rules.load(settings.rules), settings.region, division)
        _say_until(source)
    typer.echo("区划 division\t已覆盖 covered\t应覆盖 all\t%\t目标 target %\t无法确认 unknown")
    for place in (*towns, reckoned.total(towns)):
        share = "-" if place.percent is None else f"{place.percent:.1f}"
        target = "-" if place.target is None else str(place.target)
        typer.echo(
            f"{place.division or '合计 total'}\t{place.covered}\t{place.all}\t{share}\t{target}\t{place.unknown}"
        )


def calendar(
    on: On = None,
    months: Annotated[int, typer.Option(min=1, max=36, help="So many calendar months, that of the day included")] = 3,
    state: State = None,
    records: Records = None,
    out: Annotated[Path | None, typer.Option(help="CSV to write, one line an entry, overdue ones first")] = None,
    division: Division = "",
) -> None:
    """Which entries are to be re-certified when: overdue ones, then by month, tier and town."""
    from domain import roster as history  # noqa: PLC0415 - slow to import
    from domain import rules  # noqa: PLC0415
    from domain.tiers import TITLES  # noqa: PLC0415
    from doudi import roster as rostered  # noqa: PLC0415

    day = _day(on)
    until = history.month_end(day, months)
    settings = Settings()
    with _source(settings, state, records, day) as source:
        rows = rostered.calendar(source, day, until, rules.load(settings.rules), settings.region, division)
        _say_until(source)
    if out:
        rostered.write_due(out, rows)
    for when, tier, town, entries in history.due(rows):
        typer.echo(f"{when}\t{tier}\t{' / '.join(TITLES[tier])}\t{town}\t{entries}")
    overdue, undated = (rows["month"].eq(name).sum() for name in (history.OVERDUE, history.UNDATED))
    typer.echo(f"until={until} due={rows.height - undated} overdue={overdue} undated={undated}")


def _day(on: datetime | None) -> date:
    if on is None:
        raise typer.BadParameter("name the day, YYYY-MM-DD", param_hint="--on")
    return on.date()


def _source(
    settings: Settings, state: Path | None, records: Path | None, as_of: date
) -> AbstractContextManager[Source]:
    from doudi import roster as rostered  # noqa: PLC0415 - slow to import

    if records and not state:
        return nullcontext(rostered.Files(records, as_of))
    if state and not records:
        return closing(rostered.Copies(state, settings.partitions, settings.state_dir))
    raise typer.BadParameter("give one of them", param_hint="--state / --records")


def _say_until(source: Source) -> None:
    if source.until:
        typer.echo(f"copies up to {source.until}", err=True)
