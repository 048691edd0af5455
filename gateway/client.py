"""The gateway's Redis client. Answers are bytes in the shapes of protocol 2, whatever the server prefers."""

from __future__ import annotations

from typing import Any

import redis.asyncio as redis

from wire.settings import Settings

Client = Any
"""A redis.asyncio.Redis, whose annotations allow str and bytes alike: that would cost a cast a call."""


def connect(settings: Settings) -> Client:
    """A client that waits longer than the stream's blocking read, and shorter than people do."""
    return redis.Redis.from_url(
        settings.redis, protocol=2, socket_timeout=5, socket_connect_timeout=2, health_check_interval=30
    )
