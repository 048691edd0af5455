"""Linkage: from ID numbers to keys, inside the ingress zone. After this no topic carries an ID number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from domain import persons
from domain.persons import BadId
from schemas.load import of_topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.mapping import Mapping

CARD_MISMATCH = "card_mismatch"
"""The certificate number holds another ID than the row: two persons claimed, so neither is taken."""

_HASH_BYTES = 12
_CONTENT = ("person_key", "_reason", "_fields", "household_key", "guardian_key", "born_on")
_PARTS = ("id_number", "name", "telephone", "address")
_COLUMN = {"id_number": "_canonical", "name": "_name", "telephone": "_telephone", "address": "_address"}


@dataclass(frozen=True, slots=True)
class Linker:
    """Replaces what identifies by keys. ``linking``: the linking key."""

    linking: bytes

    def record_ids(self, keys: Sequence[str], *, hash_key: bool) -> list[str]:
        """Each record's id in topics and state: the department's key as it is, or its keyed hash.

        Hashed are all keys with ``hash_key``, and always those that may hold an ID number.
        """
        return [persons.record_key(k, self.linking) if hash_key or persons.ID_INSIDE.search(k) else k for k in keys]

    def link(self, mapping: Mapping, frame: pl.DataFrame, today: date, *, hash_key: bool) -> pl.DataFrame:
        """``frame`` of `connectors.mapping.apply` with ``person_key``, ``_reason`` and ``record_id``.

        ``_reason`` is null where the person is known; ``_canonical`` is then the number's canonical form, for
        the vault. ``born_on``, where the topic has it, is that number's date of birth. ``hash_key``: as in
        `record_ids`.
        """
        clear, keys, reasons = self._persons(frame, today)
        columns = [
            pl.Series("_canonical", clear, pl.String),
            pl.Series("person_key", keys, pl.String),
            pl.Series("_reason", reasons, pl.String),
        ]
        if "born_on" in of_topic(mapping.topic).dtypes:
            columns.append(columns[0].str.slice(6, 8).str.to_date("%Y%m%d").alias("born_on"))
        ids = self.record_ids(frame["_key"].to_list(), hash_key=hash_key)
        columns.append(pl.Series("record_id", ids, pl.String))
        if mapping.identity.household_no:
            columns.append(pl.Series("household_key", self._households(frame), pl.String))
        if mapping.identity.guardian_id:
            raws = frame["_guardian_id"].to_list()
            guardians = persons.link(raws, self.linking, today)
            columns.append(pl.Series("guardian_key", [guardians.get(g) for g in raws], pl.String))
            columns.append(pl.Series("_guardian_canonical", _canonical(raws, guardians), pl.String))
        return frame.hstack(columns)

    def _persons(self, frame: pl.DataFrame, today: date) -> tuple[list[str | None], list[str | None], list[str | None]]:
        cards = frame["_card_no"].to_list() if "_card_no" in frame.columns else None
        raws = frame["_id_number"].to_list()
        pairs = list(zip(raws, cards, strict=True)) if cards else [(r, None) for r in raws]
        known = {pair: self._person(*pair, today, bool(cards)) for pair in set(pairs)}
        rows = [known[p] for p in pairs]
        return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]

    def _person(
        self, raw: str | None, card: str | None, today: date, carded: bool
    ) -> tuple[str | None, str | None, str | None]:
        """(canonical number, person_key, reason)."""
        try:
            number = persons.card_number(card, today).number if carded and raw is None and card else None
            number = number or persons.normalise_id(raw, today)
            if carded and card and _other_person(card, number.clear, today):
                return None, None, CARD_MISMATCH
        except BadId as bad:
            return None, None, bad.reason
        return number.clear, persons.person_key(number, self.linking), None

    def _households(self, frame: pl.DataFrame) -> list[str | None]:
        pairs = list(zip(frame["division"].to_list(), frame["_household_no"].to_list(), strict=True))
        keys = {(d, n): persons.household_key(d[:6], n, self.linking) if n else None for d, n in set(pairs)}
        return [keys[p] for p in pairs]


def _canonical(raws: Sequence[str | None], usable: dict[str | None, str]) -> list[str | None]:
    return [persons.normalise_id(r).clear if r in usable else None for r in raws]


def guardians(frame: pl.DataFrame) -> dict[str, dict[str, str]]:
    """Guardians named by the rows, with name and number: an officer has to reach them too."""
    if "_guardian_canonical" not in frame.columns:
        return {}
    names = frame["_guardian_name"] if "_guardian_name" in frame.columns else [None] * frame.height
    found = {}
    for key, number, name in zip(frame["guardian_key"], frame["_guardian_canonical"], names, strict=True):
        if key:
            found[key] = {"id_number": number, **({"name": name} if name else {})}
    return found


def _other_person(card: str, clear: str, today: date) -> bool:
    try:
        return persons.card_number(card, today).number.clear != clear
    except BadId:
        return False  # a certificate number of another form says nothing about the person


def content_hashes(frame: pl.DataFrame) -> list[bytes]:
    """12 bytes for each row over person, division and fields: equal content is not published again."""
    there = frame.to_dict()
    columns = [there[c].cast(pl.String).to_list() for c in _CONTENT if c in there]
    joined = ("\x1f".join([v or "\x00" for v in row]) for row in zip(*columns, strict=True))
    return [hashlib.blake2b(j.encode(), digest_size=_HASH_BYTES).digest() for j in joined]


def identities(frame: pl.DataFrame) -> list[dict[str, str]]:
    """What each row says of its person, without the parts that it lacks."""
    columns = [(p, frame[_COLUMN[p]].to_list()) for p in _PARTS if _COLUMN[p] in frame.columns]
    names = [p for p, _ in columns]
    return [
        {n: v for n, v in zip(names, values, strict=True) if v} for values in zip(*(c for _, c in columns), strict=True)
    ]


def identity_hash(key: bytes, identity: dict[str, str]) -> bytes:
    """Keyed hash of an identity's content (12 bytes): tells whether it changed, and nothing else."""
    text = "\x1f".join(f"{k}\x1e{v}" for k, v in sorted(identity.items()))
    return hashlib.blake2b(text.encode(), digest_size=_HASH_BYTES, key=key, person=b"doudi.identity").digest()
