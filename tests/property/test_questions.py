"""What the hub answers to questions is what it decided: over a seeded county, many rules, many of each.

A thousand standing conditions explained equal their decisions; for a thousand pairs of person and rule that did
not fire the named conditions are exact: with all of them met the rule stands, with any one left it does not.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest

from domain import compile as compiling
from domain import difference, questions, whynot
from domain.compile import Compiled
from domain.explain import sentence
from domain.rules import load
from domain.screening import Screening
from domain.trial import Trial, frame_of
from tests.property import oracle
from tests.property.test_fold_equals_recompute import FEEDS, START, fields

BOOK = load()
SEED = 20261120
PEOPLE, HOMES = 900, 300
ASKED = 1_000
LATER = timedelta(days=9)
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def county() -> Iterator[Trial]:
    """Nine hundred people with records of every topic, and what happened to some of them nine days later."""
    chance = random.Random(SEED)  # noqa: S311 - a fixed seed is wanted
    trial = Trial(BOOK)
    trial.cover(*FEEDS, prefix="9901")
    trial.tick(START)
    give(trial, chance, [f"p{n}" for n in range(PEOPLE)], version=1)
    trial.evaluate()
    trial.tick(START + LATER)
    give(trial, chance, [f"p{n}" for n in range(0, PEOPLE, 3)], version=2)
    trial.evaluate()
    yield trial
    trial.close()


def give(trial: Trial, chance: random.Random, people: list[str], version: int) -> None:
    """Records of these people: of most topics one, of some two."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for person in people:
        home = int(person[1:]) % HOMES
        for topic in oracle.PLACES:
            for number in range(chance.choice([0, 1, 1, 2])):
                if topic == "vital.life_event" and chance.random() < 0.7:
                    continue
                row = fields(topic, chance.choice)
                row |= {"household_key": f"h{home}"} if "household_key" in row else {}
                row |= {"guardian_key": f"p{chance.randrange(PEOPLE)}"} if row.get("guardian_key") else {}
                rows.setdefault(topic, []).append(
                    {
                        "event_id": "e",
                        "source": "s",
                        "source_epoch": 1,
                        "record_id": f"{person}-{number}",
                        "record_version": version,
                        "op": chance.choice(["create", "update", "update", "update", "delete"]),
                        "person_key": person,
                        "division": chance.choice(["990101001001", "990101001001", "990102001001", "980101001001"]),
                        "occurred_at": datetime(2026, 1, 2, tzinfo=UTC),
                        "published_at": datetime(2026, 11, version, tzinfo=UTC),
                        **row,
                    }
                )
    for topic, records in rows.items():
        trial.give(topic, frame_of(topic, records))


def standing(trial: Trial) -> list[tuple[int, str, str, str]]:
    """Stage, rule, subject and episode of every condition that stands."""
    return [
        (place, *row)
        for place, con in enumerate(trial.connections)
        for row in con.execute("select rule, subject, episode from verdict where holds order by all").fetchall()
    ]


def test_a_thousand_explanations_equal_the_decisions(county: Trial) -> None:
    said = {row["condition_id"]: row for row in county.published}
    found = standing(county)
    asked = random.Random(SEED).sample(found, ASKED)  # noqa: S311 - a fixed seed is wanted
    newer = 0
    for place, answer in explained(county, asked):
        decided = said[f"{answer['rule']}:{answer['subject_key']}:{answer['episode']}"]
        assert decided["subject_kind"] == answer["subject_kind"] == county.stages[place].subject_kind
        assert (answer["stands"], answer["decided"], answer["agrees"]) == (True, "standing", True)
        for name in ("rule_version", "level", "step", "tier", "division", "household_key"):
            assert answer[name] == decided[name], name
        assert answer["evidence"] == json.loads(decided["evidence"])
        assert answer["thresholds"] == json.loads(decided["thresholds"])
        rule = BOOK.rules[answer["rule"]]
        assert answer["sentence_zh"] == sentence(BOOK, rule, decided["evidence"], decided["thresholds"], "zh")
        # A record that came again and changed nothing that people see is named by its latest version.
        same = answer["records"] == json.loads(decided["records"])
        newer += not same
        assert same or decided["as_of"] == START
        assert answer["conditions"]
        assert all(c["met"] is True for c in answer["conditions"])
        assert answer["silenced_by"] == []
    assert newer < ASKED / 4
    assert len({rule for _, rule, _, _ in asked}) > len(BOOK.rules) * 0.7
    assert county.evaluate() == []  # asking changes nothing


def explained(trial: Trial, asked: list[tuple[int, str, str, str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stage and answer of each; the facts of all are filled together, and a few are asked for alone as well."""
    for place, (stage, con) in enumerate(zip(trial.stages, trial.connections, strict=True)):
        mine = [a for a in asked if a[0] == place]
        answers = []
        with stage.facts_of(con, {subject for _, _, subject, _ in mine}, ""):
            difference.ask(con, stage.compiled.values())
            for _, rule, subject, episode in mine:
                answers.append(questions.explained(con, stage, stage.compiled[rule], subject, episode))
        for (_, rule, subject, episode), answer in list(zip(mine, answers, strict=True))[:20]:
            assert questions.explain(con, stage, stage.compiled[rule], subject, episode) == answer
        yield from ((place, answer) for answer in answers)


def test_what_would_have_made_it_different_is_at_the_limit(county: Trial) -> None:
    """The value named is one at which the condition is no longer met; a fact there, by the rule's own SQL."""
    compared = Counter[str]()
    chance = random.Random(SEED + 1)  # noqa: S311 - a fixed seed is wanted
    for place, answer in explained(county, chance.sample(standing(county), 250)):
        stage, con = county.stages[place], county.connections[place]
        compiled = stage.compiled[answer["rule"]]
        tests = []
        for condition in answer["conditions"]:
            otherwise = condition["otherwise"]
            compared_with = whynot.comparison(condition["text"])
            fact = compared_with.asked if otherwise and compared_with else ""
            if fact in BOOK.columns and not isinstance(otherwise["value"], str):
                tests += [compiled.sql(condition["text"]), at(compiled, fact, condition, otherwise)]
                compared[otherwise["sign"]] += 1
        with stage.facts_of(con, [answer["subject_key"]], ""):
            (row,) = con.execute(
                f"select {', '.join(['true', 'false', *tests])} from {compiled.source} where episode = ?",
                [answer["episode"]],
            ).fetchall()
        assert row == (True, False) * (len(row) // 2), [answer["rule"], *zip(tests, row[2:], strict=True)]
    assert compared["<="] > 20
    assert compared[">"] > 20
    assert compared["="] > 20


def at(compiled: Compiled, fact: str, condition: dict[str, Any], otherwise: dict[str, Any]) -> str:
    """SQL of the condition with a fact at the value that is said to make it different."""
    beyond = {"<": -1, ">": 1, "<>": 1}.get(otherwise["sign"], 0)
    value = otherwise["value"] if isinstance(otherwise["value"], bool) else otherwise["value"] + beyond
    tree = compiling.parse(compiled.sql(condition["text"]))
    put = tree.transform(lambda n: compiling.parse(str(value)) if n.sql() == fact else n)
    return str(put.sql(dialect="duckdb"))


def test_for_a_thousand_pairs_that_did_not_fire_the_reasons_are_exact(county: Trial) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a fixed seed is wanted
    fired = {(rule, subject) for _, rule, subject, _ in standing(county)}
    quota = -(-ASKED * 5 // (4 * len(BOOK.rules)))  # of each rule; a few have facts of fewer people
    asked, several = Counter[str](), 0
    for place, (stage, con) in enumerate(zip(county.stages, county.connections, strict=True)):
        everybody = [f"p{n}" for n in range(PEOPLE)] if place == 0 else [f"h{n}" for n in range(HOMES)]
        for rule, compiled in stage.compiled.items():
            quiet = [s for s in everybody if (rule, s) not in fired]
            answers = whynot.why_not(con, stage, rule, chance.sample(quiet, min(len(quiet), 4 * quota)))
            for person in sorted({a.subject for a in answers})[:2]:
                alone = questions.why_not(con, stage, compiled, person)
                of = [a for a in answers if a.subject == person]
                assert [(r["episode"], len(r["conditions"])) for r in alone["rows"]] == [
                    (a.episode, len(a.unmet)) for a in of
                ]
            chosen = sorted({a.subject for a in answers})[:quota]
            alike: dict[tuple[tuple[str, str], ...], list[whynot.Answer]] = {}
            for a in (a for a in answers if a.subject in chosen):
                alike.setdefault(tuple((c.part, c.text) for c in a.unmet), []).append(a)
                several += len(a.unmet) > 1
            with stage.facts_of(con, chosen, ""):
                for named, of in alike.items():
                    exact(con, stage, rule, list(named), of)
            asked[rule] = len(chosen)
    assert asked.total() >= ASKED, asked
    assert min(asked.values()) > 0
    assert several > ASKED / 4


def exact(
    con: duckdb.DuckDBPyConnection,
    stage: Screening,
    rule: str,
    named: list[tuple[str, str]],
    answers: list[whynot.Answer],
) -> None:
    """With all that is named met the rule stands over these rows of the facts, with any one left it does not."""
    variants = [named, *([n for n in named if n != kept] for kept in named)]
    outcome = {
        (subject, episode): (all_met is True, [one_left is True for one_left in left])
        for subject, episode, all_met, *left in con.execute(
            f"select subject, episode, {', '.join(predicate(stage, rule, met) for met in variants)} "
            f"from {stage.compiled[rule].source}"
        ).fetchall()
    }
    for a in answers:
        assert named or a.silenced_by
        assert outcome[a.subject, a.episode] == (True, [False] * len(named)), (rule, named, a)


def predicate(stage: Screening, rule: str, met: list[tuple[str, str]]) -> str:
    """SQL of the rule as it is written, with these conditions (part and text) put to true.

    Made from the rule itself, not from the list of conditions that is under test.
    """
    compiled, book = stage.compiled[rule], BOOK.rules[rule]

    def joined(part: str, whole: str) -> str:
        tree = compiling.parse(whole)
        parts = tree.flatten() if isinstance(tree, compiling.exp.And) else [tree]
        texts = [p.sql(dialect="duckdb", normalize_functions=False) for p in parts]
        return " and ".join("true" if (part, t) in met else f"({compiled.sql(t)})" for t in texts)

    refused = [
        "true" if (part, f"not ({whole})") in met else f"not ({compiled.sql(whole)})"
        for part, whole in (("done_when", book.done_when), ("corrected_when", book.corrected_when))
    ]
    return " and ".join([f"({joined('when', book.when)})", f"({joined('until', book.until)})", *refused])


def test_another_day_is_asked_without_a_trace(county: Trial) -> None:
    """On another day the facts are of that day; afterwards the stage goes on with its own."""
    stage, con = county.stages[0], county.connections[0]
    where = "select rule, subject, episode from verdict where holds and rule = 'R07' order by all"
    rule, subject, episode = con.execute(where).fetchall()[0]
    later = date(2027, 6, 1)
    answer = questions.why_not(con, stage, stage.compiled[rule], subject, "", later)
    assert answer["as_of"] == "2027-06-01"
    (row,) = [r for r in answer["rows"] if r["episode"] == episode]
    assert "days_since <= stay_window_days" in [c["text"] for c in row["conditions"]]
    assert con.execute("select as_of()").fetchall() == [(START + LATER,)]
    today = questions.why_not(con, stage, stage.compiled[rule], subject)
    assert [r["stands"] for r in today["rows"] if r["episode"] == episode] == [True]
    assert county.evaluate() == []
