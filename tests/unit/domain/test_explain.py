"""Sentences built from a rule's own text, its evidence and its thresholds."""

from __future__ import annotations

from domain.explain import sentence, shown
from domain.rules import load


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
