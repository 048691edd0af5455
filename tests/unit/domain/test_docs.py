"""docs/adding-a-rule.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from domain.compile import FUNCTIONS
from domain.parameters import LAW_FROM
from domain.rules import Rule

PAGE = (Path(__file__).parents[3] / "docs" / "adding-a-rule.md").read_text(encoding="utf-8")
BY_OTHER_NAMES = {"array_contains", "array_size", "date_from_parts", "datediff"}
"""How the parser calls list_contains, len, make_date and date_diff."""


def test_every_function_that_a_rule_may_call_is_listed() -> None:
    listed = PAGE.split("These may be called:")[1].split("##")[0]
    assert set(re.findall(r"`([a-z_]+)`", listed)) == FUNCTIONS - BY_OTHER_NAMES


def test_every_key_of_a_rule_is_explained() -> None:
    table = PAGE.split("## The file")[1].split("A parameter stands")[0]
    explained = set(re.findall(r"`([a-z_]+)`", table))
    assert {field.alias or name for name, field in Rule.model_fields.items()} <= explained


def test_the_day_from_which_every_value_is_needed() -> None:
    assert str(LAW_FROM) in PAGE
