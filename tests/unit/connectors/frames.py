"""Rows of departments for tests: dictionaries of text to frames."""

from __future__ import annotations

from typing import Any

import polars as pl

from connectors.catalogue import load, mappings
from connectors.mapping import apply


def mapped(department: str, name: str, *rows: dict[str, str | None]) -> list[dict[str, Any]]:
    """The rows through the department's mapping, as its connector.yaml says."""
    mapping = mappings(department)[name]
    feed = next(f for f in load(department).feeds if f.mapping == name)
    flag = (feed.deleted,) if feed.deleted else ()
    columns = dict.fromkeys([feed.key, feed.updated_at, *flag, *mapping.columns], pl.String)
    frame = pl.DataFrame([{c: r.get(c) for c in columns} for r in rows], schema=columns)
    return apply(mapping, frame, key=feed.key, updated_at=feed.updated_at, deleted=feed.deleted).to_dicts()
