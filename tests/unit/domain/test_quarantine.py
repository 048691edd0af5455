"""What is put aside fits into one message of hub.quarantine, whatever its size was."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from domain.quarantine import ROOM, aside
from domain.sealing import new_pair, open_sealed
from schemas import codec, load
from schemas.topics import MESSAGE_MAX_BYTES

PUBLIC, PRIVATE = new_pair()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
FRAMING = 200
"""More than Kafka's headers of a batch and of the record in it take."""


@pytest.mark.parametrize(
    ("key_bytes", "value_bytes"), [(32, 70_000), (32, ROOM - 32), (32, ROOM), (5_000_000, 40), (0, 9_000_000)]
)
def test_an_original_of_any_size_fits_and_what_is_left_out_is_said(key_bytes: int, value_bytes: int) -> None:
    key, value = os.urandom(key_bytes), os.urandom(value_bytes)
    row = aside(PUBLIC, ("intake.medical", 3, 1 << 40), ("too_large", "allowed are 65536"), key, value, NOW)
    [message] = codec.encode(load.of_topic("hub.quarantine"), [row], 1)
    assert len(message) + len(row["topic"]) + FRAMING <= MESSAGE_MAX_BYTES
    kept = open_sealed(PRIVATE, row["sealed_key"]), open_sealed(PRIVATE, row["sealed_value"])
    assert kept[0] == key[: len(kept[0])]
    assert b"".join(kept) == (key + value)[:ROOM]
    cut = f"; of {key_bytes + value_bytes} bytes of key and value the first {ROOM} are kept"
    assert row["detail"] == "allowed are 65536" + (cut if key_bytes + value_bytes > ROOM else "")


def test_a_message_without_key_and_value() -> None:
    row = aside(PUBLIC, ("intake.medical", 0, 0), ("null_value", "none"), None, None, NOW)
    assert open_sealed(PRIVATE, row["sealed_key"]) == open_sealed(PRIVATE, row["sealed_value"]) == b""
