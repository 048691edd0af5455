"""Each condition that a rule makes, over the facts as they are: met, failing, or nobody can say.

Recomputed from the state with the rule's own text, by the same SQL that decides; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

import duckdb
from sqlglot import exp

from domain import compile as compiling
from domain import difference
from domain.compile import Compiled
from domain.screening import Screening

_SIGNS = {exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=", exp.EQ: "=", exp.NEQ: "<>"}
OTHERWISE = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "<>", "<>": "="}
"""A comparison to the one that is true where it is not."""

Part = Literal["when", "until", "done_when", "corrected_when"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition that a rule makes. ``sql`` is true where it is met; ``text`` is what the rule says.

    ``line``: SQL of what a fact is compared with, where the condition is a comparison; empty otherwise.
    """

    part: Part
    text: str
    sql: str
    line: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A condition for one row of the facts, and what it was asked of: columns of the facts and parameters
    of the law, by name. ``met`` None: nobody can say. ``line``: value that a fact is compared with, if one is."""

    part: Part
    text: str
    met: bool | None
    seen: dict[str, Any]
    line: Any = None

    @property
    def unknown(self) -> bool:
        """Nobody can say."""
        return self.met is None


@dataclass(frozen=True, slots=True)
class Row:
    """All conditions of a rule for one row of its facts: the subject and the episode."""

    subject: str
    episode: str
    checked: tuple[Checked, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of the rule's facts for which the rule does not stand: the subject, the episode, and why.

    ``silenced_by``: rules that stand for the same subject and silence this one.
    """

    subject: str
    episode: str
    unmet: tuple[Checked, ...]
    silenced_by: tuple[str, ...]


@cache
def conditions(compiled: Compiled) -> tuple[Condition, ...]:
    """What must all be met for a rule to stand: each conjunct of ``when`` and ``until``, neither done nor corrected."""
    rule = compiled.rule
    required: tuple[tuple[Part, str], ...] = (("when", rule.when), ("until", rule.until))
    refused: tuple[tuple[Part, str], ...] = (("done_when", rule.done_when), ("corrected_when", rule.corrected_when))
    found = [
        Condition(part, text, f"({compiled.sql(text)})", _line(compiled, text))
        for part, whole in required
        for text in compiling.conjuncts(whole)
    ]
    found += [
        Condition(part, said, f"not ({compiled.sql(text)})", _line(compiled, said))
        for part, text in refused
        for said in (f"not ({text})",)
    ]
    return tuple(c for c in found if c.text not in ("true", "not (false)"))


def checked(con: duckdb.DuckDBPyConnection, compiled: Compiled, subject: str = "") -> list[Row]:
    """Every condition of a rule for each row of its facts (``subject``: of one); within ``Screening.facts_of``."""
    asked = conditions(compiled)
    columns = [_columns(c.sql) for c in asked]
    named = {use.alias: name for use, name in compiled.names.items()}
    names = sorted({name for each in columns for name in each})
    wanted = [*(c.sql for c in asked), *(c.line or "null" for c in asked), *(f'"{name}"' for name in names)]
    rows = con.execute(
        f"select {', '.join(['subject', 'episode', *wanted])} from {compiled.source} "
        "where subject = $1 or $1 = '' order by subject, episode",
        [subject],
    ).fetchall()
    found = []
    for whose, episode, *values in rows:
        met, lines = values[: len(asked)], values[len(asked) : 2 * len(asked)]
        seen = dict(zip(names, values[2 * len(asked) :], strict=True))
        found.append(
            Row(
                whose,
                episode,
                tuple(
                    Checked(c.part, c.text, value, {named.get(name, name): seen[name] for name in looked}, line)
                    for c, looked, value, line in zip(asked, columns, met, lines, strict=True)
                ),
            )
        )
    return found


def silencers(con: duckdb.DuckDBPyConnection, stage: Screening, rule: str) -> dict[str, tuple[str, ...]]:
    """Subject to the rules that stand for it and silence this one; within ``Screening.facts_of``."""
    silencing = stage.book.inhibitors[rule]
    if not silencing:
        return {}
    difference.ask(con, stage.compiled.values())
    return {
        subject: tuple(rules)
        for subject, rules in con.execute(
            "select subject, list(distinct rule order by rule) from said "
            "where holds and list_contains(?::varchar[], rule) group by subject",
            [list(silencing)],
        ).fetchall()
    }


def why_not(
    con: duckdb.DuckDBPyConnection,
    stage: Screening,
    rule: str,
    subjects: Iterable[str],
    division_default: str = "",
    day: date | None = None,
) -> list[Answer]:
    """Why a rule does not stand for these subjects (person or household keys), as of the stage's day or ``day``.

    One answer for each row of the rule's facts for which it does not stand; none for a subject without a row.
    Between cycles only; changes nothing. Raises KeyError for a rule that the stage does not know.
    """
    compiled = stage.compiled[rule]
    with stage.facts_of(con, subjects, division_default, day):
        rows, silenced = checked(con, compiled), silencers(con, stage, rule)
    return unmet(rows, silenced)


def unmet(rows: Sequence[Row], silenced: dict[str, tuple[str, ...]]) -> list[Answer]:
    """The rows for which the rule does not stand, and why."""
    answers = [
        Answer(r.subject, r.episode, tuple(c for c in r.checked if c.met is not True), silenced.get(r.subject, ()))
        for r in rows
    ]
    return [a for a in answers if a.unmet or a.silenced_by]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition that compares: ``asked`` ``sign`` ``line``, the sides as a rule writes them; a fact that is
    yes or no is compared with true.

    ``factor``: what both sides are to be divided by, so that ``asked`` is a fact.
    """

    asked: str
    sign: str
    line: str
    factor: int = 1


def comparison(text: str) -> Comparison | None:
    """What a condition compares; None where it is no comparison."""
    tree, turned = compiling.parse(text), False
    while isinstance(tree, exp.Not | exp.Paren):
        tree, turned = tree.this, turned != isinstance(tree, exp.Not)
    if isinstance(tree, exp.Column):
        return Comparison(tree.name, "<>" if turned else "=", "true")
    sign = next((sign for kind, sign in _SIGNS.items() if isinstance(tree, kind)), None)
    if sign is None:
        return None
    sign = OTHERWISE[sign] if turned else sign
    asked, line = tree.this, compiling.written(tree.expression)
    # n x > y is x > floor(y / n) for whole numbers
    whole = isinstance(asked, exp.Mul) and isinstance(asked.this, exp.Column) and asked.expression.is_int
    if whole and sign in (">", "<="):
        return Comparison(asked.this.name, sign, line, int(asked.expression.name))
    return Comparison(compiling.written(asked), sign, line)


def _line(compiled: Compiled, text: str) -> str:
    found = comparison(text)
    if found is None:
        return ""
    sql = compiled.sql(found.line)
    return sql if found.factor == 1 else f"({sql}) // {found.factor}"


def _columns(sql: str) -> tuple[str, ...]:
    """Columns and values of parameters (by alias) that a condition looks at."""
    return tuple(sorted({column.name for column in compiling.parse(sql).find_all(exp.Column)}))
