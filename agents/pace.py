"""When a partition decides on small live slices: a cycle of one record costs nearly as much as one of a hundred."""

from __future__ import annotations

import time

from wire import pace


class Pace:
    """``began``: the last cycle; ``decides_at``: when what comes now is decided at the soonest. Both monotonic."""

    def __init__(self, gather_ms: int, *, departments: bool) -> None:
        """``departments``: their records come, at the moments that connectors keep; else what other stages decided,
        in their rhythm, which is not to wait for another moment again."""
        self._gather, self._departments = gather_ms / 1000, departments
        self.began = self.decides_at = 0.0

    def begin(self) -> None:
        """A cycle of live records begins. After one that was late, the next moment is kept to again."""
        self.began = time.monotonic()
        by_clock = self._departments and self._gather
        self.decides_at = self.began + (pace.until(self._gather, pace.DECIDED) if by_clock else self._gather / 2)
