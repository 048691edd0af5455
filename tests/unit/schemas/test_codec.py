"""The codec: good rows exact both ways, each kind of bad message named, neighbours untouched."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import polars as pl
import pytest

from schemas import codec, columnar, load, samples, topics
from schemas.errors import EncodeError

SETTLEMENT = load.schema("medical.settlement")
KEY = ("person_key",)
WRITERS = codec.fixed({7: SETTLEMENT})


def rows(count: int, **change: Any) -> list[dict[str, Any]]:
    base = samples.row_of(SETTLEMENT)
    return [
        {
            **base,
            "event_id": f"e{i}",
            "record_id": f"r{i}",
            "person_key": f"{i:032x}",
            "record_version": i * 977,
            "psn_part_amt_fen": (i % 7) * 12_345 - 3 if i % 3 else None,
            **change,
        }
        for i in range(count)
    ]


def wire(some: list[dict[str, Any]]) -> tuple[list[bytes | None], list[bytes | None]]:
    return list(codec.encode(SETTLEMENT, some, 7)), [r["person_key"].encode() for r in some]


def read(values: list[bytes | None], keys: list[bytes | None], **how: Any) -> codec.Decoded:
    return codec.decode(values, keys, SETTLEMENT, WRITERS, key=KEY, **how)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 63, 64, 300, 2_500])
def test_rows_come_back_as_they_went(count: int) -> None:
    some = rows(count)
    found = read(*wire(some))
    assert found.bad == []
    assert found.frame.to_dicts() == some
    assert found.frame.schema == SETTLEMENT.dtypes
    assert found.index.tolist() == list(range(count))


@pytest.mark.parametrize("name", sorted(load.all_names()))
def test_every_schema_packs_the_same_bytes_by_row_and_by_column(name: str) -> None:
    schema = load.schema(name)
    base = samples.row_of(schema)
    bare = {f.name: None if f.nullable else [] if f.node.kind == "array" else base[f.name] for f in schema.fields}
    many = {f.name: base[f.name] * 3 if f.node.kind == "array" else base[f.name] for f in schema.fields}
    some = [base, bare, many] * 30
    by_row = [codec.encode(schema, [row], 1)[0] for row in some]
    assert codec.encode(schema, some, 1) == by_row
    assert codec.encode_frame(schema, pl.DataFrame(some, schema=schema.dtypes), 1) == by_row
    assert codec.encode_frame(schema, pl.DataFrame(some, schema=schema.dtypes)[40:43], 1) == by_row[40:43]
    bodies = [value[5:] for value in by_row]
    frame = columnar.read(schema, bodies)
    assert frame is not None, "the columnar way does not read this schema"
    assert frame.to_dicts() == some


def good_neighbours(
    bad_value: bytes | None, bad_key: bytes | None = None, *, at: int = 5, count: int = 12, **how: Any
) -> codec.Bad:
    some = rows(count)
    values, keys = wire(some)
    values[at] = bad_value
    keys[at] = keys[at] if bad_key is None else bad_key
    found = read(values, keys, **how)
    assert found.frame.to_dicts() == some[:at] + some[at + 1 :]
    assert found.index.tolist() == [i for i in range(count) if i != at]
    assert [b.index for b in found.bad] == [at]
    return found.bad[0]


GOOD = codec.encode(SETTLEMENT, rows(6)[5:], 7)[0]
BODY = GOOD[5:]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null_value"),
        (b"", "bad_magic"),
        (b"\x01" + GOOD[1:], "bad_magic"),
        (b"{}", "bad_magic"),
        (GOOD[:3], "truncated"),
        (GOOD[:5], "truncated"),
        (GOOD[:-1], "truncated"),
        (GOOD[:40], "truncated"),
        (GOOD + b"\x00", "trailing_bytes"),
        (GOOD + GOOD[5:], "trailing_bytes"),
        (struct.pack(">bI", 0, 99) + BODY, "unknown_schema"),
        (GOOD + b"\x00" * 70_000, "too_large"),
        (GOOD[:5] + b"\xff" * 40, "undecodable"),
        (GOOD[:5] + b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01" + BODY, "truncated"),
        (GOOD[:5] + b"\x04\xff\xfe" + BODY[3:], "undecodable"),
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [6, 12, 700])
def test_a_bad_message_is_named_and_its_neighbours_survive(value: bytes | None, reason: str, count: int) -> None:
    found = good_neighbours(value, count=count)
    assert found.reason == reason or (reason == "undecodable" and found.reason == "truncated"), found
    assert found.detail


@pytest.mark.parametrize("key", [b"", b"someone else", b"\xff" * 32])
@pytest.mark.parametrize("count", [6, 12, 3_000])
def test_a_key_that_is_not_the_persons(key: bytes, count: int) -> None:
    assert good_neighbours(GOOD, key, count=count).reason == "key_mismatch"


def test_a_message_without_key() -> None:
    values, keys = wire(rows(20))
    keys[3] = None
    assert [(b.index, b.reason) for b in read(values, keys).bad] == [(3, "key_mismatch")]


def test_bytes_moved_from_one_message_to_the_next_do_not_pass() -> None:
    """Two bodies whose lengths compensate each other keep sentinel and height right."""
    some = rows(40)
    for moved in range(1, 6):
        values, keys = wire(some)
        first, second = values[10], values[11]
        assert first is not None and second is not None
        values[10], values[11] = first[:-moved], second[:5] + first[-moved:] + second[5:]
        found = read(values, keys)
        assert [b.index for b in found.bad] == [10, 11]
        assert found.frame.to_dicts() == some[:10] + some[12:]


def test_a_number_written_with_more_bytes_than_needed_is_refused_in_any_company() -> None:
    overlong = GOOD[:5] + bytes([BODY[0] | 0x80, 0]) + BODY[1:]
    for count in (6, 12, 700):
        assert good_neighbours(overlong, count=count).reason == "undecodable"


@pytest.mark.parametrize(
    ("field", "value", "good", "odd"),
    [
        ("source_epoch", -(2**31), b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x10"),  # 2^31: it would wrap
        ("source_epoch", -(2**31), b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x1f"),
        ("source_epoch", 2**31 - 1, b"\xfe\xff\xff\xff\x0f", b"\xfe\xff\xff\xff\x7f"),
        ("record_version", -(2**63), b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x03"),
        ("record_version", -(2**63), b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x7f"),
        ("record_version", 2**63 - 1, b"\xfe" + b"\xff" * 8 + b"\x01", b"\xfe" + b"\xff" * 8 + b"\x03"),
    ],
)
def test_bits_that_a_number_has_no_room_for_are_refused_in_any_company(
    field: str, value: int, good: bytes, odd: bytes
) -> None:
    some = rows(10, **{field: value})
    values, keys = wire(some)
    assert read(values, keys).frame.to_dicts() == some
    bodies = [(v or b"")[5:] for v in values]
    assert columnar.read(SETTLEMENT, bodies) is not None, "the columnar way does not read the greatest numbers"
    assert bodies[5].count(good) == 1
    wrong = (values[5] or b"").replace(good, odd)
    for count in (6, 10, 700):
        assert good_neighbours(wrong, count=count).reason == "undecodable"


def test_a_tag_or_boolean_that_decoders_read_differently_is_refused_in_any_company() -> None:
    tail = GOOD[-1:]
    assert tail in (b"\x00", b"\x01")
    for odd in (GOOD[:-1] + b"\x07", GOOD[:-2] + b"\x0a" + tail, GOOD[:-2] + b"\x03" + tail):
        for count in (6, 12, 700):
            assert good_neighbours(odd, count=count).reason in ("undecodable", "truncated", "trailing_bytes")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("psn_part_amt_fen", 2**62),
        ("occurred_at", 2**60),
        ("published_at", -(2**60)),
        ("begndate", 2**31 - 1),
        ("source_epoch", 2**40),
    ],
)
def test_values_that_no_later_step_could_hold(field: str, value: int) -> None:
    raw = {
        **SETTLEMENT.raw,
        "fields": [
            {**f, "type": "long" if isinstance(f["type"], (str, dict)) else ["null", "long"]}
            if f["name"] == field
            else f
            for f in SETTLEMENT.raw["fields"]
        ],
    }
    body = codec.encode(load.parse(raw), [{**rows(6)[5], field: value}], 7)[0]
    for count in (6, 12, 700):
        assert good_neighbours(body, count=count).reason == "undecodable"


def test_a_schema_of_another_topic_and_a_tombstone_between_two_versions() -> None:
    some = rows(30)
    values, keys = wire(some)
    other = load.schema("hub.tick")
    values[4] = codec.encode(other, [samples.row_of(other)], 9)[0]
    values[5] = None
    found = codec.decode(values, keys, SETTLEMENT, lambda ids: {7: SETTLEMENT, 9: "wrong_schema"}, key=KEY)
    assert [(b.index, b.reason) for b in found.bad] == [(4, "wrong_schema"), (5, "null_value")]
    assert found.frame.to_dicts() == some[:4] + some[6:]


def test_an_empty_slice_has_the_readers_columns() -> None:
    found = codec.decode([], [], SETTLEMENT, WRITERS)
    assert found.frame.schema == SETTLEMENT.dtypes
    assert not len(found.index)


def test_keys_of_several_fields_and_dates() -> None:
    schema = load.of_topic("hub.member")
    row = samples.row_of(schema)
    values = list(codec.encode(schema, [row] * 10, 1))
    key = f"{row['household_key']}:{row['person_key']}".encode()
    found = codec.decode(
        values, [key] * 9 + [b"x"], schema, codec.fixed({1: schema}), key=load.key_fields("hub.member")
    )
    assert [(b.index, b.reason) for b in found.bad] == [(9, "key_mismatch")]
    tick = load.of_topic("hub.tick")
    day = {"day": date(2026, 3, 1), "sent_at": datetime(2026, 3, 1, tzinfo=UTC)}
    found = codec.decode(
        list(codec.encode(tick, [day], 2)),
        [b"2026-03-01"],
        tick,
        codec.fixed({2: tick}),
        key=load.key_fields("hub.tick"),
    )
    assert found.frame.to_dicts() == [day]


def test_times_of_another_zone_are_the_same_moment() -> None:
    east = datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    for count in (3, 100):
        found = read(*wire(rows(count, occurred_at=east)))
        assert found.frame["occurred_at"][0] == datetime(2026, 1, 1, tzinfo=UTC)


def test_absent_fields_take_their_default() -> None:
    lean = [{k: v for k, v in row.items() if k not in ("vali_flag", "begndate")} for row in rows(80)]
    expected = [{**row, "vali_flag": None, "begndate": None} for row in lean]
    for count in (3, 80):
        values = codec.encode(SETTLEMENT, [dict(r) for r in lean[:count]], 7)
        found = read(list(values), [r["person_key"].encode() for r in lean[:count]])
        assert found.frame.select(sorted(SETTLEMENT.dtypes)).to_dicts() == [
            dict(sorted(r.items())) for r in expected[:count]
        ]


@pytest.mark.parametrize("count", [3, 100])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"person_key": None}, "person_key is required and"),
        ({"persn_key": "x"}, "persn_key, which MedicalSettlement does not know"),
        ({"occurred_at": datetime(2026, 1, 1)}, "occurred_at is a time without zone"),  # noqa: DTZ001
        ({"psn_part_amt_fen": "12"}, "psn_part_amt_fen"),
        ({"source_epoch": 2**40}, "source_epoch"),
        ({"op": "replace"}, "op"),
    ],
)
def test_rows_that_do_not_fit_are_a_bug_with_a_name(count: int, change: dict[str, Any], says: str) -> None:
    some = rows(count)
    some[2] = {**some[2], **change}
    with pytest.raises(EncodeError) as raised:
        codec.encode(SETTLEMENT, some, 7)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.drop("person_key"), "MedicalSettlement.person_key is required and absent"),
        (lambda f: f.with_columns(other=1), "columns other are not in MedicalSettlement"),
        (
            lambda f: f.with_columns(pl.lit(None, pl.String).alias("division")),
            "division is required and null in row 0",
        ),
        (lambda f: f.with_columns(pl.lit("x").alias("op")), "op holds a symbol other than UNKNOWN, create"),
        (lambda f: f.with_columns(pl.lit("1").alias("psn_part_amt_fen")), "psn_part_amt_fen is text"),
        (
            lambda f: f.with_columns(pl.lit(2**40).alias("source_epoch")),
            "source_epoch is Int64 and does not fit Int32",
        ),
        (
            lambda f: f.with_columns(pl.col("occurred_at").dt.replace_time_zone(None)),
            "holds times without zone",
        ),
    ],
)
@pytest.mark.parametrize("count", [4, 40])
def test_frames_that_do_not_fit_are_a_bug_with_a_name(change: Any, says: str, count: int) -> None:
    frame = pl.DataFrame(rows(count), schema=SETTLEMENT.dtypes)
    with pytest.raises(EncodeError) as raised:
        codec.encode_frame(SETTLEMENT, change(frame), 7)
    assert says in str(raised.value)


def test_what_is_said_of_a_bad_message_holds_none_of_it() -> None:
    values, keys = wire(rows(20))
    secret = b"110101199003074514"
    values[1] = b"\x00\x00\x00\x00\x07" + b"\x24" + secret
    values[2] = secret
    values[3] = (values[3] or b"") + secret
    keys[4] = secret
    said = " ".join(b.detail for b in read(values, keys).bad)
    assert secret.decode() not in said
    assert said


def test_lists_of_many_lengths_pack_as_they_should() -> None:
    schema = load.of_topic("hub.identity")
    base = samples.row_of(schema)
    generator = np.random.default_rng(5)
    some = [
        {**base, "index": ["é" * int(n) for n in generator.integers(0, 200, int(k))]}
        for k in generator.integers(0, 90, 200)
    ]
    values = codec.encode(schema, some, 3)
    assert values == [codec.encode(schema, [row], 3)[0] for row in some]
    keys = [row["person_key"].encode() for row in some]
    found = codec.decode(list(values), list(keys), schema, codec.fixed({3: schema}), key=KEY)
    assert found.frame.to_dicts() == some


def test_every_topic_names_a_key_of_its_schema() -> None:
    for name in topics.TOPICS:
        assert set(load.key_fields(name)) <= set(load.of_topic(name).dtypes)
