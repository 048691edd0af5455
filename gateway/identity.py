"""Opening an identity: audited before anything is shown, and not shown if that fails."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from domain.cases import Actor
from domain.errors import Permanent
from domain.sealing import Vault
from gateway.access import identifies
from gateway.client import Client
from gateway.errors import Problem
from gateway.outgoing import Outgoing
from wire.rediskeys import RedisKeys

CLEAR_FOR = "county"
"""Only this role sees the whole ID number (design 6: what a purpose needs, no more)."""


@dataclass(frozen=True, slots=True)
class Identities:
    """Opens identities out of the vault's documents in Redis."""

    redis: Client
    keys: RedisKeys
    outgoing: Outgoing
    vault: Vault

    async def open(self, actor: Actor, case: Mapping[str, Any], purpose: str) -> dict[str, str | None]:
        """Name, ID number (masked but for the county), telephone and address of the case's first subject.

        Raises Problem forbidden, no_identity, or unavailable where the audit log cannot be written.
        """
        allowed = identifies(actor, case)
        await self._audit(actor, case, purpose, granted=allowed)
        if not allowed:
            raise Problem("forbidden")
        person_key = await self._person(case)
        raw = await self.redis.get(self.keys.vault(person_key)) if person_key else None
        if raw is None:
            raise Problem("no_identity")
        document = orjson.loads(raw)
        try:
            identity = self.vault.open(
                person_key,
                document["key_id"],
                base64.b64decode(document["wrapped_key"]),
                base64.b64decode(document["sealed"]),
            )
        except Permanent:
            raise Problem("no_identity") from None
        number = identity.get("id_number")
        return {
            "name": identity.get("name"),
            "id_number": number if actor.role == CLEAR_FOR else masked(number),
            "telephone": identity.get("telephone"),
            "address": identity.get("address"),
        }

    async def _person(self, case: Mapping[str, Any]) -> str:
        # A household's case is about its members; the first person among its conditions is who to ask for.
        for held in (case, *case["conditions"]):
            if held["subject_kind"] == "person":
                return str(held["subject_key"])
        return ""

    async def _audit(self, actor: Actor, case: Mapping[str, Any], purpose: str, *, granted: bool) -> None:
        await self.outgoing.publish(
            "hub.audit",
            {
                "audit_id": uuid.uuid4().hex,
                "actor": actor.username,
                "role": actor.role,
                "department": actor.department,
                "division": actor.division,
                "action": "open_identity",
                "object_kind": "case",
                "object_id": case["case_id"],
                "purpose": purpose,
                "granted": granted,
                "at": int(time.time() * 1000),
            },
        )


def masked(number: str | None) -> str | None:
    """The first six and last two characters of an ID number."""
    if not number:
        return None
    return f"{number[:6]}{'*' * max(0, len(number) - 8)}{number[-2:]}"
