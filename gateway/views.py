"""Cases as the API shows them: summary and detail, from the documents in Redis."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any

from domain.cases import OUTCOMES, Actor
from gateway.access import actions, saves_sheet, sees_whole
from gateway.explain import Explainer

LOCAL = timezone(timedelta(hours=8))


def today() -> date:
    """The local day (Asia/Shanghai)."""
    return datetime.now(LOCAL).date()


def summary(case: Mapping[str, Any], explainer: Explainer, day: date) -> dict[str, Any]:
    """A line of a list. No key of a person or household is in it."""
    said = {c["rule"]: c["rule_version"] for c in case["conditions"]}
    rules = [explainer.title(rule, version) for rule, version in said.items()]
    due = case["due_on"]
    extra = len(rules) - 1
    first = _leading(case)
    head = explainer.title(first["rule"], first["rule_version"]) if first else {"title_zh": "", "title_en": ""}
    return {
        "id": case["case_id"],
        "version": case["version"],
        "kind": case["kind"],
        "state": case["state"],
        "level": case["level"],
        "rule_class": case["rule_class"],
        "department": case["department"],
        "division": case["division"],
        "rules": rules,
        "subject_kind": case["subject_kind"],
        "opened_at": case["opened_at"],
        "updated_at": case["updated_at"],
        "due_on": due,
        "overdue": bool(due) and case["state"] != "closed" and date.fromisoformat(due) < day,
        "baseline": case["baseline"],
        "signed_by": case["signed_by"],
        "closed_by": case["closed_by"],
        "outcome": case["outcome"],
        "headline_zh": head["title_zh"] + (f"等{extra + 1}项" if extra else ""),
        "headline_en": head["title_en"] + (f" and {extra} more" if extra else ""),
    }


def detail(case: Mapping[str, Any], actor: Actor, explainer: Explainer, day: date) -> dict[str, Any]:
    """A case with its explanation and what this user may do with it now."""
    whole = sees_whole(actor)
    return {
        **summary(case, explainer, day),
        "conditions": [explainer.condition(c, whole=whole) for c in case["conditions"]],
        "outcomes": [{"code": o.code, "label_zh": o.label_zh, "label_en": o.label_en} for o in OUTCOMES[case["kind"]]],
        "actions": actions(actor, case),
        "sheet": saves_sheet(actor, case),
    }


def _leading(case: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The condition that the headline speaks of: one that stands, of the highest level, the latest."""
    order = {"red": 3, "orange": 2, "yellow": 1}
    held: list[Mapping[str, Any]] = case["conditions"]
    return max(held, key=lambda c: (c["state"] == "standing", order.get(c["level"], 0)), default=None)
