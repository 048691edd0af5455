"""Frames of an older or newer schema version into the reader's columns; defaults for absent ones."""

from __future__ import annotations

from typing import Any

import polars as pl

from schemas.errors import EncodeError, SchemaError
from schemas.load import Field, Node, Schema

_PROMOTES = {("int", "long"), ("int", "double"), ("long", "double")}


def adapt(frame: pl.DataFrame, writer: Schema, reader: Schema) -> pl.DataFrame:
    """The reader's columns in its order: those that the writer lacks by default, those it has beyond dropped.

    Raises SchemaError where the two do not resolve (the registry refuses such versions).
    """
    if writer is reader or writer.fields == reader.fields:
        return frame
    known = {f.name: f for f in writer.fields}
    return frame.select([_column(f, known.get(f.name), pl.col(f.name), reader.name) for f in reader.fields])


def clashes(one: Schema, other: Schema) -> list[str]:
    """Why two versions do not read each other's records, both ways; empty if they do."""
    found = []
    for writer, reader in ((one, other), (other, one)):
        try:
            adapt(writer.empty(), writer, reader)
        except SchemaError as error:
            found.append(str(error))
    return found


def _column(field: Field, old: Field | None, value: pl.Expr, where: str) -> pl.Expr:
    where = f"{where}.{field.name}"
    if old is None:
        if not field.has_default:
            raise SchemaError(f"{where}: absent in the writer's schema and without default; give it one")
        return literal(field).alias(field.name)
    if old.nullable and not field.nullable:
        raise SchemaError(f"{where}: may be null in the writer's schema only; make it nullable")
    return _convert(value, old.node, field.node, where).alias(field.name)


def _convert(value: pl.Expr, old: Node, new: Node, where: str) -> pl.Expr:
    if old.kind == new.kind == "enum":
        if set(old.symbols) <= set(new.symbols):
            return value
        if not new.enum_default:
            raise SchemaError(f"{where}: symbols that the reader lacks, and no default; give the enum one")
        return pl.when(value.is_in(new.symbols)).then(value).otherwise(pl.lit(new.enum_default))
    if old.kind == new.kind == "record":
        inner = {f.name: f for f in old.fields}
        return pl.struct(
            [
                _column(f, inner.get(f.name), value.struct.field(f.name) if f.name in inner else value, where)
                for f in new.fields
            ]
        )
    if old.kind == new.kind == "array" and old.items is not None and new.items is not None:
        if old == new:
            return value
        return value.list.eval(_convert(pl.element(), old.items.node, new.items.node, where))
    if old.kind == new.kind and old.logical == new.logical:
        return value
    if (old.kind, new.kind) in _PROMOTES and not old.logical and not new.logical:
        return value.cast(new.dtype)
    raise SchemaError(f"{where}: {old.kind} {old.logical} does not resolve to {new.kind} {new.logical}")


def literal(field: Field) -> pl.Expr:
    """The field's default as a column."""
    return (
        pl.lit(pl.Series([_value(field.node, field.default)], dtype=_stored(field.node))).first().cast(field.node.dtype)
    )


def _value(node: Node, default: Any) -> Any:
    return default.encode("latin-1") if node.kind == "bytes" and default is not None else default


def _stored(node: Node) -> pl.DataType:
    """Type of the default's number before its logical meaning."""
    return {"date": pl.Int32(), "timestamp-millis": pl.Int64()}.get(node.logical, node.dtype)


def with_defaults(schema: Schema, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with all columns of the schema, in order and of its types. Raises EncodeError naming one."""
    if strange := [c for c in frame.columns if c not in schema.dtypes]:
        raise EncodeError(f"columns {', '.join(strange)} are not in {schema.name}; drop them or add them")
    if frame.schema == schema.dtypes and not _wanting(schema, frame):
        return frame
    columns = []
    for field in schema.fields:
        if field.name in frame.columns:
            columns.append(_cast(schema, field, frame[field.name]))
        elif field.has_default:
            columns.append(
                frame.select(literal(field).alias(field.name))
                .to_series()
                .new_from_index(0, frame.height)
                .alias(field.name)
            )
        else:
            raise EncodeError(f"{schema.name}.{field.name} is required and absent; add the column")
    return pl.DataFrame(columns)


def _wanting(schema: Schema, frame: pl.DataFrame) -> bool:
    """Whether a column of the right type holds something that the schema does not take."""
    columns = frame.to_dict()
    return any(
        (not field.nullable and columns[field.name].null_count())
        or (field.node.kind == "enum" and not _symbols_only(field, columns[field.name]))
        for field in schema.fields
    )


def _symbols_only(field: Field, column: pl.Series) -> bool:
    return set(column.unique().to_list()) <= set(field.node.symbols)


def _cast(schema: Schema, field: Field, column: pl.Series) -> pl.Series:
    where = f"{schema.name}.{field.name}"
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None:
        raise EncodeError(f"{where} holds times without zone; convert them to UTC")
    if not field.nullable and column.null_count():
        raise EncodeError(f"{where} is required and null in row {column.is_null().arg_max()}; fill it")
    if column.dtype != field.node.dtype:
        if column.dtype == pl.String and field.node.kind not in ("string", "enum"):
            raise EncodeError(f"{where} is text, the schema wants {field.node.dtype}; convert it")
        try:
            column = column.cast(field.node.dtype)
        except pl.exceptions.PolarsError as error:
            raise EncodeError(f"{where} is {column.dtype} and does not fit {field.node.dtype}; convert it") from error
    if field.node.kind == "enum" and not _symbols_only(field, column):
        raise EncodeError(f"{where} holds a symbol other than {', '.join(field.node.symbols)}")
    return column
