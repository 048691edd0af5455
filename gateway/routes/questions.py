"""Why a condition of a case stands, and why a rule does not, worked out anew from the records."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from gateway import access, asking
from gateway.errors import Problem
from gateway.hub import Hub, SignedIn, TheHub
from gateway.users import User


def router_of(kind: Literal["alert", "task"]) -> APIRouter:
    """The same routes for alerts and for tasks."""
    router = APIRouter(prefix=f"/v1/{kind}s", tags=[f"{kind}s"])

    @router.get("/{case_id}/why", name=f"why_{kind}")
    async def why(
        hub: TheHub,
        user: SignedIn,
        case_id: str,
        condition: Annotated[str | None, Query(pattern=r"^[0-9a-f]{24}$")] = None,
    ) -> dict[str, Any]:
        """Why a condition stands: its rule's conditions, the values seen, the law, and what would have made it differ.

        ``condition``: a condition_id of the case; the first, if not given. ``agrees``: the records still say so.
        """
        case = await _case(hub, user, kind, case_id)
        return await asking.why(hub.asking, hub.explainer, case, condition)

    @router.get("/{case_id}/why-not", name=f"why_not_{kind}")
    async def why_not(
        hub: TheHub,
        user: SignedIn,
        case_id: str,
        rule: Annotated[str, Query(pattern=r"^[A-Z0-9]{1,8}$")],
        on: date | None = None,
    ) -> dict[str, Any]:
        """Why a rule does not stand for the case's person or household: what fails, and what nobody can say."""
        case = await _case(hub, user, kind, case_id)
        return await asking.why_not(hub.asking, hub.rules, case, rule, on)

    return router


async def _case(hub: Hub, user: User, kind: str, case_id: str) -> dict[str, Any]:
    """The case, of whoever may ask about it. Raises Problem not_found, forbidden."""
    case = await hub.case(user, kind, case_id)
    if not access.sees_whole(hub.actor(user)):
        raise Problem("forbidden")
    return case
