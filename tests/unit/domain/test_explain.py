"""Sentences built from a rule's own text, its evidence and its thresholds."""

from __future__ import annotations

from domain.explain import sentence, shown, unmet
from domain.rules import load
from domain.whynot import Checked


def test_a_sentence_says_amounts_in_yuan_and_lists_by_title() -> None:
    book = load()
    assert (
        sentence(
            book,
            book.rules["R01"],
            '{"year":2026,"bills":2,"self_pay_fen":300050}',
            '{"annual_self_pay_fen":{"value":100000}}',
            "zh",
        )
        == "特困人员，2026年医保结算2笔，个人负担合计3,000.50元，超过预警线1,000.00元。"
    )
    said = sentence(
        book,
        book.rules["R32"],
        {"event_on": "2026-06-20", "running_benefits": ["dibao", "care_subsidy"], "tiers": []},
        {},
        "en",
    )
    assert "running: minimum living allowance, care subsidy for severely disabled persons; still" in said
    assert "still on the roster as: none" in said


def test_values_as_people_read_them() -> None:
    assert shown("tekun", "tier", "zh") == "特困人员"
    assert shown(None, "date", "en") == "none"
    assert shown(False, "", "zh") == "否"
    assert shown(2, "grade", "zh") == "2级"
    assert shown(2, "grade", "en") == "grade 2"
    assert shown(15, "working_days", "en") == "15 working days"
    assert shown(-150000, "fen", "en") == "-1,500.00 yuan"


def test_a_condition_that_is_not_met_in_the_words_of_what_it_looks_at() -> None:
    book = load()
    text = "NOT on_roster AND self_pay_fen > annual_self_pay_fen('')"
    looked = {"on_roster": True, "self_pay_fen": 150000, "annual_self_pay_fen(none)": 1_500_000}
    fails = Checked("when", text, False, looked)
    assert unmet(book, fails, "zh") == (
        "不符合“非 在册 且 年度个人负担（冲正后） > 年度个人负担预警线('')”"
        "（在册：是；年度个人负担（冲正后）：1,500.00元；年度个人负担预警线：15,000.00元）"
    )
    unknown = Checked("when", "entry_tier = 'tekun' OR assets_ok", None, {"entry_tier": "dibao", "assets_ok": None})
    assert unmet(book, unknown, "en") == (
        "nobody can say “Tier of the entry = 'tekun' or Assets within the limits” "
        "(Tier of the entry: minimum living allowance; Assets within the limits: unknown)"
    )
