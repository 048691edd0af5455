"""What cannot be read is put aside in hub.quarantine, sealed to the hub."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.sealing import seal_to
from schemas.topics import MESSAGE_MAX_BYTES

ROOM = MESSAGE_MAX_BYTES - 4096
"""Bytes of an original that are kept; the rest is for the seals, the other fields and Kafka's framing."""


def aside(
    public: bytes,
    where: tuple[str, int, int],
    why: tuple[str, str],
    key: bytes | None,
    value: bytes | None,
    found_at: datetime,
) -> dict[str, Any]:
    """The row of hub.quarantine for a message, or for a department's row that became none.

    ``where``: topic, partition, offset (a row has -1 for both); ``why``: reason and detail.

    Of an original for which one message has no room (compressed, Kafka takes it at any size) the first ``ROOM``
    bytes are kept, the key's before the value's, and the detail says so.
    """
    (topic, partition, offset), (reason, detail) = where, why
    key, value = key or b"", value or b""
    if (size := len(key) + len(value)) > ROOM:
        detail = f"{detail}; of {size} bytes of key and value the first {ROOM} are kept"
    key = key[:ROOM]
    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "reason": reason,
        "detail": detail,
        "sealed_key": seal_to(public, key),
        "sealed_value": seal_to(public, value[: ROOM - len(key)]),
        "found_at": found_at,
    }
