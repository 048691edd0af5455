"""The law of a day: what was activated over the installed rules, and what cannot be."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from domain.law import Activation, File, laid_over, objections, of_folder, read_files
from domain.parameters import LAW_FROM
from domain.rules import SHIPPED, RuleError

SHIPPED_LAW = of_folder(None)
MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)


def rule(version: int, title: str = "另一个标题", name: str = "R01") -> File:
    """A shipped rule of civil affairs as another version."""
    content = yaml.safe_load((SHIPPED / "civil" / f"{name}.yaml").read_text(encoding="utf-8"))
    content |= {"version": version, "title": {"zh": title, "en": "Another title"}}
    return File(f"{name}.yaml", yaml.safe_dump(content, allow_unicode=True))


def parameter(*values: dict[str, object]) -> File:
    """The parameter ``late_window_days`` with these values alone."""
    content = yaml.safe_load((SHIPPED / "parameters" / "late_window_days.yaml").read_text(encoding="utf-8"))
    return File("late_window_days.yaml", yaml.safe_dump({**content, "values": list(values)}, allow_unicode=True))


def value(days: int, since: date) -> dict[str, object]:
    return {"value": days, "from": since, "product_default": True}


def act(name: str, day: date, *files: File) -> Activation:
    return Activation(name, day, files, "lawyer", datetime(2026, 4, 1, tzinfo=UTC))


def test_a_day_has_the_book_of_what_came_into_force_by_then() -> None:
    law = SHIPPED_LAW.with_(act("b", JULY, rule(3, "第三版"))).with_(act("a", JUNE, rule(2, "第二版")))
    assert law.book(MAY) is law.installed
    assert law.book(JUNE).rules["R01"].title_zh == "第二版"
    assert law.book(JULY).rules["R01"].title_zh == "第三版"
    assert len({law.book(day).digest for day in (MAY, JUNE, JULY)}) == 3
    assert law.book(JULY) is law.book(date(2027, 1, 1))


def test_a_rule_is_known_as_each_version_said_it(tmp_path: Path) -> None:
    law = SHIPPED_LAW.with_(act("a", JUNE, rule(2, "第二版"), parameter(value(90, JULY))))
    assert law.rule("R01", 1) is SHIPPED_LAW.installed.rules["R01"]
    assert [getattr(law.rule("R01", version), "title_zh", "") for version in (2, 9)] == [
        "第二版",
        SHIPPED_LAW.installed.rules["R01"].title_zh,
    ]
    assert law.rule("X99", 1) is None
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "rules"))
    (folder / "civil" / "R01.yaml").write_text(rule(3, "已安装").content, encoding="utf-8")
    newer = replace(of_folder(folder), activations=law.activations)
    assert [getattr(newer.rule("R01", version), "title_zh", "") for version in (2, 3)] == ["第二版", "已安装"]


def test_what_is_withdrawn_never_was() -> None:
    first = act("a", JUNE, rule(2))
    law = SHIPPED_LAW.with_(first).with_(replace(first, withdrawn=True))
    assert len(law.activations) == 1
    assert law.book(JULY) is law.installed


def test_a_folder_that_is_newer_loses_nothing(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "rules"))
    (folder / "civil" / "R01.yaml").write_text(rule(3, "已安装").content, encoding="utf-8")
    installed = value(80, JUNE)
    given = parameter(value(60, LAW_FROM), installed)
    (folder / "parameters" / given.name).write_text(given.content, encoding="utf-8")
    law = of_folder(folder).with_(act("a", JUNE, rule(2), parameter(value(60, LAW_FROM), value(90, JULY))))
    book = law.book(JULY)
    assert book.rules["R01"].title_zh == "已安装"
    assert {(v.value, v.from_) for v in book.parameters["late_window_days"].values} >= {(80, JUNE), (90, JULY)}


def test_the_folders_value_of_a_day_stays() -> None:
    own = SHIPPED_LAW.installed.parameters["late_window_days"].values
    law = SHIPPED_LAW.with_(act("a", JUNE, parameter(value(99, own[0].from_), value(90, JULY))))
    assert [v.value for v in law.book(JUNE).parameters["late_window_days"].values] == [own[0].value, 90]
    assert objections(law, act("b", JUNE, parameter(value(91, JULY)))) == ["nothing would change on 2026-06-01"]


def test_two_values_of_one_day_are_a_mistake() -> None:
    with pytest.raises(RuleError, match=r"late_window_days.*two values from 2026-07-01.*a later day"):
        laid_over(None, [parameter(value(31, LAW_FROM), value(90, JULY), value(91, JULY))])


@pytest.mark.parametrize("name", ["../R01.yaml", "/etc/R01.yaml", "*.yaml", "R01.yml", ""])
def test_a_name_is_a_name_and_no_path(name: str) -> None:
    with pytest.raises(RuleError, match=r"is no name of a rule's file; call it ID\.yaml"):
        SHIPPED_LAW.with_(act("a", JUNE, File(name, rule(2).content))).book(JUNE)


def test_a_file_alone_replaces_what_it_is_tried_instead_of() -> None:
    book = laid_over(None, [parameter(value(1, LAW_FROM))])
    assert [v.value for v in book.parameters["late_window_days"].values] == [1]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ((), "nothing would change on 2026-06-01"),
        ((rule(1),), r"nothing would change on 2026-06-01 \(R01 is installed as version 1: give a greater one\)"),
        ((File("R01.yaml", (SHIPPED / "civil" / "R01.yaml").read_text(encoding="utf-8")),), "nothing would change"),
    ],
)
def test_what_changes_nothing_is_refused(files: tuple[File, ...], why: str) -> None:
    (said,) = objections(SHIPPED_LAW, act("a", JUNE, *files))
    assert re.search(why, said)


def test_versions_grow_with_the_days() -> None:
    law = SHIPPED_LAW.with_(act("a", JUNE, rule(2, "第二版")))
    same = objections(law, act("b", JULY, rule(2, "又一第二版")))
    assert same == ["R01 is version 2 before; give the changed file version 3"]
    before = objections(law, act("b", MAY, rule(4, "第四版")))
    assert before == ["on 2026-06-01: R01 is version 4 before; give the changed file version 5"]
    assert objections(law, act("b", JULY, rule(3, "第三版"))) == []
    assert objections(law, act("b", JULY, parameter(value(90, JULY)))) == []


def test_a_file_with_mistakes_says_them() -> None:
    broken = File("R01.yaml", rule(2).content.replace("medical_year", "medical_yaer"))
    with pytest.raises(RuleError, match=r"R01.*medical_yaer is not known \(do you mean medical_year"):
        objections(SHIPPED_LAW, act("a", JUNE, broken))
    with pytest.raises(RuleError):
        objections(SHIPPED_LAW, act("a", JUNE, File("R77.yaml", "{")))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"no\.yaml: no such file or directory; give the file of a rule"):
        read_files([tmp_path / "no.yaml"])
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe\xe9")
    with pytest.raises(RuleError, match=r"latin\.yaml: it is not UTF-8"):
        read_files([tmp_path / "latin.yaml"])
