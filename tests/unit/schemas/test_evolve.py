"""Older and newer versions of a schema: rows of either come out in the reader's columns."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from schemas import codec, evolve, load, samples

TODAY = load.schema("hub.case")


def changed(name: str, **how: Any) -> load.Schema:
    raw = copy.deepcopy(dict(load.schema(name).raw))
    raw["fields"] = [f for f in raw["fields"] if f["name"] not in how.get("drop", ())] + how.get("add", [])
    how.get("edit", lambda _: None)(raw)
    return load.parse(raw)


def by_name(raw: dict[str, Any], name: str) -> dict[str, Any]:
    return next(f for f in raw["fields"] if f["name"] == name)


GROWN = [
    {"name": "mark", "type": ["null", "string"], "default": None, "doc": "x"},
    {"name": "seen_on", "type": {"type": "int", "logicalType": "date"}, "default": 365, "doc": "x"},
    {"name": "photo", "type": "bytes", "default": "\u00ff", "doc": "x"},
    {"name": "steps", "type": {"type": "array", "items": "int"}, "default": [], "doc": "x"},
]


@pytest.mark.parametrize("count", [3, 30])
def test_an_older_writer_gets_defaults_and_a_newer_one_loses_what_is_unknown(count: int) -> None:
    old, new = load.schema("civil.roster"), changed("civil.roster", add=GROWN)
    row = samples.row_of(old)
    keys: list[bytes | None] = [row["person_key"].encode()] * count
    found = codec.decode(
        list(codec.encode(old, [row] * count, 1)), keys, new, codec.fixed({1: old}), key=("person_key",)
    )
    assert found.frame.schema == new.dtypes
    first = found.frame.row(count - 1, named=True)
    assert first["mark"] is None and str(first["seen_on"]) == "1971-01-01"
    assert first["photo"] == b"\xff" and first["steps"] == []
    ahead = {**row, "mark": "m", "seen_on": first["seen_on"], "photo": b"", "steps": [1, 2]}
    found = codec.decode(
        list(codec.encode(new, [ahead] * count, 2)), keys, old, codec.fixed({2: new}), key=("person_key",)
    )
    assert found.frame.to_dicts() == [row] * count


def test_versions_mixed_in_one_slice_keep_their_order() -> None:
    old, new = load.schema("civil.roster"), changed("civil.roster", add=GROWN[:1])
    rows = [{**samples.row_of(old), "record_id": str(i)} for i in range(60)]
    values: list[bytes | None] = [
        codec.encode(new, [{**r, "mark": "m"}], 2)[0] if i % 3 else codec.encode(old, [r], 1)[0]
        for i, r in enumerate(rows)
    ]
    values[7] = b"junk"
    found = codec.decode(values, [None] * 60, new, codec.fixed({1: old, 2: new}))
    assert found.frame["record_id"].to_list() == [str(i) for i in range(60) if i != 7]
    assert found.frame["mark"].to_list() == ["m" if i % 3 else None for i in range(60) if i != 7]
    assert found.index.tolist() == [i for i in range(60) if i != 7]


def test_a_new_symbol_reads_as_the_default() -> None:
    def grow(raw: dict[str, Any]) -> None:
        by_name(raw, "op")["type"]["symbols"].append("merge")

    old, new = load.schema("civil.roster"), changed("civil.roster", edit=grow)
    row = {**samples.row_of(old), "op": "merge"}
    found = codec.decode(list(codec.encode(new, [row] * 12, 2)), [None] * 12, old, codec.fixed({2: new}))
    assert found.frame["op"].unique().to_list() == ["UNKNOWN"]


def test_a_record_within_an_array_grows_too() -> None:
    def grow(raw: dict[str, Any]) -> None:
        by_name(raw, "conditions")["type"]["items"]["fields"].append(
            {"name": "mark", "type": ["null", "string"], "default": None, "doc": "x"}
        )

    new = changed("hub.case", edit=grow)
    row = samples.row_of(TODAY)
    found = codec.decode(list(codec.encode(TODAY, [row] * 12, 1)), [None] * 12, new, codec.fixed({1: TODAY}))
    assert found.frame.schema == new.dtypes
    assert found.frame["conditions"].to_list()[0] == [{**row["conditions"][0], "mark": None}]
    back = {**row, "conditions": [{**row["conditions"][0], "mark": "m"}]}
    found = codec.decode(list(codec.encode(new, [back] * 12, 2)), [None] * 12, TODAY, codec.fixed({2: new}))
    assert found.frame.to_dicts() == [row] * 12
    assert evolve.clashes(TODAY, new) == []


CLASHES = [
    (
        {"add": [{"name": "mark", "type": "string", "doc": "x"}]},
        "mark: absent in the writer's schema and without default",
    ),
    ({"drop": ("division",)}, "division: absent in the writer's schema and without default"),
    (
        {"edit": lambda raw: by_name(raw, "source_epoch").update(type="string")},
        "source_epoch: int  does not resolve to string",
    ),
    (
        {"edit": lambda raw: by_name(raw, "source_epoch").update(type="long")},
        "source_epoch: long  does not resolve to int",
    ),
    (
        {"edit": lambda raw: by_name(raw, "division").update(type=["null", "string"], default=None)},
        "division: may be null in the writer's schema only; make it nullable",
    ),
]


@pytest.mark.parametrize(("how", "says"), CLASHES, ids=[s for _, s in CLASHES])
def test_versions_that_do_not_read_each_other(how: dict[str, Any], says: str) -> None:
    old = load.schema("civil.roster")
    assert any(says in c for c in evolve.clashes(old, changed("civil.roster", **how)))


def test_messages_of_a_version_that_does_not_resolve_are_quarantined() -> None:
    old = load.schema("civil.roster")
    new = changed("civil.roster", drop=("division",))
    row = {k: v for k, v in samples.row_of(old).items() if k != "division"}
    found = codec.decode(list(codec.encode(new, [row] * 3, 2)), [None] * 3, old, codec.fixed({2: new}))
    assert [b.reason for b in found.bad] == ["wrong_schema"] * 3
    assert "division" in found.bad[0].detail
