"""What is the same for everybody who is signed in: rules, and names of divisions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.hub import SignedIn, TheHub

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
    """Names of divisions that the hub knows, by prefix."""
    return [{"code": c, "name": n} for c, n in sorted(hub.divisions.items()) if c.startswith(prefix)]
