"""``doudi rules activate``: rules and parameters that are the law from a day on, and what is taken back before it.

What was accepted can only come into force: the book of that day is made, and the cases of the rules that decide
otherwise by it are tried first.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from domain.errors import Permanent
from domain.law import Activation, Law, objections, read_files
from domain.rules import RuleBook, RuleError
from domain.trying import Change
from doudi.rulebook import try_cases
from wire.lawbook import Lawbook


class NotActivated(Permanent):
    """The law stays as it is: what is wrong, and how to mend it; a line each."""

    code = "activation"


def activate(lawbook: Lawbook, paths: Sequence[Path], day: date, account: str) -> tuple[Activation, RuleBook]:
    """Say that files are the law from a day on; what was said, and the book of that day.

    Raises NotActivated, RuleError with the messages of ``doudi rules check``, WireError.
    """
    _ahead(lawbook, day)
    law = lawbook.refresh()
    new = Activation(uuid.uuid4().hex[:12], day, read_files(paths), account, datetime.now(UTC))
    if problems := objections(law, new):
        raise NotActivated("\n".join(problems))
    book = law.with_(new).book(day)
    changed = sorted(Change(law.book(day), book).changed & book.rules.keys())
    if changed and (failures := try_cases(book, *changed)[1]):
        raise NotActivated("\n".join(f"{failure}; mend the rule or its case" for failure in failures))
    lawbook.say(new)
    try:
        # The day may have begun meanwhile, and somebody else may have activated something too.
        _ahead(lawbook, day)
        if problems := objections(lawbook.refresh().without(new), new):
            raise NotActivated("\n".join(problems))
    except (NotActivated, RuleError):
        lawbook.say(replace(new, withdrawn=True))
        raise
    return new, book


def withdraw(lawbook: Lawbook, activation_id: str) -> Activation:
    """Take back what has not come into force yet. Raises NotActivated, RuleError, WireError."""
    law = lawbook.refresh()
    found = next((a for a in law.activations if a.activation_id == activation_id and not a.withdrawn), None)
    if found is None:
        raise NotActivated(f"no activation {activation_id}; `doudi rules activations` lists them")
    _ahead(lawbook, found.day, "what is in force stays; activate a later version instead")
    gone = replace(found, withdrawn=True)
    rest = law.with_(gone)
    for day in sorted({a.day for a in rest.in_force(date.max)}):
        _ = rest.book(day)  # what comes later may rest on it
    lawbook.say(gone)
    try:
        _ahead(lawbook, found.day, "it came into force meanwhile, and stays; restart the workers")
    except NotActivated:
        lawbook.say(found)
        raise
    return gone


def _ahead(lawbook: Lawbook, day: date, mend: str = "give a later one") -> None:
    """The day must not have begun anywhere."""
    told = lawbook.told()
    if told is not None and day <= told:
        raise NotActivated(f"{day} has begun (the hub was told {told}); {mend}")


def listed(law: Law, today: date) -> list[dict[str, str]]:
    """Every activation by day: activation_id, day, state (coming, in force, withdrawn), files, account, at (UTC)."""
    return [
        {
            "activation_id": a.activation_id,
            "day": a.day.isoformat(),
            "state": "withdrawn" if a.withdrawn else "in force" if a.day <= today else "coming",
            "files": ", ".join(file.name for file in a.files),
            "account": a.account,
            "at": a.at.isoformat(timespec="seconds"),
        }
        for a in sorted(law.activations, key=lambda a: a.day)
    ]
