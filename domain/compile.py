"""From a rule to SQL: parameters become CASE expressions, predicates one SELECT over the rule's facts.

Three values come from SQL: a NULL predicate is unknown, neither standing nor refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import sqlglot
from sqlglot import exp

from domain.rules import LEVELS, Rule, RuleBook
from domain.tiers import OFF_ROSTER

DIALECT = "duckdb"
FUNCTIONS = frozenset(
    {
        "and",
        "or",
        "case",
        "if",
        "coalesce",
        "nullif",
        "starts_with",
        "list_contains",
        "array_contains",
        "len",
        "array_size",
        "length",
        "floor",
        "least",
        "greatest",
        "abs",
        "year",
        "month",
        "make_date",
        "date_diff",
        "datediff",
        "date_from_parts",
        "as_of",
        "local_day",
        "cast",
    }
)
"""What a rule may call. Nothing that looks at the clock, at other rows or outside."""

CONTENT = ("step", "level", "division", "tier", "household_key", "evidence", "thresholds", "rule_version")
"""What is said of a condition that stands; a difference in any of it is published."""


@dataclass(frozen=True)
class Used:
    """A parameter in an expression, with the SQL of the tier it is asked for."""

    id: str
    tier: str

    @property
    def alias(self) -> str:
        """Name of the column that holds its value."""
        return "_".join(["p", self.id, *re.findall(r"\w+", self.tier)])


@dataclass(frozen=True, eq=False)
class Compiled:
    """A rule as SQL over its facts."""

    rule: Rule
    book: RuleBook

    @cached_property
    def done(self) -> str:
        """SQL of: the help that was asked for is on record."""
        return self.sql(self.rule.done_when)

    @cached_property
    def until(self) -> str:
        """SQL of: the rule's period goes on."""
        return self.sql(self.rule.until)

    @cached_property
    def corrected(self) -> str:
        """SQL of: what the rule rests on was never so."""
        return self.sql(self.rule.corrected_when)

    def sql(self, text: str) -> str:
        """SQL over ``source`` of an expression of the rule."""
        return _aliased(_with_step(parse(text), self.rule), self.book).sql(dialect=DIALECT)

    @cached_property
    def holds(self) -> str:
        """Standing: the predicate, within its period, neither done nor corrected."""
        when = self.sql(self.rule.when)
        return f"({when}) and ({self.until}) and not ({self.done}) and not ({self.corrected})"

    @cached_property
    def step(self) -> str:
        """SQL of how far beyond the threshold."""
        return self.sql(self.rule.step)

    @cached_property
    def level(self) -> str:
        """SQL of the level."""
        return f"'{self.rule.level}'" if self.rule.level in LEVELS else self.sql(self.rule.level)

    @cached_property
    def proposed(self) -> str:
        """SQL of the tier for which whoever the rule finds should be examined; empty for none."""
        return self.sql(self.rule.proposed) if self.rule.proposed else ""

    @cached_property
    def used(self) -> tuple[Used, ...]:
        """The parameters that decide the rule, in order of appearance."""
        r = self.rule
        found: dict[tuple[str, str], Used] = {}
        texts = (
            r.when,
            r.step,
            r.done_when,
            r.until,
            r.corrected_when,
            "true" if r.level in LEVELS else r.level,
            r.proposed or "true",
        )
        for text in texts:
            for use in uses(_with_step(parse(text), r), self.book):
                found.setdefault((use.id, use.tier), use)
        return tuple(found.values())

    @cached_property
    def evidence(self) -> str:
        """SQL of the JSON object of the evidence columns."""
        columns = ", ".join(f"'{column}': {column}" for column in self.rule.evidence)
        return f"to_json({{{columns}}})::varchar"

    @cached_property
    def names(self) -> dict[Used, str]:
        """Names of the parameters used: the id, with the tier where one is used for several."""
        ids = [use.id for use in self.used]
        return {
            use: use.id if ids.count(use.id) == 1 else f"{use.id}({use.tier.strip(chr(39)) or OFF_ROSTER})"
            for use in self.used
        }

    @cached_property
    def thresholds(self) -> str:
        """SQL of the sorted list of keys of the values used."""
        keys = [self.book.parameters[use.id].key_sql(name, use.tier) for use, name in self.names.items()]
        return f"list_sort([{', '.join(keys)}]::varchar[])"

    @cached_property
    def authorities(self) -> dict[str, str]:
        """Key to JSON member of every value that the rule may use."""
        return {
            key: member
            for use, name in self.names.items()
            for key, member in self.book.parameters[use.id].authorities(name).items()
        }

    @cached_property
    def source(self) -> str:
        """SQL of the rule's facts with the values of its parameters beside them."""
        return source(self.rule.facts, [self])


def listed(names: Iterable[str]) -> str:
    """An SQL list's inside: the names in quotes."""
    return ", ".join(f"'{name}'" for name in names)


def names_of(rules: Iterable[Compiled]) -> str:
    """SQL list of the rules' ids."""
    return listed(c.rule.id for c in rules)


def among(column: str, names: str) -> str:
    """SQL of whether a column is in an SQL list; IN would make a join of it, at twice the cost for a few rows."""
    return f"list_contains([{names}], {column})"


def said(shape: str, rules: Sequence[Compiled]) -> str:
    """SELECT of rule, subject, episode and holds over one view, in one pass; what is false is left out."""
    holds = ", ".join(c.holds for c in rules)
    return (
        f"select * from (select unnest([{names_of(rules)}]) as rule, subject, episode, unnest([{holds}]) as holds "
        f"from {source(shape, rules)}) where holds is distinct from false"
    )


def by_rule(column: str, rules: Iterable[Compiled], sql: Callable[[Compiled], str]) -> str:
    """SQL of what ``sql`` makes of the rule that a column names."""
    return f"(case {column} " + " ".join(f"when '{c.rule.id}' then {sql(c)}" for c in rules) + " end)"


def content(shape: str, rules: Sequence[Compiled]) -> str:
    """SELECT of what is to be said (CONTENT) where these rules hold, all over one view."""

    def each(sql: Callable[[Compiled], str]) -> str:
        return by_rule("s.rule", rules, sql)

    return (
        f"select s.rule, s.subject, s.episode, s.holds, {each(lambda c: c.step)}::integer as step, "
        f"{each(lambda c: c.level)} as level, division, tier, coalesce(household_key, '') as household_key, "
        f"{each(lambda c: c.evidence)} as evidence, {each(lambda c: c.thresholds)} as thresholds, "
        f"{each(lambda c: str(c.rule.version))}::integer as rule_version "
        f"from {source(shape, rules)} join (select * from said where holds and {among('rule', names_of(rules))}) s "
        f"using (subject, episode)"
    )


def source(shape: str, rules: Sequence[Compiled]) -> str:
    """SQL of a view with a column for every value of a parameter that the rules use."""
    used = {use.alias: use for c in rules for use in c.used}
    values = "".join(
        f", {rules[0].book.parameters[use.id].value_sql(use.tier)} as {alias}" for alias, use in used.items()
    )
    return f"(select *{values} from {shape})"


@cache
def compiled(book: RuleBook, stage: str) -> dict[str, Compiled]:
    """The rules of a stage as SQL, by id; made once for a rule book."""
    return {rule.id: Compiled(rule, book) for rule in book.of_stage(stage)}


@lru_cache(maxsize=4096)
def parse(text: str) -> exp.Expr:
    """An expression of a rule, parsed once: copy it before changing it. Raises sqlglot.errors.ParseError."""
    return sqlglot.parse_one(text, read=DIALECT)


def written(tree: exp.Expr) -> str:
    """An expression as rules write it: parameters keep their case."""
    return tree.sql(dialect=DIALECT, normalize_functions=False)


def conjuncts(text: str) -> list[str]:
    """The conditions that an expression of a rule joins by ``and``."""
    tree = parse(text)
    return [written(part) for part in (tree.flatten() if isinstance(tree, exp.And) else [tree])]


def name_of(function: exp.Func) -> str:
    """The name under which a function is known here."""
    return (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower()


def uses(tree: exp.Expr, book: RuleBook) -> list[Used]:
    """Parameters in an expression: by name (for the row's tier), or called with a tier."""
    found = []
    for node in tree.walk(bfs=False):
        use = _use(node, book)
        if use:
            found.append(use)
    return found


def _use(node: exp.Expr, book: RuleBook) -> Used | None:
    if isinstance(node, exp.Column) and node.name in book.parameters:
        return Used(node.name, "tier")
    if isinstance(node, exp.Anonymous) and node.name in book.parameters and node.expressions:
        return Used(node.name, node.expressions[0].sql(dialect=DIALECT))
    return None


def _aliased(tree: exp.Expr, book: RuleBook) -> exp.Expr:
    def put(node: exp.Expr) -> exp.Expr:
        use = _use(node, book)
        return exp.column(use.alias) if use else node

    return tree.transform(put)


def _with_step(tree: exp.Expr, rule: Rule) -> exp.Expr:
    def put(node: exp.Expr) -> exp.Expr:
        named = isinstance(node, exp.Column) and node.name == "step"
        return exp.paren(parse(rule.step)) if named else node

    return tree.transform(put)
