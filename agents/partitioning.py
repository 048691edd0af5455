"""Kafka's murmur2 over many keys at once: which partition a message of a co-partitioned topic goes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_M = np.uint32(0x5BD1E995)
_WORD = 4


def partitions(keys: Sequence[bytes], count: int) -> npt.NDArray[np.int32]:
    """Partition of each key among ``count``, as Java's default partitioner chooses."""
    result = np.empty(len(keys), np.int32)
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    for length in np.unique(lengths).tolist():
        places = np.flatnonzero(lengths == length)
        joined = b"".join([keys[i] for i in places.tolist()])
        block = np.frombuffer(joined, np.uint8).reshape(len(places), length)
        result[places] = (_murmur2(block) & np.uint32(0x7FFFFFFF)) % np.uint32(count)
    return result


def _murmur2(block: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Hashes of equally long keys, one a row."""
    rows, length = block.shape
    whole = length - length % _WORD
    h = np.full(rows, 0x9747B28C ^ length, np.uint32)
    words = np.ascontiguousarray(block[:, :whole]).view("<u4") if whole else np.empty((rows, 0), np.uint32)
    for column in range(words.shape[1]):
        k = words[:, column] * _M
        h = (h * _M) ^ ((k ^ (k >> np.uint32(24))) * _M)
    if whole < length:
        tail = np.zeros((rows, _WORD), np.uint8)
        tail[:, : length - whole] = block[:, whole:]
        h = (h ^ tail.view("<u4")[:, 0]) * _M
    h = (h ^ (h >> np.uint32(13))) * _M
    return h ^ (h >> np.uint32(15))
