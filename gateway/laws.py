"""The law as the gateway knows it: read at its start, and again every few seconds, so that nobody restarts it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from domain.law import Law
from domain.rules import RuleBook, RuleError
from gateway.views import today
from wire.errors import WireError

log = logging.getLogger("doudi.gateway")

EVERY_S = 10.0


class Laws:
    """``law``: as last read. ``read`` blocks, and raises WireError."""

    def __init__(self, read: Callable[[], Law], every_s: float = EVERY_S) -> None:
        self._read, self._every_s = read, every_s
        self._task: asyncio.Task[None] | None = None
        self.law = read()

    @property
    def today(self) -> RuleBook:
        """The rule book of the local day."""
        return self.law.book(today())

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
                self.law = await asyncio.to_thread(self._whole)
            except WireError as error:
                log.warning("the law cannot be read: %s; going on with what is known", type(error).__name__)
            except RuleError as error:
                log.error("what was activated does not agree with the installed rules: %s", error)

    def _whole(self) -> Law:
        """The law with every book made, so that no request waits for one."""
        law = self._read()
        _ = law.books
        return law
