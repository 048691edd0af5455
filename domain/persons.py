"""Who a record is about: citizen ID numbers, and the keys that stand for persons and households.

An ID number never appears in an exception, a repr or a log: errors carry a reason code only.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from operator import mul
from typing import TYPE_CHECKING, Final, Literal, get_args

from domain.errors import Permanent

if TYPE_CHECKING:
    from collections.abc import Iterable

Reason = Literal["missing", "malformed", "check_digit", "birth_date"]
REASONS: Final = get_args(Reason)
OLDEST_YEARS: Final = 130
"""A birth date further back than this is taken for a mistake."""
ID_INSIDE: Final = re.compile(r"[0-9]{17}[0-9Xx]")
"""Found in text that may hold an ID number: such text goes into no topic as it is."""

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"
_ZEROS: Final = ord("0") * sum(_WEIGHTS)
_EIGHTEEN: Final = re.compile(r"[1-9][0-9]{16}[0-9X]")
_FIFTEEN: Final = re.compile(r"[1-9][0-9]{14}")
_CARD: Final = re.compile(r"([1-9][0-9]{16}[0-9X])([1-7])([1-4])(?:B[0-9]{1,2})?")
_INVISIBLE: Final = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_KEY_BYTES: Final = 16


class BadId(Permanent):
    """A number that names nobody. ``reason`` says why; the number itself is not kept."""

    code = "bad_id"

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"ID number unusable: {reason}. Mend the number in the department's own record.")
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True, repr=False)
class IdNumber:
    """A citizen's 18-digit ID number that passed every check. ``str()`` hides it; use ``clear``."""

    clear: str

    def __repr__(self) -> str:
        return "IdNumber(…)"

    __str__ = __repr__

    @property
    def county(self) -> str:
        """Six digits of the county of first registration."""
        return self.clear[:6]

    @property
    def born_on(self) -> date:
        """Date of birth."""
        return date(int(self.clear[6:10]), int(self.clear[10:12]), int(self.clear[12:14]))


def check_digit(first17: str) -> str:
    """The 18th character of an ID number from its first 17 digits (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return _CHECK[(sum(map(mul, _WEIGHTS, first17.encode())) - _ZEROS) % 11]


def normalise_id(raw: str | None, on: date | None = None) -> IdNumber:
    """The ID number in its one canonical form, or BadId with the reason.

    Accepts full-width digits, a lower-case x, spaces, and the 15-digit form of before 1999 (born in 19xx).
    ``on`` is the day against which a birth date is judged (not later, not 130 years earlier); without it
    only the calendar is checked.
    """
    if raw is None:
        raise BadId("missing")
    text = raw
    if not _EIGHTEEN.fullmatch(text):
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", raw)).upper()
        if not text:
            raise BadId("missing")
        if _FIFTEEN.fullmatch(text):
            first17 = f"{text[:6]}19{text[6:]}"
            text = first17 + check_digit(first17)
        elif not _EIGHTEEN.fullmatch(text):
            raise BadId("malformed")
    if check_digit(text[:17]) != text[17]:
        raise BadId("check_digit")
    _plausible(text, on)
    return IdNumber(text)


def _plausible(text: str, on: date | None) -> None:
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        # `from None`: a chained error would quote digits of the number
        raise BadId("birth_date") from None
    if on is not None and not (born <= on and on.year - born.year <= OLDEST_YEARS):
        raise BadId("birth_date")


def link(raws: Iterable[str | None], key: bytes, on: date | None = None) -> dict[str | None, str]:
    """person_key for each distinct raw number that is usable; the rest is absent (ask `normalise_id` why)."""
    keys: dict[str | None, str] = {}
    for raw in set(raws):
        try:
            keys[raw] = person_key(normalise_id(raw, on), key)
        except BadId:
            continue
    return keys


def _keyed(value: str, key: bytes, person: bytes) -> str:
    return hashlib.blake2b(value.encode(), digest_size=_KEY_BYTES, key=key, person=person).hexdigest()


def person_key(number: IdNumber, key: bytes) -> str:
    """The hub's internal name of a person: 32 hex digits, keyed BLAKE2b-128 under the linking key."""
    return _keyed(number.clear, key, b"doudi.person")


def household_key(county: str, household_no: str, key: bytes) -> str:
    """The hub's name of a household: 32 hex digits over ``<county 6 digits>:<household_no>``."""
    return _keyed(f"{county}:{household_no}", key, b"doudi.househld")


def record_key(raw: str, key: bytes) -> str:
    """A record's id where the department's own key contains an ID number: its keyed hash, 32 hex digits."""
    return _keyed(raw, key, b"doudi.record")


def pseudonym(person: str, dept_key: bytes) -> str:
    """A department's own name of a person (32 hex digits); `dept_key` is that department's and rotates."""
    return _keyed(person, dept_key, b"doudi.pseudonym")


@dataclass(frozen=True, slots=True, repr=False)
class CardNumber:
    """A disability certificate's number: ID, category 1–7, grade 1–4 (and B1… of a re-issue)."""

    number: IdNumber
    category: int
    grade: int


def card_number(raw: str | None, on: date | None = None) -> CardNumber:
    """The parts of a certificate number of 20 digits. Raises BadId; its first 18 must be an ID number."""
    if raw is None or not raw.strip():
        raise BadId("missing")
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", raw)).upper()
    parts = _CARD.fullmatch(text)
    if not parts:
        raise BadId("malformed")
    return CardNumber(normalise_id(parts[1], on), int(parts[2]), int(parts[3]))
