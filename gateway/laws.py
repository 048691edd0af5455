"""The law as the gateway knows it: read at its start, and again every few seconds, so that nobody restarts it."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from domain.law import Law
from domain.rules import RuleBook
from wire.lawbook import Lawbook

log = logging.getLogger("doudi.gateway")

EVERY_S = 10.0


class Laws:
    """What was read last: ``law``, and ``today``, the book of the newest day that the hub was told.

    Raises RuleError and WireError where it cannot be read at first; later that is logged, and what is known stays.
    """

    def __init__(self, lawbook: Lawbook, every_s: float = EVERY_S) -> None:
        self._lawbook, self._every_s = lawbook, every_s
        self._task: asyncio.Task[None] | None = None
        self.law, self.today = self._read()

    async def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="laws")

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                self.law, self.today = await asyncio.to_thread(self._read)
            except Exception as error:
                # Kafka is away, the disk is full, or the folder was renewed wrongly: the page goes on meanwhile.
                log.error("the law cannot be read: %s: %s; going on with what is known", type(error).__name__, error)

    def _read(self) -> tuple[Law, RuleBook]:
        _, book = self._lawbook.newest()
        return self._lawbook.law, book
