"""Sentences of an explanation, built from the rule's own text, the evidence and the thresholds of a decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from domain.rulelint import FIELD
from domain.rules import Rule, RuleBook
from domain.tiers import TITLES

Language = Literal["zh", "en"]
_WORDS = {
    "zh": {
        "dibao": "低保金",
        "tekun": "特困供养金",
        "living_subsidy": "困难残疾人生活补贴",
        "care_subsidy": "护理补贴",
        "temporary_aid": "临时救助",
        "medical_aid": "医疗救助",
        "funeral_subsidy": "丧葬补贴",
    },
    "en": {
        "dibao": "living allowance",
        "tekun": "state care",
        "living_subsidy": "living subsidy",
        "care_subsidy": "care subsidy",
        "temporary_aid": "temporary aid",
        "medical_aid": "medical aid",
        "funeral_subsidy": "funeral subsidy",
    },
}


def sentence(
    book: RuleBook,
    rule: Rule,
    evidence: Mapping[str, Any] | str,
    thresholds: Mapping[str, Any] | str,
    language: Language,
) -> str:
    """The rule's sentence with the values of a decision put in.

    ``evidence`` and ``thresholds`` as in hub.condition: JSON objects, or their text.
    """
    facts: dict[str, Any] = json.loads(evidence) if isinstance(evidence, str) else dict(evidence)
    lines: dict[str, Any] = json.loads(thresholds) if isinstance(thresholds, str) else dict(thresholds)

    def put(name: str) -> str:
        if name in lines:
            return shown(lines[name]["value"], book.parameters[name].unit, language)
        column = book.columns.get(name)
        return shown(facts.get(name), column.unit if column else "", language)

    return FIELD.sub(lambda m: put(m[1]), getattr(rule.explain, language))


def shown(value: Any, unit: str, language: Language) -> str:
    """A value as people read it: money in yuan, tiers and benefits by title, nothing as a dash."""
    if value is None or value in ("", []):
        return "无" if language == "zh" else "none"
    if isinstance(value, list):
        return ("、" if language == "zh" else ", ").join(shown(v, unit, language) for v in value)
    if isinstance(value, bool):
        return {"zh": ("否", "是"), "en": ("no", "yes")}[language][value]
    if unit == "fen":
        return f"{value / 100:,.2f}元" if language == "zh" else f"{value / 100:,.2f} yuan"
    if unit in ("tier", "tiers") and value in TITLES:
        return TITLES[value][0 if language == "zh" else 1]
    return _WORDS[language].get(str(value), str(value))
