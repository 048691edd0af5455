"""Which small changes to a rule its cases notice."""

from __future__ import annotations

from typer.testing import CliRunner

from domain.mutants import mutants, survivors
from domain.rules import load
from doudi.cli import app

BOOK = load()


def test_every_kind_of_change_is_made() -> None:
    words = "\n".join(m.words for m in mutants(BOOK.rules["R13"], BOOK))
    for part in (
        "card_active left out",
        "grade <= severe_grade becomes grade < severe_grade",
        "category IN (5, 6) becomes category IN (6)",
        "done_when left out",
        "level: red",
        "severe_grade: one more",
        "what is unknown does not hold",
    ):
        assert part in words


def test_a_rule_with_good_cases_has_few_survivors_and_one_without_cases_none_noticed() -> None:
    count, left = survivors(BOOK.rules["R13"], BOOK)
    assert count > 20
    assert len(left) <= 2, left
    bare = BOOK.rules["R13"].model_copy(update={"cases": BOOK.rules["R13"].cases[:1]})
    assert len(survivors(bare, BOOK)[1]) > 10


def test_the_command_names_what_is_not_noticed() -> None:
    result = CliRunner().invoke(app, ["rules", "mutate", "R32F"])
    assert result.exit_code == 0, result.output
    assert "R32F: " in result.stdout
    assert "changes noticed" in result.stdout
    wrong = CliRunner().invoke(app, ["rules", "mutate", "R99"])
    assert wrong.exit_code == 2
