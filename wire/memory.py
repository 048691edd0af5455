"""Python's collector of cycles, told how the hub's processes work."""

from __future__ import annotations

import gc

YOUNG = 100_000
"""A slice makes thousands of short-lived objects without cycles: at the default of 700 a third of a worker's time
went into looking for cycles among them (measured)."""


def settle() -> None:
    """Call when everything is imported: what lives now is never looked at again, what comes is looked at seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 100)
