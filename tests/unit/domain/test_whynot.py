"""Why a rule does not stand: the answer and the decision are two sides of the same SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from domain import nearness, trial, whynot
from domain.rules import Case, RuleError, load
from doudi.cli import app

BOOK = load()
CASES = [(rule.id, case) for rule in BOOK.rules.values() for case in rule.cases]


def played() -> Iterator[trial.Trial]:
    """Every case of every rule, those of the same days and coverage in one hub."""
    tried = sorted(enumerate(CASES), key=trial._setting)
    for _, group in groupby(tried, key=trial._setting):
        hub = trial.Trial(BOOK)
        trial._play(hub, [(number, case) for number, (_, case) in group])
        yield hub
        hub.close()


def subjects(hub: trial.Trial) -> list[str]:
    tables = [f"select {k.subject} from {k.table}" for k in hub.stages[0].kept.values()]
    people = hub.connections[0].execute(" union ".join(tables)).fetchall()
    homes = hub.connections[1].execute("select distinct household_key from kept_hub_member").fetchall()
    return [key for (key,) in (*people, *homes)]


def test_for_every_row_of_every_case_the_answer_and_the_decision_agree() -> None:
    compared = {"stands": 0, "unknown": 0, "fails": 0}
    for hub in played():
        everybody = subjects(hub)
        for stage, con in zip(hub.stages, hub.connections, strict=True):
            decided: dict[tuple[str, str, str], bool | None] = {
                (rule, subject, episode): holds
                for rule, subject, episode, holds in con.execute(
                    "select rule, subject, episode, holds from verdict"
                ).fetchall()
            }
            with stage.facts_of(con, everybody, hub.division_default):
                answers = {
                    (rule, a.subject, a.episode): a
                    for rule, compiled in stage.compiled.items()
                    for a in whynot.unmet(whynot.checked(con, compiled), whynot.silencers(con, stage, rule))
                }
            stands = {at for at, holds in decided.items() if holds}
            unknown = {at for at, holds in decided.items() if holds is None}
            assert not stands & answers.keys()
            assert unknown == {
                at for at, a in answers.items() if a.unmet and all(u.unknown for u in a.unmet) and not a.silenced_by
            }
            compared["stands"] += len(stands)
            compared["unknown"] += len(unknown)
            compared["fails"] += len(answers) - len(unknown)
        assert hub.evaluate() == []  # asking changes nothing
    assert compared["stands"] > 50
    assert compared["unknown"] >= sum(case.expect.state == "unknown" for _, case in CASES) > 0
    assert compared["fails"] > 200


def said(rule: str, words: str) -> list[Any]:
    """The answers for person A of the case whose sentence begins so."""
    case: Case = next(c for c in BOOK.rules[rule].cases if c.say.startswith(words))
    hub = trial.Trial(BOOK)
    trial._play(hub, [(0, case)])
    answers = hub.why_not(rule, ["0-A"])
    hub.close()
    return answers


def test_a_failing_condition_shows_the_fact_and_the_threshold() -> None:
    (answer,) = said("R01", "恰好1000元")
    (unmet,) = answer.unmet
    assert (unmet.part, unmet.unknown) == ("when", False)
    assert unmet.text == "self_pay_fen > annual_self_pay_fen('tekun')"
    assert unmet.seen == {"self_pay_fen": 100_000, "annual_self_pay_fen": 100_000}


def test_an_unknown_condition_is_told_apart() -> None:
    (answer,) = said("R04", "低收入人口库数据未覆盖当地")
    assert [(u.text, u.unknown, u.seen) for u in answer.unmet] == [("NOT on_roster", True, {"on_roster": None})]


def test_help_that_came_is_named() -> None:
    (answer,) = said("R13", "开始发放护理补贴后")
    assert [u.part for u in answer.unmet] == ["when", "done_when"]


def test_what_silences_a_rule_is_named() -> None:
    (answer,) = said("R13", "死亡且仍发低保金")
    assert answer.silenced_by == ("R32",)


def test_nobody_without_a_row_and_no_rule_that_does_not_exist() -> None:
    hub = trial.Trial(BOOK)
    assert hub.why_not("R13", ["nobody"]) == []
    with pytest.raises(KeyError):
        hub.why_not("R99", ["nobody"])
    hub.close()


def test_screen_writes_it_with_the_clear_number(tmp_path: Path) -> None:
    (tmp_path / "medical.settlement.csv").write_text(
        "id_number,division,setl_time,psn_part_amt\n99010119530601002X,990101001001,2026-03-01,900.00\n"
    )
    (tmp_path / "civil.roster.csv").write_text(
        "id_number,division,tier,status,start_on\n99010119530601002X,990101001001,tekun,active,2025-01-01\n"
    )
    asked = ["screen", str(tmp_path), "--as-of", "2026-06-30", "--out", str(tmp_path / "out"), "--why-not"]
    done = CliRunner().invoke(app, [*asked, "R01"])
    assert done.exit_code == 0, done.output
    (line,) = map(json.loads, (tmp_path / "out" / "why-not.jsonl").read_text(encoding="utf-8").splitlines())
    assert (line["rule"], line["id_number"], line["episode"]) == ("R01", "99010119530601002X", "2026")
    assert [u["seen"] for u in line["unmet"]] == [{"self_pay_fen": 90_000, "annual_self_pay_fen": 100_000}]

    # a condition that looks at a day
    (tmp_path / "civil.benefit.csv").write_text(
        "id_number,division,benefit,status,granted_on\n99010119530601002X,990101001001,temporary_aid,paid,2026-04-10\n"
    )
    (tmp_path / "medical.settlement.csv").write_text(
        "id_number,division,setl_time,psn_part_amt\n99010119530601002X,990101001001,2026-03-01,1500.00\n"
    )
    done = CliRunner().invoke(app, [*asked, "R01"])
    assert done.exit_code == 0, done.output
    (line,) = map(json.loads, (tmp_path / "out" / "why-not.jsonl").read_text(encoding="utf-8").splitlines())
    assert [(u["part"], u["seen"]["aid_on"]) for u in line["unmet"]] == [("done_when", "2026-04-10")]

    done = CliRunner().invoke(app, [*asked, "R0l"])
    assert isinstance(done.exception, RuleError)
    assert "rule R0l is not known (do you mean R" in str(done.exception)


def test_a_near_miss_lacks_one_condition() -> None:
    def dibao(fen: int, start: date = date(2025, 1, 1)) -> tuple[str, Case]:
        given = [
            {"civil.roster": {"tier": "dibao", "start_on": start}},
            {"medical.settlement": {"psn_part_amt_fen": fen, "setl_time": date(2026, 3, 1)}},
        ]
        case = {"say": "a bill", "day": date(2026, 6, 30), "given": given, "expect": {"state": "nothing"}}
        return "R02", Case.model_validate(case)

    cases = [dibao(500_000), dibao(499_999), dibao(500_001), dibao(100), dibao(600_000, date(2026, 7, 1))]
    hub = trial.Trial(BOOK)
    trial._play(hub, list(enumerate(case for _, case in cases)))
    before = hub.connections[0].execute("select count(*) from person").fetchall()
    near = nearness.near_misses(hub.connections[0], hub.stages[0])
    assert near["R02"] == 3 + 1, "three below the line, one not yet of the tier"
    assert near["R01"] == 4, "beyond the line of another tier"
    assert hub.connections[0].execute("select count(*) from person").fetchall() == before
    hub.close()
