"""The income sheet of an alert: what it begins with, worked out live, and saved as a check of means."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from domain.sheet import ABILITIES, KINDS, Reckoned, Sheet, reckon
from domain.tiers import TITLES
from gateway import access
from gateway.errors import Problem
from gateway.hub import Hub, SignedIn, TheHub
from gateway.routes.cases import Key
from gateway.sheets import require_authorisation
from gateway.users import User
from gateway.views import today

router = APIRouter(prefix="/v1/alerts/{case_id}/sheet", tags=["alerts"])
Seen = Annotated[str, Header(alias="If-Match", pattern=r'^(W/)?"?\d{1,16}"?$')]


class Given(BaseModel):
    """A sheet and the number of the authorisation on file, which may come later."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    sheet: Sheet
    authorisation: Annotated[str, Field(max_length=64)] = ""


async def _case(hub: Hub, user: User, case_id: str) -> dict[str, Any]:
    case = await hub.case(user, "alert", case_id)
    if not access.checks(hub.actor(user), case):
        raise Problem("forbidden")
    return case


def _reckoned(hub: Hub, sheet: Sheet, division: str) -> Reckoned:
    if sheet.checked_on > today():
        raise Problem("bad_request", "checked_on 在今天之后｜checked_on lies in the future")
    try:
        return reckon(hub.rules, sheet, division)
    except LookupError as error:
        raise Problem("bad_request", str(error)) from error


def _shown(found: Reckoned) -> dict[str, Any]:
    titles = {**TITLES, "none": ("不符合以上各类", "none of these tiers"), "": ("尚不能判断", "not to be said yet")}
    shown = asdict(found)
    shown["proposal_zh"], shown["proposal_en"] = titles[found.proposal]
    for fit in shown["fits"]:
        fit["tier_zh"], fit["tier_en"] = titles[fit["tier"]]
    return shown


@router.get("")
async def begin(hub: TheHub, user: SignedIn, case_id: str) -> dict[str, Any]:
    """What the sheet begins with: how many live there and who is known to be unable to work, and the kinds.

    ``asked``: answered, or the code of why the members are not known; the officer then fills them in.
    """
    case = await _case(hub, user, case_id)
    asked, members = "answered", []
    try:
        members = await hub.sheets.household(case)
    except Problem as problem:
        asked = problem.code
    return {
        "asked": asked,
        "members": [{"ability": "none" if m["incapable"] else None} for m in members],
        "kinds": [{"code": c, "label_zh": zh, "label_en": en} for c, (zh, en) in KINDS.items()],
        "abilities": [{"code": c, "label_zh": zh, "label_en": en} for c, (zh, en) in ABILITIES.items()],
    }


@router.post("/compute")
async def compute(hub: TheHub, user: SignedIn, case_id: str, body: Given) -> dict[str, Any]:
    """Work the sheet out; nothing is kept. With an authorisation: the ``version`` that stands under it, 0 for none."""
    case = await _case(hub, user, case_id)
    found = _shown(_reckoned(hub, body.sheet, case["division"]))
    if body.authorisation:
        require_authorisation(body.authorisation)
        found["version"] = await hub.sheets.version(await hub.sheets.person(case), body.authorisation)
    return found


@router.post("")
async def save(hub: TheHub, user: SignedIn, case_id: str, body: Given, key: Key, version: Seen) -> JSONResponse:
    """Save the result as a check of means (civil.check). If-Match: the version to be corrected, 0 for a first one."""
    case = await hub.case(user, "alert", case_id)
    found = _reckoned(hub, body.sheet, case["division"])
    expected = int(version.removeprefix("W/").strip('"'))
    saved = await hub.sheets.save(hub.actor(user), case, body.authorisation, body.sheet, found, (expected, key))
    return JSONResponse({**_shown(found), "version": saved}, headers={"ETag": f'"{saved}"'})
