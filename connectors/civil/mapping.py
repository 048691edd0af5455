"""Civil affairs: the low-income roster, households, benefits, checks of means and applications."""

from __future__ import annotations

from typing import Final

import polars as pl

from connectors.fields import Field, boolean, code, day, division, fen, text
from connectors.mapping import Identity, Mapping
from domain.persons import ID_INSIDE

TIERS: Final = ("tekun", "dibao", "bianyuan", "gangxing", "jiance", "qita")
BENEFITS: Final = (
    "dibao",
    "tekun",
    "temporary_aid",
    "medical_aid",
    "living_subsidy",
    "care_subsidy",
    "funeral_subsidy",
)

# GB/T 4761 two digits; the words that systems write instead. Anything else is not passed on: it is free text.
_RELATIONS: Final = {
    "本人": "01",
    "户主": "02",
    "配偶": "10",
    "妻": "12",
    "夫": "11",
    "子": "20",
    "儿子": "20",
    "女": "30",
    "女儿": "30",
    "孙子": "41",
    "孙女": "42",
    "父": "51",
    "父亲": "51",
    "母": "52",
    "母亲": "52",
    "父母": "50",
    "祖父": "61",
    "祖母": "62",
    "兄弟姐妹": "70",
    "其他": "99",
}

_STATES: Final = {
    "受理": "accepted",
    "核对": "checking",
    "公示": "publicity",
    "确认": "approved",
    "不予确认": "refused",
    "撤回": "withdrawn",
}


def _relation(column: str) -> Field:
    raw = pl.col(column)
    word = raw.replace_strict(_RELATIONS, default=None, return_dtype=pl.String)
    is_code = raw.str.contains(r"^(?:[0-9]{1,2}|[a-z_]{1,16})$")
    value = pl.when(is_code).then(raw).when(raw.is_not_null()).then(pl.coalesce(word, pl.lit("99")))
    return Field(value, (column,))


def _reason(column: str) -> Field:
    """A code passes; words become ``other``: they may say more about a person than a reader needs."""
    raw = pl.col(column)
    is_code = raw.str.contains(r"^[0-9A-Za-z_]{1,32}$") & ~raw.str.contains(ID_INSIDE.pattern)
    return Field(pl.when(is_code).then(raw).when(raw.is_not_null()).then(pl.lit("other")), (column,))


def _review_class(column: str) -> Field:
    """A, B or C, also as ``a``, ``Ａ`` or ``A类``; anything else is none, so that the tier's period counts."""
    word = pl.col(column).str.normalize("NFKC").str.strip_chars().str.to_uppercase()
    return Field(word.str.extract(r"^([ABC])(?:\s*类)?$"), (column,))


ROSTER: Final = Mapping(
    topic="civil.roster",
    identity=Identity(
        id_number="id_number", name="name", telephone="tel", address="address", household_no="household_no"
    ),
    division=division("division"),
    fields={
        "tier": code("tier_code", TIERS),
        "status": code("status", ("active", "exited", "refused")),
        "start_on": day("start_date"),
        "end_on": day("end_date"),
        "taper_until": day("taper_until"),
        "verified_on": day("verify_date"),
        "review_class": _review_class("class_code"),
        "exit_reason": _reason("exit_reason"),
    },
)

HOUSEHOLD: Final = Mapping(
    topic="civil.household",
    identity=Identity(id_number="id_number", name="name", household_no="household_no"),
    division=division("division"),
    fields={
        "relation": _relation("relation"),
        "head": boolean("is_head"),
        "joined_on": day("joined_on"),
        "left_on": day("left_on"),
    },
)

BENEFIT: Final = Mapping(
    topic="civil.benefit",
    identity=Identity(id_number="id_number", name="name"),
    division=division("division"),
    fields={
        "benefit": code("benefit_code", BENEFITS),
        "status": code("status", ("active", "stopped", "paid")),
        "granted_on": day("granted_on"),
        "start_on": day("start_on"),
        "end_on": day("end_on"),
        "amount_fen": fen("amount"),
    },
)

CHECK: Final = Mapping(
    topic="civil.check",
    identity=Identity(id_number="id_number", name="name"),
    division=division("division"),
    fields={
        "finding": code("finding", ("none", "vehicle", "property", "business", "fund", "post", "tax")),
        "checked_on": day("checked_on"),
        "authorisation": text("auth_no"),
        "income_month_fen": fen("income_month"),
        "assets_ok": boolean("assets_ok"),
        "education_year_fen": fen("education_year"),
    },
)

APPLICATION: Final = Mapping(
    topic="civil.application",
    identity=Identity(id_number="id_number", name="name", household_no="household_no"),
    division=division("division"),
    fields={
        "aid": code("aid_code", (*TIERS, "temporary_aid")),
        "applied_on": day("apply_date"),
        "state": code("state", _STATES),
        "decided_on": day("decide_date"),
        "refusal_reason": _reason("refuse_reason"),
        "by_proxy": boolean("by_proxy"),
    },
)

FEEDS: Final = {
    "roster": ROSTER,
    "household": HOUSEHOLD,
    "benefit": BENEFIT,
    "check": CHECK,
    "application": APPLICATION,
}
