"""What screening of files found, as lines for its author: clear ID numbers put back, sentences made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from domain.calendar import CalendarError, add_working_days
from domain.explain import sentence
from domain.rules import RuleBook
from domain.whynot import Answer

Names = Mapping[str, str]
"""Keys of persons and households to the ID number and the household number that the files gave."""


def said(rows: list[dict[str, Any]], book: RuleBook, names: Names) -> Iterator[dict[str, Any]]:
    """The last that was said of each condition; ``rows`` as in hub.condition, in order."""
    begun: dict[str, date] = {}
    last: dict[str, dict[str, Any]] = {}
    for row in rows:
        begun.setdefault(row["condition_id"], row["as_of"])
        if row["state"] == "ended":
            begun.pop(row["condition_id"])
        last[row["condition_id"]] = row
    for name, row in last.items():
        rule = book.rules[row["rule"]]
        yield {
            "rule": rule.id,
            "title_zh": rule.title_zh,
            "title_en": rule.title_en,
            **_subject(row, names),
            "episode": row["episode"],
            "state": row["state"],
            "cause": row["cause"] or None,
            "superseded_by": row["superseded_by"] or None,
            "level": row["level"],
            "step": row["step"],
            "tier": row["tier"] or None,
            "division": row["division"] or None,
            "kind": row["kind"],
            "department": row["department"],
            "evidence": json.loads(row["evidence"]),
            "thresholds": json.loads(row["thresholds"]),
            "deadline_days": row["deadline_days"],
            "deadline": _deadline(begun.get(name), row["deadline_days"]),
            "explanation_zh": sentence(book, rule, row["evidence"], row["thresholds"], "zh"),
            "explanation_en": sentence(book, rule, row["evidence"], row["thresholds"], "en"),
        }


def unknown(rows: list[dict[str, Any]], names: Names) -> Iterator[dict[str, Any]]:
    """What nobody can say; ``rows`` as ``Trial.unknown_rows`` gives them."""
    for row in rows:
        yield {"rule": row["rule"], **_subject(row, names), "episode": row["episode"], "state": "unknown"}


def _subject(row: dict[str, Any], names: Names) -> dict[str, str | None]:
    person = row["subject_kind"] == "person"
    household = row["household_key"] if person else row["subject_key"]
    return {
        "id_number": names.get(row["subject_key"]) if person else None,
        "household": names.get(household or "") if household else None,
    }


def _deadline(begun: date | None, days: int) -> str | None:
    """The day until which somebody must have acted; None where nothing stands or no calendar knows the year."""
    if begun is None or not days:
        return None
    try:
        return add_working_days(begun, days).isoformat()
    except CalendarError:
        return None


def unmet(answer: Answer, rule: str, names: Names, *, person: bool) -> dict[str, Any]:
    """Why a rule does not stand for one row of its facts."""
    return {
        "rule": rule,
        "id_number": names.get(answer.subject) if person else None,
        "household": None if person else names.get(answer.subject),
        "episode": answer.episode,
        "unmet": [{"part": u.part, "condition": u.text, "unknown": u.unknown, "seen": u.seen} for u in answer.unmet],
        "silenced_by": list(answer.silenced_by),
    }
