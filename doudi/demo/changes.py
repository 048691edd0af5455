"""One change to the departments' rows, and what every kind of change needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOW = "clock_timestamp()"
TODAY = "((now() AT TIME ZONE 'UTC') + interval '8 hours')::date"

Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """Rows that one transaction of a department's database changes, or one line of the vital drop folder.

    A line lacks its last field, the time of registration: the writer adds it. `late`: the transaction commits
    seconds after it stamped its rows. `begins`: (kind, ID, department's key) of a person's first event.
    """

    database: str
    statements: tuple[Statement, ...] = ()
    line: tuple[str, ...] = ()
    late: bool = False
    begins: tuple[str, str, str] | None = None

    @property
    def rows(self) -> int:
        """Rows changed."""
        return len(self.statements) or 1


def yuan(fen: int) -> str:
    """Fen as a decimal text of yuan."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"
