"""The stream of case events, for a user's scope."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials

from gateway import access
from gateway.errors import Problem
from gateway.hub import SignedIn, TheHub, _bearer, signed_in
from gateway.stream import EVENT_ID
from gateway.tokens import TICKET_S
from gateway.users import User

router = APIRouter(prefix="/v1/stream", tags=["stream"])


@router.post("/ticket")
async def ticket(hub: TheHub, user: SignedIn) -> dict[str, str | int]:
    """A ticket for one connection, where a browser's EventSource cannot send a header."""
    return {"ticket": await hub.tokens.ticket(user), "expires_in": TICKET_S}


async def _listener(
    hub: TheHub,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ticket: Annotated[str | None, Query(max_length=64)] = None,
) -> User:
    return await hub.tokens.redeem(ticket) if ticket else signed_in(hub, credentials)


@router.get("", response_class=StreamingResponse)
async def stream(
    hub: TheHub,
    user: Annotated[User, Depends(_listener)],
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)] = None,
    since: Annotated[str | None, Query(alias="last_event_id", max_length=40)] = None,
) -> StreamingResponse:
    """Server-sent events `case`: {case_id, event, kind, department, division, level, state, version}.

    Resumes by Last-Event-ID (or the query's last_event_id after a reload); `reset`: load the lists again.
    """
    after = last or since
    if after and not EVENT_ID.match(after):
        raise Problem("bad_request", "Last-Event-ID")

    def wanted(entry: dict[str, str]) -> bool:
        # Asked at each entry: rights taken away take effect without a new connection.
        now = hub.tokens.users.get(user.username)
        return now is not None and now.stamp == user.stamp and access.readable(hub.actor(user), entry)

    return StreamingResponse(
        hub.feed.events(after, wanted),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )
