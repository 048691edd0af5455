"""``doudi rules``: for whoever writes or reads the law: check it, print it, start a rule, try a change; without Kafka.

Bringing it into force is commands/activations.py.
"""

from __future__ import annotations

import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doudi.commands import activations
from wire.settings import Settings

if TYPE_CHECKING:
    from domain.rules import RuleBook

Folder = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="Folder of the rules; left out: DOUDI_RULES, or those shipped")
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True, help="The law: check, print, start a rule, try a change, bring it into force."
    )
    for command in (check, docs, new, mutate):
        group.command()(command)
    group.command(name="try")(attempt)
    activations.register(group)
    app.add_typer(group, name="rules")


def check(folder: Folder = None) -> None:
    """Read every file and try every case; each mistake says what, where and how to mend it. Exits 1 or 2."""
    from doudi import rulebook  # noqa: PLC0415 - slow to import

    book = _load(folder)
    cases, failures = rulebook.try_cases(book)
    for failure in failures:
        sys.stderr.write(f"{failure}\n")
    typer.echo(f"{len(book.rules)} rules, {len(book.parameters)} parameters, {cases} cases, {len(failures)} failed")
    raise typer.Exit(1 if failures else 0)


def docs(
    folder: Folder = None,
    out: Annotated[Path | None, typer.Option(help="File to write; left out: standard output")] = None,
) -> None:
    """The rule book in both languages, with sources, parameters and cases, as Markdown."""
    from doudi import rulebook  # noqa: PLC0415 - slow to import

    text = rulebook.markdown(_load(folder))
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text, encoding="utf-8")


def new(
    rule: Annotated[str, typer.Argument(metavar="ID", help="As people will cite it, such as R49")],
    department: Annotated[str, typer.Option(help="Who acts: civil, medical, education, housing …")],
    facts: Annotated[str, typer.Option(help="The view of rules/facts.yaml whose rows it judges")],
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Folder of the rules; left out: DOUDI_RULES, or those shipped")
    ] = None,
) -> None:
    """Start a rule with a case that fails until the rule is written."""
    from domain.rules import SHIPPED  # noqa: PLC0415 - slow to import
    from doudi import rulebook  # noqa: PLC0415

    where = folder or Settings().rules or SHIPPED
    path = rulebook.start(_load(where), where, rule, department, facts)
    typer.echo(f"{path}: write it, then `doudi rules check`; docs/adding-a-rule.md says what the keys mean")


def mutate(
    rules: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Rules; left out: all")] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Folder of the rules; left out: DOUDI_RULES, or those shipped")
    ] = None,
) -> None:
    """Change each rule a little, in every way, and say which changes none of its cases notices, and why not.

    Exits 1 where one is not explained, an explained one is noticed, or less than 95 % are noticed.
    """
    from domain.mutants import ENOUGH, outcome  # noqa: PLC0415 - slow to import

    book = _load(folder)
    if missing := [r for r in rules or () if r not in book.rules]:
        raise typer.BadParameter(f"no rule {', '.join(missing)}; there are {', '.join(book.rules)}")
    changes = noticed = wrong = 0
    for rule in rules or book.rules:
        found = outcome(book.rules[rule], book)
        changes, noticed = changes + found.changes, noticed + found.noticed
        typer.echo(f"{rule}: {found.noticed} of {found.changes} changes noticed")
        for words, why in found.survivors:
            said = f"{why.zh} / {why.en}" if why else "add a case that notices it, or say under unnoticed why none can"
            typer.echo(f"  not noticed: {words}: {said}")
        for words in found.stale:
            typer.echo(f"  explained under unnoticed, and noticed or never made: {words}: remove it there")
        wrong += len(found.stale) + sum(why is None for _, why in found.survivors)
    typer.echo(f"{noticed} of {changes} changes noticed ({noticed / max(1, changes):.1%}), {wrong} to mend")
    raise typer.Exit(1 if wrong or noticed < ENOUGH * changes else 0)


def attempt(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A rule or parameter as it would be, or a folder of rules")
    ],
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day")],
    until: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day")],
    records: Annotated[Path | None, typer.Option(metavar="DIR", help="Files as `doudi screen` reads them")] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Copies of the persons' state files; left out: the snapshots")
    ] = None,
    step: Annotated[int, typer.Option(min=0, help="Ask every so many days; 0: at the ends of months")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables")] = False,
) -> None:
    """What a changed rule or parameter would have begun and ended over kept records. Publishes nothing."""
    from domain import rules  # noqa: PLC0415 - slow to import
    from doudi import trying  # noqa: PLC0415

    settings = Settings()
    if records and state:
        raise typer.BadParameter("--records and --state are both given; give one")
    before, after = rules.load(settings.rules), trying.laid_over(file, settings.rules)
    if records:
        source = partial(trying.of_files, records, until.date(), settings.region)
    else:
        source = partial(
            trying.of_state, state or trying.snapshots(settings.snapshot_url), settings.partitions, settings.region
        )

    def say(words: str) -> None:
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()

    found = trying.run(before, after, (since.date(), until.date(), step), source, say)
    typer.echo(trying.as_json(found) if as_json else trying.as_text(found))


def _load(folder: Path | None) -> RuleBook:
    from domain import rules  # noqa: PLC0415 - slow to import

    return rules.load(folder or Settings().rules)
