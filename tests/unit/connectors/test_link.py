"""Linking: the date of birth comes from the ID number, where a topic carries it, and from nothing else."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from connectors.catalogue import load, mappings
from connectors.link import Linker, content_hashes
from connectors.mapping import apply
from schemas.load import of_topic
from tests.ids import test_id

TODAY = date(2026, 11, 22)
AGED = ("civil.roster", "civil.household", "disability.card", "education.enrolment")
BORN = date(1966, 2, 28)


def linked(department: str, name: str, *numbers: str | None) -> pl.DataFrame:
    mapping = mappings(department)[name]
    feed = next(f for f in load(department).feeds if f.mapping == name)
    columns = dict.fromkeys([feed.key, feed.updated_at, *mapping.columns, feed.deleted or feed.key], pl.String)
    frame = pl.DataFrame(
        [{feed.key: f"K{n}", mapping.identity.id_number: number} for n, number in enumerate(numbers)], schema=columns
    )
    typed = apply(mapping, frame, key=feed.key, updated_at=feed.updated_at, deleted=feed.deleted)
    return Linker(b"k" * 32).link(mapping, typed, TODAY, hash_key=False)


@pytest.mark.parametrize("topic", AGED)
def test_the_date_of_birth_in_every_spelling_of_the_number(topic: str) -> None:
    number = test_id(5, BORN)
    short = number[:6] + number[8:17]
    full_width = number.translate({ord("0") + d: ord("０") + d for d in range(10)})
    frame = linked(
        *topic.split("."), number, short, full_width, None, number[:17] + ("1" if number[17] != "1" else "2")
    )
    assert frame["born_on"].to_list() == [BORN, BORN, BORN, None, None]
    assert frame["born_on"].dtype == of_topic(topic).dtypes["born_on"]
    assert frame["person_key"].n_unique() == 2


def test_topics_whose_rules_ask_for_no_age_do_not_carry_it() -> None:
    topics = (*AGED, "civil.benefit", "civil.check", "civil.application")
    carried = {topic for topic in topics if "born_on" in of_topic(topic).dtypes}
    assert carried == set(AGED)
    assert "born_on" not in linked("civil", "benefit", test_id(5, BORN)).columns


def test_what_was_published_before_the_field_was_there_is_published_again() -> None:
    frame = linked("civil", "roster", test_id(5, BORN))
    assert content_hashes(frame) == content_hashes(linked("civil", "roster", test_id(5, BORN)))
    assert content_hashes(frame) != content_hashes(frame.drop("born_on"))
