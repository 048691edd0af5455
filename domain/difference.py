"""The difference: what the rules say now against what they said before, kept in the table ``verdict``.

``verdict`` holds one row a rule, subject and episode that stands (holds) or is unknown (holds is NULL).
Only content that people see is compared; a record published again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import duckdb

from domain.compile import CONTENT, Compiled, among, by_rule, content, listed, names_of, said, source
from domain.plans import count, run
from domain.rules import RuleBook

Connection = duckdb.DuckDBPyConnection
_COLUMNS = ", ".join(("rule", "subject", "episode", "holds", *CONTENT))
_SAME = "h.rule = v.rule and h.subject = v.subject and h.episode = v.episode"
SCRATCH = ("said", "hit", "change", "ending", "used")
"""Tables of one evaluation."""
RECORDS = 20
"""A condition names at most so many of the records used, newest first."""


def create(con: Connection) -> None:
    """Create the table ``verdict`` in the file, where absent."""
    con.execute(
        "create table if not exists verdict (rule varchar, subject varchar, episode varchar, holds boolean, "
        "step integer, level varchar, division varchar, tier varchar, household_key varchar, evidence varchar, "
        "thresholds varchar[], rule_version integer)"
    )


def attach(con: Connection, compiled: Iterable[Compiled]) -> None:
    """Create the temp tables of one evaluation: ``said``, ``hit``, ``change``, ``ending`` and ``used``."""
    con.execute("create or replace temp table hit as from verdict limit 0")
    con.execute("create or replace temp table said as select rule, subject, episode, holds from verdict limit 0")
    con.execute(f"create or replace temp table change as {_change()} limit 0")
    con.execute(
        "create or replace temp table ending (rule varchar, subject varchar, episode varchar, "
        "cause varchar, superseded_by varchar)"
    )
    con.execute(
        "create or replace temp table used (rule varchar, subject varchar, episode varchar, topic varchar, "
        "published_at timestamp, position bigint, "
        'record struct(topic varchar, "partition" integer, "offset" bigint, record_id varchar))'
    )
    con.execute("create or replace temp table authority (key varchar, member varchar)")
    members = {key: member for c in compiled for key, member in c.authorities.items()}
    if members:
        con.executemany("insert into authority values (?, ?)", list(members.items()))


def ask(con: Connection, compiled: Iterable[Compiled]) -> bool:
    """Fill ``hit`` with what these rules say of the facts, silenced ones left out; whether they say anything."""
    compiled = tuple(compiled)
    wanted = count(con, _said(compiled)) if compiled else 0
    if not wanted:
        return False
    spoke = {rule for (rule,) in run(con, _SPOKE).fetchall()}
    for c in compiled:
        if c.rule.inhibits and c.rule.id in spoke and not spoke.isdisjoint(c.rule.inhibits):
            wanted -= count(con, _silenced(c))
    rows = count(con, _UNKNOWN)
    for shape, rules in _by_shape(compiled).items():
        if not spoke.isdisjoint(c.rule.id for c in rules):
            rows += count(con, _contents(shape, rules))
    if rows > wanted:
        run(con, _ONCE)
    return True


def statements(compiled: Iterable[Compiled], book: RuleBook, traces: Mapping[str, Trace]) -> Iterator[str]:
    """All that an evaluation of these rules may execute by a kept plan (``domain.plans``)."""
    compiled = tuple(compiled)
    if not compiled:
        return
    yield from (_said(compiled), _SPOKE, _UNKNOWN, _ONCE, _COMPARED, _CHANGED, *_APPLIED)
    yield from (_silenced(c) for c in compiled if c.rule.inhibits)
    for shape, rules in _by_shape(compiled).items():
        yield _contents(shape, rules)
        yield _ending(_causes(shape, rules, book))
    needed = {topic for c in compiled for topic in c.rule.needs}
    yield from (_using(book, topic, trace) for topic, trace in traces.items() if topic in needed)


@lru_cache(maxsize=64)
def _said(compiled: Sequence[Compiled]) -> str:
    # Two sources may use one record id, so one episode: what holds is said once.
    parts = " union all ".join(said(shape, rules) for shape, rules in _by_shape(compiled).items())
    # Materialized: else each part would aggregate into a table of its own first (docs/adr/0012).
    return (
        f"insert into said with parts as materialized ({parts}) "
        "select rule, subject, episode, bool_or(holds) from parts group by all"
    )


_SPOKE = "select distinct rule from said"
_UNKNOWN = "insert into hit (rule, subject, episode, holds) from said where holds is null"
_ONCE = (
    "delete from hit where rowid not in (select arg_min(rowid, row(evidence, rowid)) from hit "
    "group by rule, subject, episode)"
)
"""One of several, and always the same."""


def _silenced(c: Compiled) -> str:
    return (
        f"delete from said where rule in ({listed(c.rule.inhibits)}) "
        f"and subject in (select subject from said where rule = '{c.rule.id}' and holds)"
    )


@lru_cache(maxsize=256)
def _contents(shape: str, rules: Sequence[Compiled]) -> str:
    return f"insert into hit ({_COLUMNS}) select {_COLUMNS} from ({content(shape, rules)})"


@lru_cache(maxsize=64)
def _by_shape(compiled: tuple[Compiled, ...]) -> dict[str, tuple[Compiled, ...]]:
    shapes: dict[str, tuple[Compiled, ...]] = {}
    for c in compiled:
        shapes[c.rule.facts] = (*shapes.get(c.rule.facts, ()), c)
    return shapes


def compare(con: Connection) -> int:
    """Fill ``change`` with what differs between ``hit`` and ``verdict`` of the ``subjects``; how many."""
    return count(con, _COMPARED)


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


_COMPARED = f"insert into change {_change()}"
_KEPT = ", ".join(f"if(stands, {column}, null)" for column in CONTENT)
_APPLIED = (
    "delete from verdict using change c where verdict.rule = c.rule and verdict.subject = c.subject "
    "and verdict.episode = c.episode",
    f"insert into verdict ({_COLUMNS}) select rule, subject, episode, holds, {_KEPT} from change where said",
)
_CHANGED = "select distinct rule, stood and not stands, stands from change order by 1"


def apply(con: Connection) -> None:
    """Make ``verdict`` say what ``change`` says."""
    for statement in _APPLIED:
        run(con, statement)


def find_causes(con: Connection, book: RuleBook, compiled: Mapping[str, Compiled], ended: Iterable[str]) -> None:
    """Fill ``ending`` with why the conditions of these rules that stood no longer do."""
    rules = set(ended)
    for shape, own in _by_shape(tuple(compiled.values())).items():
        if not rules.isdisjoint(c.rule.id for c in own):
            run(con, _ending(_causes(shape, own, book)))
    for rule in sorted(rules - compiled.keys()):
        run(con, _ending(_withdrawn(rule)))


def _ending(causes: str) -> str:
    return (
        f"insert into ending select rule, subject, episode, unnest(min(struct_pack(cause, superseded_by))) "
        f"from ({causes}) group by rule, subject, episode"
    )


def rules_changed(con: Connection) -> tuple[list[str], list[str]]:
    """Rules of which conditions ended, and rules of which conditions stand that are new or have changed."""
    rows = run(con, _CHANGED).fetchall()
    return [rule for rule, ended, _ in rows if ended], [rule for rule, _, stands in rows if stands]


def _withdrawn(rule: str) -> str:
    """A rule that is no longer in the book: its period is over."""
    return (
        f"select rule, subject, episode, 'lapsed' as cause, '' as superseded_by from change "
        f"where rule = '{rule}' and stood and not stands"
    )


@lru_cache(maxsize=256)
def _causes(shape: str, rules: Sequence[Compiled], book: RuleBook) -> str:
    def each(sql: Callable[[Compiled], str]) -> str:
        return by_rule("e.rule", rules, sql)

    takers = ", ".join(
        f"('{c.rule.id}', '{taker}', {same})"
        for c in rules
        for names, same in (
            (book.inhibitors[c.rule.id], False),
            (c.rule.superseded_by, not book.shapes[shape].record_of),
        )
        for taker in names
    )
    ended = "change where stood and not stands"
    taken = (
        f" left join (select e.rule, e.subject, e.episode, h.rule as taker from (select rule, subject, episode from "
        f"{ended}) e join (values {takers}) t(rule, taker, same) on t.rule = e.rule "
        "join (from hit where holds) h on h.rule = t.taker and h.subject = e.subject "
        "where not t.same or h.episode = e.episode) k "
        "on k.rule = e.rule and k.subject = e.subject and k.episode = e.episode"
        if takers
        else ""
    )
    thresholds = each(lambda c: c.thresholds)
    return (
        f"select rule, subject, episode, case when missing or corrected then 'corrected' when done then 'fulfilled' "
        f"when taker is not null then 'superseded' when past then 'lapsed' when relaid then 'superseded' "
        f"else 'corrected' end as cause, "
        f"case when missing or corrected or done then '' when taker is not null then taker "
        f"when relaid and not past then rule else '' end as superseded_by "
        f"from (select e.rule, e.subject, e.episode, f.subject is null as missing, "
        f"coalesce({each(lambda c: c.corrected)}, false) as corrected, "
        f"coalesce({each(lambda c: c.done)}, false) as done, "
        f"not coalesce({each(lambda c: c.until)}, true) as past, {'k.taker' if takers else 'null::varchar'} as taker, "
        f"e.rule_version <> {each(lambda c: str(c.rule.version))} or (e.thresholds <> {thresholds} "
        f"and {_places('e.thresholds')} = {_places(thresholds)}) as relaid "
        f"from (select rule, subject, episode, rule_version, thresholds from {ended} "
        f"and {among('rule', names_of(rules))}) e "
        f"left join {source(shape, rules)} f on f.subject = e.subject and f.episode = e.episode{taken})"
    )


def _places(thresholds: str) -> str:
    """SQL of the keys of values (``Value.key``) without the values: which parameters, of where and for whom."""
    return f"list_transform({thresholds}, lambda key: regexp_replace(key, '=[^/]*', ''))"


@dataclass(frozen=True, slots=True)
class Trace:
    """Where the records of a topic are found: the fact over it, and whether its rows have a day."""

    fact: str
    subject: str
    dated: bool


def trace(con: Connection, book: RuleBook, standing: Iterable[str], traces: Mapping[str, Trace]) -> None:
    """Fill ``used`` with the records that the changed standing conditions of these rules rest on."""
    topics = sorted({topic for rule in standing for topic in book.rules[rule].needs})
    for topic in topics:
        run(con, _using(book, topic, traces[topic]))


def _using(book: RuleBook, topic: str, trace: Trace) -> str:
    return f"insert into used {_traced(book, topic, trace)}"


USED = f"""
    select rule, subject, episode,
           to_json(list(record order by published_at desc, topic, position desc)[:{RECORDS}])::varchar as records
    from used group by rule, subject, episode"""
"""SQL of the records behind a condition, newest first, as JSON."""


def _traced(book: RuleBook, topic: str, trace: Trace) -> str:
    """SQL of a topic's records behind the rules that need it: that of the episode, those of its year, or all."""
    rules = [rule for rule in book.rules.values() if topic in rule.needs]
    record_of = {rule.id: book.shapes[rule.facts].record_of for rule in rules}
    own = listed(rule for rule, of in record_of.items() if of == topic)
    yearly = listed(rule for rule, of in record_of.items() if trace.dated and not of)
    match = f" and (not {among('c.rule', own)} or s.record_id = c.episode)" if own else ""
    match += f" and (not {among('c.rule', yearly)} or year(s.day)::varchar = c.episode)" if yearly else ""
    return (
        f"select c.rule, c.subject, c.episode, '{topic}' as topic, s.published_at, s.\"offset\" as position, "
        f"{{'topic': '{topic}' || case when s.lane = 0 then '.backlog' else '' end, "
        f"'partition': s.\"partition\", 'offset': s.\"offset\", 'record_id': s.record_id}} as record "
        f"from change c join {trace.fact} s on s.{trace.subject} = c.subject{match} "
        f"where c.stands and {among('c.rule', listed(record_of))}"
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
