"""The income sheet in real browsers on the real stack: filled in at a telephone's width, saved, corrected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.console_rig import PHONE, Desk, desk, overflow, serious
from tests.integration.casework_rig import Rig, rig
from tests.integration.test_sheets import given, headers, opened, records
from tests.stack import own_hub
from wire.settings import Settings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def running(stack: Settings) -> Iterator[Rig]:
    """The hub from hub.condition to the page."""
    with own_hub(stack) as settings, rig(settings, "casework", "projection", "gateway") as made:
        made.own()
        yield made


@pytest.fixture
def visit(running: Rig) -> Iterator[Desk]:
    """A browser whose pages may not log errors."""
    with desk(running.url) as made:
        yield made


def fill(page: Page, authorisation: str, wages: str) -> None:
    """Two members: one with wages, a pupil without income; assets within the limits; some expenditure."""
    page.get_by_label("授权书编号").fill(authorisation)
    page.get_by_label("家庭财产").select_option("yes")
    page.get_by_role("button", name="添加成员").click()
    first, second = page.get_by_role("region", name="成员 1"), page.get_by_role("region", name="成员 2")
    first.get_by_label("周岁").fill("41")
    first.get_by_label("劳动能力").select_option("full")
    first.get_by_role("button", name="添加收入").click()
    first.get_by_label("近12个月金额").fill(wages)
    second.get_by_label("周岁").fill("12")
    second.get_by_label("劳动能力").select_option("student")
    second.get_by_label("确无收入").check()
    for name, yuan in (("医疗自付", "3000"), ("教育", "2500"), ("残疾照护", "0")):
        page.get_by_label(name, exact=True).fill(yuan)


def test_on_a_telephone_from_the_alert_to_the_record(running: Rig, visit: Desk) -> None:
    case = opened(running)
    page = visit.signed_in("town", PHONE, f"/alerts/{case['case_id']}")
    page.get_by_role("link", name="填写收入核算表").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("收入核算表")
    save = page.get_by_role("button", name="保存为核对结果")
    expect(save).to_be_disabled()
    fill(page, "SQ-1", "12,000.00")
    # Worked out by the gateway as it is typed: 500.00 a head, 270.83 after 5,500.00 of expenditure.
    expect(page.locator("aside")).to_contain_text("500.00元")
    expect(page.locator("aside")).to_contain_text("270.83元")
    expect(page.locator(".proposal")).to_contain_text("低保对象")
    expect(page.locator("aside")).to_contain_text("产品默认值")
    assert overflow(page) <= 0
    assert serious(page) == []
    assert not records(running, case["subject_key"])
    save.click()
    expect(page.get_by_text("已保存。相关规则会自动重新判断。")).to_be_visible()
    (row,) = records(running, case["subject_key"])
    assert (row["income_month_fen"], row["authorisation"], row["education_year_fen"]) == (50_000, "SQ-1", 250_000)

    page.get_by_label("近12个月金额").fill("24000")
    expect(page.get_by_text("该授权已有核对结果，保存将更正它。")).to_be_visible()
    expect(page.locator("aside")).to_contain_text("1,000.00元")
    page.get_by_role("button", name="更正核对结果").click()
    expect(page.get_by_text("已保存。相关规则会自动重新判断。")).to_be_visible()
    rows = records(running, case["subject_key"])
    assert [r["income_month_fen"] for r in rows] == [50_000, 100_000]
    assert len({r["record_id"] for r in rows}) == 1


def test_another_saved_meanwhile(running: Rig, visit: Desk) -> None:
    case = opened(running)
    page = visit.signed_in("county", path=f"/alerts/{case['case_id']}/sheet")
    fill(page, "SQ-2", "12000")
    save = page.get_by_role("button", name="保存为核对结果")
    expect(save).to_be_enabled()
    with running.client("town") as town:
        other = town.post(f"/v1/alerts/{case['case_id']}/sheet", json=given("SQ-2"), headers=headers())
        assert other.status_code == 200
    save.click()
    expect(page.get_by_text("有人刚保存了该授权的核算表，您的没有生效。")).to_be_visible()
    assert len(records(running, case["subject_key"])) == 1
    page.get_by_role("button", name="查看后按新版本更正").click()
    page.get_by_role("button", name="更正核对结果").click()
    expect(page.get_by_text("已保存。相关规则会自动重新判断。")).to_be_visible()
    assert [r["op"] for r in records(running, case["subject_key"])] == ["create", "update"]


def test_what_is_wrong_is_said_where_it_is_and_in_english_too(running: Rig, visit: Desk) -> None:
    case = opened(running)
    page = visit.signed_in("town", path=f"/alerts/{case['case_id']}/sheet")
    fill(page, "授权书", "12000")
    expect(page.get_by_text("只用字母、数字和 . _ -，最多32位。")).to_be_visible()
    expect(page.get_by_role("button", name="保存为核对结果")).to_be_disabled()
    page.get_by_label("医疗自付").fill("很多")
    expect(page.get_by_text("填写金额，例如 1200 或 1200.50")).to_be_visible()
    expect(page.locator(".proposal")).to_have_count(0)
    page.get_by_label("医疗自付").fill("")  # not known, so the tier is not to be said
    expect(page.locator(".proposal")).to_contain_text("尚不能判断")
    page.get_by_label("授权书编号").fill("13912345678")  # a telephone number
    expect(page.locator("aside")).to_contain_text("授权书编号不正确")
    page.get_by_label("授权书编号").fill("SQ-3")
    page.get_by_role("button", name="English").click()
    expect(page.locator(".proposal")).to_contain_text("not to be said yet")
    expect(page.get_by_role("heading", level=1)).to_have_text("Income sheet")
    assert overflow(page) <= 0
    assert serious(page) == []


def test_who_may_only_read_sees_no_sheet(running: Rig, visit: Desk) -> None:
    case = opened(running)
    page = visit.signed_in("auditor", path=f"/alerts/{case['case_id']}")
    expect(page.locator("article").first).to_be_visible()
    expect(page.get_by_role("link", name="填写收入核算表")).to_have_count(0)
    page.goto(f"{running.url}/alerts/{case['case_id']}/sheet")
    expect(page.get_by_text("没有权限").or_(page.get_by_text("无权进行此操作")).first).to_be_visible()
