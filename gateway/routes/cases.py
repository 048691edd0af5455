"""Alerts and tasks: lists, one case with its explanation, its identity, and the two commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.cases import Actor
from domain.divisions import Reach
from gateway import access, views
from gateway.errors import Problem
from gateway.hub import Hub, SignedIn, TheHub
from gateway.listing import page
from gateway.orders import Chosen
from gateway.users import User

State = Literal["active", "open", "signed", "held", "closed", "all"]
Level = Literal["red", "orange", "yellow"]
CASE_ID = r"^[a-z2-7]{26}$"
MOST_AT_ONCE = 200
"""So many held cases are released by one request."""


class Filters(BaseModel):
    """Filters of a list. ``division``: a place within the user's scope; ``since``, ``until``: opened_at, UTC."""

    model_config = ConfigDict(extra="forbid")

    division: Annotated[str, Query(pattern=r"^\d{0,12}$")] = ""
    department: Annotated[str | None, Query(pattern=r"^[a-z]{1,20}$")] = None
    level: Level | None = None
    state: State = "active"
    rule: Annotated[str | None, Query(pattern=r"^[A-Z0-9]{1,8}$")] = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    baseline: bool | None = None
    limit: Annotated[int, Query(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Query(max_length=120)] = None

    def wanted(self, actor: Actor, place: Reach) -> Callable[[Mapping[str, Any]], bool]:
        """Whether a document passes, the user's scope included; ``place``: what the division reaches of it."""
        since, until = _ms(self.since), _ms(self.until)

        def test(case: Mapping[str, Any]) -> bool:
            return (
                access.readable(actor, case)
                and place.holds(str(case["division"]))
                and (self.level is None or case["level"] == self.level)
                and (self.state not in ("open", "signed", "held") or case["state"] == self.state)
                and (self.state != "active" or case["state"] != "held")
                and (self.rule is None or any(c["rule"] == self.rule for c in case["conditions"]))
                and (since is None or case["opened_at"] >= since)
                and (until is None or case["opened_at"] < until)
                and (self.baseline is None or case["baseline"] == self.baseline)
            )

        return test


class Closing(BaseModel):
    """How a case ends."""

    model_config = ConfigDict(extra="forbid")

    outcome: str


class Which(BaseModel):
    """Which of the held cases: of a place, of a rule, a level, a department."""

    model_config = ConfigDict(extra="forbid")

    division: Annotated[str, Field(pattern=r"^\d{0,12}$")] = ""
    department: Annotated[str | None, Field(pattern=r"^[a-z]{1,20}$")] = None
    rule: Annotated[str | None, Field(pattern=r"^[A-Z0-9]{1,8}$")] = None
    level: Level | None = None


class Purpose(BaseModel):
    """What an identity is opened for."""

    model_config = ConfigDict(extra="forbid")

    purpose: Literal["visit", "verify", "contact"]


Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$")]
Version = Annotated[str, Header(alias="If-Match", pattern=r'^(W/)?"?\d{1,9}"?$')]


def _ms(at: datetime | None) -> int | None:
    return None if at is None else int(at.astimezone(UTC).timestamp() * 1000)


async def _list(hub: Hub, user: User, kind: str, filters: Filters) -> dict[str, Any]:
    actor, place = hub.actor(user), hub.place(user, filters.division)
    inboxes = access.inboxes(hub.keys, actor, kind, filters.state, filters.department, place)
    found = await page(hub.redis, hub.keys, inboxes, filters.wanted(actor, place), filters.limit, filters.cursor)
    day = views.today()
    return {
        "items": [views.summary(c, hub.explainer, day) for c in found.items],
        "next_cursor": found.cursor,
        "total_estimate": found.total,
    }


async def _release(hub: Hub, user: User, kind: str, which: Which, key: str) -> dict[str, int]:
    """Release what is held in a division, whole or in part, oldest listed last."""
    actor, place = hub.actor(user), hub.place(user, which.division)
    filters = Filters(level=which.level, rule=which.rule, state="held")
    inboxes = access.inboxes(hub.keys, actor, kind, filters.state, which.department, place)
    passes = filters.wanted(actor, place)

    def wanted(case: Mapping[str, Any]) -> bool:
        return passes(case) and access.releases(actor, case)

    async def choose() -> Chosen:
        cases: list[tuple[str, int]] = []
        cursor = None
        while True:  # held cases stand among all that are not closed: a page may come out short, even empty
            found = await page(hub.redis, hub.keys, inboxes, wanted, MOST_AT_ONCE - len(cases), cursor)
            cases += [(case["case_id"], case["version"]) for case in found.items]
            cursor = found.cursor
            if cursor is None or len(cases) == MOST_AT_ONCE:
                return Chosen(cases, cursor is not None)

    chosen = await hub.orders.tell(actor, "release", {"kind": kind, **which.model_dump()}, key, choose)
    return {"asked": len(chosen.cases), "more": int(chosen.more)}


async def _command(
    hub: Hub, user: User, case: Mapping[str, Any], command: str, outcome: str, asked: tuple[str, str]
) -> JSONResponse:
    """Send a command; ``asked``: the headers If-Match and Idempotency-Key."""
    actor = hub.actor(user)
    if not (access.releases if command == "release" else access.acts)(actor, case):
        raise Problem("forbidden")
    version, key = asked
    expected = int(version.removeprefix("W/").strip('"'))
    answer = await hub.orders.send(actor, case, command, outcome, expected, key)
    if answer.status == "pending":
        return JSONResponse({"command_id": answer.command_id, "status": "pending"}, 202)
    after = await hub.case(user, case["kind"], case["case_id"])
    return JSONResponse(views.summary(after, hub.explainer, views.today()), headers={"ETag": f'"{after["version"]}"'})


def router_of(kind: Literal["alert", "task"]) -> APIRouter:
    """The same routes for alerts and for tasks."""
    router = APIRouter(prefix=f"/v1/{kind}s", tags=[f"{kind}s"])

    @router.get("", name=f"list_{kind}s")
    async def listed(hub: TheHub, user: SignedIn, filters: Annotated[Filters, Query()]) -> dict[str, Any]:
        """Cases of the user's scope, newest first."""
        return await _list(hub, user, kind, filters)

    @router.get("/{case_id}", name=f"get_{kind}")
    async def one(hub: TheHub, user: SignedIn, case_id: str) -> JSONResponse:
        """A case with its explanation: rules, facts, thresholds with their source, source records."""
        case = await hub.case(user, kind, case_id)
        shown = views.detail(case, hub.actor(user), hub.explainer, views.today())
        return JSONResponse(shown, headers={"ETag": f'"{case["version"]}"'})

    @router.post("/{case_id}/identity", name=f"open_identity_of_{kind}")
    async def identity(hub: TheHub, user: SignedIn, case_id: str, body: Purpose) -> dict[str, Any]:
        """Open the identity for a purpose. Audited, whether granted or not."""
        case = await hub.case(user, kind, case_id)
        return await hub.identities.open(hub.actor(user), case, body.purpose)

    @router.post("/{case_id}/sign", name=f"sign_{kind}")
    async def sign(hub: TheHub, user: SignedIn, case_id: str, key: Key, version: Version) -> JSONResponse:
        """Take the case in hand."""
        case = await hub.case(user, kind, case_id)
        return await _command(hub, user, case, "sign", "", (version, key))

    @router.post("/release", name=f"release_{kind}s", status_code=202)
    async def release_many(hub: TheHub, user: SignedIn, body: Which, key: Key) -> dict[str, int]:
        """Release held cases, up to 200; ``more``: 1 where others are left. The county's alone."""
        return await _release(hub, user, kind, body, key)

    @router.post("/{case_id}/release", name=f"release_{kind}")
    async def release(hub: TheHub, user: SignedIn, case_id: str, key: Key, version: Version) -> JSONResponse:
        """Let a case that was held for review into the inbox."""
        case = await hub.case(user, kind, case_id)
        return await _command(hub, user, case, "release", "", (version, key))

    @router.post("/{case_id}/close", name=f"close_{kind}")
    async def close(
        hub: TheHub, user: SignedIn, case_id: str, body: Closing, key: Key, version: Version
    ) -> JSONResponse:
        """Close the case with a coded outcome."""
        case = await hub.case(user, kind, case_id)
        return await _command(hub, user, case, "close", body.outcome, (version, key))

    return router


commands = APIRouter(prefix="/v1/commands", tags=["commands"])


@commands.get("/{command_id}")
async def command(hub: TheHub, user: SignedIn, command_id: str) -> dict[str, Any]:
    """What became of a command that was answered 202."""
    answer = await hub.orders.answer(command_id)
    shown = {
        "command_id": command_id,
        "status": answer.status,
        "refusal": answer.refusal,
        "case_id": answer.case_id,
        "version": answer.version,
    }
    if answer.status == "pending":
        return shown
    for kind in ("alert", "task"):
        try:
            await hub.case(user, kind, answer.case_id)
        except Problem:
            continue
        return shown
    raise Problem("not_found")
