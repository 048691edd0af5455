"""The coverage figure of a duty: of those who need a help, how many have it, by place, beside the share asked for.

A rule with a ``target`` says both: its ``when`` and ``until`` who needs the help, its ``done_when`` who has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from domain.screening import Screening
from domain.trial import Trial

TOWN: Final = 9
"""Digits of a division that name a town."""


@dataclass(frozen=True, slots=True)
class Covered:
    """A place (nine digits name a town) with how many persons need the help (``all``) and how many of them have it.

    ``unknown``: of whom nobody can say whether they need it, as an answer or an age is missing. ``target``: the share
    in percent that is to have it; None where it is not the same for all of the place.
    """

    division: str
    all: int
    covered: int
    unknown: int
    target: int | None

    @property
    def percent(self) -> float | None:
        """Share of those who need the help that has it; None where nobody needs it."""
        return 100 * self.covered / self.all if self.all else None


def topic_of(stage: Screening, view: str) -> str:
    """The topic whose records a view of the facts comes from: who has none there has no row in it."""
    by_name = {fact.name: fact for fact in stage.facts}
    fact = by_name[view]
    while not fact.topic:
        fact = by_name[fact.driver]
    return fact.topic


def counts(trial: Trial, rule: str, persons: Iterable[str], within: str = "") -> list[Covered]:
    """Towns in order, in places whose code begins with ``within``; of a trial evaluated over these persons' records.

    The rule has a ``target``.
    """
    stage, con = trial.stages[0], trial.connections[0]
    compiled = stage.compiled[rule]
    asked = trial.book.parameters[compiled.rule.target].value_sql("''")
    needs = f"({compiled.sql(compiled.rule.when)}) and ({compiled.until}) and not ({compiled.corrected})"
    with stage.facts_of(con, persons, trial.division_default):
        rows = con.execute(
            f"""
            with said as (
                select subject, any_value(division) as division, any_value({asked}) as target,
                       bool_or({needs}) as needs, bool_or(({needs}) is null) as unknown,
                       bool_or(({needs}) and not coalesce({compiled.done}, false)) as lacks
                from {compiled.source} where starts_with(division, ?) group by subject
            )
            select division[:{TOWN}] as town, count_if(needs), count_if(needs and not lacks),
                   count_if(unknown and needs is distinct from true),
                   case when min(target) = max(target) then min(target) end
            from said group by town having count_if(needs or unknown) > 0 order by town""",
            [within],
        ).fetchall()
    return [Covered(*row) for row in rows]


def total(towns: Sequence[Covered]) -> Covered:
    """All of them together."""
    targets = {t.target for t in towns}
    return Covered(
        "",
        sum(t.all for t in towns),
        sum(t.covered for t in towns),
        sum(t.unknown for t in towns),
        targets.pop() if len(targets) == 1 else None,
    )
