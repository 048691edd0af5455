"""The difference: what the rules say now against what they said before, kept in the table ``verdict``.

``verdict`` holds one row a rule, subject and episode that stands (holds) or is unknown (holds is NULL).
Only content that people see is compared; a record published again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from domain.compile import CONTENT, Compiled, content, said
from domain.records import run
from domain.rules import Rule, RuleBook

Connection = duckdb.DuckDBPyConnection
_COLUMNS = ", ".join(("rule", "subject", "episode", "holds", *CONTENT))
_SAME = "h.rule = v.rule and h.subject = v.subject and h.episode = v.episode"
RECORDS = 20
"""A condition names at most so many of the records used, newest first."""


def create(con: Connection, compiled: Iterable[Compiled]) -> None:
    """Tables: ``verdict`` in the file; ``said``, ``hit``, ``change`` and ``ending`` for one evaluation."""
    con.execute(
        "create table if not exists verdict (rule varchar, subject varchar, episode varchar, holds boolean, "
        "step integer, level varchar, division varchar, tier varchar, household_key varchar, evidence varchar, "
        "thresholds varchar[], rule_version integer)"
    )
    con.execute("create or replace temp table hit as from verdict limit 0")
    con.execute("create or replace temp table said as select rule, subject, episode, holds from verdict limit 0")
    con.execute(f"create or replace temp table change as {_change()} limit 0")
    con.execute(
        "create or replace temp table ending (rule varchar, subject varchar, episode varchar, "
        "cause varchar, superseded_by varchar)"
    )
    con.execute("create or replace temp table authority (key varchar, member varchar)")
    members = {key: member for c in compiled for key, member in c.authorities.items()}
    if members:
        con.executemany("insert into authority values (?, ?)", list(members.items()))


def ask(con: Connection, compiled: Iterable[Compiled]) -> bool:
    """Fill ``hit`` with what these rules say of the facts, silenced ones left out; whether they say anything."""
    shapes = _by_shape(compiled)
    parts = " union all ".join(said(shape, rules) for shape, rules in shapes.items())
    if not parts or not _count(con, f"insert into said {parts}"):
        return False
    spoke = {r for (r,) in con.execute("select distinct rule from said").fetchall()}
    speaking = {shape: [c for c in rules if c.rule.id in spoke] for shape, rules in shapes.items()}
    parts = " union all ".join(content(shape, rules) for shape, rules in speaking.items() if rules)
    # Two sources may use one record id, so one episode: what holds is said once, and always the same.
    run(
        con,
        f"insert into hit ({_COLUMNS}) select distinct on (rule, subject, episode) {_COLUMNS} "
        f"from ({parts} union all by name from said where holds is null) h{_audible(speaking)} "
        f"order by rule, subject, episode, holds nulls last, evidence",
    )
    return True


def _by_shape(compiled: Iterable[Compiled]) -> dict[str, list[Compiled]]:
    shapes: dict[str, list[Compiled]] = {}
    for c in compiled:
        shapes.setdefault(c.rule.facts, []).append(c)
    return shapes


def _audible(speaking: dict[str, list[Compiled]]) -> str:
    """SQL that leaves out what a rule standing for the same subject silences."""
    silenced = " or ".join(
        f"(i.rule = '{c.rule.id}' and h.rule in ({_list(c.rule.inhibits)}))"
        for rules in speaking.values()
        for c in rules
        if c.rule.inhibits
    )
    return (
        f" where not exists (select 1 from said i where i.holds and i.subject = h.subject and ({silenced}))"
        if silenced
        else ""
    )


def compare(con: Connection) -> int:
    """Fill ``change`` with what differs between ``hit`` and ``verdict`` of the ``subjects``; how many."""
    return _count(con, f"insert into change {_change()}")


def _change() -> str:
    new = ", ".join(f"h.{c}" for c in CONTENT)
    old = ", ".join(f"v.{c}" for c in CONTENT)
    shown = ", ".join(f"coalesce(h.{c}, v.{c}) as {c}" for c in ("rule", "subject", "episode", *CONTENT))
    return (
        f"select {shown}, h.holds, h.rule is not null as said, "
        f"coalesce(v.holds, false) as stood, coalesce(h.holds, false) as stands "
        f"from hit h full join (select * from verdict where subject in (select subject from subjects)) v on {_SAME} "
        f"where h.rule is null or v.rule is null or h.holds is distinct from v.holds "
        f"or (h.holds and row({new}) is distinct from row({old}))"
    )


def apply(con: Connection) -> None:
    """Make ``verdict`` say what ``change`` says."""
    con.execute(
        "delete from verdict using change c where verdict.rule = c.rule and verdict.subject = c.subject "
        "and verdict.episode = c.episode"
    )
    content = ", ".join(f"if(stands, {column}, null)" for column in CONTENT)
    con.execute(
        f"insert into verdict ({_COLUMNS}) select rule, subject, episode, holds, {content} from change where said"
    )


def find_causes(con: Connection, book: RuleBook, compiled: dict[str, Compiled], ended: Iterable[str]) -> None:
    """Fill ``ending`` with why the conditions of these rules that stood no longer do."""
    parts = [_causes(compiled[rule], book) if rule in compiled else _withdrawn(rule) for rule in ended]
    if parts:
        con.execute(
            "insert into ending select distinct on (rule, subject, episode) * from ("
            f"{' union all '.join(parts)}) order by rule, subject, episode, cause"
        )


def rules_changed(con: Connection) -> tuple[list[str], list[str]]:
    """Rules of which conditions ended, and rules of which conditions stand that are new or have changed."""
    rows = con.execute("select distinct rule, stood and not stands, stands from change order by 1").fetchall()
    return [rule for rule, ended, _ in rows if ended], [rule for rule, _, stands in rows if stands]


def _withdrawn(rule: str) -> str:
    """A rule that is no longer in the book: its period is over."""
    return (
        f"select rule, subject, episode, 'lapsed' as cause, '' as superseded_by from change "
        f"where rule = '{rule}' and stood and not stands"
    )


def _causes(compiled: Compiled, book: RuleBook) -> str:
    rule = compiled.rule
    takers = [f"h.rule in ({_list(book.inhibitors[rule.id])})"] if book.inhibitors[rule.id] else []
    if rule.superseded_by:
        same = "" if book.shapes[rule.facts].record_of else " and h.episode = e.episode"
        takers.append(f"(h.rule in ({_list(rule.superseded_by)}){same})")
    taker = (
        f"(select min(h.rule) from hit h where h.holds and h.subject = e.subject and ({' or '.join(takers)}))"
        if takers
        else "null::varchar"
    )
    return (
        f"select rule, subject, episode, case when missing or corrected then 'corrected' when done then 'fulfilled' "
        f"when taker is not null then 'superseded' when past then 'lapsed' else 'corrected' end as cause, "
        f"case when not missing and not corrected and not done then coalesce(taker, '') else '' end as superseded_by "
        f"from (select e.rule, e.subject, e.episode, f.subject is null as missing, "
        f"coalesce(({compiled.corrected}), false) as corrected, "
        f"coalesce(({compiled.done}), false) as done, "
        f"not coalesce(({compiled.until}), true) as past, {taker} as taker "
        f"from (select rule, subject, episode from change where rule = '{rule.id}' and stood and not stands) e "
        f"left join {compiled.source} f on f.subject = e.subject and f.episode = e.episode)"
    )


@dataclass(frozen=True, slots=True)
class Trace:
    """Where the records of a topic are found: the fact over it, and whether its rows have a day."""

    fact: str
    subject: str
    dated: bool


def records(book: RuleBook, rules: Iterable[str], traces: dict[str, Trace]) -> str:
    """SQL of the records that the changed standing conditions rest on: rule, subject, episode, records (JSON)."""
    speaking = [book.rules[rule] for rule in rules]
    if not speaking:
        return "select rule, subject, episode, '[]' as records from ending limit 0"
    topics = sorted({topic for rule in speaking for topic in rule.needs})
    parts = [
        f"select *, {place} as place from ({_traced(speaking, book, topic, traces[topic])})"
        for place, topic in enumerate(topics)
    ]
    return (
        f"select rule, subject, episode, to_json(list(record order by published_at desc, place, position desc)"
        f"[:{RECORDS}])::varchar as records from ({' union all '.join(parts)}) group by rule, subject, episode"
    )


def _traced(rules: list[Rule], book: RuleBook, topic: str, trace: Trace) -> str:
    """SQL of a topic's records behind the rules that need it: that of the episode, those of its year, or all."""
    record_of = {rule.id: book.shapes[rule.facts].record_of for rule in rules if topic in rule.needs}
    own = _list(rule for rule, of in record_of.items() if of == topic)
    yearly = _list(rule for rule, of in record_of.items() if trace.dated and not of)
    match = f" and (c.rule not in ({own}) or s.record_id = c.episode)" if own else ""
    match += f" and (c.rule not in ({yearly}) or year(s.day)::varchar = c.episode)" if yearly else ""
    return (
        f'select c.rule, c.subject, c.episode, s.published_at, s."offset" as position, '
        f"{{'topic': '{topic}' || case when s.lane = 0 then '.backlog' else '' end, "
        f"'partition': s.\"partition\", 'offset': s.\"offset\", 'record_id': s.record_id}} as record "
        f"from change c join {trace.fact} s on s.{trace.subject} = c.subject{match} "
        f"where c.stands and c.rule in ({_list(record_of)})"
    )


THRESHOLDS = """
    select rule, subject, episode, '{' || string_agg(member, ',' order by key) || '}' as thresholds
    from (select rule, subject, episode, unnest(thresholds) as key from change) join authority using (key)
    group by all"""
"""SQL of the values that a condition rests on, by name, as JSON."""


def adopt(con: Connection) -> None:
    """Replace what stands by the registered frame ``_adopted`` (columns of hub.condition)."""
    con.execute("delete from verdict")
    con.execute(f"""
        insert into verdict ({_COLUMNS})
        select rule, subject_key, episode, true, step, level, division, tier, household_key, evidence,
               list_sort(list_transform(json_keys(thresholds), lambda name: concat(
                   name, '=', json_extract_string(thresholds, concat('$."', name, '".value')),
                   '@', json_extract_string(thresholds, concat('$."', name, '".from')),
                   '/', json_extract_string(thresholds, concat('$."', name, '".region')),
                   '/', json_extract_string(thresholds, concat('$."', name, '".tier'))))),
               rule_version
        from _adopted where state = 'standing'""")


def unknown(con: Connection) -> dict[str, int]:
    """Rule to the number of rows of its facts of which it cannot say whether it stands."""
    return dict(
        con.execute("select rule, count(*) from verdict where holds is null group by rule order by rule").fetchall()
    )


def _count(con: Connection, insert: str) -> int:
    return int(run(con, insert).fetchall()[0][0])


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
