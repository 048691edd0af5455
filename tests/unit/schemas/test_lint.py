"""A gallery of broken schemas: each is refused with what is wrong, where, and how to mend it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from schemas import lint, load, topics
from schemas.errors import SchemaError, UnknownTopic

ROSTER = topics.TOPICS["civil.roster"]
NULLABLE: dict[str, Any] = {"default": None, "doc": "x"}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "doc": "x", **more}


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "doc": "x", "fields": list(fields)}


def roster(*, drop: str = "", add: tuple[dict[str, Any], ...] = (), **change: Any) -> dict[str, Any]:
    raw = copy.deepcopy(dict(load.schema("civil.roster").raw))
    raw["fields"] = [f for f in raw["fields"] if f["name"] != drop]
    for f in raw["fields"]:
        if f["name"] in change:
            f["type"] = change[f["name"]]
    raw["fields"] += add
    return raw


def test_our_own_schemas_are_clean() -> None:
    assert lint.check_all() == len(list(load.all_names()))


UNDECODABLE = [
    ("{", "the schema is not JSON"),
    ('"string"', "the outermost type is not a record"),
    (record(), "R: a record without fields; give it at least one"),
    (
        record(field("a", {"type": "map", "values": "string"})),
        "R.a: type 'map' is not in the decodable subset; use",
    ),
    (record(field("a", "float")), "R.a: type 'float' is not in the decodable subset; use string, bytes, int"),
    (record(field("a", {"type": "fixed", "name": "F", "size": 4})), "R.a: type 'fixed' is not in"),
    (
        record(field("a", ["null", {"type": "enum", "name": "E", "symbols": ["A"]}])),
        "R.a: a nullable enum does not decode column-wise; make it required with a symbol UNKNOWN",
    ),
    (
        record(field("a", ["null", {"type": "array", "items": "int"}])),
        "R.a: a nullable array does not decode",
    ),
    (record(field("a", ["int", "string"])), 'R.a: a union other than ["null", type]; make it two fields'),
    (record(field("a", ["string", "null"])), 'R.a: a union other than ["null", type]'),
    (
        record(field("a", {"type": "array", "items": "null"})),
        "R.a: items that may be null; an array of them costs",
    ),
    (record(field("a", {"type": "array", "items": ["null", "int"]})), "R.a: items that may be null"),
    (
        record(field("a", {"type": "array", "items": "R"})),
        "R.a[]: R contains itself; recursion can end a decoder",
    ),
    (record(field("a", "Unheard")), "R.a: type 'Unheard' is not in the decodable subset"),
    (
        record(field("a", {"type": "long", "logicalType": "timestamp-micros"})),
        "R.a: logical type timestamp-micros on long is not in the decodable subset; use date on int or",
    ),
    (
        record(field("a", {"type": "bytes", "logicalType": "decimal", "precision": 9})),
        "R.a: logical type decimal",
    ),
    (
        record(field("a", {"type": "enum", "name": "E", "symbols": [f"S{i}" for i in range(65)]})),
        "R.a: an enum of 65 symbols; use 1 to 64, or a string",
    ),
    (record(field("a", "int"), field("a", "int")), "R.a: the name stands twice; rename one"),
    (record({"name": "a"}), "R: a field without name or type"),
    (record(field("a", {"type": "enum", "symbols": ["A"]})), "R.a: a enum without a name; give it one"),
]


@pytest.mark.parametrize(("raw", "says"), UNDECODABLE, ids=[s for _, s in UNDECODABLE])
def test_what_cannot_be_decoded_is_not_parsed(raw: Any, says: str) -> None:
    with pytest.raises(SchemaError) as raised:
        load.parse(raw)
    assert str(raised.value).startswith(says)


def test_nesting_is_bounded() -> None:
    kind: Any = "int"
    for depth in range(6):
        kind = {"type": "record", "name": f"N{depth}", "fields": [field("a", kind)]}
    with pytest.raises(SchemaError, match=r"^N5\.a\.a\.a\.a: nested deeper than 4 levels; flatten it"):
        load.parse(kind)


BAD_STYLE = [
    (record({"name": "a", "type": "int"}), "R.a: no doc; say in a sentence what it holds"),
    (record(field("psnName", "int")), "R.psnName: not in lower case with underscores; rename it"),
    (record(field("a", ["null", "int"])), 'R.a: nullable without default null; add "default": null'),
    (
        record(field("a", {"type": "enum", "name": "E", "symbols": ["A"]})),
        "R.a: an enum must have the symbol UNKNOWN",
    ),
    (record(field("psn_name", "string")), "R.psn_name: smells of personal data"),
    (record(field("certno", "string")), "keep it in the vault, or seal it and call it sealed_certno"),
    (record(field("tel", "string")), "R.tel: smells of personal data"),
    (record(field("home_address", "string")), "R.home_address: smells of personal data"),
    (
        record(field("sealed_address", "string")),
        "R.sealed_address: sealed, but of type string; make it bytes",
    ),
    (record(field("amount", "double")), "R.amount: money as double loses fen; make it long in fen"),
    (
        record(field("amount", "long")),
        "R.amount: an amount without unit; give it in fen and call it amount_fen",
    ),
    (record(field("amount_fen", "int")), "R.amount_fen: in fen, but of type int; make it long"),
    (record(field("start_on", "string")), "R.start_on: a day, but not an Avro date; make it"),
    (record(field("setl_time", "long")), "R.setl_time: a moment, but not a timestamp; make it"),
    (
        record(
            field(
                "years",
                {
                    "type": "array",
                    "items": {"type": "record", "name": "Y", "fields": [{"name": "pay", "type": "long"}]},
                },
            )
        ),
        "R.years.pay: no doc",
    ),
]


@pytest.mark.parametrize(("raw", "says"), BAD_STYLE, ids=[s for _, s in BAD_STYLE])
def test_what_must_not_be_registered(raw: Any, says: str) -> None:
    with pytest.raises(SchemaError) as raised:
        lint.check(load.parse(raw))
    assert says in str(raised.value)


BAD_DEPARTMENT = [
    (
        roster(drop="op"),
        "CivilRoster: field 6 is person_key, the envelope wants op; begin with event_id, source",
    ),
    (roster(source_epoch="string"), "CivilRoster.source_epoch: the envelope wants it as required int"),
    (
        roster(op={"type": "enum", "name": "Op", "symbols": ["UNKNOWN", "upsert"], "default": "UNKNOWN"}),
        "CivilRoster.op: the symbols are UNKNOWN, upsert; begin with UNKNOWN, create, update",
    ),
    (
        roster(add=(field("rank", "int"),)),
        "CivilRoster.rank: a department's field must be nullable with default null",
    ),
    (
        roster(add=(field("ranks", {"type": "array", "items": "int"}),)),
        "CivilRoster.ranks: a department's record is flat",
    ),
    (
        roster(add=(field("remark", ["null", "string"], default=None),)),
        "CivilRoster.remark: smells of personal data",
    ),
]


@pytest.mark.parametrize(("raw", "says"), BAD_DEPARTMENT, ids=[s for _, s in BAD_DEPARTMENT])
def test_what_a_department_must_not_publish(raw: Any, says: str) -> None:
    with pytest.raises(SchemaError) as raised:
        lint.check(load.parse(raw), ROSTER)
    assert says in str(raised.value)


def test_a_key_that_is_no_field() -> None:
    said = lint.problems(load.parse(record(field("a", "int"))), topics.TOPICS["hub.audit"])
    assert said == ["R: topic hub.audit is keyed by audit_id, which is no field; add it, mend the key"]


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(SchemaError) as raised:
        lint.check(load.parse(record({"name": "tel", "type": "int"}, field("amount", "long"))))
    assert len(str(raised.value).splitlines()) == 3


def test_a_type_used_twice_and_names_with_a_namespace_are_fine() -> None:
    inner = {"type": "record", "name": "I", "fields": [field("x", "int")]}
    raw = {
        **record(field("one", inner), field("two", "I"), field("many", {"type": "array", "items": "n.I"})),
        "namespace": "n",
    }
    schema = load.parse(json.dumps(raw))
    assert schema.field("one").node == schema.field("two").node
    assert load.parse(raw) is load.parse(dict(reversed(list(raw.items()))))


def test_unknown_names() -> None:
    with pytest.raises(SchemaError, match=r"no schema nothing; add schemas/avro/nothing\.avsc"):
        load.schema("nothing")
    with pytest.raises(UnknownTopic, match=r"no topic nothing; add it to schemas/topics\.py"):
        load.of_topic("nothing")
    with pytest.raises(KeyError, match="CivilRoster has no field nothing"):
        load.schema("civil.roster").field("nothing")
