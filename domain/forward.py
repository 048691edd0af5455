"""What a person's stage forwards to other subjects: maintained views, published as differences.

A row that is no longer there is published once more with ``present`` false.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import polars as pl

from domain.plans import count, run
from domain.records import outgoing
from domain.stage import Stamp

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A view for other subjects: its topic, what makes a row, what a row says, and whose row it is.

    ``now`` is the SELECT of the rows of the subjects under evaluation, with columns key (none of
    them NULL) and content; ``of`` the key column that names the subject it comes from; ``drivers`` the facts
    of which at least one has rows where it has any.
    """

    topic: str
    key: tuple[str, ...]
    content: tuple[str, ...]
    of: str
    drivers: frozenset[str]
    now: str

    @property
    def published(self) -> str:
        """Table in the file: the rows as they were published last."""
        return f"published_{self.topic.replace('.', '_')}"

    @property
    def change(self) -> str:
        """Temp table of one evaluation."""
        return f"changed_{self.topic.replace('.', '_')}"

    @property
    def known_subjects(self) -> str:
        """SQL to append to a UNION of all subjects."""
        return f" union select {self.of} from {self.published}"

    def create(self, con: Connection) -> None:
        """Create the table (or add what the view gained since) and the temp table; the facts must be there."""
        con.execute(f"create table if not exists {self.published} as {self.now} limit 0")
        there = {name for name, *_ in con.execute(f"describe {self.published}").fetchall()}
        for name, kind, *_ in con.execute(f"describe {self.now}").fetchall():
            if name not in there:
                con.execute(f"alter table {self.published} add column {name} {kind}")
        con.execute(f"create or replace temp table {self.change} as {self._difference(self.now)} limit 0")

    def _difference(self, now: str) -> str:
        on = " and ".join(f"n.{c} = o.{c}" for c in self.key)
        keys = ", ".join(f"coalesce(n.{c}, o.{c}) as {c}" for c in self.key)
        said = ", ".join(f"if(n.{self.of} is not null, n.{c}, o.{c}) as {c}" for c in self.content)
        new, old = (", ".join(f"{side}.{c}" for c in self.content) for side in "no")
        return (
            f"select {keys}, {said}, n.{self.of} is not null as present from ({now}) n full join "
            f"(select * from {self.published} where {self.of} in (select subject from subjects)) o on {on} "
            f"where n.{self.of} is null or o.{self.of} is null or row({new}) is distinct from row({old})"
        )

    def publish(self, con: Connection, stamp: Stamp, filled: set[str]) -> pl.DataFrame | None:
        """The rows that changed for the ``subjects``, now kept as published; None if there are none."""
        if not count(con, self._differing(bare=self.drivers.isdisjoint(filled))):
            return None
        for statement in self._applied:
            run(con, statement)
        frame = outgoing(con, self.topic, self._told, stamp)
        run(con, self._emptied)
        return frame

    def statements(self) -> Iterator[str]:
        """All that ``publish`` may execute by a kept plan (``domain.plans``)."""
        yield from (self._differing(bare=False), self._differing(bare=True), *self._applied, self._told, self._emptied)

    def _differing(self, *, bare: bool) -> str:
        now = f"select * from {self.published} limit 0" if bare else self.now
        return f"insert into {self.change} {self._difference(now)}"

    @property
    def _applied(self) -> tuple[str, str]:
        same = " and ".join(f"{self.published}.{c} = c.{c}" for c in self.key)
        columns = ", ".join((*self.key, *self.content))
        return (
            f"delete from {self.published} using {self.change} c where {same}",
            f"insert into {self.published} ({columns}) select {columns} from {self.change} where present",
        )

    @property
    def _told(self) -> str:
        return (
            f"select c.*, s.caused_at, s.baseline from {self.change} c join subjects s on s.subject = c.{self.of} "
            f"order by c.present, {', '.join(f'c.{k}' for k in self.key)}"
        )

    @property
    def _emptied(self) -> str:
        return f"truncate {self.change}"

    def adopt(self, con: Connection) -> None:
        """Replace the published rows by the registered frame ``_adopted`` (columns of the topic)."""
        columns = ", ".join((*self.key, *self.content))
        con.execute(f"delete from {self.published}")
        con.execute(f"insert into {self.published} ({columns}) select {columns} from _adopted where present")


MEMBERS = Forwarded(
    topic="hub.member",
    key=("household_key", "person_key"),
    content=(
        "division",
        "head",
        "alive",
        "tier",
        "years",
        "severe_disability",
        "wards_severe",
        "died_on",
        "able",
        "in_work",
        "days",
        "medical_aid_on",
        "on_roster",
        "checked_on",
        "income_month_fen",
        "assets_ok",
        "education_year_fen",
        "incapable",
        "unauthorised_on",
        "checks_covered",
        "applied_on",
    ),
    of="person_key",
    drivers=frozenset({"membership"}),
    now="""
        with m as (
            select household_key, person_key, bool_or(head) as head,
                   min(coalesce(joined_on, date '0001-01-01')) as since_on
            from membership where in_force group by all
        )
        select m.household_key, m.person_key, p.division, m.head, p.alive, p.tier,
               coalesce(y.years, []) as years, p.severe_disability, p.wards_severe,
               p.died_on, p.able_to_work as able, p.in_work,
               coalesce(d.days, []) as days, p.medical_aid_on, p.on_roster,
               c.newest.checked_on as checked_on, c.newest.income_month_fen as income_month_fen,
               c.newest.assets_ok as assets_ok, c.newest.education_year_fen as education_year_fen, p.incapable,
               c.unauthorised_on, p.checks_covered, o.applied_on
        from m
        join person p using (person_key)
        left join (
            select subject as person_key,
                   list_sort(list({'year': year, 'self_pay_fen': self_pay_fen,
                                   'aided_self_pay_fen': aided_self_pay_fen})) as years
            from medical_year where subject in (select person_key from membership where in_force) group by 1
        ) y using (person_key)
        left join (
            select person_key,
                   list_sort(list({'day': day, 'self_pay_fen': self_pay_fen,
                                   'policy_self_pay_fen': policy_self_pay_fen})) as days
            from (
                select person_key, day, sum(self_pay_fen)::bigint as self_pay_fen,
                       sum(policy_self_pay_fen)::bigint as policy_self_pay_fen
                from bill
                where valid and day >= make_date(year(as_of()) - 1, 1, 1)
                      and person_key in (select person_key from membership where in_force)
                group by all
            ) group by 1
        ) d using (person_key)
        left join (
            select household_key, person_key,
                   max(case when authorised then {'checked_on': checked_on, 'income_month_fen': income_month_fen,
                       'assets_ok': assets_ok, 'education_year_fen': education_year_fen} end) as newest,
                   max(case when not authorised then checked_on end) as unauthorised_on
            from checked join m using (person_key) where checked_on >= m.since_on group by all
        ) c on c.household_key = m.household_key and c.person_key = m.person_key
        left join (
            select household_key, person_key, max(applied_on) as applied_on from application where pending group by all
        ) o on o.household_key = m.household_key and o.person_key = m.person_key""",
)
"""What a person contributes to each household, for everybody who belongs to one.

Self-pay goes by day since 1 January of last year, so that the household sums any twelve months up to today
itself and a day that passes changes no row (but one a year).
"""

NAMED = """
        select guardian_key as person_key, 'guardian' as relation, person_key as other_key, record_id,
               bool_or(severe) as severe_disability, '' as tier
        from (select guardian_key, person_key, record_id, active and coalesce(grade <= 2, false) as severe from card
              union all select guardian_key, person_key, record_id, false from schooling)
        where guardian_key is not null group by guardian_key, person_key, record_id"""
"""Who is named as guardian, for the guardian's own partition. Rests on departments' records alone."""

HELD = """
        select distinct w.other_key as person_key, 'ward' as relation, w.person_key as other_key, '' as record_id,
               false as severe_disability, p.tier
        from ward w join person p using (person_key) where p.alive and p.tier <> ''"""
"""From there the guardian's tier, for those who name it. Rests on these and on the roster: so it comes to an end."""

RELATIONS = Forwarded(
    topic="hub.relation",
    key=("person_key", "relation", "other_key", "record_id"),
    content=("severe_disability", "tier"),
    of="other_key",
    drivers=frozenset({"card", "schooling", "ward"}),
    now=f"{NAMED} union all {HELD}",
)
"""What persons who name each other say to each other's partitions."""
