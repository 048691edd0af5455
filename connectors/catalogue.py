"""The catalogue of a department's feeds: connector.yaml, read strictly, each mistake named."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from datetime import date
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.errors import ConfigError
from connectors.mapping import Mapping

FOLDERS = ("agriculture", "civil", "disability", "education", "employment", "housing", "medical", "vital", "water")
"""Departments with a connector in this package."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coverage(_Strict):
    """What a complete feed covers: people of a division, from a day on."""

    division: str = Field("", pattern=r"^[0-9]{0,12}$", description="Division prefix; empty: everybody")
    covers_from: date = Field(description="First day that the feed's records cover")


class Feed(_Strict):
    """One feed: a table or a drop folder into a topic."""

    source: str = Field(description="Name of the feed in topics and in the catalogue")
    topic: str = Field(description="Department topic")
    mapping: str = Field(description="Name in FEEDS of the department's mapping.py")
    kind: Literal["sql", "files"] = "sql"
    table: str = Field("", description="Table or view, schema.table where not in the default schema")
    folder: str = Field("", description="Drop folder of a feed of kind files")
    key: str = Field(description="Column of the department's own key")
    key_contains_id: bool = Field(False, description="Topics carry the keyed hash of every key, whatever it looks like")
    updated_at: str = Field(description="Column that grows with every change of a row")
    deleted: str = Field("", description="Boolean column that marks a deleted row")
    compare_seconds: float = Field(0, ge=0, description="Seconds between full key comparisons; 0: none")
    allow_mass_delete: bool = Field(False, description="Publish deletes even if a large part vanished at once")
    epoch: int = Field(1, ge=1, description="Raise when the feed is set up anew, so that its versions win")
    covers: tuple[Coverage, ...] = ()
    poll_seconds: float = Field(0.1, gt=0, description="Looks for changes are at the clock's multiples of this")
    near_seconds: float = Field(0.5, ge=0, description="Reread at every look: short transactions, unordered commits")
    overlap_seconds: float = Field(120, ge=0, description="Longest transaction: reread by keys at every sweep")
    sweep_seconds: float = Field(5, gt=0, description="Pause between two sweeps of the overlap")
    rows_per_query: int = Field(10_000, ge=1, le=200_000, description="Most rows of one query")
    rows_per_second: int = Field(0, ge=0, description="Most rows read a second, averaged; 0: no limit")
    pause_seconds: float = Field(0, ge=0, description="Pause after every full page")


class Catalogue(_Strict):
    """All feeds of a connector."""

    department: str
    title_zh: str
    title_en: str
    contact: str = Field("", description="Who answers for these feeds at the department")
    database: str = Field("", description="Database on the example server where no url is given")
    url: str = Field("", description="SQLAlchemy URL of a read-only account")
    feeds: tuple[Feed, ...]


@cache
def mappings(department: str) -> Dictionary[str, Mapping]:
    """FEEDS of a department's mapping.py."""
    feeds: Dictionary[str, Mapping] = import_module(f"connectors.{department}.mapping").FEEDS
    return feeds


def load(department: str, override: Path | None = None) -> Catalogue:
    """The department's connector.yaml; ``override`` replaces its keys, and those of a feed by ``source``.

    Raises ConfigError that names the file, the place and the remedy.
    """
    if department not in FOLDERS:
        raise ConfigError(f"There is no connector {department!r}. Give one of: {', '.join(FOLDERS)}.")
    shipped = _read(files("connectors") / department / "connector.yaml")
    merged = _merge(shipped, _read(override)) if override else shipped
    where = override or f"connectors/{department}/connector.yaml"
    try:
        catalogue = Catalogue.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{where}: {place}: {first['msg']}. Mend that line and start again.") from None
    for feed in catalogue.feeds:
        mapping = mappings(department).get(feed.mapping)
        if mapping is None or mapping.topic != feed.topic:
            known = ", ".join(f"{n} ({m.topic})" for n, m in mappings(department).items())
            raise ConfigError(
                f"{where}: feed {feed.source}: mapping {feed.mapping!r} of topic {feed.topic!r} is "
                f"not in mapping.py. It has: {known}."
            )
        if not (feed.table if feed.kind == "sql" else feed.folder):
            what = "table" if feed.kind == "sql" else "folder"
            raise ConfigError(f"{where}: feed {feed.source}: {what} is empty. Name the {what} to read.")
    return catalogue


def _read(path: Any) -> dict[str, Any]:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Give the path of a connector.yaml.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line} is not YAML: {getattr(error, 'problem', 'unreadable')}. Mend it.") from None
    if not isinstance(read, dict):
        raise ConfigError(f"{path} is empty or no mapping of keys. Start from the shipped connector.yaml.")
    return read


def _merge(shipped: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    feeds = {f["source"]: f for f in shipped["feeds"]}
    for feed in given.get("feeds") or []:
        feeds[feed.get("source", "")] = {**feeds.get(feed.get("source", ""), {}), **feed}
    return {**shipped, **given, "feeds": list(feeds.values())}
