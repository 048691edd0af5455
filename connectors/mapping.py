"""A mapping: which columns of a department become which fields of a topic. Pure: no database, no key."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from functools import cache

import polars as pl

from connectors.errors import ConfigError
from connectors.fields import Field, moment_of
from schemas.load import of_topic
from schemas.topics import MESSAGE_MAX_BYTES

ENVELOPE = (
    "event_id",
    "source",
    "source_epoch",
    "record_id",
    "record_version",
    "op",
    "person_key",
    "division",
    "occurred_at",
    "published_at",
)
DAMAGED_KEY = "the record's key is empty"
ROW_MAX_BYTES = MESSAGE_MAX_BYTES // 8
"""So much text (UTF-8) may a row have: as JSON, at most six times as long, it fits into one message."""
TOO_LONG = f"the row has more than {ROW_MAX_BYTES} bytes of text"


@dataclass(frozen=True, slots=True)
class Identity:
    """Columns that say who it is. They go to the vault, never to a topic's fields.

    ``household_no`` and ``guardian_id`` become ``household_key`` and ``guardian_key``. ``card_no``: a
    certificate number whose first 18 characters must be the ID (and stand in for a missing one).
    """

    id_number: str
    name: str = ""
    telephone: str = ""
    address: str = ""
    household_no: str = ""
    guardian_id: str = ""
    guardian_name: str = ""
    card_no: str = ""

    def columns(self) -> dict[str, str]:
        """Part of the identity to the department's column."""
        return {n: c for n in self.__slots__ if (c := getattr(self, n))}


@dataclass(frozen=True, eq=False)
class Mapping:
    """From a department's row (all columns as text) to the fields of ``topic``."""

    topic: str
    identity: Identity
    division: Field
    fields: Dictionary[str, Field]
    occurred_at: Field | None = None
    """When the fact became true at the department; without it, when the row was changed."""
    deleted: Field | None = None
    """True where the row says that the record is revoked."""

    def __post_init__(self) -> None:
        """Refuse fields that the topic's schema does not know, or that are not mapped."""
        linked = {"household_key"} if self.identity.household_no else set()
        linked |= {"guardian_key"} if self.identity.guardian_id else set()
        linked |= {"born_on"} & set(of_topic(self.topic).dtypes)  # from the ID number, for every department alike
        if twice := linked & set(self.fields):
            raise ConfigError(
                f"The mapping of {self.topic} gives {', '.join(sorted(twice))}, which comes from its identity; "
                "leave it out of the fields in mapping.py."
            )
        have, want = set(self.fields) | linked, set(of_topic(self.topic).dtypes) - set(ENVELOPE)
        if have != want:
            raise ConfigError(
                f"The mapping of {self.topic} lacks {sorted(want - have)}, has {sorted(have - want)} too "
                "many. Bring mapping.py in line with schemas/avro."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read at the department, each with a purpose: nothing else is taken."""
        parts = [self.division, *self.fields.values(), *filter(None, (self.occurred_at, self.deleted))]
        who = self.identity.columns().values()
        return tuple(dict.fromkeys([*who, *(c for p in parts for c in p.columns)]))


_STRIPPED = pl.all().str.strip_chars()
_FILLED = pl.when(pl.all() != "").then(pl.all())
"""After it: empty text is null."""
_UPDATED, _FIELDS, _BYTES = "_updated", "_fields", "\x00bytes"


def apply(mapping: Mapping, raw: pl.DataFrame, *, key: str, updated_at: str, deleted: str = "") -> pl.DataFrame:
    """The typed rows of ``raw`` (all columns text), in order, and these columns for the way on:

    ``_key`` (text), ``_updated`` (UTC µs, null if the row has none), ``_deleted``, ``_problem`` (what is
    wrong, null if nothing), ``_fields`` (all fields and the division as one text, to tell whether they
    changed) and ``_<part>`` for each part of the identity.
    """
    values, columns, fields = _expressions(mapping, key, updated_at, deleted)
    clean = raw.with_columns(_STRIPPED).with_columns(_FILLED)
    return clean.with_columns(values).select(columns).with_columns(fields)


@cache
def _expressions(
    mapping: Mapping, key: str, updated_at: str, deleted: str
) -> tuple[list[pl.Expr], list[pl.Expr], pl.Expr]:
    """What `apply` does in turn, made once for a feed."""
    moments = moment_of(pl.col(updated_at)) if updated_at else pl.lit(None, pl.Datetime("us", "UTC"))
    size = pl.sum_horizontal(pl.all().str.len_bytes())
    values = [moments.alias(_UPDATED), size.alias(_BYTES), *(p.value.alias(_value(p)) for p in _parts(mapping))]
    texts = [pl.col(name).cast(pl.String).fill_null("\x00") for name in ("division", *mapping.fields)]
    fields = pl.concat_str(texts, separator="\x1f")
    return values, _columns(mapping, key, deleted), fields.alias(_FIELDS)


def _parts(mapping: Mapping) -> Iterable[Field]:
    """Each once, also where two names have the same."""
    return dict.fromkeys([*mapping.fields.values(), mapping.division, *filter(None, (mapping.occurred_at,))])


def _value(part: Field) -> str:
    """The column with a part's values, until they have their names."""
    return f"\x00{id(part)}"


def _bad(part: Field) -> pl.Expr | None:
    if part.strict:
        return pl.col(part.columns[0]).is_not_null() & pl.col(_value(part)).is_null()
    return part.bad


def _columns(mapping: Mapping, key: str, deleted: str) -> list[pl.Expr]:
    moments = pl.col(_UPDATED)
    flag = pl.lit(False)
    if deleted:
        flag = pl.col(deleted).str.to_lowercase().is_in(["t", "true", "1", "y"]).fill_null(False)
    if mapping.deleted is not None:
        flag = flag | mapping.deleted.value.fill_null(False)
    changed = moments.dt.cast_time_unit("ms")
    happened = pl.col(_value(mapping.occurred_at)) if mapping.occurred_at else changed
    problems = [pl.when(bad).then(pl.lit(p.says)) for p in _parts(mapping) if (bad := _bad(p)) is not None]
    problems.append(pl.when(pl.col(_BYTES) > ROW_MAX_BYTES).then(pl.lit(TOO_LONG)))
    problems.append(pl.when(pl.col(key).is_null()).then(pl.lit(DAMAGED_KEY)))
    return [
        pl.col(key).fill_null("").alias("_key"),
        moments,
        flag.alias("_deleted"),
        pl.coalesce(problems).alias("_problem"),
        *[pl.col(c).alias(f"_{part}") for part, c in mapping.identity.columns().items()],
        pl.col(_value(mapping.division)).alias("division"),
        pl.coalesce(happened, changed, pl.lit(0).cast(pl.Datetime("ms", "UTC"))).alias("occurred_at"),
        *[pl.col(_value(f)).alias(name) for name, f in mapping.fields.items()],
    ]
