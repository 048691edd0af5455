"""Commands: from a request to hub.command and back as casework's answer in Redis."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from domain.cases import Actor
from gateway.client import Client
from gateway.errors import TABLE, Problem
from gateway.outgoing import Outgoing
from wire.rediskeys import RedisKeys

KEPT_S = 86_400
"""So long a repeated key gets the same answer."""
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command: pending, accepted or refused."""

    command_id: str
    status: str = "pending"
    refusal: str = ""
    case_id: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """Cases for one command, each with the version that was listed. ``more``: whether others are left."""

    cases: list[tuple[str, int]]
    more: bool


@dataclass(frozen=True, slots=True)
class Orders:
    """Sends commands. ``wait_s``: how long a request waits for the answer."""

    redis: Client
    keys: RedisKeys
    outgoing: Outgoing
    wait_s: float

    async def send(
        self, actor: Actor, case: Mapping[str, Any], command: str, outcome: str, expected: int, key: str
    ) -> Answer:
        """Send once (a wish that was answered before under its key is not sent again) and wait for the answer.

        Raises Problem for a refusal, or unavailable where Kafka has not taken the command.
        """
        command_id = command_id_of(actor, key, command, expected, outcome)
        answer = await self.answer(command_id)
        if answer.status == "pending":
            await self._publish(actor, str(case["case_id"]), command, outcome, expected, command_id)
            answer = await self._wait(command_id)
        if answer.status != "pending" and answer.case_id != case["case_id"]:
            raise Problem("key_reused")
        if answer.status == "refused":
            raise Problem(answer.refusal if answer.refusal in TABLE else "bad_command")
        return answer

    async def tell(
        self, actor: Actor, command: str, wish: Mapping[str, Any], key: str, choose: Callable[[], Awaitable[Chosen]]
    ) -> Chosen:
        """Send a command for the cases that ``choose`` finds for a wish; nobody waits for the answers.

        Sent again with the same key, it is for the cases found the first time, and what was carried out stays as it
        is. Raises Problem key_reused for another wish under the key, unavailable.
        """
        chosen = await self._chosen(self.keys.saved(command_id_of(actor, key, command)), wish, choose)
        await asyncio.gather(
            *(
                self._publish(
                    actor, case_id, command, "", version, command_id_of(actor, f"{key}:{case_id}", command, version, "")
                )
                for case_id, version in chosen.cases
            )
        )
        return chosen

    async def _chosen(self, name: str, wish: Mapping[str, Any], choose: Callable[[], Awaitable[Chosen]]) -> Chosen:
        """What the note of this name says was chosen; where there is none, it is chosen and noted now."""
        raw = await self.redis.get(name)
        if raw is None:
            found = await choose()
            raw = orjson.dumps({"wish": wish, "cases": found.cases, "more": found.more})
            if not await self.redis.set(name, raw, nx=True, ex=KEPT_S):
                raw = await self.redis.get(name)  # the same request, sent twice at once: the first note holds
        noted = orjson.loads(raw)
        if noted["wish"] != wish:
            raise Problem("key_reused")
        return Chosen([(case_id, version) for case_id, version in noted["cases"]], noted["more"])

    async def _publish(
        self, actor: Actor, case_id: str, command: str, outcome: str, expected: int, command_id: str
    ) -> None:
        await self.outgoing.publish(
            "hub.command",
            {
                "command_id": command_id,
                "case_id": case_id,
                "expected_version": expected,
                "command": command,
                "outcome": outcome,
                "actor": actor.username,
                "role": actor.role,
                "department": actor.department,
                "division": actor.division,
                "at": int(time.time() * 1000),
            },
        )

    async def answer(self, command_id: str) -> Answer:
        """What Redis knows of a command; pending where it knows nothing."""
        raw = await self.redis.get(self.keys.command(command_id))
        return Answer(command_id, **orjson.loads(raw)) if raw else Answer(command_id)

    async def _wait(self, command_id: str) -> Answer:
        until = time.monotonic() + self.wait_s
        while True:
            answer = await self.answer(command_id)
            if answer.status != "pending" or time.monotonic() > until:
                return answer
            await asyncio.sleep(_LOOK_S)


def command_id_of(actor: Actor, key: str, *wish: object) -> str:
    """The id of a user's command: keys of two users never meet, nor two wishes under one key.

    Not of the case, so that a key of another case's command is noticed.
    """
    said = "\n".join(map(str, (actor.username, key, *wish)))
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
