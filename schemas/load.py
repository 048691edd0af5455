"""Avro schemas as data: fields, types, defaults and the column types they decode to.

Only the decodable subset is known here; anything else is refused with SchemaError, so no schema
that could panic or exhaust a decoder (maps, recursion, nullable enums …) ever reaches one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any, Literal

import fastavro
import numpy as np
import polars as pl
import pyarrow as pa

from schemas import topics
from schemas.errors import SchemaError, UnknownTopic

# Polars imports these two when it first needs them, and in two threads at once that ends in a TypeError: needed here,
# while a module is imported, it happens once.
pl.Series([0]).gather(np.zeros(1, np.int64))
pl.from_arrow(pa.array([0]))

Kind = Literal["string", "bytes", "int", "long", "double", "boolean", "enum", "record", "array"]
MAX_DEPTH = 4
MAX_SYMBOLS = 64
_PRIMITIVES: dict[str, Kind] = {
    "string": "string",
    "bytes": "bytes",
    "int": "int",
    "long": "long",
    "double": "double",
    "boolean": "boolean",
}
_LOGICAL = {("int", "date"), ("long", "timestamp-millis")}
_DTYPES: dict[tuple[str, str], pl.DataType] = {
    ("string", ""): pl.String(),
    ("bytes", ""): pl.Binary(),
    ("int", ""): pl.Int32(),
    ("long", ""): pl.Int64(),
    ("double", ""): pl.Float64(),
    ("boolean", ""): pl.Boolean(),
    ("enum", ""): pl.String(),
    ("int", "date"): pl.Date(),
    ("long", "timestamp-millis"): pl.Datetime("ms", "UTC"),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A type: its kind, its logical type ("" if none), and what it is made of."""

    kind: Kind
    logical: str = ""
    symbols: tuple[str, ...] = ()
    enum_default: str = ""
    fields: tuple[Field, ...] = ()
    items: Field | None = None

    @property
    def dtype(self) -> pl.DataType:
        """The Polars type of a column of this type. Enums decode to strings."""
        if self.kind == "record":
            return pl.Struct([pl.Field(f.name, f.node.dtype) for f in self.fields])
        if self.kind == "array" and self.items is not None:
            return pl.List(self.items.node.dtype)
        return _DTYPES[self.kind, self.logical]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record (or the items of an array, named "items")."""

    name: str
    node: Node
    nullable: bool = False
    has_default: bool = False
    default: Any = None
    doc: str = ""


Names = dict[str, Node | None]
"""Named types by full name; None while the type is being read, so that recursion shows."""


@dataclass(frozen=True, eq=False)
class Schema:
    """A parsed schema. Compared and hashed by identity: ``parse`` gives equal JSON the same object."""

    name: str
    raw: Mapping[str, Any]
    fields: tuple[Field, ...]

    @cached_property
    def parsed(self) -> Any:
        """The schema as fastavro wants it."""
        return fastavro.parse_schema(json.loads(json.dumps(self.raw)))

    @cached_property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Column name to Polars type, in the schema's order."""
        return {f.name: f.node.dtype for f in self.fields}

    @cached_property
    def json(self) -> str:
        """The schema as it is registered."""
        return json.dumps(self.raw, ensure_ascii=False, separators=(",", ":"))

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name}")

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with this schema's columns."""
        return pl.DataFrame(schema=self.dtypes)


def parse(raw: Mapping[str, Any] | str) -> Schema:
    """The schema of an Avro record given as JSON text or as a mapping.

    Raises SchemaError saying where and why it lies outside the decodable subset.
    """
    return _parse(raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False, sort_keys=True))


@lru_cache(maxsize=512)
def _parse(text: str) -> Schema:
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise SchemaError(f"the schema is not JSON: {error}; mend the text at that place") from error
    if not isinstance(raw, dict) or raw.get("type") != "record":
        raise SchemaError('the outermost type is not a record; make it {"type": "record", …}')
    node = _record(raw, str(raw.get("name", "?")), "", {}, 1)
    return Schema(str(raw["name"]), raw, node.fields)


def _record(raw: Mapping[str, Any], where: str, space: str, names: Names, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise SchemaError(f"{where}: nested deeper than {MAX_DEPTH} levels; flatten it")
    space = str(raw.get("namespace", space))
    full = _full(raw, where, space)
    names[full] = None
    fields: list[Field] = []
    entries = raw.get("fields")
    if not isinstance(entries, list) or not entries:
        raise SchemaError(f"{where}: a record without fields; give it at least one")
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or "type" not in entry:
            raise SchemaError(f'{where}: a field without name or type; write {{"name": …, "type": …}}')
        if any(f.name == name for f in fields):
            raise SchemaError(f"{where}.{name}: the name stands twice; rename one")
        fields.append(_field(entry, f"{where}.{name}", space, names, depth))
    node = names[full] = Node("record", fields=tuple(fields))
    return node


def _field(entry: Mapping[str, Any], where: str, space: str, names: Names, depth: int) -> Field:
    kind, nullable = entry["type"], False
    if isinstance(kind, list):
        if len(kind) != 2 or kind[0] != "null":  # noqa: PLR2004
            raise SchemaError(f'{where}: a union other than ["null", type]; make it two fields')
        kind, nullable = kind[1], True
    node = _node(kind, where, space, names, depth)
    if nullable and node.kind in ("enum", "array", "record"):
        hint = {
            "enum": "make it required with a symbol UNKNOWN",
            "array": "make it required, empty for none",
            "record": "make its fields nullable instead",
        }[node.kind]
        raise SchemaError(f"{where}: a nullable {node.kind} does not decode column-wise; {hint}")
    return Field(
        str(entry["name"]),
        node,
        nullable,
        "default" in entry,
        entry.get("default"),
        str(entry.get("doc", "")),
    )


def _node(kind: Any, where: str, space: str, names: Names, depth: int) -> Node:
    if isinstance(kind, str):
        if kind in _PRIMITIVES:
            return Node(_PRIMITIVES[kind])
        full = kind if "." in kind or not space else f"{space}.{kind}"
        if full in names:
            known = names[full]
            if known is None:
                raise SchemaError(f"{where}: {kind} contains itself; recursion can end a decoder: refer by key")
            return known
        raise SchemaError(
            f"{where}: type {kind!r} is not in the decodable subset; "
            f"use {', '.join(_PRIMITIVES)}, enum, array or record"
        )
    if isinstance(kind, list):
        raise SchemaError(f'{where}: a union within a type; only a field may be ["null", type]')
    name = kind.get("type") if isinstance(kind, dict) else None
    if name == "record":
        return _record(kind, where, space, names, depth + 1)
    if name == "enum":
        return _enum(kind, where, space, names)
    if name == "array":
        if depth >= MAX_DEPTH:
            raise SchemaError(f"{where}: nested deeper than {MAX_DEPTH} levels; flatten it")
        items = kind.get("items")
        if items == "null" or isinstance(items, list):
            raise SchemaError(
                f"{where}: items that may be null; an array of them costs no bytes and any "
                f"amount of memory: leave absent items out"
            )
        return Node("array", items=Field("items", _node(items, f"{where}[]", space, names, depth + 1)))
    if isinstance(name, str) and name in _PRIMITIVES:
        logical = str(kind.get("logicalType", ""))
        if logical and (name, logical) not in _LOGICAL:
            raise SchemaError(
                f"{where}: logical type {logical} on {name} is not in the decodable subset; "
                f"use date on int or timestamp-millis on long"
            )
        return Node(_PRIMITIVES[name], logical)
    raise SchemaError(
        f"{where}: type {name!r} is not in the decodable subset; use {', '.join(_PRIMITIVES)}, enum, array or record"
    )


def _enum(kind: Mapping[str, Any], where: str, space: str, names: Names) -> Node:
    symbols = tuple(kind.get("symbols", ()))
    if not 0 < len(symbols) <= MAX_SYMBOLS:
        raise SchemaError(f"{where}: an enum of {len(symbols)} symbols; use 1 to {MAX_SYMBOLS}, or a string")
    node = Node("enum", symbols=symbols, enum_default=str(kind.get("default", "")))
    names[_full(kind, where, str(kind.get("namespace", space)))] = node
    return node


def _full(raw: Mapping[str, Any], where: str, space: str) -> str:
    name = raw.get("name")
    if not isinstance(name, str) or not name:
        raise SchemaError(f"{where}: a {raw.get('type')} without a name; give it one")
    return name if "." in name or not space else f"{space}.{name}"


@cache
def schema(name: str) -> Schema:
    """The schema of a file in schemas/avro, by its name without suffix. Raises SchemaError."""
    try:
        text = (files("schemas") / "avro" / f"{name}.avsc").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SchemaError(f"no schema {name}; add schemas/avro/{name}.avsc") from error
    return parse(text)


def of_topic(topic: str) -> Schema:
    """The schema of a logical topic, backlog lane included. Raises UnknownTopic."""
    try:
        return schema(topics.of(topic).schema)
    except KeyError as error:
        raise UnknownTopic(f"no topic {topic}; add it to schemas/topics.py") from error


def key_fields(topic: str) -> tuple[str, ...]:
    """The fields that make the message key of a logical topic, joined by a colon on the wire."""
    return tuple(topics.of(topic).key.split(":"))


def all_names() -> Iterator[str]:
    """Names of the schemas in schemas/avro."""
    found = (f.name for f in (files("schemas") / "avro").iterdir() if f.name.endswith(".avsc"))
    return iter(sorted(name.removesuffix(".avsc") for name in found))
