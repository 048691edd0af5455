"""The clock of the hub: tells every partition of hub.tick which local day it is, at start and when a new
one begins.

Rules that wait ask the greatest day they have been told, never a clock, so that a replay gives the same
result. Telling the same day twice changes nothing.
"""

from __future__ import annotations

import logging
import signal
import threading
from datetime import UTC, date, datetime, time, timedelta, timezone

import stamina

from schemas import load
from schemas.codec import encode
from wire.errors import WireError
from wire.kafka import Publisher, check_reachable
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger(__name__)

LOCAL = timezone(timedelta(hours=8), "UTC+8")
TOPIC = "hub.tick"
LONGEST_SLEEP_S = 600.0
"""A machine that was asleep at midnight notices the new day this late at worst."""


def today(now: datetime) -> date:
    """The local day of a moment."""
    return now.astimezone(LOCAL).date()


def wait_s(now: datetime) -> float:
    """Seconds until one second past the next local midnight, at most LONGEST_SLEEP_S."""
    midnight = datetime.combine(today(now) + timedelta(days=1), time(0, 0, 1), LOCAL)
    return min(LONGEST_SLEEP_S, (midnight - now).total_seconds())


def tick(settings: Settings, day: date, now: datetime) -> None:
    """Publish one day to every partition of hub.tick and wait until all are acknowledged. Raises
    WireError."""
    with Registry(settings.registry, settings.namespace) as registry:
        schema_id = registry.id_of(TOPIC)
    row = {"day": day, "sent_at": now}
    (value,) = encode(load.of_topic(TOPIC), [row], schema_id)
    publisher = Publisher(settings)
    for partition in range(settings.partitions):
        publisher.send(settings.topic(TOPIC), day.isoformat().encode(), value, partition)
    publisher.flush()


def run(settings: Settings, day: date | None = None) -> None:
    """Tell today's day, then each new one, until SIGTERM or SIGINT. With ``day``: tell that one and
    return."""
    check_reachable(settings)
    if day is not None:
        tick(settings, day, datetime.now(UTC))
        return
    stop = threading.Event()
    for sent in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sent, lambda *_: stop.set())
    told: date | None = None
    while not stop.is_set():
        now = datetime.now(UTC)
        if today(now) != told:
            for attempt in stamina.retry_context(on=WireError, attempts=None, timeout=600, wait_max=10):
                with attempt:
                    tick(settings, today(now), now)
            told = today(now)
            log.info("told %s", told)
        stop.wait(wait_s(datetime.now(UTC)))
