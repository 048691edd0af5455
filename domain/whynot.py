"""Why a rule does not stand: which of its conditions fail and which nobody can say, over the facts as they are.

Recomputed from the state with the rule's own text, by the same SQL that decides; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
from sqlglot import exp

from domain import compile as compiling
from domain.compile import Compiled
from domain.screening import Screening

Part = Literal["when", "until", "done_when", "corrected_when"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition that a rule makes. ``sql`` is true where it is met; ``text`` is what the rule says."""

    part: Part
    text: str
    sql: str


@dataclass(frozen=True, slots=True)
class Unmet:
    """A condition that fails (``unknown`` false) or of which nobody can say, and what it was asked of:
    columns of the facts and parameters of the law, by name."""

    part: Part
    text: str
    unknown: bool
    seen: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of the rule's facts for which the rule does not stand: the subject, the episode, and why.

    ``silenced_by``: rules that stand for the same subject and silence this one.
    """

    subject: str
    episode: str
    unmet: tuple[Unmet, ...]
    silenced_by: tuple[str, ...]


def conditions(compiled: Compiled) -> tuple[Condition, ...]:
    """What must all be met for a rule to stand: each conjunct of ``when`` and ``until``, neither done nor corrected."""
    rule = compiled.rule
    required: tuple[tuple[Part, str], ...] = (("when", rule.when), ("until", rule.until))
    refused: tuple[tuple[Part, str], ...] = (("done_when", rule.done_when), ("corrected_when", rule.corrected_when))
    found = [
        Condition(part, text, f"({compiled.sql(text)})")
        for part, whole in required
        for text in compiling.conjuncts(whole)
    ]
    found += [Condition(part, f"not ({text})", f"not ({compiled.sql(text)})") for part, text in refused]
    return tuple(c for c in found if c.text not in ("true", "not (false)"))


def why_not(
    con: duckdb.DuckDBPyConnection, stage: Screening, rule: str, subjects: Iterable[str], division_default: str = ""
) -> list[Answer]:
    """Why a rule does not stand for these subjects (person or household keys), as of the stage's day.

    One answer for each row of the rule's facts for which it does not stand; none for a subject without a row.
    Between cycles only; changes nothing. Raises KeyError for a rule that the stage does not know.
    """
    compiled = stage.compiled[rule]
    asked = conditions(compiled)
    columns = [_columns(c.sql) for c in asked]
    named = {use.alias: name for use, name in compiled.names.items()}
    names = sorted({name for each in columns for name in each})
    tests = ", ".join([*(c.sql for c in asked), *(f'"{name}"' for name in names)])
    silencers = {
        subject: tuple(rules)
        for subject, rules in con.execute(
            "select subject, list(distinct rule order by rule) from verdict "
            "where holds and list_contains(?::varchar[], rule) group by subject",
            [list(stage.book.inhibitors[rule])],
        ).fetchall()
    }
    answers = []
    with stage.facts_of(con, subjects, division_default):
        rows = con.execute(
            f"select subject, episode, {tests} from {compiled.source} order by subject, episode"
        ).fetchall()
    for subject, episode, *values in rows:
        met, seen = values[: len(asked)], dict(zip(names, values[len(asked) :], strict=True))
        unmet = tuple(
            Unmet(c.part, c.text, value is None, {named.get(name, name): seen[name] for name in looked})
            for c, looked, value in zip(asked, columns, met, strict=True)
            if value is not True
        )
        silenced = silencers.get(subject, ())
        if unmet or silenced:
            answers.append(Answer(subject, episode, unmet, silenced))
    return answers


def _columns(sql: str) -> tuple[str, ...]:
    """Columns and values of parameters (by alias) that a condition looks at."""
    return tuple(sorted({column.name for column in compiling.parse(sql).find_all(exp.Column)}))
