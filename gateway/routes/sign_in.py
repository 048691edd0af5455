"""Signing in, and who one is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.access import permissions
from gateway.errors import Problem
from gateway.hub import SignedIn, TheHub
from gateway.users import User

router = APIRouter(prefix="/v1", tags=["sign-in"])


class Credentials(BaseModel):
    """User name and password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


def _shown(user: User) -> dict[str, str]:
    return {
        "username": user.username,
        "name": user.name,
        "role": user.role,
        "department": user.department,
        "division": user.division,
    }


@router.post("/token")
async def token(hub: TheHub, given: Credentials, request: Request) -> dict[str, Any]:
    """Sign in: a token for the header `Authorization: Bearer …`."""
    address = request.client.host if request.client else ""
    await hub.tokens.admit(given.username, address)
    user = await asyncio.to_thread(hub.tokens.users.check, given.username, given.password)
    if user is None:
        raise Problem("bad_credentials")
    await hub.tokens.succeeded(given.username, address)
    issued, ends = hub.tokens.issue(user)
    return {
        "token": issued,
        "expires_at": datetime.fromtimestamp(ends, UTC).isoformat(),
        "user": _shown(user),
    }


@router.get("/me")
async def me(hub: TheHub, user: SignedIn) -> dict[str, Any]:
    """The signed-in user and what the user may do."""
    return {**_shown(user), "permissions": permissions(hub.actor(user))}
