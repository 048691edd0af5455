"""Why, and why not: questions about a case that the workers answer from their state (docs/explain.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Protocol, TypeVar

from domain.divisions import Reach
from domain.questions import DUE_FIRST
from domain.roster import together
from domain.rulefiles import meant
from domain.rules import RuleBook
from gateway.errors import Problem
from gateway.explain import Explainer
from wire.asking import Answered, Question, ask, ask_all
from wire.errors import NoAnswer, WireError
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger("doudi.gateway")

T = TypeVar("T")

WAIT_S = 10.0
AT_ONCE = 4
"""So many questions are under way at a time; each has a reader of its own. Further ones wait their turn."""


class Asking(Protocol):
    """Hands a question to the workers."""

    async def ask(self, question: Question) -> Answered:
        """The answer. Raises Problem no_answer, unavailable."""

    async def ask_all(self, question: Question) -> list[Answered]:
        """An answer of every partition. Raises Problem no_answer, unavailable."""


class KafkaAsking:
    """An `Asking` over hub.question and hub.answer."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings, self._registry = settings, registry
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask(self, question: Question) -> Answered:
        """Ask in a thread and wait."""
        return await self._turn(ask, question)

    async def ask_all(self, question: Question) -> list[Answered]:
        """Ask everybody in a thread and wait."""
        return await self._turn(ask_all, question)

    async def _turn(self, how: Callable[[Settings, Registry, Question, float], T], question: Question) -> T:
        async with self._turns:
            try:
                return await asyncio.to_thread(how, self._settings, self._registry, question, WAIT_S)
            except NoAnswer as error:
                raise Problem("no_answer", str(error)) from error
            except WireError as error:
                log.warning("a question could not be asked: %s", type(error).__name__)
                raise Problem("unavailable") from error


async def why(asking: Asking, explainer: Explainer, case: Mapping[str, Any], opaque: str | None) -> dict[str, Any]:
    """Why a condition of the case stands, worked out anew. ``opaque``: its id as the case shows it; else the first.

    Raises Problem not_found, unanswerable, no_answer, unavailable.
    """
    for held in case["conditions"]:
        if opaque in (None, explainer.opaque(held["condition_id"])):
            question = Question("explain", held["subject_kind"], held["subject_key"], held["rule"], held["episode"])
            return {"condition_id": explainer.opaque(held["condition_id"]), **_shown(await asking.ask(question))}
    raise Problem("not_found")


async def why_not(
    asking: Asking, rules: RuleBook, case: Mapping[str, Any], rule_id: str, day: date | None
) -> dict[str, Any]:
    """Why a rule does not stand for the person of the case, or for the household.

    Raises Problem bad_request for a rule without a subject here; unanswerable, no_answer, unavailable.
    """
    rule = rules.rules.get(rule_id)
    if rule is None:
        hint = meant(rule_id, rules.rules)
        raise Problem("bad_request", f"没有规则{rule_id}｜there is no rule {rule_id}{hint}")
    kind, key = (
        ("household", case["household_key"])
        if rule.subject == "household"
        else (case["subject_kind"], case["subject_key"])
    )
    if kind != rule.subject or not key:
        raise Problem(
            "bad_request",
            f"该事项没有{rule_id}所针对的对象｜{rule_id} is about a {rule.subject}, and this case knows of none",
        )
    return _shown(await asking.ask(Question("why_not", kind, key, rule_id, day=day)))


async def calendar(asking: Asking, division: str, place: Reach, until: date) -> dict[str, Any]:
    """Which entries of the roster in a place are to be re-certified when, of all partitions together.

    ``place``: what the division reaches. ``counts``: month, tier, town and entries, overdue first, undated last.
    ``entries``: those due first, without anybody's key. Raises Problem unanswerable, no_answer, unavailable.
    """
    answers = [content_of(a) for a in await asking.ask_all(Question("calendar", "division", place.text, "", day=until))]
    entries = [entry for answer in answers for entry in answer["entries"]]
    entries.sort(key=lambda e: (e["due_on"] is None, e["due_on"], e["entry"], e["why"]))
    return {
        "on": max(answer["on"] for answer in answers),
        "until": until.isoformat(),
        "division": division,
        "counts": [
            {"month": month, "tier": tier, "town": town, "entries": n}
            for month, tier, town, n in together([row for answer in answers for row in answer["counts"]])
        ],
        "entries": entries[:DUE_FIRST],
    }


def content_of(answered: Answered) -> dict[str, Any]:
    """What was answered. Raises Problem unanswerable."""
    if answered.problem:
        raise Problem("unanswerable", f"{answered.content['zh']}｜{answered.content['en']}")
    return answered.content


def _shown(answered: Answered) -> dict[str, Any]:
    """An answer without keys of persons and households. Raises Problem unanswerable."""
    shown: dict[str, Any] = _without_keys(content_of(answered))
    return shown


def _without_keys(said: Any) -> Any:
    """Leave out what is named ``…_key``, as a member or as a fact, at any depth; and the evidence, shown as facts."""
    if isinstance(said, dict):
        return {n: _without_keys(v) for n, v in said.items() if not n.endswith("_key") and n != "evidence"}
    if isinstance(said, list):
        named = [x for x in said if not (isinstance(x, dict) and str(x.get("name", "")).endswith("_key"))]
        return [_without_keys(x) for x in named]
    return said
