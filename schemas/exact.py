"""One message at a time: the slow way that says what is wrong with it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import fastavro

from schemas.errors import EncodeError
from schemas.load import Node, Schema

_BITS = {"int": 31, "long": 63}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a body is not accepted. ``detail`` names types and sizes, never values."""

    reason: Literal["truncated", "trailing_bytes", "undecodable"]
    detail: str


def read(schema: Schema, body: bytes) -> dict[str, Any] | Refusal:
    """The row, or why there is none. All bytes must be consumed and be the row's canonical encoding."""
    source = io.BytesIO(body)
    try:
        row = fastavro.schemaless_reader(source, schema.parsed, None)
    except EOFError:
        return Refusal("truncated", f"{len(body)} bytes end within a field of {schema.name}")
    except Exception as error:  # whatever a hostile body raises is about that body
        return Refusal("undecodable", f"{type(error).__name__} as {schema.name}")
    if source.tell() != len(body):
        return Refusal("trailing_bytes", f"{len(body) - source.tell()} bytes behind the record")
    again = io.BytesIO()
    try:
        fastavro.schemaless_writer(again, schema.parsed, row)
    except Exception as error:
        return Refusal("undecodable", f"{type(error).__name__} as {schema.name}")
    if again.getvalue() != body:
        return Refusal("undecodable", "not the canonical Avro encoding")
    if not isinstance(row, dict) or not all(_fits(f.node, row[f.name]) for f in schema.fields):
        return Refusal("undecodable", f"a number lies outside the range of its type in {schema.name}")
    return row


def _fits(node: Node, value: Any) -> bool:
    """Whether whole numbers are within 32 or 64 bits: the reader does not look."""
    if value is None or node.logical:
        return True
    if node.kind in _BITS:
        return bool(-(1 << _BITS[node.kind]) <= value < 1 << _BITS[node.kind])
    if node.kind == "array" and node.items is not None:
        return all(_fits(node.items.node, item) for item in value)
    if node.kind == "record":
        return all(_fits(f.node, value[f.name]) for f in node.fields)
    return True


def write(schema: Schema, row: Mapping[str, Any], number: int) -> bytes:
    """The body of one row. Raises EncodeError naming the row by ``number`` and the field."""
    for field in schema.fields:
        where, value = f"row {number}: {schema.name}.{field.name}", row.get(field.name)
        if value is None and not field.nullable and (field.name in row or not field.has_default):
            raise EncodeError(f"{where} is required and absent or null; fill it")
        if isinstance(value, int) and not _fits(field.node, value):
            raise EncodeError(f"{where} does not fit into {field.node.kind}; mend the value")
        if isinstance(value, datetime) and value.tzinfo is None:
            raise EncodeError(f"{where} is a time without zone; give it in UTC")
    out = io.BytesIO()
    try:
        fastavro.schemaless_writer(out, schema.parsed, dict(row), strict_allow_default=True)
    except Exception as error:
        raise EncodeError(
            f"row {number}: {schema.name}.{_culprit(schema, row)}: {type(error).__name__}; "
            f"give it the type of the schema"
        ) from error
    return out.getvalue()


def _culprit(schema: Schema, row: Mapping[str, Any]) -> str:
    """The first field that does not fit alone."""
    for field, raw in zip(schema.fields, schema.parsed["fields"], strict=True):
        alone = {"type": "record", "name": f"{schema.name}_{field.name}", "fields": [{**raw}]}
        try:
            fastavro.schemaless_writer(
                io.BytesIO(),
                fastavro.parse_schema(alone),
                {k: v for k, v in row.items() if k == field.name},
                strict_allow_default=True,
            )
        except Exception:
            return field.name
    return "?"
