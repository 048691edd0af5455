"""Kafka's default partitioner of Java, so that everything keyed alike lands in the same state partition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_COLUMN = 16


def murmur2(data: bytes) -> int:
    """Java's murmur2 of Kafka's default partitioner, as an unsigned 32-bit number."""
    mask, mix = 0xFFFFFFFF, 0x5BD1E995
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * mix & mask
        h = h * mix & mask ^ (k ^ k >> 24) * mix & mask
    if whole < length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * mix & mask
    h = (h ^ h >> 13) * mix & mask
    return h ^ h >> 15


def partition_for(key: bytes, count: int) -> int:
    """The partition that Kafka's Java producer chooses for a key among ``count``."""
    return (murmur2(key) & 0x7FFFFFFF) % count


def partitions_for(keys: Sequence[bytes], count: int) -> list[int]:
    """``partition_for`` of many keys, computed in columns of equal length."""
    by_length: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        by_length.setdefault(len(key), []).append(place)
    found = [0] * len(keys)
    for length, places in by_length.items():
        if len(places) < _COLUMN or not length:
            hashes = [murmur2(keys[p]) for p in places]
        else:
            hashes = _murmur2_columns(b"".join([keys[p] for p in places]), length).tolist()
        for place, value in zip(places, hashes, strict=True):
            found[place] = (value & 0x7FFFFFFF) % count
    return found


def _murmur2_columns(joined: bytes, length: int) -> npt.NDArray[np.uint32]:
    """murmur2 of keys of one length lying one after the other."""
    mix = np.uint32(0x5BD1E995)
    rows = np.frombuffer(joined, np.uint8).reshape(-1, length)
    h = np.full(len(rows), 0x9747B28C ^ length, np.uint32)
    whole = length & ~3
    words = np.ascontiguousarray(rows[:, :whole]).view("<u4")
    for column in range(whole // 4):
        k = words[:, column] * mix
        k = (k ^ k >> np.uint32(24)) * mix
        h = h * mix ^ k
    if whole < length:
        tail = np.zeros((len(rows), 4), np.uint8)
        tail[:, : length - whole] = rows[:, whole:]
        h = (h ^ tail.view("<u4")[:, 0]) * mix
    h = (h ^ h >> np.uint32(13)) * mix
    hashed: npt.NDArray[np.uint32] = h ^ h >> np.uint32(15)
    return hashed
