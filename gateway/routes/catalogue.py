"""What is the same for everybody who is signed in: rules, and names of divisions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.hub import SignedIn, TheHub
from gateway.views import today

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/rules")
async def rules(hub: TheHub, _: SignedIn) -> list[dict[str, Any]]:
    """Every rule with its legal sources."""
    return [
        {
            "id": r.id,
            "version": r.version,
            "title_zh": r.title_zh,
            "title_en": r.title_en,
            "class": r.rule_class,
            "kind": r.kind,
            "department": r.department,
            "level": r.level,
            "deadline_days": r.deadline_days,
            "legal": hub.explainer.legal(r.id, r.version),
        }
        for r in hub.rules.rules.values()
    ]


@router.get("/divisions")
async def divisions(
    hub: TheHub, _: SignedIn, prefix: Annotated[str, Query(pattern=r"^\d{0,12}$")] = "", ended: bool = False
) -> list[dict[str, str]]:
    """Today's names of divisions that the hub knows; `name_en` is empty where none is known.

    ``prefix``: those alone that it reaches today. ``ended``: instead the last names of codes that have none any more.
    """
    names = hub.divisions.ended(today(), prefix) if ended else hub.divisions.on(today(), prefix)
    return [{"code": n.code, "name": n.zh, "name_en": n.en} for n in names]
