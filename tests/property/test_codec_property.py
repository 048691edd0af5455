"""Any row of any department goes through the codec unchanged; any damage stays with the message damaged."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import codec, judge, load, samples
from schemas.load import Field, Node
from schemas.topics import DEPARTMENT_TOPICS

NAMES = [t.name for t in DEPARTMENT_TOPICS]
TEXT = st.text(max_size=20) | st.text("0123456789abcdef", min_size=30, max_size=140)
EASY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def values_of(node: Node, name: str) -> st.SearchStrategy[Any]:
    if node.logical == "date":
        return st.dates()
    if node.logical:
        return st.integers(0, 10_000 * 365 * 86_400_000).map(
            lambda ms: datetime(1, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms % (9_998 * 365 * 86_400_000))
        )
    if name.endswith("_fen"):
        return st.integers(-judge.MOST_FEN, judge.MOST_FEN) | st.integers(-200, 200)
    return {
        "string": TEXT,
        "int": st.integers(-(2**31), 2**31 - 1) | st.sampled_from((-(2**31), 2**31 - 1)),
        "long": st.integers(-(2**63), 2**63 - 1) | st.sampled_from((-(2**63), 2**63 - 1)),
        "boolean": st.booleans(),
        "enum": st.sampled_from(node.symbols or ("",)),
    }[node.kind]


def field_values(field: Field) -> st.SearchStrategy[Any]:
    some = values_of(field.node, field.name)
    return st.none() | some if field.nullable else some


def slices(name: str, least: int = 0, most: int = 20) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(
        st.fixed_dictionaries({f.name: field_values(f) for f in load.schema(name).fields}),
        min_size=least,
        max_size=most,
    )


@pytest.mark.parametrize("name", NAMES)
@EASY
@given(data=st.data())
def test_decoding_undoes_encoding(name: str, data: st.DataObject) -> None:
    schema = load.schema(name)
    rows = data.draw(slices(name))
    values = codec.encode_frame(schema, pl.DataFrame(rows, schema=schema.dtypes), 4)
    assert values == [codec.encode(schema, [row], 4)[0] for row in rows]
    keys = [row["person_key"].encode() for row in rows]
    found = codec.decode(list(values), list(keys), schema, codec.fixed({4: schema}), key=("person_key",))
    assert found.bad == []
    assert found.frame.to_dicts() == rows


@st.composite
def damage(draw: st.DrawFn, body: bytes) -> bytes:
    at = draw(st.integers(0, len(body)))
    some = draw(st.binary(max_size=6))
    cut = draw(st.integers(0, 6))
    return draw(
        st.sampled_from(
            [
                body[:at],
                body[:at] + some + body[at:],
                body[:at] + body[at + cut :],
                body[:at] + some + body[at + cut :],
                body[:at] + some + body[at + len(some) :],
                body + some,
                some,
            ]
        )
    )


@pytest.mark.parametrize("name", ["vital.life_event", "medical.settlement", "civil.household"])
@settings(EASY, max_examples=120)
@given(data=st.data())
def test_damage_stays_where_it_is(name: str, data: st.DataObject) -> None:
    """Each message is judged as if it were alone, in whatever company and by whichever way it is read."""
    schema = load.schema(name)
    rows = data.draw(slices(name, 1, 14))
    keys: list[bytes | None] = [row["person_key"].encode() for row in rows]
    whole = codec.encode(schema, rows, 4)
    values: list[bytes | None] = list(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(rows) - 1))
        body = values[at] or whole[at]
        if data.draw(st.booleans()) and at + 1 < len(rows):  # move bytes to the next: lengths compensate
            move = data.draw(st.integers(1, 5))
            after = values[at + 1] or b""
            values[at], values[at + 1] = body[:-move], after[:5] + body[-move:] + after[5:]
        else:
            values[at] = body[:5] + data.draw(damage(body[5:]))
    how: dict[str, Any] = {"writers": codec.fixed({4: schema}), "key": ("person_key",)}
    found = codec.decode(values, keys, schema, **how)
    alone = [codec.decode([v], [k], schema, **how) for v, k in zip(values, keys, strict=True)]
    assert found.index.tolist() == [i for i, one in enumerate(alone) if not one.bad]
    assert found.frame.to_dicts() == [row for one in alone for row in one.frame.to_dicts()]
    assert [(b.index, b.reason) for b in found.bad] == [
        (i, one.bad[0].reason) for i, one in enumerate(alone) if one.bad
    ]
    for i, value in enumerate(values):
        if value == whole[i]:
            assert i in found.index, "an undamaged message was refused"
    for row, value in zip(found.frame.to_dicts(), [values[i] for i in found.index], strict=True):
        assert codec.encode(schema, [row], 4)[0] == value, "accepted although it is not what the row encodes to"


@pytest.mark.parametrize(("field", "size"), [("source_epoch", 5), ("record_version", 10)])
@EASY
@given(data=st.data())
def test_a_number_of_the_greatest_length_is_judged_as_if_it_were_alone(
    field: str, size: int, data: st.DataObject
) -> None:
    """Its last byte has room for more bits than the type has."""
    schema = load.schema("vital.life_event")
    least = -(2**31) if size == 5 else -(2**63)
    row = {**samples.row_of(schema), field: least}
    good = codec.encode(schema, [row], 4)[0]
    longest = b"\xff" * (size - 1) + (b"\x0f" if size == 5 else b"\x01")
    assert good.count(longest) == 1
    number = bytes(b | 0x80 for b in data.draw(st.binary(min_size=size - 1, max_size=size - 1)))
    odd = good.replace(longest, number + bytes([data.draw(st.integers(0, 31) | st.integers(0, 127))]))
    alone = codec.decode([odd], [None], schema, codec.fixed({4: schema}))
    found = codec.decode([*[good] * 9, odd], [None] * 10, schema, codec.fixed({4: schema}))
    assert found.frame.to_dicts() == [row] * 9 + alone.frame.to_dicts()
    assert [b.reason for b in found.bad] == [b.reason for b in alone.bad]


def test_the_strategy_reaches_both_ends_of_time() -> None:
    assert (date.min - date(1970, 1, 1)).days == judge.FIRST_DAY
    assert (date.max - date(1970, 1, 1)).days == judge.LAST_DAY
