"""The roster's calendar of re-certification, worked out by the workers from the entries as they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from domain.roster import month_end
from gateway import access, asking
from gateway.errors import Problem
from gateway.hub import SignedIn, TheHub
from gateway.views import today

router = APIRouter(prefix="/v1/roster", tags=["roster"])


@router.get("/calendar")
async def calendar(
    hub: TheHub,
    user: SignedIn,
    months: Annotated[int, Query(ge=1, le=36)] = 3,
    division: Annotated[str, Query(pattern=r"^\d{0,12}$")] = "",
) -> dict[str, Any]:
    """Which entries are to be re-certified when: overdue ones, then by month, that of today included.

    ``division``: a place within the user's scope. ``counts`` are of all, ``entries`` those due first.
    """
    if not access.recertifies(hub.actor(user)):
        raise Problem("forbidden")
    place = hub.place(user, division)
    return await asking.calendar(hub.asking, division or user.division, place, month_end(today(), months))
