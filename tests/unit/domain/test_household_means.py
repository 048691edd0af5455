"""A household's twelve months: which base a region chose, and what a passing day sends."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.explain import sentence
from domain.rules import SHIPPED, load
from domain.trial import Trial, frame_of

DIVISION = "990101001001"


def row(topic: str, number: str, **fields: Any) -> dict[str, Any]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    fixed = {"event_id": number, "source": "s", "source_epoch": 1, "record_id": number, "record_version": 1}
    fixed |= {"op": "create", "person_key": "A", "division": DIVISION, "occurred_at": at, "published_at": at}
    return fixed | fields


def give(trial: Trial, topic: str, **fields: Any) -> None:
    trial.give(topic, frame_of(topic, [row(topic, f"{topic}-{len(fields)}-{fields.get('setl_time')}", **fields)]))


def paid(trial: Trial, day: datetime, fen: int) -> None:
    give(trial, "medical.settlement", setl_time=day, psn_part_amt_fen=fen, vali_flag="1")


@pytest.fixture
def family() -> Trial:
    """A household of one, in a hub on 30 June 2026."""
    trial = Trial(load())
    trial.cover("civil.roster")
    trial.tick(date(2026, 6, 30))
    give(trial, "civil.household", household_key="h1", head=True)
    return trial


@pytest.mark.parametrize(
    ("region", "fen", "stands"),
    [("98", 1_800_000, True), ("99", 1_800_000, False), ("99", 2_065_699, False), ("99", 2_065_700, True)],
)
def test_a_region_takes_the_share_of_the_residents_income(tmp_path: Path, region: str, fen: int, stands: bool) -> None:
    """Of 36,000 yuan a year half are 18,000; of the residents' 41,314 half are 20,657."""
    shutil.copytree(SHIPPED, tmp_path / "rules")
    base = tmp_path / "rules" / "parameters" / "illness_burden_base.yaml"
    chosen = f'  - {{value: 2, from: 2020-01-01, region: "{region}", product_default: true}}\n'
    base.write_text(base.read_text("utf-8") + chosen, "utf-8")
    trial = Trial(load(tmp_path / "rules"))
    trial.cover("civil.roster")
    trial.tick(date(2026, 6, 30))
    give(trial, "civil.household", household_key="h1", head=True)
    check = {"authorisation": "SQ1", "checked_on": date(2026, 6, 1), "income_month_fen": 300_000, "assets_ok": True}
    give(trial, "civil.check", **check)
    paid(trial, datetime(2026, 3, 1, tzinfo=UTC), fen)
    assert ("R08" in {r["rule"] for r in trial.evaluate() if r["state"] == "standing"}) == stands
    trial.close()


def test_a_passing_day_sends_no_member_again_and_a_new_year_forgets_the_last_but_one(family: Trial) -> None:
    paid(family, datetime(2025, 1, 1, tzinfo=UTC), 100)
    paid(family, datetime(2024, 12, 31, tzinfo=UTC), 200)
    paid(family, datetime(2026, 6, 30, tzinfo=UTC), 300)
    stage, con = family.stages[0], family.connections[0]

    def sent(day: date) -> list[list[tuple[date, int]]]:
        family.tick(day)
        rows = stage.evaluate(con, family._stamp("persons"))["hub.member"]["days"].to_list()
        return [[(d["day"], d["self_pay_fen"]) for d in days] for days in rows]

    first, last = date(2025, 1, 1), date(2026, 6, 30)
    assert sent(last) == [[(first, 100), (last, 300)]]
    assert sent(date(2026, 7, 1)) == []
    assert sent(date(2026, 12, 31)) == []
    assert sent(date(2027, 1, 1)) == [[(last, 300)]]
    family.close()


def test_twelve_months_before_a_leap_day(family: Trial) -> None:
    paid(family, datetime(2027, 2, 28, tzinfo=UTC), 100)
    paid(family, datetime(2027, 3, 1, tzinfo=UTC), 300)
    family.tick(date(2028, 2, 29))
    family.evaluate()
    stage, con = family.stages[1], family.connections[1]
    with stage.facts_of(con, ["h1"], ""):
        assert con.execute("select recent_self_pay_fen, passed_self_pay_fen from household_means").fetchall() == [
            (300, 100)
        ]
    family.close()


def said(rows: list[dict[str, Any]], rule: str) -> tuple[str, str, str]:
    """State and, in both languages, the sentence of what a rule last said."""
    last = [r for r in rows if r["rule"] == rule][-1]
    book = load()
    texts = (sentence(book, book.rules[rule], last["evidence"], last["thresholds"], lang) for lang in ("zh", "en"))
    return (last["state"], *texts)


def test_an_alert_that_asks_for_a_check_says_what_became_of_the_last(family: Trial) -> None:
    family.cover("civil.check")
    paid(family, datetime(2026, 3, 1, tzinfo=UTC), 2_500_001)
    state, zh, en = said(family.evaluate(), "R47")
    assert state == "standing"
    assert "最近一次核对：无；此后未获授权的核对：无" in zh
    assert "latest check: none; not authorised since: none" in en

    give(family, "civil.check", checked_on=date(2026, 6, 1), income_month_fen=1, assets_ok=True)
    state, zh, en = said(family.evaluate(), "R47")
    assert state == "standing"
    assert "此后未获授权的核对：2026-06-01" in zh
    assert "not authorised since: 2026-06-01" in en


def asked(family: Trial, day: date) -> list[tuple[str, str]]:
    """What changes on a day about whether R47 asks for a check: states, with the cause of an ending."""
    family.tick(day)
    return [(r["state"], r["cause"]) for r in family.evaluate() if r["rule"] == "R47"]


def test_who_is_being_checked_is_asked_once_and_again_when_the_result_is_too_old(family: Trial) -> None:
    family.cover("civil.check")
    paid(family, datetime(2026, 3, 1, tzinfo=UTC), 2_500_001)
    family.evaluate()

    give(family, "civil.check", authorisation="SQ1", checked_on=date(2026, 7, 1))
    assert asked(family, date(2026, 7, 1)) == [("ended", "fulfilled")]
    assert asked(family, date(2026, 8, 30)) == []
    assert asked(family, date(2026, 8, 31)) == [("standing", "")]
    result = {"authorisation": "SQ1", "checked_on": date(2026, 8, 31), "income_month_fen": 900_000, "assets_ok": True}
    give(family, "civil.check", **result)
    assert asked(family, date(2026, 9, 1)) == [("ended", "fulfilled")]
    assert asked(family, date(2027, 2, 27)) == []
    assert asked(family, date(2027, 2, 28)) == [("standing", "")]
    assert asked(family, date(2027, 3, 1)) == [("ended", "lapsed")]


def test_while_an_application_is_open_nobody_is_asked_for_a_check(family: Trial) -> None:
    """Seventy days from 1 July end with 9 September."""
    family.cover("civil.check")
    paid(family, datetime(2026, 3, 1, tzinfo=UTC), 2_500_001)
    family.evaluate()

    give(family, "civil.application", household_key="h1", state="accepted", applied_on=date(2026, 7, 1))
    assert asked(family, date(2026, 7, 1)) == [("ended", "fulfilled")]
    assert asked(family, date(2026, 9, 9)) == []
    assert asked(family, date(2026, 9, 10)) == [("standing", "")]
    give(family, "civil.check", checked_on=date(2026, 9, 11))
    _, zh, en = said(family.evaluate(), "R47")
    assert "未办结的申请：2026-07-01" in zh
    assert "application not decided: 2026-07-01" in en
    family.close()


@pytest.mark.parametrize("missing", ["civil.roster", "civil.check"])
def test_where_a_feed_is_missing_nobody_asks_for_a_check_and_the_household_is_visited_all_the_same(
    missing: str,
) -> None:
    trial = Trial(load())
    trial.cover(*{"civil.roster", "civil.check"} - {missing})
    trial.tick(date(2026, 6, 30))
    give(trial, "civil.household", household_key="h1", head=True)
    paid(trial, datetime(2026, 3, 1, tzinfo=UTC), 2_500_001)
    stands = {r["rule"] for r in trial.evaluate() if r["state"] == "standing"}
    assert "H01" in stands and "R47" not in stands
    assert trial.unknown()["R47"] == 1
    trial.close()
