"""Reading a department's table: pages of rows as text columns, over SQLAlchemy Core, any dialect.

Only reads, one statement a transaction. What comes out is text as PostgreSQL writes it, in every dialect.
Errors never quote a row: they name the table, the kind of failure and the remedy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from connectors.errors import ConfigError, SourceDown
from connectors.fields import LOCAL_HOURS, moments

LOCAL = timezone(timedelta(hours=LOCAL_HOURS))
_IN_LIST = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PG_OPTIONS = "-c timezone=UTC -c datestyle=ISO -c statement_timeout=60000 -c default_transaction_read_only=on"


class Position(NamedTuple):
    """A place in the order (updated_at, key): UTC µs, and the key as text ("" is before every key)."""

    micros: int
    key: str


class _Query(NamedTuple):
    """A statement, and the frame that it gives where there is nothing."""

    statement: sa.Select[Any]
    nothing: pl.DataFrame


class _Both(NamedTuple):
    """The same page from a moment on, and after a position: `[bool(position.key)]`."""

    at: _Query
    after: _Query


class Cap:
    """The load cap: an average of rows a second, a page of credit; waiting ends when ``stop`` is set."""

    def __init__(self, rows_per_second: int, pause_seconds: float, stop: threading.Event) -> None:
        self._rate, self._pause, self._stop = rows_per_second, pause_seconds, stop
        self._free_at = 0.0

    def spent(self, rows: int, *, full: bool) -> None:
        """Wait for as long as these rows cost; after a full page also the pause."""
        wait = self._pause if full else 0.0
        if self._rate:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + rows / self._rate
            wait = max(wait, self._free_at - now)
        if wait > 0:
            self._stop.wait(wait)


def engine(url: str) -> sa.Engine:
    """An engine for reading only, one statement a transaction. Raises ConfigError for a bad URL."""
    try:
        parsed = sa.make_url(url)
        pg = parsed.get_backend_name() == "postgresql"
        arguments = {"options": _PG_OPTIONS, "application_name": "doudi-connector", "connect_timeout": 5} if pg else {}
        return sa.create_engine(
            parsed,
            connect_args=arguments,
            pool_size=1,
            max_overflow=1,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
        )
    except (SQLAlchemyError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(
            f"The database's URL cannot be used: {type(error).__name__}. Give one as "
            "dialect+driver://user:password@host:port/database, with the driver installed."
        ) from None


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Driver errors to ours. A connection that fails is quoted (it holds no row), anything else is not."""
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or type(error.orig).__name__
        lost = error.connection_invalidated or isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError))
        text = str(error.orig).splitlines()[0] if lost and error.orig and str(error.orig) else ""
        if not lost and state in ("42501", "42P01", "42703"):
            raise ConfigError(
                f"{where}: the database refuses ({state}). Grant SELECT as in its example.sql, and "
                "check the names in connector.yaml."
            ) from None
        raise SourceDown(
            f"{where}: {state} {text}".rstrip() + ". Check that the database runs and that the account may "
            "log in. Nothing is lost: reading goes on from the last position."
        ) from None
    except SQLAlchemyError as error:
        raise ConfigError(f"{where}: {type(error).__name__}. Check table and columns in connector.yaml.") from None


class Table:
    """One table (or view) with its key and its updated-at column."""

    def __init__(
        self,
        engine: sa.Engine,
        name: str,
        *,
        key: str,
        updated_at: str,
        columns: Sequence[str],
        cap: Cap,
        page: int,
    ) -> None:
        """``columns``: those to read besides. Raises ConfigError naming what is lacking, or SourceDown."""
        self._engine, self.name, self._cap, self.page = engine, name, cap, page
        schema, _, table = name.rpartition(".")
        with _told(f"table {name}"):
            there = {c["name"]: c["type"] for c in sa.inspect(engine).get_columns(table, schema=schema or None)}
        names = list(dict.fromkeys([key, updated_at, *columns]))
        if missing := [c for c in names if c not in there]:
            raise ConfigError(
                f"Table {name} has no column {', '.join(missing)}. It has: {', '.join(sorted(there))}. "
                "Mend connector.yaml or mapping.py, or offer the columns in a view."
            )
        made = [sa.column(c, there[c]) for c in names]
        self._table = sa.table(table, *made, schema=schema or None)
        self._columns: list[sa.ColumnClause[Any]] = made
        self._key, self._updated = made[0], made[names.index(updated_at)]
        self._aware = bool(getattr(there[updated_at], "timezone", False))
        self._pg = engine.dialect.name == "postgresql"
        until = self._updated <= sa.bindparam("until", type_=self._updated.type)
        self._changes = self._ordered(made)
        self._stamps = self._ordered((self._key, self._updated), until)

    # positions

    def _moment(self, micros: int) -> datetime:
        moment = _EPOCH + timedelta(microseconds=micros)
        return moment if self._aware else moment.astimezone(LOCAL).replace(tzinfo=None)

    def _typed(self, key: str) -> Any:
        try:
            return int(key) if issubclass(self._key.type.python_type, int) else key
        except NotImplementedError:
            return key

    def _params(self, position: Position) -> dict[str, Any]:
        at = {"at": self._moment(position.micros)}
        return {**at, "key": self._typed(position.key)} if position.key else at

    def _ordered(self, columns: Sequence[sa.ColumnClause[Any]], *where: sa.ColumnElement[bool]) -> _Both:
        """A page in the order (updated_at, key), from a moment on and after a position, built once."""
        query = sa.select(*columns).where(*where).order_by(self._updated, self._key)
        at = sa.bindparam("at", type_=self._updated.type)
        key = sa.bindparam("key", type_=self._key.type)
        if self._engine.dialect.name in ("postgresql", "sqlite"):
            after = sa.tuple_(self._updated, self._key) > sa.tuple_(at, key)
        else:  # the first half is for the index: not every dialect compares rows, or does so by index
            after = sa.and_(self._updated >= at, sa.or_(self._updated > at, self._key > key))
        return _Both(self._prepared(query.where(self._updated >= at)), self._prepared(query.where(after)))

    def _prepared(self, query: sa.Select[Any]) -> _Query:
        names = [c.name for c in query.selected_columns]
        query = query.limit(self.page)
        nothing = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
        return _Query(_as_text(query) if self._pg else query, nothing)

    # reading

    def newest(self) -> int | None:
        """The greatest updated_at, UTC µs; None for an empty table."""
        frame = self._read(self._prepared(sa.select(sa.func.max(self._updated).label("u"))), {})
        return micros_of(frame["u"])[0] if frame.height else None

    def changes(self, after: Position) -> pl.DataFrame:
        """Next page of rows after a position in the order (updated_at, key)."""
        return self._page(self._changes[bool(after.key)], self._params(after))

    def everything(self, after_key: str, until: int) -> pl.DataFrame:
        """Next page of rows by key, not changed later than ``until`` µs (or without a time of change)."""
        query = sa.select(*self._columns).where(sa.or_(self._updated <= self._moment(until), self._updated.is_(None)))
        if after_key:
            query = query.where(self._key > self._typed(after_key))
        return self._page(self._prepared(query.order_by(self._key)), {})

    def stamps(self, after: Position, until: int) -> pl.DataFrame:
        """Next page of (key, updated_at) between a position and ``until`` µs, in the order of `changes`."""
        return self._page(self._stamps[bool(after.key)], {**self._params(after), "until": self._moment(until)})

    def keys(self, after_key: str) -> pl.DataFrame:
        """Next page of (key, updated_at) of the whole table, by key."""
        query = sa.select(self._key, self._updated).order_by(self._key)
        if after_key:
            query = query.where(self._key > self._typed(after_key))
        return self._page(self._prepared(query), {})

    def rows(self, keys: Sequence[str]) -> pl.DataFrame:
        """The rows of these keys that exist."""
        size = min(_IN_LIST, self.page)
        parts = [self._empty()]
        for i in range(0, len(keys), size):
            some = [self._typed(k) for k in keys[i : i + size]]
            parts.append(self._page(self._prepared(sa.select(*self._columns).where(self._key.in_(some))), {}))
        return pl.concat(parts)

    def split(self, frame: pl.DataFrame) -> tuple[list[str], list[int | None]]:
        """Keys and times of change (UTC µs) of a page."""
        return frame[self._key.name].to_list(), micros_of(frame[self._updated.name])

    def full(self, frame: pl.DataFrame) -> bool:
        """Whether another page may follow."""
        return frame.height >= self.page

    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema={c.name: pl.String for c in self._columns})

    def _page(self, query: _Query, params: dict[str, Any]) -> pl.DataFrame:
        frame = self._read(query, params)
        self._cap.spent(frame.height, full=frame.height >= self.page)
        return frame

    def _read(self, query: _Query, params: dict[str, Any]) -> pl.DataFrame:
        with _told(f"table {self.name}"), self._engine.connect() as connection:
            result = connection.execute(query.statement, params)
            if self._pg:
                text: str | None = result.scalar_one()
                return query.nothing if text is None else _of_text(text, query.nothing.columns)
            rows = result.all()
        if not rows:
            return query.nothing
        columns = list(zip(*rows, strict=True))
        return pl.DataFrame(
            [
                pl.Series(n, c if _all_text(c) else [_text(v) for v in c], pl.String)
                for n, c in zip(query.nothing.columns, columns, strict=True)
            ]
        )


def _as_text(query: sa.Select[Any]) -> sa.Select[Any]:
    """PostgreSQL writes the page as one text: ten times cheaper than an object for each value here."""
    row = sa.cast(sa.literal_column("page"), sa.Text)
    line = sa.func.substr(row, 2, sa.func.length(row) - 2)
    return sa.select(sa.func.string_agg(line, "\n")).select_from(query.subquery("page"))


def _of_text(text: str, names: list[str]) -> pl.DataFrame:
    """PostgreSQL's text of a row is CSV in parentheses, save that backslashes are doubled."""
    frame = pl.read_csv(text.encode(), schema=dict.fromkeys(names, pl.String), has_header=False)
    return frame.with_columns(pl.all().str.replace_all("\\\\", "\\", literal=True)) if "\\" in text else frame


def _all_text(values: Sequence[Any]) -> bool:
    return set(map(type, values)) <= {str, type(None)}


def _text(value: Any) -> str | None:
    """A driver's value as PostgreSQL would write it; times with an offset in UTC."""
    match value:
        case None | str():
            return value
        case bool():
            return "t" if value else "f"
        case datetime():
            moment = value.astimezone(UTC) if value.tzinfo else value
            return moment.isoformat(" ")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.decode("utf-8", "replace")
    return str(value)


def micros_of(series: pl.Series) -> list[int | None]:
    """UTC µs of a text column of times; null where there is none."""
    return moments(series).to_physical().to_list()
