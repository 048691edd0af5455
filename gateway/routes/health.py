"""For those who run the hub: alive, ready, metrics. No token, no personal data."""

from __future__ import annotations

import asyncio

import redis.asyncio as redis
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from gateway.errors import Problem
from gateway.figures import CONTENT_TYPE, exposition
from gateway.hub import TheHub

router = APIRouter(tags=["operation"])
_PATIENCE_S = 2.0


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(hub: TheHub) -> JSONResponse:
    """Redis answers and has been projected to; else 503 with what is not ready."""
    missing: dict[str, str] = {}
    try:
        async with asyncio.timeout(_PATIENCE_S):
            if not await hub.redis.exists(hub.keys.position):
                missing["projection"] = "Redis 中尚无数据：启动 projection｜Nothing projected yet: start the projection"
            if await hub.redis.exists(hub.keys.hold):
                missing["rebuild"] = "正在重建｜A rebuild is going on"
    except (redis.RedisError, TimeoutError, OSError):
        missing["redis"] = "Redis 无法连接：检查 DOUDI_REDIS｜Redis does not answer: check DOUDI_REDIS"
    return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)


@router.get("/metrics")
async def metrics(hub: TheHub) -> Response:
    """Prometheus' format."""
    try:
        return Response(await exposition(hub.redis, hub.keys), media_type=CONTENT_TYPE)
    except (redis.RedisError, OSError) as error:
        raise Problem("unavailable") from error
