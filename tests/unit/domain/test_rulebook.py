"""The rule author's commands: check tells what is wrong, docs leave nothing out, new begins with a failing case."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from domain import rules
from domain.rules import SHIPPED, RuleError
from doudi import rulebook
from doudi.cli import app


def doudi(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["rules", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "rules"))


def test_the_book_holds_every_rule_with_sources_parameters_and_cases() -> None:
    book = rules.load()
    text = rulebook.markdown(book)
    for rule in book.rules.values():
        assert f"### {rule.id} {rule.title.zh} / {rule.title.en}" in text
        assert all(source.ref in text and source.zh in text and source.en in text for source in rule.sources)
        assert all(case.say in text for case in rule.cases)
        assert rule.when.strip() in text
    for parameter in book.parameters.values():
        assert f"### {parameter.id}\n" in text
        assert all(value.source is None or value.source.ref in text for value in parameter.values)
    assert "5,000.00元 / 5,000.00 yuan" in text
    assert "产品默认值 / product default" in text


def test_check_passes_the_rules_shipped() -> None:
    done = doudi("check")
    assert done.exit_code == 0
    assert done.stdout.endswith(" cases, 0 failed\n")


def test_check_names_the_case_that_fails_and_what_came_instead(folder: Path) -> None:
    path = folder / "civil" / "R13.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("grade <= severe_grade", "grade < severe_grade"))
    done = doudi("check", folder)
    assert done.exit_code == 1
    first = rules.load().rules["R13"].cases[0].say
    assert f"R13: {first}: expected standing, came nothing" in done.stderr


def test_check_says_what_is_wrong_where_and_how_to_mend_it(folder: Path) -> None:
    path = folder / "civil" / "R13.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("grade <= severe_grade", "grad <= severe_grade"))
    done = doudi("check", folder)
    assert isinstance(done.exception, RuleError)
    assert "civil/R13.yaml: when: grad is neither a column nor a parameter (do you mean grade?)" in str(done.exception)


def test_docs_go_to_a_file(tmp_path: Path) -> None:
    done = doudi("docs", "--out", tmp_path / "book.md")
    assert done.exit_code == 0
    assert (tmp_path / "book.md").read_text(encoding="utf-8") == rulebook.markdown(rules.load())


@pytest.mark.parametrize("shape", sorted(rules.load().shapes))
def test_a_new_rule_is_well_formed_over_every_view_and_fails_until_it_is_written(folder: Path, shape: str) -> None:
    done = doudi("new", "R99", "--department", "housing", "--facts", shape, "--dir", folder)
    assert done.exit_code == 0
    written = folder / "housing" / "R99.yaml"
    assert yaml.safe_load(written.read_text(encoding="utf-8"))["facts"] == shape
    cases, failures = rulebook.try_cases(rules.load(folder), "R99")
    assert cases == 2
    assert [f.came for f in failures] == ["expected standing, came nothing"]


@pytest.mark.parametrize(
    ("rule", "department", "shape", "words"),
    [
        ("R13", "civil", "medical_year", "R13: there is such a rule already; take another id, or change that one"),
        ("R99", "civl", "medical_year", "civl is not a department (do you mean civil?); name one"),
        ("R99", "civil", "medical_yer", "medical_yer is not a view of the facts (do you mean medical_year?)"),
        ("r99", "civil", "medical_year", "an id looks like R43 or H02"),
    ],
)
def test_a_new_rule_that_cannot_be(folder: Path, rule: str, department: str, shape: str, words: str) -> None:
    before = sorted(folder.rglob("*"))
    done = doudi("new", rule, "--department", department, "--facts", shape, "--dir", folder)
    assert isinstance(done.exception, RuleError)
    assert words in str(done.exception)
    assert sorted(folder.rglob("*")) == before
