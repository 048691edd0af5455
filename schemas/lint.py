"""What a schema must keep to before it is registered; a complaint says what, where and how to mend."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.errors import SchemaError
from schemas.load import Field, Node, Schema, all_names, schema
from schemas.topics import TOPICS, Topic

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
OPS = ("UNKNOWN", "create", "update", "delete", "snapshot")
_ENVELOPE_KINDS = dict(
    zip(
        ENVELOPE,
        ("string", "string", "int", "string", "long", "enum", "string", "string", "long", "long"),
        strict=True,
    )
)
_PERSONAL = re.compile(
    r"(^|_)(name|names|xm|certno|cert_no|id_number|id_no|idcard|sfzh|zjhm|tel|telephone|phone|mobile|lxdh|"
    r"address|addr|jtzz|zz|email|wechat|bank_account|remark|remarks|memo|note|notes|comment|free_text)(_|$)"
)
_SEALED = re.compile(r"^sealed(_|$)|_sealed$")
_MONEY = re.compile(r"(^|_)(amount|amt|sumamt|pay|ownpay|selfpay|money|fee|medfee|income|price|cost|dedc|yuan)(_|$)")
_DAY = re.compile(r"(_on|_date|begndate|enddate|valid_until|^day)$")
_MOMENT = re.compile(r"(_at|_time)$")


def problems(subject: Schema, topic: Topic | None = None) -> list[str]:
    """Complaints about a schema, in the order of its fields. ``topic``: where it is to be used, if known."""
    found = list(_record(subject.name, subject.fields))
    if topic is not None and topic.family == "department":
        found += _department(subject)
    if topic is not None:
        found += [
            f"{subject.name}: topic {topic.name} is keyed by {part}, which is no field; add it, mend the key"
            for part in topic.key.split(":")
            if part not in subject.dtypes
        ]
    return found


def check(subject: Schema, topic: Topic | None = None) -> Schema:
    """The schema itself. Raises SchemaError with every complaint, one a line."""
    if found := problems(subject, topic):
        raise SchemaError("\n".join(found))
    return subject


def check_all() -> int:
    """Check every schema of this package, for every topic that uses it; returns how many there are."""
    names = list(all_names())
    for name in names:
        check(schema(name))
        for topic in TOPICS.values():
            if topic.schema == name:
                check(schema(name), topic)
    return len(names)


def _record(where: str, fields: tuple[Field, ...]) -> Iterator[str]:
    for field in fields:
        at = f"{where}.{field.name}"
        yield from _field(at, field)
        node: Node | None = field.node
        while node is not None and node.kind == "array":
            node = node.items.node if node.items else None
        if node is not None and node.kind == "record":
            yield from _record(at, node.fields)


def _field(at: str, field: Field) -> Iterator[str]:
    if not field.doc.strip():
        yield f"{at}: no doc; say in a sentence what it holds, with unit and source"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", field.name):
        yield f"{at}: not in lower case with underscores; rename it"
    if field.nullable and not (field.has_default and field.default is None):
        yield f'{at}: nullable without default null; add "default": null'
    if field.node.kind == "enum" and ("UNKNOWN" not in field.node.symbols or field.node.enum_default != "UNKNOWN"):
        yield (
            f'{at}: an enum must have the symbol UNKNOWN and "default": "UNKNOWN", so that older '
            f"readers take a new symbol"
        )
    if _PERSONAL.search(field.name) and not _SEALED.search(field.name):
        yield (
            f"{at}: smells of personal data, which topics must not hold; keep it in the vault, "
            f"or seal it and call it sealed_{field.name}"
        )
    if _SEALED.search(field.name) and field.node.kind != "bytes":
        yield f"{at}: sealed, but of type {field.node.kind}; make it bytes"
    money = _MONEY.search(field.name) or field.name.endswith("_fen")
    if field.node.kind == "double" and money:
        yield f"{at}: money as double loses fen; make it long in fen, with the suffix _fen"
    elif field.node.kind in ("int", "long") and money and not field.name.endswith("_fen"):
        yield f"{at}: an amount without unit; give it in fen and call it {field.name}_fen"
    elif field.name.endswith("_fen") and (field.node.kind != "long" or field.node.logical):
        yield f"{at}: in fen, but of type {field.node.kind}; make it long"
    if _DAY.search(field.name) and field.node.logical != "date":
        yield f'{at}: a day, but not an Avro date; make it {{"type": "int", "logicalType": "date"}}'
    if _MOMENT.search(field.name) and field.node.logical != "timestamp-millis":
        yield (
            f'{at}: a moment, but not a timestamp; make it {{"type": "long", "logicalType": "timestamp-millis"}}, UTC'
        )


def _department(subject: Schema) -> Iterator[str]:
    names = tuple(subject.dtypes)
    if names[: len(ENVELOPE)] != ENVELOPE:
        at = next((i for i, (a, b) in enumerate(zip(names, ENVELOPE, strict=False)) if a != b), len(names))
        there = names[at] if at < len(names) else "nothing"
        yield (
            f"{subject.name}: field {at + 1} is {there}, the envelope wants {ENVELOPE[at]}; "
            f"begin with {', '.join(ENVELOPE)}"
        )
        return
    for field in subject.fields[: len(ENVELOPE)]:
        if field.node.kind != _ENVELOPE_KINDS[field.name] or field.nullable:
            yield (
                f"{subject.name}.{field.name}: the envelope wants it as required "
                f"{_ENVELOPE_KINDS[field.name]}; take it over from another department's schema"
            )
    op = subject.field("op").node
    if op.kind == "enum" and op.symbols[: len(OPS)] != OPS:
        yield f"{subject.name}.op: the symbols are {', '.join(op.symbols)}; begin with {', '.join(OPS)}"
    for field in subject.fields[len(ENVELOPE) :]:
        if not field.nullable:
            yield (
                f"{subject.name}.{field.name}: a department's field must be nullable with default null: a "
                f"delete carries none of them, and only so it can be dropped or added later"
            )
        if field.node.kind in ("array", "record"):
            yield (
                f"{subject.name}.{field.name}: a department's record is flat; publish one record for each "
                f"item, or name the columns apart"
            )
