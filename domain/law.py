"""The law of a day: the installed rule book with every activation laid over it whose day has come.

An activation carries whole files. A rule counts where its version is greater than the installed one; a parameter
adds its values of other days to those installed: a folder that is newer than an activation loses nothing to it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from domain import rules
from domain.rules import SHIPPED, Rule, RuleBook, RuleError
from schemas.topics import DEPARTMENTS

PARAMETERS = "parameters"
_NAME = re.compile(r"[A-Za-z0-9_-]+\.yaml")


@dataclass(frozen=True, slots=True)
class File:
    """A rule or a parameter as it is to be: the file's name and its text (YAML)."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Activation:
    """Files that are the law from a day on, by whom (an account) and when (UTC) it was said; or that no longer are."""

    activation_id: str
    day: date
    files: tuple[File, ...]
    account: str
    at: datetime
    withdrawn: bool = False


@dataclass(frozen=True, eq=False)
class Law:
    """An installed rule book (of ``folder``; None: the one shipped) and what was activated over it.

    ``activations``: one an id, in the order in which they were first said.
    """

    installed: RuleBook
    folder: Path | None = None
    activations: tuple[Activation, ...] = ()
    _books: dict[tuple[Activation, ...], RuleBook] = field(default_factory=dict, repr=False)

    def in_force(self, day: date) -> list[Activation]:
        """The activations that are the law on a day, in the order in which they came into force."""
        found = [a for a in self.activations if not a.withdrawn and a.day <= day]
        return sorted(found, key=lambda a: a.day)

    def book(self, day: date) -> RuleBook:
        """The rule book of a day. Raises RuleError where the installed one and the activations do not agree."""
        acts = tuple(self.in_force(day))
        if not acts:
            return self.installed
        if acts not in self._books:
            self._books[acts] = laid_over(self.folder, (file for a in acts for file in a.files), self.installed)
        return self._books[acts]

    def rule(self, rule: str, version: int) -> Rule | None:
        """A rule as a version said it, in force or not; where nobody knows that one the installed; else None."""
        known = self.installed.rules.get(rule)
        if known is not None and known.version == version:
            return known
        return self._said.get((rule, version), known)

    @cached_property
    def _said(self) -> dict[tuple[str, int], Rule]:
        """What activations say of rules, by id and version; a file that is no rule is left out."""
        found: dict[tuple[str, int], Rule] = {}
        for file in (file for act in self.activations if not act.withdrawn for file in act.files):
            with suppress(ValidationError):
                rule = Rule.model_validate(content_of(file))
                found[rule.id, rule.version] = rule
        return found

    def with_(self, activation: Activation) -> Law:
        """This law with one more activation, or with another record of one that is there."""
        found = {a.activation_id: a for a in (*self.activations, activation)}
        return replace(self, activations=tuple(found.values()))

    def without(self, activation: Activation) -> Law:
        """This law without one of its activations."""
        return replace(
            self, activations=tuple(a for a in self.activations if a.activation_id != activation.activation_id)
        )

    def knowing(self, before: Law) -> Law:
        """This law with the books that another of the same folder has made already."""
        self._books.update(before._books)
        return self


def laid_over(folder: Path | None, files: Iterable[File], installed: RuleBook | None = None) -> RuleBook:
    """The rule book of a folder (None: the one shipped) with files laid over it, in turn.

    With ``installed`` (the folder's book) a rule's file is left out whose version is not greater, and values of a
    parameter are added to those installed. Raises RuleError with the messages of ``doudi rules check``.
    """
    with tempfile.TemporaryDirectory(prefix="doudi-law-") as name:
        book = Path(shutil.copytree(folder or SHIPPED, Path(name) / "rules"))
        for file in files:
            _lay(book, file, installed)
        return rules.load(book)


def _lay(book: Path, file: File, installed: RuleBook | None) -> None:
    if not _NAME.fullmatch(file.name):
        raise RuleError([f"{file.name!r} is no name of a rule's file; call it ID.yaml, as `doudi rules new` does"])
    content = content_of(file)
    known = installed.rules.get(str(content.get("id"))) if installed else None
    if known is not None and isinstance(content.get("version"), int) and content["version"] <= known.version:
        return
    place = book / _place(file, content, book)
    text = file.content
    if installed is not None and place.parent.name == PARAMETERS and place.exists():
        text = _added(place, content)
    for same in book.glob(f"*/{file.name}"):
        same.unlink()
    place.parent.mkdir(exist_ok=True)
    place.write_text(text, encoding="utf-8")


def content_of(file: File) -> dict[str, Any]:
    """A file's content; empty where it is none: the loader says what is wrong with it."""
    try:
        content = yaml.safe_load(file.content)
    except yaml.YAMLError:
        content = None
    return content if isinstance(content, dict) else {}


def _place(file: File, content: dict[str, Any], book: Path) -> Path:
    """Where in the book the file belongs: by its content, else where a file of its name is."""
    if "values" in content:
        return Path(PARAMETERS, file.name)
    if content.get("to") in DEPARTMENTS:
        return Path(str(content["to"]), file.name)
    found = sorted(book.glob(f"*/{file.name}"))
    return found[0].relative_to(book) if found else Path(DEPARTMENTS[0], file.name)


def _added(place: Path, content: dict[str, Any]) -> str:
    """A parameter's text with those given values beside its own that are of another day, place or tier."""
    before = yaml.safe_load(place.read_text(encoding="utf-8"))["values"]
    known = {_of(value) for value in before}
    given = content["values"] if isinstance(content["values"], list) else []
    more = [value for value in given if _of(value) not in known]
    return yaml.safe_dump({**content, "values": [*before, *more]}, allow_unicode=True, sort_keys=False)


def _of(value: Any) -> tuple[str, str, frozenset[str]]:
    """Of which day, place and tiers a value is, as written."""
    written = value if isinstance(value, dict) else {}
    return str(written.get("from")), str(written.get("region", "")), frozenset(written.get("tiers") or ())


def objections(law: Law, new: Activation) -> list[str]:
    """Why an activation cannot be: what, where and how to mend it, one line each.

    Versions of a rule grow with the days: what was decided by a version can be explained by it ever after.
    Raises RuleError where the book with it cannot be used.
    """
    after = law.with_(new)
    later = sorted({a.day for a in after.in_force(date.max) if a.day > new.day})
    changed, found = _grown(law.book(new.day), after.book(new.day))
    if not changed:
        found = [f"nothing would change on {new.day}{_installed(law, new)}"]
    for day, following in zip((new.day, *later), later, strict=False):
        found += [f"on {following}: {why}" for why in _grown(after.book(day), after.book(following))[1]]
    return found


def _grown(before: RuleBook, after: RuleBook) -> tuple[bool, list[str]]:
    """Whether one book differs from another, and which changed rules have no greater version."""
    changed = [rule for name, rule in after.rules.items() if rule != before.rules.get(name)]
    known = {rule.id: before.rules[rule.id].version for rule in changed if rule.id in before.rules}
    return bool(changed) or after.parameters != before.parameters, [
        f"{rule.id} is version {known[rule.id]} before; give the changed file version {known[rule.id] + 1}"
        for rule in changed
        if rule.version <= known.get(rule.id, 0)
    ]


def _installed(law: Law, new: Activation) -> str:
    names = {str(content_of(file).get("id")) for file in new.files}
    stale = [
        f"{name} is installed as version {law.installed.rules[name].version}" for name in names & {*law.installed.rules}
    ]
    return f" ({', '.join(sorted(stale))}: give a greater one)" if stale else ""


def of_folder(folder: Path | None) -> Law:
    """The law of a folder alone (None: the one shipped). Raises RuleError."""
    return Law(rules.load(folder), folder)


def read_files(paths: Iterable[Path]) -> tuple[File, ...]:
    """Rule and parameter files as they stand on disk. Raises RuleError for one that cannot be read."""
    found = []
    for path in paths:
        try:
            found.append(File(path.name, path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            why = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not UTF-8"
            raise RuleError([f"{path}: {why}; give the file of a rule or parameter"]) from error
    return tuple(found)
