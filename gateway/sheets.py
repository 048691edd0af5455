"""Income sheets: what to begin with, the version that stands, and saving one as a record of civil.check.

The record carries the result and the number of the authorisation, nothing of what was filled in. Its id comes from
person and authorisation, so a corrected sheet is a newer version of the same record. Which version stands is the
gateway's own note in Redis; where that is lost, the next version is still greater, being the time in microseconds.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from domain.cases import Actor
from domain.persons import BadId, normalise_id
from domain.sheet import Reckoned, Sheet
from gateway import access
from gateway.asking import Asking, content_of
from gateway.client import Client
from gateway.errors import Problem
from gateway.orders import KEPT_S, command_id_of
from gateway.outgoing import Outgoing
from wire.asking import Question
from wire.rediskeys import RedisKeys

log = logging.getLogger("doudi.gateway")

TOPIC, SOURCE, EPOCH = "civil.check", "civil.sheet", 1
_CODE = re.compile(r"[0-9A-Za-z_.\-]{1,32}")
_TELEPHONE = re.compile(r"1[3-9][0-9]{9}")

RESERVE = """
local done = redis.call('GET', KEYS[2])
if done then return {done, ''} end
local stands = redis.call('GET', KEYS[1]) or '0'
if stands ~= ARGV[1] then return {'', stands} end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
return {ARGV[3], ''}
"""
"""What this key was used for, or the version that stands instead; else both are noted. One step: two officers who
save at once cannot both go on from the same version."""


@dataclass(frozen=True, slots=True)
class Sheets:
    """Saves sheets."""

    redis: Client
    keys: RedisKeys
    outgoing: Outgoing
    asking: Asking

    async def household(self, case: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The living members of the case's household, the head first, as the worker knows them.

        Raises Problem unanswerable, no_answer, unavailable; none where the case knows of no household.
        """
        key = case["household_key"] or (case["subject_key"] if case["subject_kind"] == "household" else "")
        if not key:
            return []
        return list(content_of(await self.asking.ask(Question("members", "household", key, "")))["members"])

    async def version(self, person_key: str, authorisation: str) -> int:
        """The version of the sheet that stands, 0: none known."""
        return int(await self.redis.get(self.keys.sheet(record_id_of(person_key, authorisation))) or 0)

    async def person(self, case: Mapping[str, Any]) -> str:
        """Under whom a check is filed: the case's person, of a household's case its head.

        Raises Problem unanswerable where the household has nobody, no_answer, unavailable.
        """
        for held in (case, *case["conditions"]):
            if held["subject_kind"] == "person":
                return str(held["subject_key"])
        members = await self.household(case)
        if not members:
            raise Problem("unanswerable", "该家庭没有在世成员｜nobody living is known of this household")
        return str(members[0]["person_key"])

    async def save(
        self,
        actor: Actor,
        case: Mapping[str, Any],
        authorisation: str,
        sheet: Sheet,
        found: Reckoned,
        asked: tuple[int, str],
    ) -> int:
        """Publish the result; returns the version that stands then. ``asked``: the version seen, the request's key.

        Raises Problem forbidden, no_authorisation, bad_authorisation, sheet_incomplete, sheet_conflict, key_reused,
        and unavailable where Kafka has not taken it: the same key again publishes the same version.
        """
        allowed = access.saves_sheet(actor, case)
        await self._audit(actor, case, granted=allowed)
        if not allowed:
            raise Problem("held" if access.checks(actor, case) else "forbidden")
        require_authorisation(authorisation)
        if found.income_month_fen is None:
            raise Problem("sheet_incomplete")
        expected, key = asked
        person_key = await self.person(case)
        row = record(person_key, str(case["division"]), authorisation, sheet, found)
        command_id = command_id_of(actor, key)
        version = await self._reserve(row, command_id, expected)
        now = datetime.now(UTC)
        await self.outgoing.publish(
            TOPIC,
            {
                **row,
                "event_id": command_id,
                "record_version": version,
                "op": "update" if expected else "create",
                "occurred_at": now,
                "published_at": now,
            },
        )
        return version

    async def _reserve(self, row: Mapping[str, Any], command_id: str, expected: int) -> int:
        said = hashlib.blake2b(orjson.dumps([row, expected]), digest_size=16).hexdigest()
        version = max(expected + 1, time.time_ns() // 1000)
        keys = self.keys.sheet(row["record_id"]), self.keys.saved(command_id)
        noted, stands = await self.redis.eval(RESERVE, 2, *keys, expected, version, f"{version}:{said}", KEPT_S)
        if not noted:
            raise Problem("sheet_conflict", f"version {stands.decode()}")
        reserved, _, before = noted.decode().partition(":")
        if before != said:
            raise Problem("key_reused")
        return int(reserved)

    async def _audit(self, actor: Actor, case: Mapping[str, Any], *, granted: bool) -> None:
        await self.outgoing.publish(
            "hub.audit",
            {
                "audit_id": uuid.uuid4().hex,
                "actor": actor.username,
                "role": actor.role,
                "department": actor.department,
                "division": actor.division,
                "action": "save_sheet",
                "object_kind": "case",
                "object_id": case["case_id"],
                "purpose": "check",
                "granted": granted,
                "at": int(time.time() * 1000),
            },
        )


def record_id_of(person_key: str, authorisation: str) -> str:
    """The id of the record of one check: the same however often it is corrected."""
    return "sheet-" + hashlib.blake2b(f"{person_key}\n{authorisation}".encode(), digest_size=12).hexdigest()


def record(person_key: str, division: str, authorisation: str, sheet: Sheet, found: Reckoned) -> dict[str, Any]:
    """A row of civil.check but for its version and moments."""
    return {
        "source": SOURCE,
        "source_epoch": EPOCH,
        "record_id": record_id_of(person_key, authorisation),
        "person_key": person_key,
        "division": division,
        "finding": sheet.finding,
        "checked_on": sheet.checked_on,
        "authorisation": authorisation,
        "income_month_fen": found.income_month_fen,
        "assets_ok": sheet.assets_ok,
        "education_year_fen": sheet.schooling_year_fen,
    }


def require_authorisation(authorisation: str) -> None:
    """Raises Problem no_authorisation for none, bad_authorisation for what is no number of one."""
    if not authorisation:
        raise Problem("no_authorisation")
    if not _CODE.fullmatch(authorisation) or _TELEPHONE.fullmatch(authorisation):
        raise Problem("bad_authorisation")
    try:
        normalise_id(authorisation)
    except BadId:
        return
    raise Problem("bad_authorisation")
