"""Copies of the persons' state files in a folder: snapshots, or copies made of closed files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"(?:.*[^a-z])?persons-(\d+)\.([0-9T]+)\.duckdb")


def newest(folder: Path) -> dict[int, Path]:
    """The newest copy of each partition in a folder that exists: by the number or the time in its name."""
    return {
        int(match[1]): path
        for path in sorted(folder.iterdir(), key=lambda p: (len(p.name), p.name))
        if (match := _NAME.fullmatch(path.name))
    }
