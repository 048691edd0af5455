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
            "legal": hub.explainer.legal(r.id),
        }
        for r in hub.rules.rules.values()
    ]


@router.get("/divisions")
async def divisions(
    hub: TheHub, _: SignedIn, prefix: Annotated[str, Query(pattern=r"^\d{0,12}$")] = ""
) -> list[dict[str, str]]:
    """Today's names of divisions that the hub knows, by prefix; `name_en` is empty where none is known."""
    return [{"code": n.code, "name": n.zh, "name_en": n.en} for n in hub.divisions.on(today(), prefix)]
