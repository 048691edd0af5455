"""Makers of conditions and commands for the casework tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.cases import Command, Condition, Policy

T0 = int(datetime(2026, 3, 2, 1, 0, tzinfo=UTC).timestamp() * 1000)
ALL_CAUSES = frozenset({"fulfilled", "corrected", "superseded", "lapsed"})

STANDING = Condition(
    offset=0,
    condition_id="R01:a:2026",
    standing=True,
    rule="R01",
    rule_version=1,
    subject_kind="person",
    subject_key="a",
    episode="2026",
    household_key="h1",
    division="990101001001",
    tier="tekun",
    rule_class="entry",
    kind="alert",
    department="civil",
    level="orange",
    step=1,
    deadline_days=5,
    cause="",
    superseded_by="",
    evidence='{"self_pay_fen":150000}',
    thresholds="{}",
    records="[]",
    baseline=False,
    as_of=date(2026, 3, 2),
    caused_at=T0 - 500,
    decided_at=T0,
)


@pytest.fixture
def policy() -> Policy:
    """Every cause closes, and every day is a working day."""
    rules = ("R01", "R02", "R09", "R32", "H01")
    return Policy(
        due=lambda day, n: day + timedelta(days=n), closes=lambda rule, _: ALL_CAUSES if rule in rules else ()
    )


@pytest.fixture
def condition() -> Callable[..., Condition]:
    """A standing R01 of person a; name what differs. ``condition_id`` follows rule, subject and episode."""

    def make(offset: int, **changes: object) -> Condition:
        made = replace(STANDING, offset=offset, decided_at=T0 + offset * 1000, **changes)  # type: ignore[arg-type]
        return replace(made, condition_id=f"{made.rule}:{made.subject_key}:{made.episode}")

    return make


@pytest.fixture
def task(condition: Callable[..., Condition]) -> Callable[..., Condition]:
    """A standing R09 for medical."""

    def make(offset: int, **changes: object) -> Condition:
        fields: dict[str, object] = {
            "rule": "R09",
            "kind": "task",
            "department": "medical",
            "rule_class": "entitlement",
            "episode": "entry-1",
            "level": "yellow",
            "step": 0,
        }
        return condition(offset, **{**fields, **changes})

    return make


@pytest.fixture
def command() -> Callable[..., Command]:
    """A township's command."""

    def make(offset: int, case_id: str, version: int, **changes: object) -> Command:
        made = Command(
            offset=offset,
            command_id=f"c{offset}",
            case_id=case_id,
            expected_version=version,
            command="sign",
            outcome="",
            actor="wang",
            role="township",
            department="civil",
            division="990101001",
            at=T0 + 60_000 + offset,
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    return make
