"""Commands: from a request to hub.command and back as casework's answer in Redis."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from domain.cases import Actor
from gateway.client import Client
from gateway.errors import TABLE, Problem
from gateway.outgoing import Outgoing
from wire.rediskeys import RedisKeys

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
class Orders:
    """Sends commands. ``wait_s``: how long a request waits for the answer."""

    redis: Client
    keys: RedisKeys
    outgoing: Outgoing
    wait_s: float

    async def send(
        self, actor: Actor, case: Mapping[str, Any], command: str, outcome: str, expected: int, key: str
    ) -> Answer:
        """Send once (a key that was answered before is not sent again) and wait for the answer.

        Raises Problem for a refusal, or unavailable where Kafka has not taken the command.
        """
        command_id = command_id_of(actor, key)
        answer = await self.answer(command_id)
        if answer.status == "pending":
            await self._publish(actor, case, command, outcome, expected, command_id)
            answer = await self._wait(command_id)
        if answer.status != "pending" and answer.case_id != case["case_id"]:
            raise Problem("key_reused")
        if answer.status == "refused":
            raise Problem(answer.refusal if answer.refusal in TABLE else "bad_command")
        return answer

    async def tell(self, actor: Actor, cases: Sequence[Mapping[str, Any]], command: str, key: str) -> None:
        """Send a command for many cases, each at the version that was listed; nobody waits for the answers.

        Sent again with the same key, what was carried out stays as it is. Raises Problem unavailable.
        """
        await asyncio.gather(
            *(
                self._publish(
                    actor, case, command, "", case["version"], command_id_of(actor, f"{key}:{case['case_id']}")
                )
                for case in cases
            )
        )

    async def _publish(
        self, actor: Actor, case: Mapping[str, Any], command: str, outcome: str, expected: int, command_id: str
    ) -> None:
        await self.outgoing.publish(
            "hub.command",
            {
                "command_id": command_id,
                "case_id": case["case_id"],
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


def command_id_of(actor: Actor, key: str) -> str:
    """The id of a user's command: keys of two users never meet."""
    return hashlib.blake2b(f"{actor.username}\n{key}".encode(), digest_size=16).hexdigest()
