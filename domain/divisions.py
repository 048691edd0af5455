"""Names of divisions by day, from a county's own table: a place keeps its code and may change its name.

The table is a YAML file. It names places; it does not carry cases or scopes from one code to another.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from domain.errors import Permanent
from domain.parameters import Strict


class DivisionsError(Permanent):
    """A table of divisions that cannot be used."""

    code = "divisions"


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("put the code in quotes, YAML reads it as a number｜代码须加引号")
    return value


class Name(Strict):
    """What a division is called from a day on, until before another; GB/T 2260 and 10114 lengths."""

    code: Annotated[str, BeforeValidator(_text), Field(pattern=r"^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})$")]
    zh: str = Field(min_length=1)
    en: str = ""
    since: date = Field(alias="from")
    until: date | None = None


class _Table(Strict):
    divisions: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Divisions:
    """Names by code, earliest first, no two of a code on the same day."""

    names: dict[str, tuple[Name, ...]] = field(default_factory=dict)

    def on(self, day: date, prefix: str = "") -> list[Name]:
        """The names that hold on a day, of codes that begin with a prefix, by code."""
        return [
            name
            for code, held in sorted(self.names.items())
            if code.startswith(prefix)
            for name in held
            if name.since <= day and (name.until is None or day < name.until)
        ]


def load(path: Path | None) -> Divisions:
    """The table in a file; without one no division has a name. Raises DivisionsError with file, code and remedy."""
    if path is None:
        return Divisions()
    try:
        rows = _Table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).divisions
    except (OSError, UnicodeError, yaml.YAMLError, ValidationError) as error:
        raise DivisionsError(f"{path}: {error}; see DOUDI_DIVISIONS in docs/operations.md") from error
    by_code: dict[str, list[Name]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r.code, r.since)):
        if row.until is not None and row.until <= row.since:
            raise DivisionsError(f"{path}: {row.code} from {row.since}: until ({row.until}) must be later than from")
        held = by_code[row.code]
        if held and (held[-1].until is None or row.since < held[-1].until):
            raise DivisionsError(
                f"{path}: {row.code} has two names on {row.since} ({held[-1].zh}, {row.zh}): "
                f"end the earlier one with until: {row.since}"
            )
        held.append(row)
    return Divisions({code: tuple(held) for code, held in by_code.items()})
