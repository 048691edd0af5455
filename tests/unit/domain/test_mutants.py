"""Which small changes to a rule its cases notice."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.mutants import mutants, outcome, unknown_inputs
from domain.parameters import Words
from domain.rules import SHIPPED, Rule, Unnoticed, load
from doudi.cli import app

BOOK = load()
OF_THE_DAY = random.Random(int(time.time()) // 86_400).sample(sorted(BOOK.rules), 3)  # noqa: S311 - a sample
"""Three rules a day: all of them take minutes. ``doudi rules mutate`` tries all."""


def words_of(rule: Rule) -> list[str]:
    return [m.words for m in mutants(rule, BOOK)]


def test_every_kind_of_change_is_made() -> None:
    words = words_of(BOOK.rules["R13"])
    for each in (
        "card_active left out",
        "grade <= severe_grade becomes grade < severe_grade",
        "category IN (5, 6) becomes category IN (6)",
        "until: card_active left out",
        "until left out",
        "done_when left out",
        "level: orange",
        "level: red",
        "severe_grade: one more",
        "severe_grade: one less",
        "what is unknown does not hold",
        "what is unknown holds",
        "not silenced by R32",
        "to: medical",
        "kind: alert",
        "deadline: 11",
        "deadline: 9",
    ):
        assert each in words
    assert "superseded_by without R03" in words_of(BOOK.rules["R01"])


def test_the_same_in_other_words_is_no_change() -> None:
    rule = BOOK.rules["R09"]
    assert rule.when == "entry_in_force and not marked"
    assert rule.done_when == "marked"
    assert "NOT marked left out" not in words_of(rule)
    assert "NOT marked becomes marked" in words_of(rule)


def test_unknown_is_changed_only_where_something_can_be_unknown() -> None:
    assert unknown_inputs(BOOK.rules["R01"], BOOK) == []
    assert not [w for w in words_of(BOOK.rules["R01"]) if "unknown" in w]
    assert unknown_inputs(BOOK.rules["R22"], BOOK) == ["education.enrolment without stage"]
    assert "no feed covers the place" in unknown_inputs(BOOK.rules["R13"], BOOK)


def test_without_its_cases_hardly_a_change_is_noticed() -> None:
    rule = BOOK.rules["R13"]
    assert outcome(rule, BOOK).survivors == ()
    bare = outcome(rule.model_copy(update={"cases": rule.cases[:1]}), BOOK)
    assert len(bare.survivors) > 10
    assert {why for _, why in bare.survivors} == {None}


def test_a_survivor_is_explained_and_an_explanation_has_a_survivor() -> None:
    rule = BOOK.rules["R16"]
    why = Words(zh="因为", en="Because")
    said = (
        Unnoticed(change="best_grade > 4 becomes best_grade > 5", why=why),
        Unnoticed(change="to: medical", why=why),
    )
    found = outcome(rule.model_copy(update={"unnoticed": said}), BOOK)
    assert found.survivors == (("best_grade > 4 becomes best_grade > 5", why),)
    assert found.stale == ("to: medical",)
    assert found.noticed == found.changes - 1


@pytest.mark.parametrize("name", OF_THE_DAY)
def test_every_change_is_noticed_or_explained(name: str) -> None:
    found = outcome(BOOK.rules[name], BOOK)
    assert [words for words, why in found.survivors if why is None] == []
    assert found.stale == ()


def test_the_command_says_what_is_to_mend(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["rules", "mutate", "R32F"])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].endswith("changes noticed (100.0%), 0 to mend")
    wrong = CliRunner().invoke(app, ["rules", "mutate", "R99"])
    assert wrong.exit_code == 2

    folder = shutil.copytree(SHIPPED, tmp_path / "rules")
    path = folder / "civil" / "R32F.yaml"
    text = path.read_text(encoding="utf-8").replace(
        ", to: civil, kind: task, deadline: 10", ", kind: task, deadline: 10"
    )
    said = "unnoticed: [{change: 'kind: alert', why: {zh: 因为, en: Because}}]\n"
    path.write_text(text.replace("cases:\n", f"{said}cases:\n"), encoding="utf-8")
    result = CliRunner().invoke(app, ["rules", "mutate", "R32F", "--dir", str(folder)])
    assert result.exit_code == 1, result.output
    assert "  not noticed: to: medical: add a case that notices it" in result.stdout
    assert "  explained under unnoticed, and noticed or never made: kind: alert: remove it there" in result.stdout
    assert result.stdout.splitlines()[-1].endswith(", 2 to mend")
