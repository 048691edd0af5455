"""What case events mean for Redis: lists, standing conditions, counts, stream, answers."""

from __future__ import annotations

from typing import Any

from agents.projection.effects import CaseEffects, identities
from wire.rediskeys import RedisKeys

KEYS = RedisKeys("t.")


def event(offset: int, version: int, **changes: Any) -> dict[str, Any]:
    row = {
        "_offset": offset,
        "event": "opened",
        "case_id": "c1",
        "version": version,
        "epoch": 5,
        "kind": "alert",
        "department": "civil",
        "division": "990101001001",
        "level": "orange",
        "state": "open",
        "opened_at": 10,
        "at": 1000,
        "command_id": "",
        "refusal": "",
        "conditions": [{"condition_id": "k1", "state": "standing"}],
    }
    return {**row, **changes}


def names(commands: list[list[str]], command: str) -> list[list[str]]:
    return [c[1:] for c in commands if c[0] == command]


def run(*rows: dict[str, Any], before: dict[str, Any] | None = None, epoch: int = -1) -> tuple[CaseEffects, Any]:
    effects = CaseEffects(KEYS, {"c1": before}, epoch, now=2000)
    for row in rows:
        effects.read(row)
    return effects, effects.commands()


def test_an_opened_case_is_listed_at_every_level() -> None:
    _, commands = run(event(7, 1))
    assert len(names(commands, "ZADD")) == 6
    assert names(commands, "HSET") == [["t.d:standing", "k1", "c1"]]
    assert names(commands, "HINCRBY") == [["t.d:open", "alert:civil:orange", "1"]]
    assert names(commands, "XADD")[0][4] == "8-0"


def test_closing_moves_it_and_counts_it_out() -> None:
    first = event(7, 1)
    first.pop("_offset")
    _, commands = run(event(8, 2, event="closed", state="closed"), before=first)
    assert len(names(commands, "ZREM")) == len(names(commands, "ZADD")) == 6
    assert names(commands, "HDEL") == [["t.d:standing", "k1"]]
    assert names(commands, "HINCRBY") == [["t.d:open", "alert:civil:orange", "-1"]]


def test_what_was_published_twice_counts_once() -> None:
    _, commands = run(event(7, 1), event(8, 1))
    assert len(names(commands, "XADD")) == 1
    assert names(commands, "HINCRBY") == [["t.d:open", "alert:civil:orange", "1"]]


def test_a_replaced_owner_is_refused() -> None:
    effects, commands = run(event(9, 0, event="owner", epoch=0), event(10, 1, epoch=5))
    assert (effects.refused, effects.epoch, commands) == (1, 9, [])


def test_a_refusal_is_an_answer_and_nothing_else() -> None:
    _, commands = run(event(7, 1, event="refused", command_id="x", refusal="version_conflict"))
    ((key, answer, unit, left, once),) = names(commands, "SET")
    assert (key, unit, once) == ("t.d:cmd:x", "PX", "NX")
    assert '"refused"' in answer
    assert int(left) == 86_400_000 - 1000
    assert len(commands) == 1


def test_a_forgotten_person_leaves_the_vault() -> None:
    row = {"person_key": "p", "wrapped_key": b"w", "sealed": b"s", "key_id": "k"}
    row |= {"division": "99", "source": "test", "updated_at": 1}
    ((kept, name, document),) = identities(KEYS, [row])
    assert (kept, name) == ("MSET", "t.d:vault:p")
    assert '"wrapped_key":"dw=="' in document
    assert identities(KEYS, [row, {**row, "wrapped_key": b"", "sealed": b""}]) == [["DEL", "t.d:vault:p"]]
