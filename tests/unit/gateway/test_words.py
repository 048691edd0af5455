"""Explanations, errors, users and what they must not say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from domain.cases.commands import REFUSALS
from domain.law import of_folder
from domain.rules import Rule
from gateway.errors import TABLE
from gateway.explain import Explainer
from gateway.identity import masked
from gateway.users import Users

LAW = of_folder(None)
EXPLAINER = Explainer(SimpleNamespace(law=LAW, today=LAW.installed), b"0" * 32)
HELD = {
    "condition_id": "R01:aaaa:2026",
    "rule": "R01",
    "rule_version": 1,
    "state": "standing",
    "cause": "",
    "superseded_by": "",
    "level": "orange",
    "step": 1,
    "tier": "tekun",
    "episode": "2026",
    "as_of": "2026-03-02",
    "evidence": json.dumps({"year": 2026, "self_pay_fen": 150001, "bills": 2, "household_key": "secret"}),
    "thresholds": json.dumps({"annual_self_pay_fen": {"value": 100000, "from": "2020-01-01"}}),
    "records": json.dumps([{"topic": "medical.settlement", "partition": 0, "offset": 3, "record_id": "S1", "x": 1}]),
}


def test_a_condition_is_said_in_two_languages_and_without_keys() -> None:
    shown = EXPLAINER.condition(HELD, whole=True)
    assert "1,500.01元" in shown["sentence_zh"]
    assert "1,500.01 yuan" in shown["sentence_en"]
    assert "1,000.00元" in shown["sentence_zh"]
    assert "secret" not in json.dumps(shown)
    assert "aaaa" not in json.dumps(shown)
    assert shown["records"] == [{"topic": "medical.settlement", "partition": 0, "offset": 3, "record_id": "S1"}]


def test_every_rule_can_be_said() -> None:
    for rule in LAW.installed.rules.values():
        shown = EXPLAINER.condition({**HELD, "rule": rule.id, "evidence": "{}", "thresholds": "{}"}, whole=True)
        assert "{" not in shown["sentence_zh"]
        assert "{" not in shown["sentence_en"]


def test_a_department_is_told_what_the_purpose_names() -> None:
    seen = {"stage": "senior", "enrolled_on": "2026-03-01", "tier": "dibao", "guardian_tier": "tekun"}
    task = {**HELD, "rule": "R19", "episode": "E1", "evidence": json.dumps(seen), "thresholds": "{}"}
    whole, own = (EXPLAINER.condition(task, whole=whole) for whole in (True, False))
    assert [f["name"] for f in own["facts"]] == ["stage", "enrolled_on"]
    assert (own["records"], own["episode"]) == ([], "")
    assert "特困" in whole["sentence_zh"]
    assert (own["sentence_zh"], own["sentence_en"]) == (own["title_zh"], own["title_en"])
    seen = {"entry_tier": "dibao", "entry_start_on": "2026-03-01", "marks": "other"}
    said = EXPLAINER.condition({**task, "rule": "R09", "evidence": json.dumps(seen)}, whole=False)
    assert "2026-03-01" in said["sentence_zh"]
    assert "other" not in json.dumps(said)


@pytest.mark.parametrize("rule", LAW.installed.rules.values(), ids=lambda rule: rule.id)
def test_no_sentence_to_a_department_tells_what_is_not_its_own(rule: Rule) -> None:
    def said(**changed: int) -> dict[str, Any]:
        evidence = json.dumps({**dict.fromkeys(rule.evidence, 1), **changed})
        held = {**HELD, "rule": rule.id, "rule_version": rule.version, "evidence": evidence}
        return EXPLAINER.condition(held, whole=False)

    assert {name for name in rule.evidence if said(**{name: 2}) != said()} == set(rule.purpose_fields)


def test_a_rule_that_is_gone_keeps_its_id() -> None:
    assert EXPLAINER.condition({**HELD, "rule": "R99"}, whole=True)["title_zh"] == "R99"


def test_every_refusal_has_its_line_and_every_line_both_languages() -> None:
    assert set(TABLE) >= REFUSALS
    for line in TABLE.values():
        assert "｜" in line.title
        assert "｜" in line.mend


def test_masking() -> None:
    assert masked("990101194001010018") == "990101**********18"
    assert masked(None) is None


def test_users_are_kept_hashed_and_checked(tmp_path: Path) -> None:
    users = Users(tmp_path)
    first = users.put("wang", "correct horse", "王", "township", "civil", "990101001")
    assert users.check("wang", "correct horse") == first
    assert users.check("wang", "wrong") is None
    assert users.check("nobody", "correct horse") is None
    assert "correct horse" not in (tmp_path / "users.json").read_text()
    assert (tmp_path / "users.json").stat().st_mode & 0o077 == 0
    second = users.put("wang", "another horse", "王", "township", "civil", "990101001")
    assert second.stamp != first.stamp
    assert [u.username for u in Users(tmp_path).all()] == ["wang"]
    assert users.remove("wang")
    assert not users.remove("wang")


@pytest.mark.parametrize(
    ("role", "department", "division"),
    [
        ("township", "civil", "990101"),
        ("village", "civil", ""),
        ("department", "civil", ""),
        ("king", "civil", ""),
        ("county", "nowhere", ""),
        ("county", "civil", "9901x1"),
    ],
)
def test_a_user_that_does_not_fit_is_refused(tmp_path: Path, role: str, department: str, division: str) -> None:
    with pytest.raises(ValidationError):
        Users(tmp_path).put("wang", "correct horse", "王", role, department, division)


def test_a_short_password_and_a_broken_file_say_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 10"):
        Users(tmp_path).put("wang", "short", "王", "county", "civil", "")
    (tmp_path / "users.json").write_text("{")
    with pytest.raises(ValueError, match="doudi keys user add"):
        Users(tmp_path).get("wang")
