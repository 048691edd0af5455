"""Makes everything in Redis anew from the topics: the same keys, values and stream ids."""

from __future__ import annotations

import contextlib
import logging

from agents.projection.projector import TOPICS
from agents.projection.worker import Views
from schemas.topics import TOPICS as TABLE
from wire.kafka import consumer, partitions_of
from wire.reading import end_offsets
from wire.settings import Settings

log = logging.getLogger("doudi.projection")


def rebuild(settings: Settings) -> None:
    """Clear and project again up to the ends of the topics as they are now.

    Safe beside a running projection (both check the position in Redis) and after a rebuild that was
    interrupted. Clients of the stream resume, because entry ids come from offsets.
    """
    with contextlib.closing(Views(settings)) as views:
        ends = _ends(settings)
        views.projector.clear()
        # People first: an alert that is readable can then be opened.
        for topic in sorted(TOPICS, key=lambda t: t == "hub.case"):
            for partition in range(partitions_of(settings, TABLE[topic])):
                views.replay(topic, partition, ends[topic, partition])
    log.info("rebuilt %d topics", len(TOPICS))


def _ends(settings: Settings) -> dict[tuple[str, int], int]:
    client = consumer(settings, "rebuild")
    try:
        return {
            (topic, p): end
            for topic in TOPICS
            for p, end in end_offsets(
                settings, client, settings.topic(topic), range(partitions_of(settings, TABLE[topic]))
            ).items()
        }
    finally:
        client.close()
