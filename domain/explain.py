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
    "dibao": ("最低生活保障", "minimum living allowance"),
    "tekun": ("特困人员救助供养", "care for destitute persons"),
    "temporary_aid": ("临时救助", "temporary aid"),
    "medical_aid": ("医疗救助", "medical aid"),
    "living_subsidy": ("困难残疾人生活补贴", "living subsidy for disabled persons"),
    "care_subsidy": ("重度残疾人护理补贴", "care subsidy for severely disabled persons"),
    "funeral_subsidy": ("丧葬补贴", "funeral subsidy"),
    "accident": ("事故", "accident"),
    "disaster": ("灾害", "disaster"),
    "preschool": ("学前教育", "preschool"),
    "primary": ("小学", "primary school"),
    "junior": ("初中", "junior secondary school"),
    "senior": ("普通高中", "senior secondary school"),
    "vocational": ("中等职业学校", "vocational school"),
    "higher": ("高等教育", "higher education"),
    "enrolled": ("在校", "enrolled"),
    "left": ("离校", "left"),
    "owned": ("自有住房", "owned"),
    "rented": ("租赁住房", "rented"),
    "lodging": ("借住", "lodging with others"),
    "homeless": ("无房", "without a home"),
    "vehicle": ("车辆", "a vehicle"),
    "property": ("房产", "real property"),
    "business": ("经营主体", "a business"),
    "fund": ("住房公积金", "a housing fund"),
    "post": ("财政供养", "a public post"),
    "tax": ("纳税记录", "tax records"),
}
_UNITS = {
    "fen": ("元", " yuan"),
    "days": ("天", " days"),
    "working_days": ("个工作日", " working days"),
    "months": ("个月", " months"),
    "grade": ("级", ""),
    "steps": ("倍", " times"),
    "percent": ("%", "%"),
    "area": ("平方米", " m²"),
}
_YES_NO = {True: ("是", "yes"), False: ("否", "no")}
_NOTHING = ("无", "none")
_BETWEEN = ("、", ", ")


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
            parameter = book.parameters.get(name)
            return shown(lines[name].get("value"), parameter.unit if parameter else "", language)
        column = book.columns.get(name)
        return shown(facts.get(name), column.unit if column else "", language)

    return FIELD.sub(lambda m: put(m[1]), getattr(rule.explain, language))


def shown(value: Any, unit: str, language: Language) -> str:
    """A value for people: money in yuan, area in m², tiers and benefits by title, units in words, nothing as 无."""
    place = 0 if language == "zh" else 1
    if value is None or value in ("", []):
        return _NOTHING[place]
    if isinstance(value, list):
        return _BETWEEN[place].join(shown(v, unit, language) for v in value)
    if isinstance(value, bool):
        return _YES_NO[value][place]
    if unit in ("tier", "tiers") and value in TITLES:
        return TITLES[value][place]
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value][place]
    if unit == "grade" and language == "en":
        return f"grade {value}"
    text = f"{value / 100:,.2f}" if unit in ("fen", "area") else str(value)
    return text + _UNITS.get(unit, ("", ""))[place]
