"""Why a case exists, in words: sentences, facts and thresholds of its conditions from the rule book."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from domain.rules import RuleBook
from domain.tiers import TITLES

Language = str
_FIELD = re.compile(r"\{([a-z_0-9]+)\}")
_BENEFITS = {
    "dibao": ("最低生活保障", "minimum living allowance"),
    "tekun": ("特困人员救助供养", "care for destitute persons"),
    "temporary_aid": ("临时救助", "temporary aid"),
    "medical_aid": ("医疗救助", "medical aid"),
    "living_subsidy": ("困难残疾人生活补贴", "living subsidy for disabled persons"),
    "care_subsidy": ("重度残疾人护理补贴", "care subsidy for severely disabled persons"),
    "funeral_subsidy": ("丧葬补贴", "funeral subsidy"),
}
_UNITS: dict[str, tuple[str, str]] = {
    "days": ("天", " days"),
    "working_days": ("个工作日", " working days"),
    "months": ("个月", " months"),
    "grade": ("级", ""),
    "year": ("", ""),
    "steps": ("倍", " times"),
}
_YES_NO = {True: ("是", "yes"), False: ("否", "no")}
_UNKNOWN = ("不详", "unknown")


@dataclass(frozen=True, slots=True)
class Explainer:
    """Words for the conditions of cases. ``secret``: key of the opaque ids that stand for condition ids."""

    rules: RuleBook
    secret: bytes

    def title(self, rule_id: str) -> dict[str, str]:
        """Id and titles of a rule; a rule that the book no longer has keeps its id."""
        rule = self.rules.rules.get(rule_id)
        return {
            "id": rule_id,
            "title_zh": rule.title_zh if rule else rule_id,
            "title_en": rule.title_en if rule else rule_id,
        }

    def legal(self, rule_id: str) -> list[dict[str, str]]:
        """The legal sources of a rule."""
        rule = self.rules.rules.get(rule_id)
        return (
            [] if rule is None else [{"text_zh": s.text_zh, "text_en": s.text_en, "ref": s.ref} for s in rule.sources]
        )

    def condition(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """A condition of a case as the console shows it. No key of a person or household is in it."""
        evidence = orjson.loads(held["evidence"] or b"{}")
        thresholds = orjson.loads(held["thresholds"] or b"{}")
        titles = self.title(held["rule"])
        return {
            "condition_id": self._opaque(held["condition_id"]),
            "rule": held["rule"],
            "rule_version": held["rule_version"],
            "title_zh": titles["title_zh"],
            "title_en": titles["title_en"],
            "state": held["state"],
            "cause": held["cause"],
            "superseded_by": held["superseded_by"],
            "level": held["level"],
            "step": held["step"],
            "tier": held["tier"],
            "tier_zh": _tier(held["tier"], 0),
            "tier_en": _tier(held["tier"], 1),
            "episode": held["episode"],
            "as_of": held["as_of"],
            "facts": [self._fact(n, v) for n, v in evidence.items() if not n.endswith("_key")],
            "thresholds": [self._threshold(n, v) for n, v in thresholds.items()],
            "legal": self.legal(held["rule"]),
            "records": [
                {k: r.get(k) for k in ("topic", "partition", "offset", "record_id")}
                for r in orjson.loads(held["records"] or b"[]")
            ],
            "sentence_zh": self.sentence(held["rule"], evidence, thresholds, 0),
            "sentence_en": self.sentence(held["rule"], evidence, thresholds, 1),
        }

    def sentence(self, rule_id: str, evidence: Mapping[str, Any], thresholds: Mapping[str, Any], language: int) -> str:
        """The rule's explanation with its values. ``language``: 0 Chinese, 1 English."""
        rule = self.rules.rules.get(rule_id)
        if rule is None:
            return rule_id

        def shown(match: re.Match[str]) -> str:
            name = match[1]
            if name in thresholds:
                return self._text(thresholds[name].get("value"), self._parameter_unit(name), language)
            return self._text(evidence.get(name), self._unit(name), language)

        return _FIELD.sub(shown, rule.explain.zh if language == 0 else rule.explain.en)

    def _fact(self, name: str, value: Any) -> dict[str, Any]:
        column = self.rules.columns.get(name)
        unit = self._unit(name)
        return {
            "name": name,
            "label_zh": column.title.zh if column else name,
            "label_en": column.title.en if column else name,
            "value": value,
            "text": self._text(value, unit, 0),
            "text_en": self._text(value, unit, 1),
        }

    def _threshold(self, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
        parameter = self.rules.parameters.get(name)
        unit = self._parameter_unit(name)
        return {
            "name": name,
            "label_zh": parameter.title.zh if parameter else name,
            "label_en": parameter.title.en if parameter else name,
            "value": found.get("value"),
            "text": self._text(found.get("value"), unit, 0),
            "text_en": self._text(found.get("value"), unit, 1),
            "from": found.get("from"),
            "region": found.get("region"),
            "source": found.get("source"),
            "source_zh": found.get("source_zh"),
            "source_en": found.get("source_en"),
            "product_default": bool(found.get("product_default")),
        }

    def _unit(self, name: str) -> str:
        column = self.rules.columns.get(name)
        return column.unit if column else ""

    def _parameter_unit(self, name: str) -> str:
        parameter = self.rules.parameters.get(name)
        return parameter.unit if parameter else ""

    def _text(self, value: Any, unit: str, language: int) -> str:
        if value is None:
            return _UNKNOWN[language]
        if isinstance(value, bool):
            return _YES_NO[value][language]
        if isinstance(value, list):
            return ("、", ", ")[language].join(self._text(v, unit, language) for v in value) or (
                "无",
                "none",
            )[language]
        if unit == "fen":
            return f"{value / 100:,.2f}" + ("元", " yuan")[language]
        if unit in ("tier", "tiers"):
            return _tier(str(value), language)
        if unit == "grade" and language == 1:
            return f"grade {value}"
        if isinstance(value, str) and value in _BENEFITS:
            return _BENEFITS[value][language]
        return f"{value}{_UNITS.get(unit, ('', ''))[language]}"

    def _opaque(self, condition_id: str) -> str:
        return hashlib.blake2b(condition_id.encode(), digest_size=12, key=self.secret).hexdigest()


def _tier(tier: str, language: int) -> str:
    return TITLES.get(tier or "none", (tier, tier))[language]
