"""``doudi explain`` and ``doudi why-not``: questions to the running hub, answered from its state."""

from __future__ import annotations

import getpass
import json
import re
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import Permanent
from doudi.commands.activations import lawbook
from doudi.commands.run import here

if TYPE_CHECKING:
    from domain.rules import Rule, RuleBook
    from wire.asking import Question

_KEY = re.compile(r"[0-9a-f]{32}")
_MOST_S = 60.0

Wait = Annotated[float, typer.Option(help="Seconds to wait for the answer", min=0.1, max=_MOST_S)]
AsJson = Annotated[bool, typer.Option("--json", help="The answer as JSON")]


class Refused(Permanent):
    """A question that cannot be answered: what is wrong with it, and how to mend it."""

    code = "question"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(explain)
    app.command("why-not")(why_not)


def explain(
    condition: Annotated[str, typer.Argument(help="Its condition_id, as in hub.condition: RULE:SUBJECT:EPISODE")],
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Why a condition stands: recomputed by the hub from its records, and what would have made it different."""
    from doudi import answers  # noqa: PLC0415 - slow to import
    from wire.asking import Question  # noqa: PLC0415

    parts = condition.split(":", 2)
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004
        raise Refused("a condition_id is RULE:SUBJECT:EPISODE, as in hub.condition, e.g. R01:3f…:2026")
    book, rule = _rule(parts[0])
    question = Question("explain", rule.subject, _key(parts[1], rule), rule.id, parts[2])
    _say(question, wait, as_json, lambda answer: answers.explanation(book, answer))


def why_not(
    subject: Annotated[
        str,
        typer.Argument(metavar="PERSON", help="Key of the person or household; - reads a person's ID number"),
    ],
    rule: Annotated[str, typer.Argument(help="Id of the rule")],
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day for which is asked, by the records as they are now"),
    ] = None,
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Why a rule does not stand: which of its conditions fail, and which nobody can say."""
    from doudi import answers  # noqa: PLC0415 - slow to import
    from wire.asking import Question  # noqa: PLC0415

    _, known = _rule(rule)
    question = Question("why_not", known.subject, _key(subject, known), known.id, day=on.date() if on else None)
    _say(question, wait, as_json, answers.reasons)


def _rule(name: str) -> tuple[RuleBook, Rule]:
    from domain.rulefiles import meant  # noqa: PLC0415 - slow to import

    with lawbook() as reader:
        _, book = reader.newest()
    if name not in book.rules:
        raise Refused(f"rule {name} is not known{meant(name, book.rules)}; `doudi rules docs` lists all")
    return book, book.rules[name]


def _key(text: str, rule: Rule) -> str:
    """A subject's key. What was given is not repeated in an error: it may be an ID number."""
    if text == "-" and rule.subject == "person":
        return _key_of(getpass.getpass("ID number: ") if sys.stdin.isatty() else sys.stdin.readline())
    if not _KEY.fullmatch(text):
        other = ", or - to read an ID number from standard input: an argument stays in the shell's history"
        raise Refused(f"give the {rule.subject}'s key (32 hex digits){other if rule.subject == 'person' else ''}")
    return text


def _key_of(id_number: str) -> str:
    from domain import persons  # noqa: PLC0415 - slow to import
    from wire.secrets import Secrets  # noqa: PLC0415

    try:
        number = persons.normalise_id(id_number.strip())
    except persons.BadId as bad:
        raise Refused(f"this is no usable ID number: {bad.reason}") from None
    return persons.person_key(number, Secrets.load(here().secrets_dir).linking)


def _say(question: Question, wait: float, as_json: bool, words: Callable[[dict[str, Any]], Iterable[str]]) -> None:
    from wire.asking import ask  # noqa: PLC0415 - slow to import
    from wire.kafka import check_reachable  # noqa: PLC0415
    from wire.registry import Registry  # noqa: PLC0415

    settings = here()
    check_reachable(settings)
    with Registry(settings.registry, settings.namespace) as registry:
        answer = ask(settings, registry, question, wait)
    if answer.problem:
        raise Refused(f"{answer.content['en']}｜{answer.content['zh']}")
    text = json.dumps(answer.content, ensure_ascii=False) if as_json else "\n".join(words(answer.content))
    typer.echo(text)
