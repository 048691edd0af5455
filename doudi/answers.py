"""Answers to questions as people read them in a terminal, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from domain.explain import threshold
from domain.rules import RuleBook

_MET = {True: "✓", False: "✗", None: "?"}
_DECIDED = {
    "standing": ("成立", "standing"),
    "unknown": ("无法判断", "nobody can say"),
    "nothing": ("不成立", "not standing"),
}


def explanation(book: RuleBook, answer: Mapping[str, Any]) -> Iterator[str]:
    """Lines of an answer to explain (see ``domain.questions.explain``)."""
    yield from _head(answer)
    yield f"  {answer['episode']}"
    zh, en = _DECIDED[answer["decided"]]
    same = ("按现有记录重算一致", "and so it follows from the records now")
    other = ("与现有记录重算不一致", "which does not follow from the records now")
    same_zh, same_en = same if answer["agrees"] else other
    yield f"{zh}，{same_zh}｜{en}, {same_en}"
    if answer["stands"]:
        yield f"  {answer['level']}, step {answer['step']}"
        yield f"  {answer['sentence_zh']}"
        yield f"  {answer['sentence_en']}"
    yield from _conditions(answer["conditions"])
    yield from _silenced(answer["silenced_by"])
    if answer["thresholds"]:
        yield "标准｜Thresholds"
    for name, found in answer["thresholds"].items():
        said = threshold(book, name, found["value"])
        yield f"  {said['label_zh']} {said['text']}｜{said['label_en']}: {said['text_en']}"
        since = f"{found['from']} {found['region']}".rstrip()
        yield f"    {since} {found['source_zh']}｜{found['source_en']} {found['source']}".rstrip()
    if answer["records"]:
        yield "依据的记录｜Records"
    for record in answer["records"]:
        yield f"  {record['topic']}-{record['partition']} @{record['offset']} {record['record_id']}"
    yield from _legal(answer)


def reasons(answer: Mapping[str, Any]) -> Iterator[str]:
    """Lines of an answer to why_not (see ``domain.questions.why_not``)."""
    yield from _head(answer)
    if not answer["rows"]:
        needs = ", ".join(answer["needs"])
        yield f"没有该规则可用的记录，所需：{needs}｜There is no record that the rule could look at; it needs {needs}"
    for row in answer["rows"]:
        zh, en = ("成立", "stands") if row["stands"] else ("不成立", "does not stand")
        yield f"{row['episode']}: {zh}｜{en}"
        yield from _conditions(row["conditions"])
        yield from _silenced(row["silenced_by"])
    yield from _legal(answer)


def _head(answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"{answer['rule']} {answer['title_zh']}｜{answer['title_en']} (v{answer['rule_version']})"
    yield f"  {answer['subject_kind']} {answer['subject_key']}, {answer['as_of']}"


def _conditions(conditions: list[dict[str, Any]]) -> Iterator[str]:
    for found in conditions:
        yield f"  {_MET[found['met']]} {found['text_zh']}｜{found['text_en']}"
        seen = found["seen"]
        if seen:
            zh = "，".join(f"{s['label_zh']} {s['text']}" for s in seen)
            en = ", ".join(f"{s['label_en']}: {s['text_en']}" for s in seen)
            yield f"      {zh}｜{en}"
        otherwise = found["otherwise"]
        if otherwise:
            yield f"      → 若{otherwise['zh']}则不同｜it would be otherwise with: {otherwise['en']}"


def _silenced(rules: list[str]) -> Iterator[str]:
    if rules:
        names = ", ".join(rules)
        yield f"  已有 {names}，本规则不再提示｜silenced by {names}, which stands"


def _legal(answer: Mapping[str, Any]) -> Iterator[str]:
    yield "依据｜Sources"
    for source in answer["legal"]:
        yield f"  {source['text_zh']}｜{source['text_en']} ({source['ref']})"
