"""The roster as history, and what becomes of the members of a tier that is abolished.

Every version of every entry is kept. Who was in which tier on a day is a question to the same facts that rules ask,
for that day and over the versions known by another: nothing is stored beside the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final, Literal

import duckdb
import polars as pl

from domain import facts
from domain.divisions import Reach
from domain.explain import Language, sentence, unmet
from domain.parameters import Value
from domain.rules import Rule, RuleBook, RuleError
from domain.screening import Screening
from domain.tiers import TIERS, TITLES
from domain.trial import Trial
from domain.whynot import Answer

Connection = duckdb.DuckDBPyConnection

ROSTER, HOUSEHOLD = "civil.roster", "civil.household"
ABOLISHED: Final = "jiance"
"""The tier whose members are reclassified (防止返贫监测对象)."""
IN_TIER: Final = ("held", "tapering")
"""Standings that count as being in the tier."""

Basis = Literal["held", "proposed", "none"]
_LOCAL: Final = timedelta(hours=8)
_TOWN: Final = pl.col("division").str.slice(0, 9).alias("town")
_ORDER: Final = pl.col("tier").replace_strict({t: n for n, t in enumerate(TIERS)}, return_dtype=pl.Int8)
_LANGUAGES: Final[tuple[Language, Language]] = ("zh", "en")
_BETWEEN: Final[Mapping[Language, str]] = {"zh": "；", "en": "; "}


def known_by(records: pl.DataFrame, day: date) -> pl.DataFrame:
    """The versions of a department's records that were published by the end of a day, local time."""
    return records.filter((pl.col("published_at") + _LOCAL).dt.date() <= day)


def history(trial: Trial, on: date) -> pl.DataFrame:
    """Everybody's tiers on a day, by the versions that a trial was given. One row a person and tier, in that order.

    Columns: person_key, tier, entry (record_id), division, from, to (the day from which it counts no more, or null),
    status (as the department wrote it), standing, and of the version that says so published_at (UTC), lane, partition,
    offset. Standing: held; tapering (left, and counts until its taper ends); abolished (by the law, on that day);
    left; refused. Of several entries of a person in one tier the one in force counts, else the latest. Entries that
    begin later are not there. Leaves the trial to be told a day before it is asked anything else.
    """
    con = trial.connections[0]
    entries = _entries(con, trial.stages[0], on, trial.division_default)
    return con.execute(
        f"""
        select person_key, tier, record_id as entry, coalesce(nullif(division, ''), ?) as division,
               start_on as "from", left_on as "to", status,
               case when status = 'refused' then 'refused'
                    when in_force and end_on <= as_of() then 'tapering' when in_force then 'held'
                    when listed then 'abolished' else 'left' end as standing,
               published_at, lane, "partition", "offset"
        from ({entries})
        where start_on <= as_of() and tier_place(tier) is not null
        qualify row_number() over (
            partition by person_key, tier order by in_force desc, listed desc, start_on desc, record_id desc) = 1
        order by person_key, tier_place(tier)""",
        [trial.division_default],
    ).pl()


def _entries(con: Connection, stage: Screening, on: date, division_default: str) -> str:
    """SQL of everybody's entries as the facts show them; the connection is told the day."""
    for statement in facts.macros(on.isoformat(), [], stage.book.tier_kept):
        con.execute(statement)
    entry = next(fact for fact in stage.facts if fact.name == "entry")
    return entry.over(stage.kept, f"select person_key from {stage.kept[ROSTER].table}", division_default)


def counts(rows: pl.DataFrame) -> list[tuple[str, str, int]]:
    """Persons in each tier and town (first nine digits of the division): tiers in their order, towns ascending."""
    return rows.filter(pl.col("standing").is_in(IN_TIER)).group_by("tier", _TOWN).len().sort(_ORDER, "town").rows()


# ---------------------------------------------------------------------- re-certification


OVERDUE: Final = "overdue"
UNDATED: Final = "undated"
CLASSES: Final = ("A", "B", "C")
"""Review classes (分类管理), each with a period of its own; an entry without one goes by its tier."""


def calendar(
    con: Connection, stage: Screening, on: date, until: date, place: Reach, division_default: str = ""
) -> pl.DataFrame:
    """Which entries in force on a day are to be re-certified when, to the day ``until``: overdue ones first, by day.

    By the records that the persons' stage keeps, in divisions that ``place`` holds.

    Columns: person_key, tier, review_class ('' for none), entry (record_id), division, why, last (re-certified; null:
    never), due_on, month. Why: period (R30V: so many days after the last, by the class or else the tier and by the law
    of the day asked at the entry's place) or taper (R30T:
    not re-checked in the days before its taper ends, due by that end). Month: overdue (due before the day asked),
    YYYY-MM, or undated: without a day of re-certification nobody can say, and due_on is null. A person has as many
    rows as entries and reasons. Leaves the connection to be told a day before it is asked anything else.
    """
    entries, parameters = _entries(con, stage, on, division_default), stage.book.parameters
    of_class = (f"when '{c}' then {parameters[f'recertify_class_{c.lower()}_days'].value_sql('')}" for c in CLASSES)
    period = f"case review_class {' '.join(of_class)} else {parameters['recertify_days'].value_sql('tier')} end"
    notice = parameters["taper_notice_days"].value_sql("tier")
    return con.execute(
        f"""
        with held as (
            select person_key, tier, review_class, record_id as entry, coalesce(nullif(division, ''), ?) as division,
                   verified_on, taper_until, as_of() as law_on
            from ({entries}) where in_force
        ), due as (
            select *, 'period' as why, verified_on + ({period})::integer as due_on from held
            union all
            select *, 'taper' as why, taper_until as due_on from held
            where taper_until is not null and not coalesce(taper_until - verified_on <= ({notice}), false)
        )
        select person_key, tier, review_class, entry, division, why, verified_on as last, due_on,
               case when due_on is null then '{UNDATED}' when due_on < as_of() then '{OVERDUE}'
                    else strftime(due_on, '%Y-%m') end as month
        from due where {place.sql("division")} and (due_on is null or due_on <= ?)
        order by due_on nulls last, person_key, tier_place(tier), entry, why""",
        [division_default, until],
    ).pl()


def month_end(on: date, months: int) -> date:
    """The last day of so many calendar months, that of the day included."""
    month = on.year * 12 + on.month - 1 + months
    return date(month // 12, month % 12 + 1, 1) - timedelta(days=1)


def due(rows: pl.DataFrame) -> list[tuple[str, str, str, int]]:
    """Entries to be re-certified by month, tier and town of a ``calendar``: overdue first, undated last."""
    return _in_order(rows.unique(["person_key", "entry", "month"]).group_by("month", "tier", _TOWN).len())


def together(counts: Sequence[Sequence[Any]]) -> list[tuple[str, str, str, int]]:
    """The counts of several partitions, each as `due` gives them, added up and in the same order."""
    schema = {"month": pl.String, "tier": pl.String, "town": pl.String, "len": pl.Int64}
    frame = pl.DataFrame(counts, schema=schema, orient="row")
    return _in_order(frame.group_by("month", "tier", "town").agg(pl.col("len").sum()))


def _in_order(counts: pl.DataFrame) -> list[tuple[str, str, str, int]]:
    place = pl.col("month").replace_strict({OVERDUE: 0, UNDATED: 2}, default=1, return_dtype=pl.Int8)
    return counts.sort(place, "month", _ORDER, "town").rows()


# ---------------------------------------------------------------------- reclassification


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the abolished tier. ``tier``: the new one; empty for none.

    ``basis``: held (in it already), proposed (``rules`` stand that propose it) or none; ``zh`` and ``en`` say why.
    """

    person_key: str
    division: str
    entry: str
    since: date
    tier: str
    basis: Basis
    rules: tuple[str, ...]
    zh: str
    en: str


def abolishing(book: RuleBook, on: date) -> RuleBook:
    """The rule book under which the tier is abolished everywhere from a day on, whatever the law says of it.

    Raises RuleError where the book does not say which tiers the law has.
    """
    kept = book.parameters.get("tier_kept")
    if kept is None:
        raise RuleError(["parameters/tier_kept.yaml is missing; copy it from the rules shipped"])
    others = (v.model_copy(update={"tiers": tuple(t for t in v.tiers if t != ABOLISHED)}) for v in kept.values)
    values = (Value(value=0, from_=on, tiers=(ABOLISHED,), product_default=True), *(v for v in others if v.tiers))
    return replace(book, parameters={**book.parameters, kept.id: kept.model_copy(update={"values": values})})


def members(rows: pl.DataFrame) -> pl.DataFrame:
    """The members of the abolished tier among a day's ``history`` under ``abolishing``."""
    return rows.filter((pl.col("tier") == ABOLISHED) & (pl.col("standing") == "abolished"))


def household_of(trial: Trial, persons: Sequence[str]) -> list[str]:
    """These persons and everybody who was ever in a household with one of them, by the records given."""
    table = trial.stages[0].kept[HOUSEHOLD].table
    found = trial.connections[0].execute(
        f"select unnest(?::varchar[]) union select person_key from {table} where household_key in "
        f"(select household_key from {table} where person_key in (select unnest(?::varchar[])))",
        [persons, persons],
    )
    return sorted(key for (key,) in found.fetchall())


def reclassify(trial: Trial, rows: pl.DataFrame) -> list[Member]:
    """What becomes of each member of the abolished tier, by person key: each exactly once.

    ``rows``: the day's ``history``; ``trial``: evaluated on that day under the same ``abolishing`` book, over all
    records of the members and of those who live with them. A tier held counts before one proposed, the first by
    precedence.
    """
    asked = members(rows)
    keys = asked["person_key"].to_list()
    held: dict[str, list[dict[str, Any]]] = {}
    for row in rows.filter(pl.col("standing").is_in(IN_TIER)).iter_rows(named=True):
        held.setdefault(row["person_key"], []).append(row)
    homes = _homes(trial, keys)
    proposals = _Proposals(trial, keys, sorted({home for found in homes.values() for home in found}))
    return [
        _member(row, held.get(row["person_key"], []), (row["person_key"], *homes.get(row["person_key"], ())), proposals)
        for row in asked.iter_rows(named=True)
    ]


def _homes(trial: Trial, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    con = trial.connections[0]
    with trial.stages[0].facts_of(con, keys, trial.division_default):
        found = con.execute(
            "select person_key, list(distinct household_key order by household_key) from membership "
            "where in_force group by 1"
        ).fetchall()
    return {key: tuple(homes) for key, homes in found}


class _Proposals:
    """What the rules that propose a tier say of persons and their households, and why they say nothing."""

    def __init__(self, trial: Trial, persons: Sequence[str], homes: Sequence[str]) -> None:
        self.book = trial.book
        self.rules = [rule for rule in trial.book.rules.values() if rule.proposes]
        self._said = {
            (r["rule"], r["subject_key"], r["episode"]): r for r in trial.published if r["state"] == "standing"
        }
        self.tiers: dict[tuple[str, str], dict[str, str]] = {}
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        for stage, con, subjects in zip(trial.stages, trial.connections, (persons, homes), strict=True):
            self._ask(trial, stage, con, subjects)

    def _ask(self, trial: Trial, stage: Screening, con: duckdb.DuckDBPyConnection, subjects: Sequence[str]) -> None:
        for rule, compiled in stage.compiled.items():
            if not compiled.proposed:
                continue
            with stage.facts_of(con, subjects, trial.division_default):
                found = con.execute(
                    f"select subject, episode, {compiled.proposed} as tier from {compiled.source} "
                    f"join (select subject, episode from verdict where rule = ? and holds) using (subject, episode)",
                    [rule],
                ).fetchall()
            for subject, episode, tier in found:
                self.tiers.setdefault((rule, subject), {})[episode] = tier
            for answer in trial.why_not(rule, subjects):
                self.answers.setdefault((rule, answer.subject), []).append(answer)

    def of(self, subjects: Sequence[str]) -> list[tuple[int, str, str, str]]:
        """(place of the tier, rule, episode, subject) of what stands for any of the subjects, best first."""
        return sorted(
            (TIERS.index(tier), rule, episode, subject)
            for (rule, subject), found in self.tiers.items()
            if subject in subjects
            for episode, tier in found.items()
            if tier in TIERS
        )

    def why(self, rule: str, subject: str, episode: str, language: Language) -> str:
        """The rule's own sentence of what stands."""
        row = self._said[rule, subject, episode]
        return f"{rule} {sentence(self.book, self.book.rules[rule], row['evidence'], row['thresholds'], language)}"

    def why_not(self, subjects: Sequence[str], language: Language) -> str:
        """For each rule that could propose a tier, why it does not: of its rows the one that lacks least."""
        return _BETWEEN[language].join(self._lacks(rule, subjects, language) for rule in self.rules)

    def _lacks(self, rule: Rule, subjects: Sequence[str], language: Language) -> str:
        title = f"{rule.id} {getattr(rule.title, language)}"
        found = [a for s in subjects for a in self.answers.get((rule.id, s), ())]
        if not found:
            shape = getattr(self.book.shapes[rule.facts].title, language)
            return f"{title}：没有{shape}的记录" if language == "zh" else f"{title}: nothing on record ({shape})"
        nearest = min(sorted(found, key=lambda a: a.episode, reverse=True), key=lambda a: len(a.unmet))
        parts = [unmet(self.book, u, language) for u in nearest.unmet]
        silent = ", ".join(nearest.silenced_by)
        parts += [f"被{silent}抑制" if language == "zh" else f"silenced by {silent}"] if silent else []
        return f"{title}：{'，'.join(parts)}" if language == "zh" else f"{title}: {', '.join(parts)}"


def _member(
    row: Mapping[str, Any], held: Sequence[Mapping[str, Any]], subjects: Sequence[str], said: _Proposals
) -> Member:
    proposed = said.of(subjects)
    tier = ""
    basis: Basis = "none"
    rules: tuple[str, ...] = ()
    if held:
        tier, basis = held[0]["tier"], "held"
        zh, en = (_BETWEEN[language].join(_holds(h, language) for h in held) for language in _LANGUAGES)
    elif proposed:
        tier, basis = TIERS[proposed[0][0]], "proposed"
        rules = tuple(dict.fromkeys(rule for _, rule, _, _ in proposed))
        zh, en = (_BETWEEN[lang].join(said.why(r, s, e, lang) for _, r, e, s in proposed) for lang in _LANGUAGES)
    else:
        zh, en = (said.why_not(subjects, language) for language in _LANGUAGES)
    return Member(row["person_key"], row["division"], row["entry"], row["from"], tier, basis, rules, zh, en)


def _holds(row: Mapping[str, Any], language: Language) -> str:
    zh, en = TITLES[row["tier"]]
    if language == "zh":
        return f"已是{zh}（登记{row['entry']}，{row['from']}起）"
    return f"already in the tier: {en} (entry {row['entry']}, since {row['from']})"
