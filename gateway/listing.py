"""Paging over sorted sets, newest first: several lists merged, filtered, continued by a cursor.

A cursor names the last case shown, so entries that come or go between two pages neither repeat nor
hide others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.access import Inboxes
from gateway.client import Client
from gateway.errors import Problem
from wire.rediskeys import RedisKeys

Document = Mapping[str, Any]
Place = tuple[int, str]
"""opened_at in ms and case id: the order of all lists, descending."""

_CHUNK = 200
_MOST_SEEN = 5_000
"""A page looks at so many cases at most; with a rare filter it may come out short, with a cursor to go on."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of documents. ``cursor``: None at the end. ``total``: of the lists, before filtering."""

    items: list[Document]
    cursor: str | None
    total: int


async def page(
    client: Client,
    keys: RedisKeys,
    inboxes: Inboxes,
    wanted: Callable[[Document], bool],
    limit: int,
    cursor: str | None,
) -> Page:
    """Up to ``limit`` wanted documents, after the cursor. Raises Problem bad_request for a bad cursor."""
    after = _place(cursor) if cursor else None
    total = sum([sign * await client.zcard(name) for name, sign in inboxes.total.items()])
    items: list[Document] = []
    seen, last = 0, None
    async for batch in _merged(client, inboxes.lists, after):
        documents = await client.mget([keys.case(case_id) for _, case_id in batch])
        for place, raw in zip(batch, documents, strict=True):
            last, seen = place, seen + 1
            if raw and wanted(document := orjson.loads(raw)):
                items.append(document)
            if len(items) == limit or seen == _MOST_SEEN:
                return Page(items, _cursor(last), total)
    return Page(items, None, total)


async def _merged(client: Client, lists: Sequence[str], after: Place | None) -> AsyncIterator[list[Place]]:
    """Places of all lists in their common order, in batches."""
    at: dict[str, Place | None] = dict.fromkeys(lists, after)
    while at:
        heads = {name: await _next(client, name, place) for name, place in at.items()}
        full = [places[-1] for places in heads.values() if len(places) == _CHUNK]
        floor = max(full, default=None)  # beyond this some list has more that was not read yet
        batch = sorted({p for places in heads.values() for p in places if floor is None or p >= floor}, reverse=True)
        if batch:
            yield batch
        if floor is None:
            return
        at = dict.fromkeys(at, floor)


async def _next(client: Client, name: str, after: Place | None) -> list[Place]:
    """The next chunk of a list behind a place."""
    while True:
        rank = 0 if after is None else await _rank_behind(client, name, after)
        start = max(rank - 1, 0)
        found = await client.zrange(name, start, rank + _CHUNK - 1, desc=True, withscores=True)
        places = [(int(score), member.decode()) for member, score in found]
        behind = [p for p in places if after is None or p < after]
        if len(places) - len(behind) == rank - start:  # else the list has moved since it told the rank: ask again
            return behind


async def _rank_behind(client: Client, name: str, after: Place) -> int:
    """How many of the list stand before or at the place, which may have left the list meanwhile."""
    rank = await client.zrevrank(name, after[1])
    if rank is not None and int(await client.zscore(name, after[1]) or -1) == after[0]:
        return int(rank) + 1
    low = int(await client.zcount(name, f"({after[0]}", "+inf"))
    high = low + int(await client.zcount(name, after[0], after[0]))
    while low < high:  # among equal scores members descend: bisect
        middle = (low + high) // 2
        found = await client.zrange(name, middle, middle, desc=True)
        low, high = (middle + 1, high) if found and found[0].decode() >= after[1] else (low, middle)
    return low


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place[0]}:{place[1]}".encode()).decode().rstrip("=")


def _place(cursor: str) -> Place:
    try:
        at, _, case_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        return int(at), case_id
    except (ValueError, binascii.Error):
        raise Problem(
            "bad_request", "cursor: 使用上一页返回的 next_cursor｜use next_cursor of the page before"
        ) from None
