"""What is wrong with a rule book: every mistake gets a message that says what, where and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import date

import duckdb
from sqlglot import exp
from sqlglot.errors import SqlglotError

from domain import compile as compiling
from domain import facts
from domain.parameters import LAW_FROM, TIERS_OF_PARAMETERS, Parameter
from domain.rulefiles import Files, near
from domain.rules import FIELD, LEVELS, Case, Documentation, Rule, RuleBook, Shape
from domain.tiers import TIERS
from schemas.load import of_topic
from schemas.topics import DEPARTMENTS, TOPICS

STAGE_OF = {"person": "persons", "household": "households"}
_FORBIDDEN = (exp.Select, exp.Subquery, exp.Star, exp.Window, exp.AggFunc, exp.Placeholder)
GIVEN_BESIDE = ("id", "who")
"""What a case may give beside the fields of the schema."""


def lint(files: Files) -> Iterator[str]:
    """Mistakes that show when the files of a folder are read together, each with its place."""
    described, placed = files.documentation, files.rules
    book = RuleBook(
        {r.id: r for _, r in placed},
        {p.id: p for p in files.parameters},
        described.shapes,
        described.columns,
        "",
    )
    for shape, columns in described.shapes.items():
        yield from (f"facts.yaml: {shape}: {text}" for text in _shape(shape, columns, described))
    for parameter in files.parameters:
        yield from (f"parameters/{parameter.id}.yaml: {text}" for text in _parameter(parameter))
    with ExitStack() as opened:
        empty = {stage: opened.enter_context(closing(facts.empty(stage))) for stage in STAGE_OF.values()}
        doubtful = _doubtful(book, empty)
        for where, rule in placed:
            yield from (f"{where}: {text}" for text in _rule(rule, book, empty, doubtful))


def _shape(name: str, shape: Shape, documentation: Documentation) -> Iterator[str]:
    known = facts.columns(shape.stage)
    if name not in known:
        yield f"there is no such view{near(name, known)}; add domain/facts/{shape.stage}/{name}.sql"
        return
    for column in known[name]:
        if column not in documentation.columns:
            yield f"column {column} is not documented; add it under columns, with title zh and en"


def _parameter(parameter: Parameter) -> Iterator[str]:
    for tier in parameter.gaps():
        of = f" for tier {tier}" if tier else ""
        yield f'no value{of} for the whole country from {LAW_FROM} on; add one with region ""'
    seen: set[tuple[date, str, str]] = set()
    for value in parameter.values:
        whose = {(value.from_, value.region, tier) for tier in value.tiers or ("",)}
        if seen & whose:
            where = f" in {value.region}" if value.region else ""
            yield f"two values from {value.from_}{where} for the same; remove one, or give the later one a later day"
        seen |= whose
        for tier in set(value.tiers) - set(TIERS_OF_PARAMETERS):
            yield f"tier {tier} is not known{near(tier, TIERS_OF_PARAMETERS)}; mend it"
        if parameter.by_tier and not value.tiers:
            yield f"the value from {value.from_} names no tiers; add tiers"
        if value.tiers and not parameter.by_tier:
            yield f"the value from {value.from_} names tiers; remove them, or say by_tier: true"


def _rule(rule: Rule, book: RuleBook, empty: dict[str, duckdb.DuckDBPyConnection], doubtful: set[str]) -> Iterator[str]:
    shape = book.shapes.get(rule.facts)
    if shape is None:
        yield f"facts: {rule.facts} is not known{near(rule.facts, book.shapes)}; name a view of facts.yaml"
        return
    if STAGE_OF[rule.subject] != shape.stage:
        yield f"subject: {rule.facts} is about {shape.stage}, not about a {rule.subject}; change facts or subject"
    columns = facts.columns(shape.stage)[rule.facts]
    wrong = [
        f"{where}: {problem}" for where, text in _expressions(rule) for problem in _expression(text, columns, book)
    ]
    if wrong:
        yield from wrong
    elif rule.facts in doubtful or rule.proposed:
        yield from _binds(rule, book, empty[shape.stage])
    yield from _people_see(rule, columns, book)
    yield from _others(rule, book, shape.stage)
    yield from _cases(rule)


def _expressions(rule: Rule) -> Iterator[tuple[str, str]]:
    yield "when", rule.when
    yield "done_when", rule.done_when
    yield "until", rule.until
    yield "corrected_when", rule.corrected_when
    yield "step", rule.step
    if rule.level not in LEVELS:
        yield "level", rule.level
    if rule.proposed:
        yield "proposes", rule.proposed


def _expression(text: str, columns: dict[str, str], book: RuleBook) -> Iterator[str]:
    try:
        tree = compiling.parse(text)
    except SqlglotError as error:
        yield f"{text!r} is not an SQL expression ({str(error).splitlines()[0]}); mend it"
        return
    names = {*columns, *book.parameters, "step"}
    functions = {*compiling.FUNCTIONS, *book.parameters}
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN):
            yield f"{node.sql(dialect='duckdb')!r} is not allowed; a rule sees one row: use columns of its facts"
        elif isinstance(node, exp.Column) and node.name not in names:
            yield (
                f"{node.name} is neither a column nor a parameter{near(node.name, names)}; "
                f"use one of facts.yaml, or add parameters/{node.name}.yaml"
            )
        elif isinstance(node, exp.Func) and compiling.name_of(node) not in functions:
            name = compiling.name_of(node)
            yield f"function {name} is not allowed{near(name, functions)}; docs/adding-a-rule.md lists those that are"


def _doubtful(book: RuleBook, empty: dict[str, duckdb.DuckDBPyConnection]) -> set[str]:
    """Views whose rules the database does not take as they are asked, all together: one of them is at fault."""
    found = set()
    for name, shape in book.shapes.items():
        rules = [compiling.Compiled(rule, book) for rule in book.rules.values() if rule.facts == name]
        try:
            if rules:
                _ask(rules, empty[shape.stage])
        except (duckdb.Error, SqlglotError, LookupError):
            found.add(name)
    return found


def _ask(rules: Sequence[compiling.Compiled], con: duckdb.DuckDBPyConnection) -> None:
    shape = rules[0].rule.facts
    con.execute("create or replace temp table said (rule varchar, subject varchar, episode varchar, holds boolean)")
    con.execute(f"explain {compiling.said(shape, rules)}").fetchall()
    con.execute(f"explain {compiling.content(shape, rules)}").fetchall()


def _binds(rule: Rule, book: RuleBook, con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """What the database says of the rule's types, asked over empty facts."""
    rules = [compiling.Compiled(rule, book)]
    try:
        _ask(rules, con)
        if rule.proposed:
            kind = con.execute(f"describe select {rules[0].proposed} from {rules[0].source}").fetchall()[0][1]
            if kind != "VARCHAR":
                yield f"proposes: gives {kind}, not a tier; name one of {', '.join(TIERS)}"
    except duckdb.Error as error:
        yield f"the database refuses the rule ({str(error).splitlines()[0]}); mend the types that it names"


def _people_see(rule: Rule, columns: dict[str, str], book: RuleBook) -> Iterator[str]:
    for column in rule.evidence:
        if column not in columns:
            yield f"evidence: {column} is not a column of {rule.facts}{near(column, columns)}; use one that is"
    for column in set(rule.purpose_fields) - set(rule.evidence):
        yield f"purpose: {column} is not among the evidence; add it there, or leave it out"
    if not rule.deadline.source and not rule.deadline.product_default:
        yield "deadline: without authority; give its source, or say product_default: true"
    sayable = {*rule.evidence, *book.parameters}
    for language, text in (("zh", rule.explain.zh), ("en", rule.explain.en)):
        for field in sorted(set(FIELD.findall(text)) - sayable):
            yield (
                f"explain.{language}: {{{field}}} is neither evidence nor a parameter{near(field, sayable)}; "
                f"add it to the evidence"
            )


def _others(rule: Rule, book: RuleBook, stage: str) -> Iterator[str]:
    if rule.department not in DEPARTMENTS:
        yield f"to: {rule.department} is not a department{near(rule.department, DEPARTMENTS)}; name one"
    for other in (*rule.superseded_by, *rule.inhibits):
        if other not in book.rules:
            yield f"rule {other} is not known{near(other, book.rules)}; name one that exists"
        elif other in rule.inhibits and book.rules[other].inhibits:
            yield f"inhibits: {other} inhibits others itself; chains are not followed: name those too"
    yield from _target(rule, book)
    known = facts.kept_of(stage)
    for topic in rule.needs:
        if topic not in known:
            yield f"needs: {topic} is not read for {stage}{near(topic, known)}; name one that the facts are made of"


def _target(rule: Rule, book: RuleBook) -> Iterator[str]:
    """A rule of which coverage is counted asks in ``when`` for the need alone, in ``done_when`` for the help."""
    if not rule.target:
        return
    parameter = book.parameters.get(rule.target)
    if parameter is None:
        yield f"target: {rule.target} is not a parameter{near(rule.target, book.parameters)}; add its file"
    elif parameter.unit != "percent" or parameter.by_tier:
        yield f"target: {rule.target} is no share of everybody; give it unit percent, and no tiers"
    if rule.subject != "person":
        yield "target: coverage is counted of persons; leave it out of a rule about households"
    try:
        both = [{c.name for c in compiling.parse(t).find_all(exp.Column)} for t in (rule.when, rule.done_when)]
    except SqlglotError:
        return  # said where it stands
    if not both[1]:
        yield "target: nothing says who has the help; give done_when"
    for column in sorted(both[0] & both[1]):
        yield f"target: when asks for {column}, which is the help itself; leave it to done_when"


def _cases(rule: Rule) -> Iterator[str]:
    states = {case.expect.state for case in rule.cases}
    for state, meaning in (("standing", "in which it fires"), ("nothing", "of the nearest value that does not fire")):
        if state not in states:
            yield f"cases: there is none {meaning}; add one that expects state: {state}"
    for number, case in enumerate(rule.cases, 1):
        yield from (f"cases[{number}]: {problem}" for problem in _case(case))


def _case(case: Case) -> Iterator[str]:
    if (case.expect.state == "ended") != (case.expect.cause is not None):
        yield "an ending has a cause and nothing else has one; add or remove expect.cause"
    for given in (*case.given, *case.then):
        for topic, fields in given.items():
            if topic not in TOPICS:
                yield f"{topic} is not a topic{near(topic, TOPICS)}; use one of schemas/topics.py"
                continue
            known = {*of_topic(topic).dtypes, *GIVEN_BESIDE}
            for name in sorted(set(fields) - known):
                yield f"{topic} has no field {name}{near(name, known)}; use one of its schema"
