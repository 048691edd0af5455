"""What was once published must be readable for ever, and today's bytes must not drift."""

from __future__ import annotations

import io

import fastavro
import pytest

from schemas import codec, columnar, evolve, load, samples

NAMES = sorted(load.all_names())


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_bytes_mean_the_golden_row_to_everybody(name: str) -> None:
    schema = load.schema(name)
    row, body = samples.golden(name)
    assert fastavro.schemaless_reader(io.BytesIO(body), schema.parsed, None) == row
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema.parsed, row)
    assert out.getvalue() == body
    assert codec.encode(schema, [row] * 100, 3) == [b"\x00\x00\x00\x00\x03" + body] * 100
    frame = columnar.read(schema, [body] * 10)
    assert frame is not None
    assert frame.to_dicts() == [row] * 10


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_belongs_to_todays_schema(name: str) -> None:
    row, _ = samples.golden(name)
    assert list(row) == list(load.schema(name).dtypes), (
        f"{name} has grown: move schemas/golden/{name}.json to schemas/history/{name}.<number>.json and run "
        f"python -m schemas.samples"
    )


@pytest.mark.parametrize(("name", "old"), [(n, s) for n, s, _, _ in samples.history()] or [("hub.tick", None)])
def test_earlier_versions_and_todays_read_each_other(name: str, old: load.Schema | None) -> None:
    today = load.schema(name)
    assert evolve.clashes(old or today, today) == []


def test_earlier_bytes_decode_to_todays_columns() -> None:
    for name, old, _, body in samples.history():
        today = load.schema(name)
        values: list[bytes | None] = [b"\x00\x00\x00\x00\x01" + body] * 10
        found = codec.decode(values, [None] * 10, today, codec.fixed({1: old}))
        assert not found.bad
        assert found.frame.schema == today.dtypes
