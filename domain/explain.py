"""Sentences of an explanation, built from the rule's own text, the evidence and the thresholds of a decision."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from domain.parameters import Parameter, Words
from domain.rules import FIELD, Column, Rule, RuleBook
from domain.tiers import TITLES
from domain.whynot import Checked

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
    "employee_pension": ("企业职工基本养老保险", "pension insurance of employees"),
    "public_pension": ("机关事业单位养老保险", "pension insurance of the public sector"),
    "unemployment": ("失业保险", "unemployment insurance"),
    "injury": ("工伤保险", "work injury insurance"),
    "safe": ("安全", "safe"),
    "basic": ("基本安全", "basically safe"),
    "unsafe": ("不安全", "unsafe"),
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
_THEN: dict[Language, str] = {"zh": "；", "en": "; "}
_COLON: dict[Language, str] = {"zh": "：", "en": ": "}
_UNKNOWN: dict[Language, str] = {"zh": "未知", "en": "unknown"}
_NAME = re.compile(r"'[^']*'|\b[A-Za-z][A-Za-z0-9_]*\b")
_JOINED = {"not": "非", "and": "且", "or": "或"}


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


def fact(book: RuleBook, name: str, value: Any) -> dict[str, Any]:
    """A fact as people read it: name, label_zh, label_en, value, text (Chinese), text_en."""
    column = book.columns.get(name)
    return _labelled(name, column.title if column else None, value, column.unit if column else "")


def threshold(book: RuleBook, name: str, value: Any) -> dict[str, Any]:
    """A value of a parameter as people read it, in the same shape."""
    parameter = book.parameters.get(name.partition("(")[0])
    return _labelled(name, parameter.title if parameter else None, value, parameter.unit if parameter else "")


def _labelled(name: str, title: Words | None, value: Any, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "label_zh": title.zh if title else name,
        "label_en": title.en if title else name,
        "value": value,
        "text": shown(value, unit, "zh"),
        "text_en": shown(value, unit, "en"),
    }


def unmet(book: RuleBook, condition: Checked, language: Language) -> str:
    """A condition that fails or that nobody can say, in the titles of what it looks at, with their values."""

    def known(name: str) -> Column | Parameter | None:
        return book.columns.get(name) or book.parameters.get(name)

    def titled(word: str) -> str:
        if found := known(word):
            return str(getattr(found.title, language))
        if word.lower() in _JOINED:
            return _JOINED[word.lower()] if language == "zh" else word.lower()
        return word

    def valued(name: str, value: Any) -> str:
        found = known(name.partition("(")[0])
        text = _UNKNOWN[language] if value is None else shown(value, found.unit if found else "", language)
        return f"{titled(name.partition('(')[0])}{_COLON[language]}{text}"

    text = _NAME.sub(lambda m: titled(m[0]), condition.text)
    seen = _THEN[language].join(valued(name, value) for name, value in condition.seen.items())
    if language == "zh":
        return f"{'无法确认' if condition.unknown else '不符合'}“{text}”（{seen}）"
    return f"{'nobody can say' if condition.unknown else 'not met'} “{text}” ({seen})"


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
