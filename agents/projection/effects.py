"""What records of hub topics mean for Redis. Pure: previous documents come in, commands go out."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from wire.rediskeys import STREAM_LENGTH, RedisKeys, prefixes

Command = list[str]
Document = dict[str, Any]

ANSWER_SECONDS = 86_400
_UNVERSIONED = ("refused", "repeated")
_STREAMED = ("case_id", "event", "kind", "department", "division", "level", "state", "version")


class CaseEffects:
    """Effects of records of hub.case, in the order of the log.

    ``documents``: what Redis holds of the cases (None: nothing). ``epoch``: the greatest owner's epoch
    seen before. ``now``: ms UTC, only to let answers of commands expire a day after they were given.
    """

    def __init__(self, keys: RedisKeys, documents: Mapping[str, Document | None], epoch: int, now: int) -> None:
        self._keys, self._now = keys, now
        self._before = dict(documents)
        self._after = dict(documents)
        self._stream: list[Command] = []
        self._answers: list[Command] = []
        self.epoch = epoch
        self.refused = 0

    def read(self, row: Document) -> None:
        """Take one record: the event as a dictionary with ``_offset``; instants in ms."""
        offset = row.pop("_offset")
        if row["event"] == "owner":
            self.epoch = max(self.epoch, offset)
            return
        if row["epoch"] < self.epoch:
            self.refused += 1  # of an owner that was replaced
            return
        self.epoch = row["epoch"]
        row["offset"] = offset
        if row["command_id"]:
            self._answer(row)
        known = self._after.get(row["case_id"])
        if row["event"] in _UNVERSIONED or (known is not None and known["version"] >= row["version"]):
            return  # says nothing new about the case, or was published twice
        self._after[row["case_id"]] = row
        entry = [x for name in _STREAMED for x in (name, str(row[name]))]
        self._stream.append(["XADD", self._keys.stream, "MAXLEN", "~", str(STREAM_LENGTH), f"{offset + 1}-0", *entry])

    def commands(self) -> list[Command]:
        """Everything read, as commands to be applied at once."""
        out: list[Command] = []
        added: Command = []
        removed: Command = []
        counts: dict[str, int] = {}
        for case_id, after in self._after.items():
            before = self._before.get(case_id)
            if after is None or after is before:
                continue
            out.append(["SET", self._keys.case(case_id), orjson.dumps(after).decode()])
            old, new = _inboxes(self._keys, before), _inboxes(self._keys, after)
            out += [["ZREM", key, case_id] for key in old if key not in new]
            out += [["ZADD", key, str(after["opened_at"]), case_id] for key in new if key not in old]
            was, now = _standing(before), _standing(after)
            removed += [c for c in was if c not in now]
            added += [x for c in now if c not in was for x in (c, case_id)]
            _count(counts, before, -1)
            _count(counts, after, 1)
        out += _many(["HDEL", self._keys.standing], removed)
        out += _many(["HSET", self._keys.standing], added)
        out += [["HINCRBY", self._keys.open, name, str(n)] for name, n in counts.items() if n]
        return out + self._stream + self._answers

    def _answer(self, row: Document) -> None:
        left = ANSWER_SECONDS * 1000 - (self._now - row["at"])
        if left <= 0:
            return
        answer = orjson.dumps(
            {
                "status": "refused" if row["refusal"] else "accepted",
                "refusal": row["refusal"],
                "case_id": row["case_id"],
                "version": row["version"],
            }
        ).decode()
        # The first answer stays: a key used for another case's command must not replace it.
        self._answers.append(["SET", self._keys.command(row["command_id"]), answer, "PX", str(left), "NX"])


def identities(keys: RedisKeys, rows: Iterable[Document]) -> list[Command]:
    """Effects of hub.identity: the vault's document of each person; a forgotten one has none."""
    out: list[Command] = []
    vault: list[str] = []
    for row in {row["person_key"]: row for row in rows}.values():
        name = keys.vault(row["person_key"])
        if not row["wrapped_key"]:
            out.append(["DEL", name])
            continue
        document = {
            "key_id": row["key_id"],
            "wrapped_key": base64.b64encode(row["wrapped_key"]).decode(),
            "sealed": base64.b64encode(row["sealed"]).decode(),
            "division": row["division"],
            "source": row["source"],
            "updated_at": row["updated_at"],
        }
        vault += (name, orjson.dumps(document).decode())
    return out + _many(["MSET"], vault)


def unidentified(keys: RedisKeys, rows: Iterable[Document]) -> list[Command]:
    """Effects of hub.unidentified: one field a record, gone when it is resolved."""
    latest = {f"{r['topic']}:{r['source']}:{r['record_id']}": r for r in rows}
    added = [x for f, r in latest.items() if r["state"] != "resolved" for x in (f, r["reason"])]
    removed = [f for f, r in latest.items() if r["state"] == "resolved"]
    return _many(["HDEL", keys.unidentified], removed) + _many(["HSET", keys.unidentified], added)


def quarantined(keys: RedisKeys, rows: Iterable[Document]) -> list[Command]:
    """Effects of hub.quarantine: counts by reason."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["reason"]] = counts.get(row["reason"], 0) + 1
    return [["HINCRBY", keys.quarantine, reason, str(n)] for reason, n in counts.items()]


def heartbeats(
    keys: RedisKeys, rows: Iterable[Document], documents: Mapping[tuple[str, str], Document | None]
) -> list[Command]:
    """Effects of hub.heartbeat: the newest of each feed."""
    latest = dict(documents)
    for row in rows:
        feed = (row["source"], row["topic"])
        known = latest.get(feed)
        if known is None or (known["source_epoch"], known["seq"]) < (row["source_epoch"], row["seq"]):
            latest[feed] = row
    return [
        ["SET", keys.heartbeat(*feed), orjson.dumps(row).decode()]
        for feed, row in latest.items()
        if row is not None and row is not documents.get(feed)
    ]


def _inboxes(keys: RedisKeys, case: Document | None) -> set[str]:
    if case is None:
        return set()
    kind, department, closed = case["kind"], case["department"], case["state"] == "closed"
    return {keys.inbox(kind, department, closed=closed, prefix=p) for p in prefixes(case["division"])}


def _standing(case: Document | None) -> set[str]:
    if case is None or case["state"] == "closed":
        return set()
    return {c["condition_id"] for c in case["conditions"] if c["state"] == "standing"}


def _count(counts: dict[str, int], case: Document | None, by: int) -> None:
    if case is not None and case["state"] not in ("closed", "held"):
        name = f"{case['kind']}:{case['department']}:{case['level']}"
        counts[name] = counts.get(name, 0) + by


def _many(command: Command, values: list[str]) -> list[Command]:
    """In parts that Lua can unpack."""
    return [[*command, *values[n : n + 1000]] for n in range(0, len(values), 1000)]
