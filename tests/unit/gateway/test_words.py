"""Explanations, errors, users and what they must not say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from domain.cases.commands import REFUSALS
from domain.law import of_folder
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
    shown = EXPLAINER.condition(HELD)
    assert "1,500.01元" in shown["sentence_zh"]
    assert "1,500.01 yuan" in shown["sentence_en"]
    assert "1,000.00元" in shown["sentence_zh"]
    assert "secret" not in json.dumps(shown)
    assert "aaaa" not in json.dumps(shown)
    assert shown["records"] == [{"topic": "medical.settlement", "partition": 0, "offset": 3, "record_id": "S1"}]


def test_every_rule_can_be_said() -> None:
    for rule in LAW.installed.rules.values():
        shown = EXPLAINER.condition({**HELD, "rule": rule.id, "evidence": "{}", "thresholds": "{}"})
        assert "{" not in shown["sentence_zh"]
        assert "{" not in shown["sentence_en"]


def test_a_rule_that_is_gone_keeps_its_id() -> None:
    assert EXPLAINER.condition({**HELD, "rule": "R99"})["title_zh"] == "R99"


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
