"""Answers to questions: what stands, what ended, what nobody can say, and what cannot be asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain import questions, trial
from domain.rules import Case, load

BOOK = load()


def played(rule: str, words: str, folder: Path | None = None) -> trial.Trial:
    """A hub with the case whose sentence begins so; its person is 0-A."""
    case: Case = next(c for c in BOOK.rules[rule].cases if c.say.startswith(words))
    hub = trial.Trial(BOOK, folder=folder)
    trial._play(hub, [(0, case)])
    return hub


def asked(hub: trial.Trial, rule: str, **of: Any) -> questions.Reply:
    """Ask the persons' stage about 0-A, on a connection of the question's own as a worker does."""
    question = {"kind": "explain", "subject_kind": "person", "subject_key": "0-A", "episode": "", "day": None}
    con = hub.connections[0].cursor()
    try:
        return questions.answer(con, hub.stages[0], question | {"rule": rule} | of, "")
    finally:
        con.close()


def test_what_stands() -> None:
    hub = played("R01", "特困人员今年自付1000.01元")
    answer = asked(hub, "R01", episode="2026").content
    assert (answer["stands"], answer["decided"], answer["agrees"]) == (True, "standing", True)
    line = next(c for c in answer["conditions"] if c["text"].startswith("self_pay_fen >"))
    assert line["otherwise"] == {
        "sign": "<=",
        "value": 100_000,
        "zh": "年度个人负担（冲正后）不超过1,000.00元（年度个人负担预警线（特困人员））",
        "en": "Self-pay of the year net of reversals at most 1,000.00 yuan "
        "(Yearly self-pay beyond which an alert is raised (destitute persons in state care))",
    }
    assert sorted(r["topic"] for r in answer["records"]) == ["civil.roster", "medical.settlement"]
    assert answer["thresholds"]["annual_self_pay_fen"]["source"]
    hub.close()


def test_what_is_in_the_state_and_does_not_follow_is_said() -> None:
    hub = played("R01", "特困人员今年自付1000.01元")
    hub.connections[0].execute("update verdict set step = 7 where rule = 'R01'")
    answer = asked(hub, "R01", episode="2026").content
    assert (answer["stands"], answer["decided"], answer["agrees"], answer["step"]) == (True, "standing", False, 1)
    hub.connections[0].execute("delete from verdict where rule = 'R01'")
    answer = asked(hub, "R01", episode="2026").content
    assert (answer["stands"], answer["decided"], answer["agrees"]) == (True, "nothing", False)
    hub.close()


def test_what_ended_shows_the_conditions_that_fail() -> None:
    hub = played("R13", "开始发放护理补贴后")
    (ended,) = [r for r in hub.published if r["rule"] == "R13" and r["state"] == "ended"]
    answer = asked(hub, "R13", episode=ended["episode"]).content
    assert (answer["stands"], answer["decided"], answer["agrees"]) == (False, "nothing", True)
    assert [c["part"] for c in answer["conditions"] if c["met"] is False] == ["when", "done_when"]
    assert (answer["evidence"], answer["records"]) == ({}, [])
    hub.close()


def test_what_nobody_can_say_and_what_is_silenced() -> None:
    hub = played("R04", "低收入人口库数据未覆盖当地")
    (episode,) = [r["episode"] for r in hub.unknown_rows() if r["rule"] == "R04"]
    answer = asked(hub, "R04", episode=episode).content
    assert (answer["stands"], answer["decided"], answer["agrees"]) == (False, "unknown", True)
    assert [c["text"] for c in answer["conditions"] if c["met"] is None] == ["NOT on_roster"]
    hub.close()
    hub = played("R13", "死亡且仍发低保金")
    (row,) = asked(hub, "R13", kind="why_not").content["rows"]
    assert (row["stands"], row["silenced_by"]) == (False, ["R32"])
    hub.close()


def test_without_a_row_the_needed_records_are_named() -> None:
    hub = played("R01", "特困人员今年自付1000.01元")
    answer = asked(hub, "R13", kind="why_not").content
    assert (answer["rows"], answer["needs"]) == ([], list(BOOK.rules["R13"].needs))
    hub.close()


def test_who_lives_in_a_household() -> None:
    hub = played("R40", "两人年收入2.4万元")
    question = {"kind": "members", "subject_kind": "household", "subject_key": "0-h1", "rule": "", "episode": ""}
    con = hub.connections[1].cursor()
    reply = questions.answer(con, hub.stages[1], question | {"day": None}, "")
    con.close()
    assert reply.problem == ""
    assert all(m.keys() == {"person_key", "head", "incapable"} for m in reply.content["members"])
    assert [(m["person_key"], m["head"]) for m in reply.content["members"]] == [("0-A", True), ("0-B", False)]
    assert asked(hub, "", kind="members").problem == "wrong_subject"
    hub.close()


def test_what_is_to_be_recertified(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = played("R30V", "C类满183天，其人员类别的365天不适用")
    question = {"kind": "calendar", "subject_kind": "division", "subject_key": "9901", "rule": "", "episode": ""}

    def calendar(**given: Any) -> questions.Reply:
        con = hub.connections[0].cursor()
        reply = questions.answer(con, hub.stages[0], {**question, "day": None, **given}, "990101001001")
        con.close()
        return reply

    content = calendar().content
    (first,) = content["entries"]
    assert first.keys() == {"entry", "tier", "review_class", "division", "why", "month", "due_on", "last"}
    assert first["review_class"] == "C"
    assert (first["why"], first["month"]) == ("period", first["due_on"][:7])  # due today, not overdue yet
    assert first["due_on"] == content["on"]
    assert content["counts"] == [[first["month"], "dibao", first["division"][:9], 1]]
    assert calendar(subject_key="9902").content["entries"] == []
    assert calendar(subject_key="9902 9901").content["entries"] == content["entries"]
    assert calendar(subject_key=f"9901 -{first['division'][:9]}").content["entries"] == []
    refused = calendar(subject_key="9901,9902")
    assert (refused.problem, "several with spaces between" in refused.content["en"]) == ("wrong_subject", True)
    monkeypatch.setattr(questions, "DUE_FIRST", 0)
    assert calendar().content["counts"] == content["counts"]  # of all, also of those not named
    assert calendar(subject_kind="person").problem == "wrong_subject"
    hub.close()


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ({"rule": "R0l"}, "unknown_rule"),
        ({"rule": "H01"}, "wrong_subject"),
        ({"kind": "guess"}, "unknown_kind"),
        ({"subject_key": "nobody"}, "unknown_subject"),
    ],
)
def test_what_cannot_be_asked(question: dict[str, Any], problem: str) -> None:
    hub = played("R01", "特困人员今年自付1000.01元")
    reply = asked(hub, **{"rule": "R01", "episode": "2026"} | question)
    assert reply.problem == problem
    assert reply.content.keys() == {"zh", "en"}
    hub.close()


def test_before_the_first_day() -> None:
    hub = trial.Trial(BOOK)
    assert asked(hub, "R01").problem == "no_day"
    hub.close()


def test_a_question_under_way_stops_nothing_and_sees_one_state(tmp_path: Path) -> None:
    hub = played("R01", "特困人员今年自付1000.01元", tmp_path)
    stage, con = hub.stages[0], hub.connections[0]
    beside = con.cursor()
    stage.attach(beside)
    with stage.facts_of(beside, ["0-A"], "", date(2027, 3, 1)):
        hub.tick(date(2027, 2, 1))
        ended = [r["rule"] for r in hub.evaluate() if r["state"] == "ended"]
        con.execute("checkpoint")
        assert "R01" in ended
        assert beside.execute("select as_of(), count(*) from verdict where rule = 'R01'").fetchall() == [
            (date(2027, 3, 1), 1)
        ]
    beside.close()
    assert con.execute("select as_of()").fetchall() == [(date(2027, 2, 1),)]
    assert asked(hub, "R01", episode="2026").content["decided"] == "nothing"
    hub.close()
