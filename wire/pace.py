"""Moments that all processes keep without a word, by the machine's clock.

Connectors look for changes at the whole multiples of a period; screening decides ``DECIDED`` of it later, when what
they found has come (docs/adr/0018). What changed so waits for one moment, not first for a look and then for a decision.
"""

from __future__ import annotations

import time

DECIDED = 0.4
"""Connectors' pages of one look come within 0.4 of a period of 400 ms: nineteen of twenty of a topic, nine of ten of
medical.insurance, which comes after the bills (measured)."""


def until(period: float, behind: float = 0.0) -> float:
    """Seconds until the next moment, never 0: the multiples of the period (seconds) since 1970, each ``behind`` of it
    later."""
    whole = round(period * 1e9)  # in nanoseconds: a remainder of floats may be the whole
    return (whole - (time.time_ns() - round(behind * whole)) % whole) / 1e9
