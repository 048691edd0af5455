"""Events of the civil register out of dropped files: deaths, custody, moves, accidents, disasters; revocations."""

from __future__ import annotations

from typing import Final

import polars as pl

from connectors.fields import Field, code, day, division, moment_of, text
from connectors.mapping import Identity, Mapping

_EVENTS: Final = {
    "死亡": "death",
    "death": "death",
    "收押": "custody",
    "迁出": "moved_out",
    "交通事故": "accident",
    "安全事故": "accident",
    "受灾": "disaster",
    # What was revoked is deleted whatever it was.
    "撤销": "death",
    "死亡撤销": "death",
}
_KINDS: Final = {
    "户籍注销": "deregistered",
    "死亡证明": "certificate",
    "火化": "cremation",
    "火化证明": "cremation",
    "收押通知": "committal",
    "户口迁移": "registration",
    "事故认定": "accident_report",
    "受灾名册": "disaster_list",
}
_REVOKED: Final = ("撤销", "死亡撤销")


def _kind(column: str) -> Field:
    plain = text(column)
    raw = pl.col(column)
    word = code(column, _KINDS).value
    says = f"{column} is neither a code nor one of {'、'.join(_KINDS)}"
    return Field(pl.coalesce(word, raw), (column,), plain.bad & word.is_null(), says)  # type: ignore[operator]


def _midnight(column: str) -> Field:
    """The beginning of that local day, UTC."""
    return Field(moment_of(day(column).value.cast(pl.String)).dt.cast_time_unit("ms"), (column,))


LIFE_EVENT: Final = Mapping(
    topic="vital.life_event",
    identity=Identity(id_number="证件号码", name="姓名"),
    division=division("户籍区划"),
    occurred_at=_midnight("事件日期"),
    deleted=Field(pl.col("事件").is_in(_REVOKED), ("事件",)),
    fields={
        "event": code("事件", _EVENTS),
        "event_on": day("事件日期"),
        "source_kind": _kind("登记类型"),
    },
)

FEEDS: Final = {"life_event": LIFE_EVENT}
