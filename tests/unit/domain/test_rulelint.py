"""A gallery of broken rule books: each mistake gets a message that says what, where and how to mend it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.rules import SHIPPED, RuleError, load

R13 = "civil/R13.yaml"
R01 = "civil/R01.yaml"
LINE = "parameters/annual_self_pay_fen.yaml"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    shutil.copytree(SHIPPED, folder)
    return folder


GALLERY: list[tuple[str, str, str, str]] = [
    (
        R13,
        "card_active and (grade",
        "card_aktive and (grade",
        "civil/R13.yaml: when: card_aktive is neither a column nor a parameter (do you mean card_active?); "
        "use one of facts.yaml, or add parameters/card_aktive.yaml",
    ),
    (
        R13,
        "severe_grade",
        "sever_grade",
        "civil/R13.yaml: when: sever_grade is neither a column nor a parameter (do you mean severe_grade?); "
        "use one of facts.yaml, or add parameters/sever_grade.yaml",
    ),
    (
        R13,
        "not care_subsidy",
        "not now() is null",
        "civil/R13.yaml: when: function now is not allowed; docs/adding-a-rule.md lists those that are",
    ),
    (
        R13,
        "done_when: care_subsidy",
        "done_when: exists (select 1)",
        "civil/R13.yaml: done_when: 'SELECT 1' is not allowed; a rule sees one row: use columns of its facts",
    ),
    (
        R13,
        "done_when: care_subsidy",
        "done_when: care_subsidy and",
        "civil/R13.yaml: done_when: 'care_subsidy and' is not an SQL expression",
    ),
    (
        R13,
        "until: card_active and alive",
        "until: card_active and issued_on > 5",
        "civil/R13.yaml: the database refuses the rule (Binder Error: Cannot compare values of type DATE",
    ),
    (
        R13,
        "facts: disability_card",
        "facts: disability_cart",
        "civil/R13.yaml: facts: disability_cart is not known (do you mean disability_card?); name a view of facts.yaml",
    ),
    (R13, "to: civil", "to: civic", "civil/R13.yaml: to: civic is not a department (do you mean civil?); name one"),
    (R13, "level: yellow", "lewel: yellow", "civil/R13.yaml: level is missing; add it"),
    (
        R13,
        "level: yellow",
        "lewel: yellow",
        "civil/R13.yaml: lewel is not known (do you mean level?); remove or rename it",
    ),
    (
        R13,
        "to: civil\ncloses",
        "to: civil\nproposes: gangxin\ncloses",
        "civil/R13.yaml: proposes: gangxin is neither a column nor a parameter",
    ),
    (
        R13,
        "to: civil\ncloses",
        "to: civil\nproposes: issued_on\ncloses",
        "civil/R13.yaml: proposes: gives DATE, not a tier; name one of tekun, dibao",
    ),
    (R13, "version: 1", "version: one", "civil/R13.yaml: version: Input should be a valid integer"),
    (R13, "id: R13", "id: R14", "civil/R13.yaml: the file is called R13 and its id is R14; make them the same"),
    (
        R13,
        "purpose: [category",
        "purpose: [alive, category",
        "civil/R13.yaml: purpose: alive is not among the evidence; add it there, or leave it out",
    ),
    (
        R13,
        "evidence: [category",
        "evidence: [kategory",
        "civil/R13.yaml: evidence: kategory is not a column of disability_card (do you mean category?); "
        "use one that is",
    ),
    (
        R13,
        "needs: [disability.card",
        "needs: [disability.cart",
        "civil/R13.yaml: needs: disability.cart is not read for persons (do you mean disability.card?); "
        "name one that the facts are made of",
    ),
    (
        R13,
        "deadline: {days: 10, product_default: true}",
        "deadline: {days: 10}",
        "civil/R13.yaml: deadline: without authority; give its source, or say product_default: true",
    ),
    (
        R13,
        "zh: 残疾类别{category}",
        "zh: 残疾类别{kategory}",
        "civil/R13.yaml: explain.zh: {kategory} is neither evidence nor a parameter (do you mean category?); "
        "add it to the evidence",
    ),
    (
        R13,
        "expect: {state: standing, to: civil",
        "expect: {state: standing, cause: lapsed, to: civil",
        "civil/R13.yaml: cases[1]: an ending has a cause and nothing else has one; add or remove expect.cause",
    ),
    (
        R13,
        "- disability.card: {id: c1, category: 4, grade: 2, issued_on",
        "- disability.card: {id: c1, kategory: 4, issued_on",
        "civil/R13.yaml: cases[1]: disability.card has no field kategory (do you mean category?); "
        "use one of its schema",
    ),
    (
        R01,
        "superseded_by: [R02, R03, R04]",
        "superseded_by: [R02, R03, R04X]",
        "civil/R01.yaml: rule R04X is not known (do you mean R04?)",
    ),
    (
        R01,
        "subject: person",
        "subject: household",
        "civil/R01.yaml: subject: medical_year is about persons, not about a household; change facts or subject",
    ),
    (
        LINE,
        "tiers: [qita], ",
        "tiers: [none], ",
        "parameters/annual_self_pay_fen.yaml: no value for tier qita for the whole country from 2020-01-01 on; "
        'add one with region ""',
    ),
    (
        LINE,
        "from: 2020-01-01, tiers: [qita]",
        "from: 2020-01-02, tiers: [qita]",
        "parameters/annual_self_pay_fen.yaml: no value for tier qita",
    ),
    (
        LINE,
        "tiers: [qita], product_default: true",
        "tiers: [qita]",
        "a value without authority; give its source, or say product_default: true",
    ),
    (
        LINE,
        "tiers: [qita]",
        "tiers: [quita]",
        "parameters/annual_self_pay_fen.yaml: tier quita is not known (do you mean qita?); mend it",
    ),
    (
        "parameters/red_step.yaml",
        "value: 3,",
        "value: 3, tiers: [dibao],",
        "parameters/red_step.yaml: the value from 2020-01-01 names tiers; remove them, or say by_tier: true",
    ),
    ("parameters/red_step.yaml", "unit: steps", "unit: [steps", "parameters/red_step.yaml:"),
    (
        "facts.yaml",
        "  grade: {title",
        "  grad: {title",
        "facts.yaml: disability_card: column grade is not documented; add it under columns, with title zh and en",
    ),
]


@pytest.mark.parametrize(("file", "good", "bad", "message"), GALLERY, ids=[f"{g[0]}: {g[2][:40]}" for g in GALLERY])
def test_each_mistake_is_named(book: Path, file: str, good: str, bad: str, message: str) -> None:
    path = book / file
    text = path.read_text(encoding="utf-8")
    assert good in text
    path.write_text(text.replace(good, bad), encoding="utf-8")
    with pytest.raises(RuleError) as raised:
        load(book)
    assert message in str(raised.value)


def _no_cases(book: Path) -> None:
    path = book / R13
    path.write_text(path.read_text(encoding="utf-8").split("\ncases:")[0], encoding="utf-8")


def _twice(book: Path) -> None:
    shutil.copy(book / R13, book / "medical" / "R13.yaml")


def _no_facts(book: Path) -> None:
    (book / "facts.yaml").unlink()


def _not_utf8(book: Path) -> None:
    (book / R13).write_bytes("标题: 残疾".encode("gb18030"))


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (_no_cases, "civil/R13.yaml: cases: there is none in which it fires; add one that expects state: standing"),
        (
            _no_cases,
            "cases: there is none of the nearest value that does not fire; add one that expects state: nothing",
        ),
        (_twice, "R13 stands in two files; keep one"),
        (_no_facts, "no facts.yaml there; point to a rules folder, or copy facts.yaml from the one shipped"),
        (_not_utf8, "civil/R13.yaml: not UTF-8; save the file as UTF-8"),
    ],
)
def test_whole_files(book: Path, breaks: Callable[[Path], None], message: str) -> None:
    breaks(book)
    with pytest.raises(RuleError) as raised:
        load(book)
    assert message in str(raised.value)


def test_the_book_that_is_shipped_is_clean_and_its_digest_steady(book: Path) -> None:
    assert load(book).digest == load().digest
    path = book / R13
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert load(book).digest != load().digest
