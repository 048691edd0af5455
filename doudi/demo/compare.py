"""What stands in Redis against what should: missing, extra, duplicate, altered. Only reads Redis."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from doudi.demo.expected import Row
from wire.rediskeys import RedisKeys

AMOUNT = "self_pay_fen"
"""Evidence of the expenditure rules that is compared with the sum of the bills."""
RANK = {"yellow": 1, "orange": 2, "red": 3}


@dataclass(frozen=True)
class Standing:
    """What Redis shows: the index condition_id to case_id, every case, the unidentified records."""

    index: Mapping[str, str]
    cases: Mapping[str, Mapping[str, Any]]
    unidentified: int


@dataclass(frozen=True)
class Difference:
    """One disagreement, in words without personal data."""

    kind: str
    rule: str
    words: str

    def __str__(self) -> str:
        return f"{self.rule} {self.kind}: {self.words}"


@dataclass
class Comparison:
    """The result. A condition that stands with another level or amount is both missing and extra."""

    conditions: int = 0
    by_rule: dict[str, int] = field(default_factory=dict)
    alerts_open: int = 0
    tasks_open: int = 0
    unidentified: int = 0
    missing: int = 0
    extra: int = 0
    duplicates: int = 0
    differences: list[Difference] = field(default_factory=list)

    def note(self, kind: str, condition_id: str, words: str) -> None:
        """Remember a difference of a condition."""
        self.differences.append(Difference(kind, condition_id.split(":", 1)[0], f"{_masked(condition_id)} {words}"))


def read(client: Any, keys: RedisKeys) -> Standing:
    """Everything that stands, from Redis (a client that decodes to text or not)."""
    index = {_text(k): _text(v) for k, v in client.hgetall(keys.standing).items()}
    names = [_text(name) for name in client.scan_iter(match=keys.case("*"), count=5000)]
    cases: dict[str, Any] = {}
    for start in range(0, len(names), 1000):
        part = names[start : start + 1000]
        for name, value in zip(part, client.mget(part), strict=True):
            if value is not None:
                cases[name.rsplit(":", 1)[1]] = json.loads(value)
    return Standing(index, cases, int(client.hlen(keys.unidentified)))


def compare(expected: Mapping[str, Row], standing: Standing, unidentified: int) -> Comparison:
    """Compare; `unidentified` is the number of records without a usable ID that the departments hold."""
    result = Comparison(unidentified=standing.unidentified)
    shown = _shown(standing, result)
    for condition_id in expected.keys() - shown.keys():
        result.missing += 1
        result.note("missing", condition_id, _why_missing(condition_id, standing))
    for condition_id in shown.keys() - expected.keys():
        result.extra += 1
        result.note("extra", condition_id, "stands, and the departments' tables do not bear it out")
    for condition_id in expected.keys() & shown.keys():
        wrong = list(_wrong(expected[condition_id], *shown[condition_id]))
        if wrong:
            result.missing += 1
            result.extra += 1
            result.note("altered", condition_id, "; ".join(wrong))
    if standing.unidentified != unidentified:
        result.differences.append(
            Difference(
                "unidentified",
                "-",
                f"{standing.unidentified} in Redis, {unidentified} in the departments' tables",
            )
        )
    result.conditions = len(shown)
    result.by_rule = dict(sorted(Counter(name.split(":", 1)[0] for name in shown).items()))
    return result


Shown = tuple[Mapping[str, Any], Mapping[str, Any]]


def _shown(standing: Standing, result: Comparison) -> dict[str, Shown]:
    """condition_id to (condition, case) of everything that stands in an open case and in the index."""
    found: dict[str, Shown] = {}
    where: Counter[str] = Counter()
    for case_id, case in standing.cases.items():
        if case["state"] == "closed":
            continue
        if case["kind"] == "alert":
            result.alerts_open += 1
        else:
            result.tasks_open += 1
        up = [c for c in case["conditions"] if c["state"] == "standing"]
        for condition in up:
            where[condition["condition_id"]] += 1
            if standing.index.get(condition["condition_id"]) == case_id:
                found[condition["condition_id"]] = (condition, case)
        highest = max((c["level"] for c in up), key=lambda level: RANK.get(level, 0), default=case["level"])
        if highest != case["level"]:
            result.note(
                "altered",
                up[0]["condition_id"],
                f"its case says {case['level']}, the worst in it is {highest}",
            )
    for condition_id, times in where.items():
        if times > 1:
            result.duplicates += times - 1
            result.note("duplicate", condition_id, f"stands in {times} open cases")
        if condition_id not in standing.index:
            found.pop(condition_id, None)
            result.note("altered", condition_id, "stands in an open case that the index of standing does not name")
    for condition_id in standing.index.keys() - where.keys():
        result.extra += 1
        result.note("extra", condition_id, "is in the index of standing, and in no open case")
    return found


def _why_missing(condition_id: str, standing: Standing) -> str:
    if condition_id not in standing.index:
        held = [
            c["state"]
            for c in standing.cases.values()
            if any(x["condition_id"] == condition_id and x["state"] == "standing" for x in c["conditions"])
        ]
        return f"should stand and is in no index (cases holding it: {', '.join(held) or 'none'})"
    case = standing.cases.get(standing.index[condition_id])
    if case is None:
        return "should stand, and the case that the index names is not there"
    return f"should stand, and the case that the index names is {case['state']} without it standing"


def _wrong(right: Row, condition: Mapping[str, Any], case: Mapping[str, Any]) -> Iterator[str]:
    if condition["level"] != right.level:
        yield f"level {condition['level']} instead of {right.level}"
    if case["department"] != right.department:
        yield f"at {case['department']} instead of {right.department}"
    if case["kind"] != right.kind:
        yield f"is a {case['kind']} instead of a {right.kind}"
    if right.fen is not None:
        evidence = json.loads(condition["evidence"])
        if evidence.get(AMOUNT) != right.fen:
            yield f"amount {evidence.get(AMOUNT)} fen instead of {right.fen}"


def _masked(condition_id: str) -> str:
    """A name for a condition that says nothing about the person (the same condition, the same name)."""
    return hashlib.blake2b(condition_id.encode(), digest_size=4).hexdigest()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
