"""Python's collector of cycles, told how the hub's processes work."""

from __future__ import annotations

import gc

YOUNG = 100_000
"""A slice makes thousands of short-lived objects without cycles: at the default of 700 a third of a worker's time
went into looking for cycles among them (measured)."""


def seldom() -> None:
    """Look for cycles seldom. Call first of all: what is imported and read at start stays, and was looked at in vain
    for a tenth of the time that it took (a fifth where rules are read)."""
    gc.set_threshold(YOUNG, 20, 100)


def settle() -> None:
    """Call when everything is imported: what lives now is never looked at again, nor now: little of it is garbage."""
    gc.freeze()
    seldom()
