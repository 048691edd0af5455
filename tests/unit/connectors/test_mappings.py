"""Mappings of every department: captured rows with what is expected of them, and values that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.catalogue import FOLDERS, mappings
from connectors.errors import ConfigError
from connectors.fields import constant, division
from connectors.mapping import ROW_MAX_BYTES, TOO_LONG, Identity, Mapping
from tests.ids import test_id as some_id
from tests.unit.connectors.frames import mapped

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.json"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_captured_row(path: Path) -> None:
    captured = json.loads(path.read_text("utf-8"))
    department, name = path.stem.split(".")
    (out,) = mapped(department, name, captured["row"])
    told = out.pop("_fields").split("\x1f")
    assert {k: _plain(v) for k, v in out.items()} == captured["expected"]
    unlinked = [v for k, v in captured["expected"].items() if k[0] != "_" and k not in ("division", "occurred_at")]
    assert told[0] == captured["expected"]["division"]
    assert len(told) == 1 + len(unlinked)
    assert [t == "\x00" for t in told[1:]] == [v is None for v in unlinked]


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def test_every_mapping_has_a_fixture() -> None:
    named = {f"{d}.{name}" for d in FOLDERS for name in mappings(d)}
    assert named == {p.stem for p in FIXTURES}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_an_empty_row_maps_without_a_problem_but_its_key(path: Path) -> None:
    department, name = path.stem.split(".")
    (out,) = mapped(department, name, {})
    assert out["_problem"] == "the record's key is empty"


@pytest.mark.parametrize(
    ("feed", "change", "says"),
    [
        ("medical.settlement", {"psn_part_amt": "1.234"}, "psn_part_amt is not an amount in yuan"),
        ("medical.settlement", {"psn_part_amt": "1e3"}, "psn_part_amt is not an amount in yuan"),
        ("medical.settlement", {"psn_part_amt": "1,000.00"}, "psn_part_amt is not an amount in yuan"),
        ("medical.settlement", {"vali_flag": "9"}, "vali_flag is none of 0, 1"),
        ("medical.settlement", {"begndate": "2026-02-30"}, "begndate is not a date"),
        ("medical.settlement", {"setl_time": "yesterday"}, "setl_time is not a time"),
        ("medical.settlement", {"fixmedins_code": "县医院"}, "fixmedins_code is not a code"),
        ("medical.settlement", {"resd_division": "99010"}, "resd_division is not a division code"),
        ("medical.settlement", {"resd_division": "９９０１０１"}, "resd_division is not a division code"),
        ("medical.settlement", {"psn_part_amt": "１２.５"}, "psn_part_amt is not an amount in yuan"),
        ("medical.settlement", {"begndate": "0000-01-01"}, "begndate is not a date"),
        ("medical.settlement", {"begndate": "0/1/1"}, "begndate is not a date"),
        ("medical.settlement", {"begndate": "-001-01-01"}, "begndate is not a date"),
        ("medical.settlement", {"begndate": "+10000/1/1"}, "begndate is not a date"),
        ("medical.settlement", {"setl_time": "0001-01-01 00:00:00"}, "setl_time is not a time"),
        ("medical.settlement", {"setl_time": "9999-12-31 23:00:00-05:00"}, "setl_time is not a time"),
        ("medical.settlement", {"fixmedins_code": some_id(1)}, "fixmedins_code is not a code"),
        ("civil.check", {"auth_no": f"SQ{some_id(1)}-1"}, "auth_no is not a code"),
        ("vital.life_event", {"登记类型": some_id(1)}, "登记类型 is neither a code nor"),
        ("employment.contribution", {"last_month": "000005"}, "last_month is not a month"),
        ("medical.insurance", {"psn_insu_stas": "7"}, "psn_insu_stas is none of"),
        ("medical.insurance", {"psn_idet_type": "poor"}, "psn_idet_type is none of tekun"),
        ("disability.card", {"category": "8"}, "category is not a whole number from 1 to 7"),
        ("disability.card", {"grade": "x"}, "grade is not a whole number from 1 to 4"),
        ("disability.card", {"status": "?"}, "status is none of active"),
        ("civil.roster", {"tier_code": "wubao"}, "tier_code is none of tekun"),
        ("civil.benefit", {"benefit_code": "x"}, "benefit_code is none of dibao"),
        ("civil.application", {"state": "审批"}, "state is none of 受理, 核对, 公示"),
        ("civil.application", {"aid_code": "medical_aid"}, "aid_code is none of tekun"),
        ("employment.contribution", {"insurance_code": "310"}, "insurance_code is none of 110, 120"),
        ("employment.contribution", {"last_month": "202613"}, "last_month is not a month"),
        ("employment.contribution", {"last_month": "20260301"}, "last_month is not a month"),
        ("employment.contribution", {"insured_at": "99020"}, "insured_at is not a division code"),
        ("water.supply", {"grade": "一般"}, "grade is none of 安全, 基本安全, 不安全"),
        ("agriculture.support", {"willing": "也许"}, "willing is none of t, true"),
        ("agriculture.support", {"kind": "旅游"}, "kind is none of 种植"),
        ("vital.life_event", {"事件": "结婚"}, "事件 is none of 死亡"),
        ("vital.life_event", {"登记类型": "听说"}, "登记类型 is neither a code nor one of 户籍注销"),
    ],
)
def test_what_does_not_fit_is_named_without_its_value(feed: str, change: dict[str, str], says: str) -> None:
    department, name = feed.split(".")
    row = json.loads((Path(__file__).parent / "fixtures" / f"{feed}.json").read_text("utf-8"))["row"]
    (out,) = mapped(department, name, {**row, **change})
    assert out["_problem"].startswith(says)
    assert next(iter(change.values())) not in out["_problem"].split("(")[0] or len(next(iter(change.values()))) < 2


def test_a_row_of_more_text_than_a_message_holds_does_not_fit() -> None:
    (row,) = mapped("medical", "settlement", {"setl_id": "S1", "psn_name": "甲" * (ROW_MAX_BYTES // 3)})
    assert row["_problem"] is None  # in bytes: the key is the last two
    (row,) = mapped("medical", "settlement", {"setl_id": "S12", "psn_name": "甲" * (ROW_MAX_BYTES // 3)})
    assert row["_problem"] == TOO_LONG


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("-1.5", -150),
        ("12.30", 1230),
        ("0.07", 7),
        ("100.1000", 10010),
        ("-0.01", -1),
        ("99999999999999.99", 9999999999999999),
        (" 7.00 ", 700),
        ("", None),
    ],
)
def test_yuan_to_fen_is_exact(text: str, fen: int | None) -> None:
    (out,) = mapped("medical", "settlement", {"setl_id": "S1", "psn_part_amt": text})
    assert (out["psn_part_amt_fen"], out["_problem"]) == (fen, None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("A", "A"), ("b", "B"), ("Ｃ", "C"), ("ｃ类", "C"), ("A类", "A"), (" B 类 ", "B"), ("　Ａ类　", "A")),
        *(("D", None), ("甲", None), ("AB", None), ("A类户", None), ("类", None), ("", None), (None, None)),
    ],
)
def test_a_review_class_is_read_as_it_is_written_or_is_none(text: str | None, name: str | None) -> None:
    (out,) = mapped("civil", "roster", {"entry_id": "E1", "class_code": text})
    assert (out["review_class"], out["_problem"]) == (name, None)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-03-04 02:16:00.123456+00", "2026-03-04T02:16:00.123456+00:00"),
        ("2026-03-04T02:16:00Z", "2026-03-04T02:16:00+00:00"),
        ("2026-03-04 10:16:00+0800", "2026-03-04T02:16:00+00:00"),
        ("2026-03-04 10:16:00", "2026-03-04T02:16:00+00:00"),
        ("2026/03/04 10:16", "2026-03-04T02:16:00+00:00"),
        ("2026-03-04", "2026-03-03T16:00:00+00:00"),
        ("2026-03-03 21:16:00-05:00", "2026-03-04T02:16:00+00:00"),
    ],
)
def test_times_in_every_writing_also_mixed(text: str, iso: str) -> None:
    rows = [{"setl_id": "S1", "updt_time": text}, {"setl_id": "S2", "updt_time": "2026-01-01 00:00:00+00"}]
    assert mapped("medical", "settlement", *rows)[0]["_updated"].isoformat() == iso
    assert mapped("medical", "settlement", rows[0])[0]["_updated"].isoformat() == iso


def test_a_time_of_change_that_no_year_holds_is_none_and_the_first_day_of_all_has_no_beginning() -> None:
    for text in ("0001-01-01 00:00:00", "0000-01-01 00:00:00", "9999-12-31 23:59:59-05:00"):
        rows = [{"setl_id": "S1", "updt_time": text}, {"setl_id": "S2", "updt_time": "0001-01-01 08:00:00"}]
        first, second = mapped("medical", "settlement", *rows)
        assert (first["_updated"], second["_updated"].year) == (None, 1)
    given = {"记录编号": "SW1", "事件日期": "0001-01-01", "登记时间": "2026-05-02 10:00:00"}
    (event,) = mapped("vital", "life_event", given)
    assert (event["event_on"].year, event["occurred_at"].isoformat()) == (1, "2026-05-02T02:00:00+00:00")


def test_of_a_bad_division_nothing_is_left_also_where_the_row_is_deleted() -> None:
    (out,) = mapped("civil", "benefit", {"benefit_id": "B1", "division": some_id(1)[:14], "deleted": "t"})
    assert (out["_deleted"], out["division"]) == (True, "")


def test_a_reason_that_holds_an_id_number_is_any_other() -> None:
    (out,) = mapped("civil", "roster", {"entry_id": "E1", "exit_reason": f"see_{some_id(1)}"})
    assert (out["exit_reason"], out["_problem"]) == ("other", None)


def test_a_relation_in_full_width_digits_is_a_word() -> None:
    (out,) = mapped("civil", "household", {"member_id": "M1", "relation": "０１"})
    assert out["relation"] == "99"


def test_only_named_columns_are_read() -> None:
    columns = mappings("medical")["settlement"].columns
    assert "dise_codg" in columns
    assert not {"psn_no", "mdtrt_id", "gend", "brdy"} & set(columns)


def test_a_mapping_that_lags_behind_its_schema_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"vital\.life_event lacks \['event_on', 'source_kind'\]"):
        Mapping("vital.life_event", Identity("id"), division("d"), {"event": constant("death")})


def test_a_mapping_that_gives_what_comes_from_its_identity_is_refused() -> None:
    with pytest.raises(ConfigError, match="gives household_key, which comes from its identity"):
        Mapping(
            "civil.household", Identity("id", household_no="no"), division("d"), {"household_key": constant("a" * 32)}
        )
