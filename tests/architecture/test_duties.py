"""docs/duties.md names every rule, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from domain.rules import load

PAGE = (Path(__file__).parents[2] / "docs" / "duties.md").read_text(encoding="utf-8")
ID = re.compile(r"\b[RH][0-9]{2}[A-Z]?\b")


def test_the_table_is_the_rule_book() -> None:
    there, missing = PAGE.split("## Not yet")
    assert set(ID.findall(there)) == set(load().rules)
    assert not set(ID.findall(missing)) & set(load().rules)


def test_every_numbered_rule_is_there_or_said_to_be_missing() -> None:
    named = {name[:3] for name in ID.findall(PAGE)}
    assert {f"R{n:02}" for n in range(1, 43)} <= named
