"""The outflow log: what left a department, for it to read. Counts and field names, never a value."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.publish import Counts

_MAX_BYTES = 10_000_000
_KEEP = 20


class Outflow:
    """Sums by feed, written as one JSON line for each feed that sent something, at each `write`."""

    def __init__(self, path: Path | None, columns: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """``columns``: of each feed, the department's columns that are read. No path: nothing is written."""
        self._columns = columns or {}
        self._sums: dict[tuple[str, str], dict[str, int]] = {}
        self._since = datetime.now(UTC)
        self._handler: RotatingFileHandler | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handler = RotatingFileHandler(path, maxBytes=_MAX_BYTES, backupCount=_KEEP, encoding="utf-8")

    def add(self, source: str, topic: str, counts: Counts) -> None:
        """Add what one page came to."""
        sums = self._sums.setdefault((source, topic), {})
        for name, n in asdict(counts).items():
            sums[name] = sums.get(name, 0) + n

    def write(self) -> None:
        """Write and begin anew."""
        until = datetime.now(UTC)
        for (source, topic), sums in self._sums.items():
            if self._handler is None or not any(n for name, n in sums.items() if name not in ("read", "stale")):
                continue
            line = {
                "from": self._since.isoformat(timespec="seconds"),
                "until": until.isoformat(timespec="seconds"),
                "source": source,
                "topic": topic,
                **{k: n for k, n in sums.items() if n},
                "columns": self._columns.get(source, ()),
            }
            text = json.dumps(line, ensure_ascii=False)
            self._handler.emit(logging.LogRecord("outflow", logging.INFO, "", 0, text, None, None))
        self._sums, self._since = {}, until

    def close(self) -> None:
        """Write what is left and close the file."""
        self.write()
        if self._handler is not None:
            self._handler.close()
