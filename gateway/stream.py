"""Server-sent events from the Redis Stream: one reader for the process, a filter for each client.

Entry ids are offsets of hub.case, so a client resumes by Last-Event-ID across restarts and rebuilds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import orjson
import redis.asyncio as redis

from gateway.client import Client
from wire.rediskeys import RedisKeys

log = logging.getLogger("doudi.gateway")

HEARTBEAT_S = 15.0
EVENT_ID = re.compile(r"^\d{1,18}-\d{1,18}$")
_PAGE = 500
_QUEUE = 2_000
_BLOCK_MS = 1_000
_REBUILD_LOOKS = 600

Entry = tuple[str, dict[str, str]]


def order(entry_id: str) -> tuple[int, int]:
    """Entry ids in their order."""
    high, _, low = entry_id.partition("-")
    return int(high), int(low)


@dataclass(eq=False, slots=True)
class Subscriber:
    """A client: its queue, and how long it is left without a byte. ``lost``: it did not keep up, and has to be told."""

    heartbeat_s: float
    queue: asyncio.Queue[Entry] = field(default_factory=lambda: asyncio.Queue(_QUEUE))
    lost: bool = False
    sent_at: float = 0.0

    def sent(self, text: bytes) -> bytes:
        """What is sent to it now."""
        self.sent_at = time.monotonic()
        return text

    def left(self) -> float:
        """Seconds until it has to be sent something."""
        return self.sent_at + self.heartbeat_s - time.monotonic()


class Feed:
    """Reads the stream once and hands every entry to all subscribers."""

    def __init__(self, client: Client, keys: RedisKeys) -> None:
        self._client, self._keys = client, keys
        self._subscribers: set[Subscriber] = set()
        self._task: asyncio.Task[None] | None = None
        self._last = "$"

    async def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._read(), name="feed")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _read(self) -> None:
        while True:
            try:
                if self._last == "$":
                    self._last = await self._newest()
                found = await self._client.xread({self._keys.stream: self._last}, count=_PAGE, block=_BLOCK_MS)
                for _, entries in found or []:
                    for entry in entries:
                        self._hand_out(_entry(entry))
            except (redis.RedisError, OSError) as error:
                log.warning("the stream cannot be read: %s; trying again", type(error).__name__)
                await asyncio.sleep(0.5)

    @property
    def _reached(self) -> str:
        return "0-0" if self._last == "$" else self._last

    async def _newest(self) -> str:
        newest = await self._client.xrevrange(self._keys.stream, count=1)
        return _entry(newest[0])[0] if newest else "0-0"

    def _hand_out(self, entry: Entry) -> None:
        self._last = entry[0]
        for subscriber in self._subscribers:
            try:
                subscriber.queue.put_nowait(entry)
            except asyncio.QueueFull:
                subscriber.lost = True

    async def events(
        self, after: str | None, wanted: Callable[[dict[str, str]], bool], *, heartbeat_s: float = HEARTBEAT_S
    ) -> AsyncIterator[bytes]:
        """What a client is sent: entries that are wanted, after an id or from now on; in silence a comment, with the
        id that was reached.

        ``reset`` where the stream no longer reaches back to the id, or the client was too slow: it has
        to load its lists again, and goes on from the id of that event.
        """
        subscriber = Subscriber(heartbeat_s)
        self._subscribers.add(subscriber)
        try:
            yield subscriber.sent(b"retry: 2000\n\n")
            async for position, text in self._followed(subscriber, after, wanted):
                if text or subscriber.left() <= 0:
                    yield subscriber.sent(text or _heartbeat(position))
        finally:
            self._subscribers.discard(subscriber)

    async def _followed(
        self, subscriber: Subscriber, after: str | None, wanted: Callable[[dict[str, str]], bool]
    ) -> AsyncIterator[tuple[str, bytes]]:
        """The id reached and what there is to say of it, often nothing: at the latest when something has to be sent."""
        position = after or await self._newest()
        if after and await self._trimmed(after):
            position = await self._newest()
            yield position, _reset(position)
        for _ in range(_REBUILD_LOOKS):
            async for entry in self._since(position):
                position = entry[0]
                yield position, _event(entry) if wanted(entry[1]) else b""
            # While a rebuild fills the stream again, what lies between comes by this way only.
            if order(await self._newest()) >= order(self._reached):
                break
            yield position, b""
            await asyncio.sleep(0.1)
        while True:
            if subscriber.lost:
                subscriber.lost = False
                while not subscriber.queue.empty():
                    subscriber.queue.get_nowait()
                position = await self._newest()
                yield position, _reset(position)
            try:
                entry = await asyncio.wait_for(subscriber.queue.get(), subscriber.left())
            except TimeoutError:
                yield position, b""
                continue
            if order(entry[0]) > order(position):
                position = entry[0]
                yield position, _event(entry) if wanted(entry[1]) else b""

    async def _since(self, after: str) -> AsyncIterator[Entry]:
        while True:
            page = await self._client.xrange(self._keys.stream, f"({after}", "+", count=_PAGE)
            for raw in page:
                entry = _entry(raw)
                after = entry[0]
                yield entry
            if len(page) < _PAGE:
                return

    async def _trimmed(self, after: str) -> bool:
        """Whether entries behind the id may be gone. A stream that is being rebuilt has lost nothing."""
        try:
            info = await self._client.xinfo_stream(self._keys.stream)
        except redis.ResponseError:
            return False
        first = info.get("first-entry")
        if not first or info.get("entries-added", 0) <= info["length"]:
            return False
        return order(after) < order(_entry(first)[0])


def _entry(raw: tuple[bytes, dict[bytes, bytes]]) -> Entry:
    entry_id, fields = raw
    return entry_id.decode(), {k.decode(): v.decode() for k, v in fields.items()}


def _event(entry: Entry) -> bytes:
    data = {**entry[1], "version": int(entry[1]["version"])}
    return f"id: {entry[0]}\nevent: case\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


def _reset(position: str) -> bytes:
    return f"id: {position}\nevent: reset\ndata: {{}}\n\n".encode()


def _heartbeat(position: str) -> bytes:
    return f"id: {position}\n: heartbeat\n\n".encode()
