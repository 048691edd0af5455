"""Citizen ID numbers: every way to be wrong, and no way to leak."""

from __future__ import annotations

import traceback
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.persons import (
    BadId,
    card_number,
    check_digit,
    household_key,
    link,
    normalise_id,
    person_key,
    pseudonym,
    record_key,
)
from tests.ids import test_card as card
from tests.ids import test_id as some_id

TODAY = date(2026, 11, 22)
STANDARD = "11010519491231002X"  # the worked example printed in GB 11643-1999
KEY = b"k" * 32


def test_the_standards_own_example_passes() -> None:
    assert normalise_id(STANDARD, TODAY).clear == STANDARD
    assert check_digit(STANDARD[:17]) == "X"


@pytest.mark.parametrize(
    "raw",
    [
        STANDARD.lower(),
        f" {STANDARD}\u3000",
        "110105 19491231 002x",
        "１１０１０５１９４９１２３１００２Ｘ",
        f"\ufeff{STANDARD}",
        "110105491231002",  # the form of before 1999
    ],
)
def test_writings_of_the_same_number_are_one(raw: str) -> None:
    assert normalise_id(raw, TODAY) == normalise_id(STANDARD)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        (" \u3000", "missing"),
        ("无", "malformed"),
        ("12345", "malformed"),
        ("1.10105194912310e17", "malformed"),
        ("01010519491231002X", "malformed"),
        ("110105194912310021", "check_digit"),
        ("11010519491331" + "002" + check_digit("11010519491331002"), "birth_date"),
        ("11010520270101" + "002" + check_digit("11010520270101002"), "birth_date"),
        ("11010518500101" + "002" + check_digit("11010518500101002"), "birth_date"),
    ],
)
def test_bad_numbers_say_why(raw: str | None, reason: str) -> None:
    with pytest.raises(BadId) as caught:
        normalise_id(raw, TODAY)
    assert caught.value.reason == reason
    if raw and raw.strip():
        assert raw not in "".join(traceback.format_exception(caught.value))


def test_a_birth_today_is_plausible_and_tomorrow_is_not() -> None:
    born = some_id(7, TODAY)
    assert normalise_id(born, TODAY).born_on == TODAY
    with pytest.raises(BadId):
        normalise_id(some_id(7, date(2026, 11, 23)), TODAY)
    assert normalise_id(some_id(7, date(2026, 11, 23)))  # without a day only the calendar is checked


def test_nothing_shows_the_number() -> None:
    number = normalise_id(STANDARD)
    assert STANDARD not in f"{number!r} {number} {[number]}"
    assert STANDARD not in repr(card_number(STANDARD + "61"))


def test_keys_are_keyed_and_stable() -> None:
    number = normalise_id(STANDARD)
    assert person_key(number, KEY) == person_key(normalise_id(STANDARD.lower()), KEY)
    assert len(person_key(number, KEY)) == 32
    kinds = {
        person_key(number, KEY),
        person_key(number, b"l" * 32),
        record_key(STANDARD, KEY),
        household_key("990101", "1", KEY),
        household_key("990102", "1", KEY),
        pseudonym(person_key(number, KEY), KEY),
    }
    assert len(kinds) == 6


def test_link_leaves_out_what_is_unusable() -> None:
    keys = link([STANDARD, STANDARD.lower(), None, "x"], KEY)
    assert set(keys) == {STANDARD, STANDARD.lower()}
    assert len(set(keys.values())) == 1


def test_certificate_numbers() -> None:
    parts = card_number(card(3, category=5, grade=2) + "B1")
    assert (parts.number.clear, parts.category, parts.grade) == (some_id(3), 5, 2)
    for bad, reason in [(None, "missing"), (card(3)[:19], "malformed"), (card(3, category=8), "malformed")]:
        with pytest.raises(BadId) as caught:
            card_number(bad)
        assert caught.value.reason == reason


@given(st.integers(0, 19_999_999))
def test_every_test_id_is_valid_and_of_nowhere(number: int) -> None:
    assert normalise_id(some_id(number), TODAY).county == "990101"


@given(st.text(max_size=30))
def test_any_text_is_either_a_number_or_refused(raw: str) -> None:
    try:
        assert len(normalise_id(raw, TODAY).clear) == 18
    except BadId as error:
        assert error.reason
