"""Trying equals living: a try says of a change what a hub with the new law says minus what one with the old says.

Random records of every topic, in both lanes, with corrections and deletes; random days; each change is a rule left
out, a threshold moved, or a condition of a rule dropped.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from domain.compile import conjuncts
from domain.records import stream
from domain.rules import RuleBook, load
from domain.trial import Trial, frame_of
from domain.trying import Attempt, Change, Records, days
from tests.property import test_fold_equals_recompute as fold

BOOK = load()
SINCE, UNTIL = date(2026, 11, 20), date(2027, 2, 10)
WHOSE = ("person", "household_key", "guardian_key")
COVERED = ("civil.roster", "civil.benefit", "medical.insurance")
Event = tuple[date, str, str, str, str, str, str]


def given(chance: random.Random, asked: list[date]) -> dict[str, pl.DataFrame]:
    """Records by topic, with lane, partition and offset; published on a day between, or before everything."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for number in range(1_000):
        # Ten persons each, who know of each other.
        record, of = fold.record(chance, number % 200 // 10), f"{number // 200}"
        record |= {name: of + record[name] for name in WHOSE if record.get(name)}
        day = chance.choice(asked) - timedelta(days=chance.choice([0, 0, 1]))
        record |= {
            "event_id": "e",
            "source_epoch": record["epoch"],
            "record_version": record["version"],
            "person_key": record["person"],
            "published_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
            "offset": number,
        }
        rows.setdefault(record["topic"], []).append(record)
    return {
        topic: frame_of(topic, of).with_columns(
            _lane=pl.Series([r["lane"] for r in of], dtype=pl.Int8),
            _partition=pl.lit(0, pl.Int32),
            _offset=pl.Series([r["offset"] for r in of], dtype=pl.Int64),
        )
        for topic, of in rows.items()
    }


def lived(book: RuleBook, records: dict[str, pl.DataFrame], asked: list[date]) -> Counter[Event]:
    """What a hub of that law says, day by day: stood on the first, began or ended since. A record of the backlog
    lane is given from when it occurred."""
    events: Counter[Event] = Counter()
    before: set[tuple[str, str, str]] = set()
    known_on = pl.when(pl.col("_lane") == 0).then(pl.col("occurred_at")).otherwise(pl.col("published_at"))
    last = datetime(1900, 1, 1, tzinfo=UTC)
    with closing(Trial(book)) as trial:
        trial.cover(*COVERED, prefix="9901")
        for day in asked:
            end = datetime(day.year, day.month, day.day, tzinfo=UTC)
            trial.tick(day)
            for topic, frame in records.items():
                now = frame.filter((known_on > last) & (known_on <= end))
                if now.height:
                    trial.stages[0].ingest(trial.connections[0], [(topic, now)])
            said = trial.evaluate()
            last = end
            stands = {
                key
                for con in trial.connections
                for key in con.execute("select rule, subject, episode from verdict where holds").fetchall()
            }
            ended = {
                (r["rule"], r["subject_key"], r["episode"]): (r["cause"], r["superseded_by"])
                for r in said
                if r["state"] == "ended"
            }
            for key in stands - before:
                events[day, *key, "begun" if day != asked[0] else "stood", "", ""] += 1
            for key in before - stands:
                events[day, *key, "ended", *ended[key]] += 1
            before = stands
    return events


def tried(change: Change, records: dict[str, pl.DataFrame], asked: list[date]) -> dict[str, Counter[Event]]:
    """What the try says of each side, of the rules that it says the change reaches."""
    with closing(duckdb.connect()) as con:
        tables = {}
        for topic, frame in records.items():
            rows = stream(  # noqa: F841 - read by the SQL
                frame.rename({"_lane": "lane", "_partition": "partition", "_offset": "offset"})
            )
            tables[topic] = [f"given_{topic.replace('.', '_')}"]
            con.execute(f"create table {tables[topic][0]} as from rows")
        coverage = [(topic, "9901", date(2000, 1, 1)) for topic in COVERED]
        attempt = Attempt(con, Records(tables, coverage), change)
        attempt.lay_out(asked[0], asked[-1], lambda _: None)
        attempt.run(asked, lambda _: None)
        return {
            side: Counter(
                con.execute(
                    "select step, rule, subject, episode, what, cause, superseded_by from event where side = ?", [side]
                ).fetchall()
            )
            for side in ("before", "after")
        }


def changes(chance: random.Random) -> list[tuple[str, RuleBook]]:
    """Each rule left out, each condition dropped, each value of a parameter halved: a book each, in a random order."""
    found: list[tuple[str, RuleBook]] = []
    for rule in BOOK.rules.values():
        others = {k: v for k, v in BOOK.rules.items() if k != rule.id}
        found.append((f"without {rule.id}", dataclasses.replace(BOOK, rules=others)))
        parts = conjuncts(rule.when)
        for n in range(len(parts) if len(parts) > 1 else 0):
            when = " and ".join(part for m, part in enumerate(parts) if m != n)
            mine = rule.model_copy(update={"when": when})
            found.append((f"{rule.id} without {parts[n]}", dataclasses.replace(BOOK, rules={**others, rule.id: mine})))
    for parameter in BOOK.parameters.values():
        for n, value in enumerate(parameter.values):
            values = [
                v.model_copy(update={"value": v.value // 2}) if m == n else v for m, v in enumerate(parameter.values)
            ]
            halved = parameter.model_copy(update={"values": tuple(values)})
            book = dataclasses.replace(BOOK, parameters={**BOOK.parameters, parameter.id: halved})
            if Change(BOOK, book).changed:
                found.append((f"{parameter.id} of {value} halved", book))
    chance.shuffle(found)
    return found


def together(chosen: list[RuleBook]) -> RuleBook:
    """One book with all these changes; where two change the same, the later."""
    gone = {rule for book in chosen for rule in BOOK.rules if rule not in book.rules}
    changed_rules = {k: r for book in chosen for k, r in book.rules.items() if r is not BOOK.rules[k]}
    changed_values = {k: p for book in chosen for k, p in book.parameters.items() if p is not BOOK.parameters[k]}
    kept = {k: r for k, r in {**BOOK.rules, **changed_rules}.items() if k not in gone}
    return dataclasses.replace(BOOK, rules=kept, parameters={**BOOK.parameters, **changed_values})


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_try_says_what_the_new_law_would_have_said_minus_the_old(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    asked = days(SINCE, UNTIL, every=40)
    records = given(chance, asked)
    named = changes(chance)[:12]
    names = ", ".join(name for name, _ in named)
    book = together([book for _, book in named])
    change = Change(BOOK, book)
    was, would, said = lived(BOOK, records, asked), lived(book, records, asked), tried(change, records, asked)
    assert would != was
    assert said["after"] - said["before"] == would - was, names
    assert said["before"] - said["after"] == was - would, names
    for side, whole in (("before", was), ("after", would)):
        mine = {event: n for event, n in said[side].items() if event[1] in change.changed}
        assert mine == {event: n for event, n in whole.items() if event[1] in change.changed}, names
