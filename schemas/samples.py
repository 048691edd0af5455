"""Golden samples: one row of every schema as people read it, and the bytes it must encode to for ever.

``python -m schemas.samples`` writes those that are missing. When a schema grows, move the old sample to
schemas/history/<schema>.<number>.json (it carries its schema) and let a new one be written.
"""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, date, datetime
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastavro

from schemas import load
from schemas.load import Field, Node, Schema


def row_of(schema: Schema) -> dict[str, Any]:
    """A made-up row: every field filled, every nullable one too, arrays of one item."""
    return {field.name: _value(field.node, f"{schema.name}.{field.name}", field) for field in schema.fields}


def _value(node: Node, where: str, field: Field) -> Any:
    digest = blake2b(where.encode(), digest_size=16)
    number = int.from_bytes(digest.digest()[:2], "big")
    if node.logical == "date":
        return date.fromordinal(date(2026, 1, 1).toordinal() + number % 365)
    if node.logical:
        return datetime.fromtimestamp(1_767_225_600 + number, UTC)
    simple: dict[str, Any] = {
        "string": digest.hexdigest() if field.name.endswith(("_key", "_id")) else f"{field.name} 样例",
        "bytes": digest.digest(),
        "int": number % 100,
        "long": number * 1_000 - 9_000_000,
        "double": number / 4,
        "boolean": number % 2 == 0,
        "enum": node.symbols[-1] if node.symbols else "",
    }
    if node.kind in simple:
        return simple[node.kind]
    if node.kind == "array" and node.items is not None:
        return [_value(node.items.node, f"{where}[]", node.items)]
    return {f.name: _value(f.node, f"{where}.{f.name}", f) for f in node.fields}


def to_json(node: Node, value: Any) -> Any:
    """A value as it stands in a sample: dates and moments in ISO, bytes in base64."""
    if value is None:
        return None
    if node.logical:
        return value.isoformat()
    if node.kind == "bytes":
        return base64.b64encode(value).decode()
    if node.kind == "array" and node.items is not None:
        return [to_json(node.items.node, item) for item in value]
    if node.kind == "record":
        return {f.name: to_json(f.node, value[f.name]) for f in node.fields}
    return value


def from_json(node: Node, value: Any) -> Any:
    """The value that ``to_json`` wrote."""
    if value is None:
        return None
    if node.logical:
        return date.fromisoformat(value) if node.logical == "date" else datetime.fromisoformat(value)
    if node.kind == "bytes":
        return base64.b64decode(value)
    if node.kind == "array" and node.items is not None:
        return [from_json(node.items.node, item) for item in value]
    if node.kind == "record":
        return {f.name: from_json(f.node, value[f.name]) for f in node.fields}
    return value


@cache
def golden(name: str) -> tuple[dict[str, Any], bytes]:
    """The golden row of a schema and its body (without the five bytes of framing)."""
    text = (files("schemas") / "golden" / f"{name}.json").read_text("utf-8")
    return _read(load.schema(name), json.loads(text))


def history() -> list[tuple[str, Schema, dict[str, Any], bytes]]:
    """Schema name, earlier version, golden row and body of everything that once was published."""
    found = []
    folder = files("schemas") / "history"
    for entry in sorted((f for f in folder.iterdir() if f.name.endswith(".json")), key=lambda f: f.name):
        text = json.loads(entry.read_text("utf-8"))
        old = load.parse(text["schema"])
        found.append((entry.name.rsplit(".", 2)[0], old, *_read(old, text)))
    return found


def _read(schema: Schema, text: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    row = {f.name: from_json(f.node, text["row"][f.name]) for f in schema.fields}
    return row, bytes.fromhex(text["body"])


def write_missing() -> list[str]:
    """Write the samples that do not exist yet; returns their names."""
    written = []
    for name in load.all_names():
        target = Path(str(files("schemas"))) / "golden" / f"{name}.json"
        if target.exists():
            continue
        schema = load.schema(name)
        row, out = row_of(schema), io.BytesIO()
        fastavro.schemaless_writer(out, schema.parsed, row)
        shown = {f.name: to_json(f.node, row[f.name]) for f in schema.fields}
        text = json.dumps(
            {"schema": schema.raw, "row": shown, "body": out.getvalue().hex()}, ensure_ascii=False, indent=1
        )
        target.parent.mkdir(exist_ok=True)
        target.write_text(text + "\n", encoding="utf-8")
        written.append(name)
    return written


if __name__ == "__main__":
    write_missing()
