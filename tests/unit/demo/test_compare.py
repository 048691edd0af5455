"""The comparison can fail: whatever is removed, added or altered is reported."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from doudi.demo.compare import Standing, compare
from doudi.demo.expected import Row

KEY = "0123456789abcdef0123456789abcdef"
ALERT, TASK = f"R04:{KEY}:2026", f"R09:{KEY}:E1"
EXPECTED = {
    ALERT: Row("R04", "yellow", "civil", "alert", 1_600_000),
    TASK: Row("R09", "yellow", "medical", "task", None),
}


def condition(condition_id: str, level: str = "yellow", **evidence: Any) -> dict[str, Any]:
    return {
        "condition_id": condition_id,
        "state": "standing",
        "level": level,
        "evidence": json.dumps(evidence),
    }


def standing() -> Standing:
    return Standing(
        {ALERT: "a", TASK: "t"},
        {
            "a": {
                "state": "open",
                "kind": "alert",
                "department": "civil",
                "level": "yellow",
                "conditions": [condition(ALERT, self_pay_fen=1_600_000)],
            },
            "t": {
                "state": "signed",
                "kind": "task",
                "department": "medical",
                "level": "yellow",
                "conditions": [condition(TASK)],
            },
            "old": {
                "state": "closed",
                "kind": "alert",
                "department": "civil",
                "level": "red",
                "conditions": [condition(f"R04:{KEY}:2025")],
            },
        },
        3,
    )


def test_agreement() -> None:
    result = compare(EXPECTED, standing(), 3)
    assert (result.missing, result.extra, result.duplicates, result.differences) == (0, 0, 0, [])
    assert (result.conditions, result.alerts_open, result.tasks_open, result.unidentified) == (2, 1, 1, 3)


def changed(how: str) -> Standing:
    found = copy.deepcopy(standing())
    index: dict[str, Any] = dict(found.index)
    cases: dict[str, Any] = dict(found.cases)
    if how == "case removed":
        del cases["a"]
    elif how == "index entry removed":
        del index[ALERT]
    elif how == "case closed":
        cases["a"]["state"] = "closed"
    elif how == "condition ended":
        cases["a"]["conditions"][0]["state"] = "ended"
    elif how == "one added":
        cases["b"] = {**cases["a"], "conditions": [condition(f"R01:{KEY}:2026")]}
        index[f"R01:{KEY}:2026"] = "b"
    elif how == "twice":
        cases["b"] = copy.deepcopy(cases["a"])
    elif how == "level":
        cases["a"]["level"] = cases["a"]["conditions"][0]["level"] = "red"
    elif how == "level of the case":
        cases["a"]["level"] = "red"
    elif how == "amount":
        cases["a"]["conditions"][0] = condition(ALERT, self_pay_fen=1_600_001)
    elif how == "department":
        cases["t"]["department"] = "civil"
    return Standing(index, cases, found.unidentified)


@pytest.mark.parametrize(
    ("how", "missing", "extra", "duplicates", "kind"),
    [
        ("case removed", 1, 1, 0, "missing"),
        ("index entry removed", 1, 0, 0, "missing"),
        ("case closed", 1, 1, 0, "missing"),
        ("condition ended", 1, 1, 0, "missing"),
        ("one added", 0, 1, 0, "extra"),
        ("twice", 0, 0, 1, "duplicate"),
        ("level", 1, 1, 0, "altered"),
        ("level of the case", 0, 0, 0, "altered"),
        ("amount", 1, 1, 0, "altered"),
        ("department", 1, 1, 0, "altered"),
    ],
)
def test_each_change_is_reported(how: str, missing: int, extra: int, duplicates: int, kind: str) -> None:
    result = compare(EXPECTED, changed(how), 3)
    assert (result.missing, result.extra, result.duplicates) == (missing, extra, duplicates)
    assert kind in {d.kind for d in result.differences}


def test_an_unidentified_record_too_few_is_a_difference() -> None:
    assert [d.kind for d in compare(EXPECTED, standing(), 4).differences] == ["unidentified"]


def test_words_name_nobody() -> None:
    words = " ".join(map(str, compare(EXPECTED, changed("case removed"), 3).differences))
    assert KEY not in words and "R04 missing" in words
