"""The rule book: the law as data, read from a folder of YAML files by one loader, checked before use.

A rule is a dated predicate over the facts of one shape. This module knows what a rule consists of;
``rulefiles`` reads its files, ``rulelint`` says what is wrong with a rule, ``compile`` makes SQL of it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from domain import facts
from domain.errors import Permanent
from domain.parameters import Parameter, Source, Strict, Words
from domain.tiers import TIERS

Cause = Literal["fulfilled", "corrected", "superseded", "lapsed"]
Kind = Literal["alert", "task"]
RuleClass = Literal["entry", "exclusion", "entitlement"]
LEVELS = ("yellow", "orange", "red")
FIELD = re.compile(r"\{([a-z_]+)\}")
"""Where an explanation names a column or a parameter."""
SHIPPED = Path(__file__).parents[1] / "rules"

__all__ = ["Case", "Cause", "Deadline", "Expected", "Rule", "RuleBook", "RuleError", "Source", "Unnoticed", "load"]


class RuleError(Permanent):
    """The rule book cannot be used. ``problems`` holds one message a mistake: what, where, how to mend it."""

    code = "rules"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Deadline(Strict):
    """Working days until somebody must have acted; 0 for none. Without a source it is a product default."""

    days: int = Field(ge=0)
    source: Source | None = None
    product_default: bool = False


class Expected(Strict):
    """What a case expects of its rule: standing, ended, unknown or nothing, and what is said of it.

    ``to``, ``kind`` and ``deadline`` (working days) are the route: who has to act, how, and by when.
    """

    state: Literal["standing", "ended", "unknown", "nothing"]
    cause: Cause | None = None
    superseded_by: str | None = None
    episode: str | None = None
    level: str | None = None
    step: int | None = None
    tier: str | None = None
    department: str | None = Field(None, alias="to")
    kind: Kind | None = None
    deadline_days: int | None = Field(None, alias="deadline")
    evidence: dict[str, Any] = Field(default_factory=dict)


class Unnoticed(Strict):
    """A small change to a rule that no case can notice, as ``doudi rules mutate`` words it, and why."""

    change: str = Field(min_length=1)
    why: Words


class Case(Strict):
    """An example in a sentence: records given (topic to fields), then perhaps more, on a day; what is expected."""

    say: str = Field(min_length=1)
    day: date
    given: tuple[dict[str, dict[str, Any]], ...] = ()
    then: tuple[dict[str, dict[str, Any]], ...] = ()
    then_day: date | None = None
    uncovered: tuple[str, ...] = ()
    expect: Expected


class Rule(Strict):
    """One rule. Predicates are SQL over the columns of its facts; parameters and ``step`` stand by name."""

    id: str = Field(pattern=r"^[A-Z][0-9]{2}[A-Z]?$")
    version: int = Field(ge=1)
    title: Words
    rule_class: RuleClass = Field(alias="class")
    kind: Kind
    subject: Literal["person", "household"]
    facts: str
    when: str
    done_when: str = "false"
    until: str = "true"
    corrected_when: str = "false"
    superseded_by: tuple[str, ...] = ()
    inhibits: tuple[str, ...] = ()
    step: str = "1"
    level: str
    proposes: str = ""
    target: str = ""
    department: str = Field(alias="to")
    closes: frozenset[Cause]
    deadline: Deadline
    needs: tuple[str, ...] = Field(min_length=1)
    evidence: tuple[str, ...] = Field(min_length=1)
    purpose_fields: tuple[str, ...] = Field((), alias="purpose")
    sources: tuple[Source, ...] = Field(min_length=1)
    explain: Words
    cases: tuple[Case, ...] = ()
    unnoticed: tuple[Unnoticed, ...] = ()

    @property
    def title_zh(self) -> str:
        """Title in Chinese."""
        return self.title.zh

    @property
    def title_en(self) -> str:
        """Title in English."""
        return self.title.en

    @property
    def proposed(self) -> str:
        """SQL expression of the tier for which whoever the rule finds should be examined; empty for none."""
        return f"'{self.proposes}'" if self.proposes in TIERS else self.proposes

    @property
    def deadline_days(self) -> int:
        """Working days until somebody must have acted; 0 for none."""
        return self.deadline.days


class Shape(Strict):
    """Documentation of one facts view that rules may name: what a row stands for.

    ``record_of`` is the topic whose record id is the episode; empty where the episode is a period.
    """

    title: Words
    stage: Literal["persons", "households"]
    record_of: str = ""


class Column(Strict):
    """Documentation of a column of the facts. Money is in fen, area in dm²; ``unit`` says how people see a value."""

    title: Words
    unit: Literal["", "fen", "date", "days", "tier", "tiers", "grade", "count", "year", "area"] = ""


class Documentation(Strict):
    """rules/facts.yaml."""

    shapes: dict[str, Shape]
    columns: dict[str, Column]


@dataclass(frozen=True, eq=False)
class RuleBook:
    """Rules by id, parameters by id, the documentation of the facts, and a digest of all of it."""

    rules: dict[str, Rule]
    parameters: dict[str, Parameter]
    shapes: dict[str, Shape]
    columns: dict[str, Column]
    digest: str

    def of_stage(self, stage: str) -> tuple[Rule, ...]:
        """The rules over the facts of a stage, by id."""
        return tuple(rule for rule in self.rules.values() if self.shapes[rule.facts].stage == stage)

    @property
    def tier_kept(self) -> str:
        """SQL over ``tier``, ``division`` and ``law_on``: 0 where the law no longer has the tier on that day."""
        kept = self.parameters.get("tier_kept")
        return kept.value_sql("tier") if kept else "null"

    @cached_property
    def inhibitors(self) -> dict[str, tuple[str, ...]]:
        """Rule to the rules that silence it while they stand for the same subject."""
        return {rule: tuple(other.id for other in self.rules.values() if rule in other.inhibits) for rule in self.rules}


def load(path: Path | str | None = None, *, checked: bool = True) -> RuleBook:
    """The rule book of a folder (default: the one shipped).

    ``checked``: whether the rules are tried on the database and compared with each other. Without it, in a third of
    the time, for who comes behind those that decide by them and have tried them.
    Raises RuleError with one message for each mistake in any of its files.
    """
    from domain.rulefiles import read  # noqa: PLC0415 - needs the model

    folder = Path(path) if path is not None else SHIPPED
    files = read(folder)
    if checked:
        from domain.rulelint import lint  # noqa: PLC0415 - needs the model, and is slow to import

        if problems := list(lint(files)):
            raise RuleError(problems)
    return RuleBook(
        rules={rule.id: rule for _, rule in sorted(files.rules, key=lambda placed: placed[1].id)},
        parameters={p.id: p for p in sorted(files.parameters, key=lambda p: p.id)},
        shapes=files.documentation.shapes,
        columns=files.documentation.columns,
        digest=_digest(folder),
    )


def _digest(folder: Path) -> str:
    """16 hex digits over the rule files and the facts: whatever can change a decision."""
    digest = hashlib.blake2b(digest_size=8)
    views = Path(facts.__file__).parent
    for root, pattern in ((folder, "*.yaml"), (views, "*.sql")):
        for file in sorted(root.rglob(pattern)):
            digest.update(f"{file.relative_to(root).as_posix()}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
