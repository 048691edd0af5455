"""Why a case exists, in words: sentences, facts and thresholds of its conditions from the rule book."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from domain.explain import Language, fact, sentence, shown, threshold
from domain.law import Law
from domain.rules import FIELD, RuleBook


class Known(Protocol):
    """What is known of the law now; ``today``: the rule book in force."""

    law: Law
    today: RuleBook


@dataclass(frozen=True, slots=True)
class Explainer:
    """Words for the conditions of cases, by the version of the rule that decided.

    ``laws``: what is known of the law now. ``secret``: key of the opaque ids that stand for condition ids.
    """

    laws: Known
    secret: bytes

    def title(self, rule_id: str, version: int) -> dict[str, str]:
        """Id and titles of a rule as a version said them; a rule that nobody knows keeps its id."""
        rule = self.laws.law.rule(rule_id, version)
        return {
            "id": rule_id,
            "title_zh": rule.title_zh if rule else rule_id,
            "title_en": rule.title_en if rule else rule_id,
        }

    def legal(self, rule_id: str, version: int) -> list[dict[str, str]]:
        """The legal sources of a rule as a version named them."""
        rule = self.laws.law.rule(rule_id, version)
        return (
            [] if rule is None else [{"text_zh": s.text_zh, "text_en": s.text_en, "ref": s.ref} for s in rule.sources]
        )

    def condition(self, held: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
        """A condition of a case as the console shows it. No key of a person or household is in it.

        Unless ``whole``, no record, and of the facts those alone that the rule's purpose names; where its sentence
        tells others, its title stands instead.
        """
        evidence = orjson.loads(held["evidence"] or b"{}")
        thresholds = orjson.loads(held["thresholds"] or b"{}")
        book, rule = self.laws.today, self.laws.law.rule(held["rule"], held["rule_version"])
        titles = self.title(held["rule"], held["rule_version"])
        records = orjson.loads(held["records"] or b"[]") if whole else []
        if not whole:
            evidence = {n: v for n, v in evidence.items() if rule and n in rule.purpose_fields}
        hidden = set() if whole or rule is None else {*rule.evidence} - {*rule.purpose_fields}

        def said(language: Language) -> str:
            if rule is None or hidden.intersection(FIELD.findall(getattr(rule.explain, language))):
                return titles[f"title_{language}"]
            return sentence(book, rule, evidence, thresholds, language)

        return {
            "condition_id": self.opaque(held["condition_id"]),
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
            "tier_zh": shown(held["tier"] or "none", "tier", "zh"),
            "tier_en": shown(held["tier"] or "none", "tier", "en"),
            "episode": held["episode"] if whole else "",
            "as_of": held["as_of"],
            "facts": [fact(book, n, v) for n, v in evidence.items() if not n.endswith("_key")],
            "thresholds": [_threshold(book, n, v) for n, v in thresholds.items()],
            "legal": self.legal(held["rule"], held["rule_version"]),
            "records": [{k: r.get(k) for k in ("topic", "partition", "offset", "record_id")} for r in records],
            "sentence_zh": said("zh"),
            "sentence_en": said("en"),
        }

    def opaque(self, condition_id: str) -> str:
        """What stands for a condition's id, which holds a key."""
        return hashlib.blake2b(condition_id.encode(), digest_size=12, key=self.secret).hexdigest()


def _threshold(book: RuleBook, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **threshold(book, name, found.get("value")),
        "from": found.get("from"),
        "region": found.get("region"),
        "source": found.get("source"),
        "source_zh": found.get("source_zh"),
        "source_en": found.get("source_en"),
        "product_default": bool(found.get("product_default")),
    }
