"""What a client of the stream is sent in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from gateway.stream import Feed
from wire.rediskeys import RedisKeys

ENTRY = {b"case_id": b"a", b"version": b"1"}


class Stream:
    """A Redis that holds a stream of so many entries."""

    def __init__(self, length: int) -> None:
        self.length = length

    async def xrevrange(self, _: str, count: int) -> list[Any]:
        """The newest entry."""
        return self._entries(max(self.length - count, 0))

    async def xrange(self, _: str, start: str, end: str, count: int) -> list[Any]:
        """Entries behind one."""
        return self._entries(int(start[1:].partition("-")[0]))[:count]

    async def xinfo_stream(self, _: str) -> dict[str, Any]:
        """A stream of which nothing was trimmed."""
        return {"first-entry": self._entries(0)[0], "entries-added": self.length, "length": self.length}

    def _entries(self, after: int) -> list[Any]:
        return [(f"{n}-0".encode(), ENTRY) for n in range(after + 1, self.length + 1)]


async def first(events: AsyncIterator[bytes], count: int) -> list[bytes]:
    """So many, or AssertionError where they do not come."""
    async with asyncio.timeout(30):
        return [await anext(events) for _ in range(count)]


def test_unwanted_entries_do_not_put_the_heartbeat_off() -> None:
    async def run() -> list[bytes]:
        stream = Stream(3)
        feed = Feed(stream, RedisKeys())

        def unwanted(_: dict[str, str]) -> bool:
            stream.length += 1
            assert stream.length < 100_000, "no heartbeat"
            feed._hand_out((f"{stream.length}-0", {}))  # the next one is always there already
            return False

        return await first(feed.events("2-0", unwanted, heartbeat_s=0.1), 3)

    _, one, two = asyncio.run(run())
    ids = []
    for text in (one, two):
        assert text.endswith(b"\n: heartbeat\n\n")
        ids.append(int(text.removeprefix(b"id: ").partition(b"-")[0]))
    assert 2 < ids[0] < ids[1]  # a client goes on behind what it was not told of


def test_a_heartbeat_comes_while_catching_up() -> None:
    async def run() -> list[bytes]:
        feed = Feed(Stream(5), RedisKeys())
        return await first(feed.events("2-0", lambda _: False, heartbeat_s=0.0), 4)

    assert asyncio.run(run()) == [b"retry: 2000\n\n", *(b"id: %d-0\n: heartbeat\n\n" % n for n in (3, 4, 5))]


def test_a_heartbeat_comes_while_a_rebuild_fills_the_stream() -> None:
    async def run() -> list[bytes]:
        feed = Feed(Stream(2), RedisKeys())
        feed._last = "9-0"
        return await first(feed.events("2-0", lambda _: False, heartbeat_s=0.0), 3)

    assert asyncio.run(run())[1:] == [b"id: 2-0\n: heartbeat\n\n"] * 2
