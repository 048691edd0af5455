"""Success is not a withdrawal: from rows in departments' tables to the ending that the case shows."""

from __future__ import annotations

import datetime as dt

import pytest

from agents.watch import tick
from tests.ids import test_id
from tests.whole import VILLAGE, Whole

LOCAL = dt.timezone(dt.timedelta(hours=8))
TODAY = dt.datetime.now(LOCAL).date()
YEAR = str(TODAY.year)
NEXT_YEAR = dt.date(TODAY.year + 1, 2, 1)


def enter(whole: Whole, number: int, tier: str = "dibao", **given: object) -> str:
    """Somebody enters the roster, with further columns if given; the ID number."""
    whole.insert(
        "civil",
        "low_income_member",
        entry_id=f"E{number}",
        id_number=test_id(number),
        name="测甲子",
        household_no=f"H{number}",
        tier_code=tier,
        status="active",
        start_date=dt.date(TODAY.year, 1, 1),
        division=VILLAGE,
        **given,
    )
    return test_id(number)


def bill(whole: Whole, number: int, key: str, yuan: str, refund: str = "0") -> None:
    whole.insert(
        "medical",
        "setl_d",
        setl_id=key,
        psn_no=f"P{number}",
        psn_name="测甲子",
        certno=test_id(number),
        setl_time=dt.datetime.now(dt.UTC),
        insutype="390",
        med_type="21",
        insu_admdvs="990101",
        medfee_sumamt=yuan,
        psn_part_amt=yuan,
        refd_setl_flag=refund,
        vali_flag="1",
        resd_division=VILLAGE,
    )


def test_aid_granted_is_fulfilment(whole: Whole) -> None:
    person = enter(whole, 1)
    bill(whole, 1, "S1", "6000.00")
    case = whole.case_of("R02", person, YEAR)
    whole.insert(
        "civil",
        "benefit",
        benefit_id="B1",
        id_number=person,
        name="测甲子",
        benefit_code="temporary_aid",
        status="paid",
        granted_on=TODAY,
        start_on=TODAY,
        amount="3000.00",
        division=VILLAGE,
    )
    assert whole.ended(case, "R02")["cause"] == "fulfilled"


def test_a_mark_by_medical_insurance_completes_the_task(whole: Whole) -> None:
    person = enter(whole, 2)
    whole.insert(
        "medical",
        "psn_insu_d",
        psn_no="P2",
        psn_name="测甲子",
        certno=person,
        insutype="390",
        insu_admdvs="990101",
        psn_insu_stas="1",
        begndate=dt.date(TODAY.year, 1, 1),
        resd_division=VILLAGE,
    )
    case = whole.case_of("R09", person)
    whole.execute(
        "medical",
        "UPDATE psn_insu_d SET psn_idet_type = 'dibao', idet_begndate = %(day)s, "
        "updt_time = clock_timestamp() WHERE psn_no = 'P2'",
        day=TODAY,
    )
    assert whole.ended(case, "R09")["cause"] == "fulfilled"
    done = whole.wait(lambda: (c := whole.case(case))["state"] == "closed" and c, "the task stays open")
    assert (done["closed_by"], done["outcome"]) == ("data", "fulfilled")


def test_a_death_hands_over_to_its_own_rule(whole: Whole) -> None:
    person = enter(whole, 3)
    bill(whole, 3, "S3", "6000.00")
    case = whole.case_of("R02", person, YEAR)
    part = whole.departments.drop / "deaths.part"
    part.write_text(
        "记录编号,证件号码,姓名,事件,事件日期,登记类型,户籍区划,登记时间\n"
        f"D3,{person},测甲子,死亡,{TODAY},死亡证明,{VILLAGE},{TODAY} 08:00:00\n",
        encoding="utf-8",
    )
    part.rename(part.with_suffix(".csv"))
    ended = whole.ended(case, "R02")
    assert (ended["cause"], ended["superseded_by"]) == ("superseded", "R32")
    whole.case_of("R32", person)
    whole.case_of("R32F", person)


def test_a_reversal_is_a_correction(whole: Whole) -> None:
    person = enter(whole, 4)
    bill(whole, 4, "S4", "6000.00")
    case = whole.case_of("R02", person, YEAR)
    bill(whole, 4, "S4R", "-6000.00", refund="1")
    assert whole.ended(case, "R02")["cause"] == "corrected"
    closed = whole.wait(lambda: (c := whole.case(case))["state"] == "closed" and c, "the alert stays open")
    assert (closed["closed_by"], closed["outcome"]) == ("data", "corrected")


@pytest.mark.moves((NEXT_YEAR - TODAY).days)
def test_the_end_of_the_year_is_a_lapse(whole: Whole) -> None:
    person = enter(whole, 5)
    bill(whole, 5, "S5", "6000.00")
    case = whole.case_of("R02", person, YEAR)
    tick(whole.settings, NEXT_YEAR, dt.datetime.now(dt.UTC))
    assert whole.ended(case, "R02")["cause"] == "lapsed"
