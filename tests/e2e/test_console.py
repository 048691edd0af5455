"""The console in real browsers on the real stack; casework and projection in threads, gateway a process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from doudi.embedded.ports import Ports
from tests.e2e.console_rig import PHONE, Desk, desk, overflow, serious, sign_in
from tests.ids import test_id
from tests.integration.casework_rig import OTHER_TOWN, TASK, TOWN, Rig, rig, wait
from tests.stack import own_hub
from wire.reading import read_all
from wire.secrets import Secrets
from wire.settings import Settings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def running(stack: Settings) -> Iterator[Rig]:
    """The hub from hub.condition to the page, with a gateway whose port stays."""
    with own_hub(stack) as settings, rig(settings, "casework", "projection") as made:
        made.start("gateway", DOUDI_PORT=str(Ports(settings.home / "ports.json").get("gateway")))
        wait((settings.home / "run" / "gateway.json").exists, 120)
        made.own()
        first = made.raise_()
        wait(lambda: made.case_of(first), 200)  # the processes' first breath takes long on a busy machine
        yield made


@pytest.fixture(scope="module")
def browser(running: Rig) -> Iterator[Desk]:
    """One browser for the module."""
    with desk(running.url) as made:
        yield made


@pytest.fixture
def visit(browser: Desk) -> Iterator[Desk]:
    """Its pages are closed after each test, which fails on what they logged."""
    yield browser
    browser.close()
    assert not browser.wrong, browser.wrong


def village() -> str:
    """A village of the town that no other test uses."""
    return f"{TOWN}{uuid.uuid4().int % 900 + 100}"


def raised(made: Rig, **changes: Any) -> dict[str, Any]:
    """The case of a new condition, once it stands in Redis."""
    row = made.raise_(**changes)
    return wait(lambda: made.case_of(row))  # type: ignore[no-any-return]


def card(page: Page, case: dict[str, Any]) -> Any:
    """The row of a case in the list."""
    return page.locator(f'[data-case="{case["case_id"]}"]')


def top_of(page: Page, row: int) -> float:
    """Where a row stands in the window, once it has come to rest."""
    page.wait_for_timeout(500)
    return float(page.locator("[data-case]").nth(row).evaluate("row => row.getBoundingClientRect().top"))


def button(page: Page, name: str) -> Any:
    """A button by its whole name."""
    return page.get_by_role("button", name=name, exact=True)


def test_from_the_inbox_to_the_close_while_another_watches(running: Rig, visit: Desk) -> None:
    place = village()
    case = raised(running, division=place)
    town = visit.signed_in("town", path=f"/alerts?division={place}")
    county = visit.signed_in("county", path=f"/alerts?division={place}")
    expect(card(county, case)).to_contain_text("待签收")

    card(town, case).click()
    expect(town.get_by_role("heading", level=1)).to_contain_text("特困")
    article = town.locator("article")
    for text in ("1,500.00元", "1,000.00元", "政策依据", "仍然成立", "第 1 版"):
        expect(article).to_contain_text(text)
    article.locator("summary").click()
    expect(article).to_contain_text("medical.settlement")
    expect(article).to_contain_text("S1")
    key = running.document(case["case_id"])["subject_key"]  # type: ignore[index]
    assert key not in town.content()

    button(town, "签收").click()
    expect(town.get_by_text("签收成功")).to_be_visible()
    expect(town.locator("aside")).to_contain_text("town")
    expect(card(county, case)).to_contain_text("核查中")

    button(town, "办结").click()
    button(town, "确认办结").click()
    expect(town.get_by_text("请选择一项核查结果")).to_be_visible()
    town.get_by_text("属实需救助").click()
    button(town, "确认办结").click()
    expect(town.get_by_text("办结成功")).to_be_visible()
    expect(town.locator("aside")).to_contain_text("属实需救助")
    expect(card(county, case)).to_contain_text("已办结")
    assert running.document(case["case_id"])["outcome"] == "needs_aid"  # type: ignore[index]


def test_new_alerts_come_in_live_and_do_not_move_the_reader(running: Rig, visit: Desk) -> None:
    place = village()
    for _ in range(14):
        raised(running, division=place)
    page = visit.signed_in("town", path=f"/alerts?division={place}")
    expect(page.locator("[data-case]")).to_have_count(14)
    first = raised(running, division=place)
    expect(card(page, first)).to_be_visible()

    page.mouse.wheel(0, 500)
    # not wait_for_function: when it has to look again it evaluates text, which the page's policy forbids
    while (before := page.evaluate("scrollY")) <= 300:
        page.wait_for_timeout(50)
    seen = top_of(page, 8)
    second = raised(running, division=place, level="red")
    expect(button(page, "1 条新消息，点击查看")).to_be_visible()
    assert page.evaluate("scrollY") == before
    assert abs(top_of(page, 8) - seen) < 1
    assert page.title().startswith("(1)")
    button(page, "1 条新消息，点击查看").click()
    expect(card(page, second)).to_be_in_viewport()


def test_pages_filters_and_the_way_back(running: Rig, visit: Desk) -> None:
    place = village()
    rows = [running.row(division=place, level="red" if n % 10 == 0 else "orange") for n in range(70)]
    running.publish(*rows)
    wait(lambda: running.case_of(rows[-1]))
    page = visit.signed_in("county", path=f"/alerts?division={place}")
    expect(page.locator("[data-case]")).to_have_count(50)
    button(page, "加载更多").click()
    expect(page.locator("[data-case]")).to_have_count(70)
    expect(page.get_by_text("已全部显示")).to_be_visible()

    page.locator("[data-case]").nth(60).click()
    expect(page.locator("article")).to_be_visible()
    button(page, "返回列表").click()
    expect(page.locator("[data-case]").nth(60)).to_be_in_viewport()

    page.evaluate("scrollTo(0, 0)")
    page.locator(".el-select", has=page.get_by_role("combobox", name="等级")).click()
    page.get_by_role("option", name="红色").click()
    expect(page.locator("[data-case]")).to_have_count(7)
    assert "level=red" in page.url
    page.reload()
    expect(page.locator("[data-case]")).to_have_count(7)
    page.get_by_text("核查中", exact=True).first.click()
    expect(page.get_by_text("没有符合筛选条件的事项")).to_be_visible()
    button(page, "清除筛选").last.click()
    expect(page.locator("[data-case]").first).to_be_visible()


def test_a_conflict_is_said_and_changes_nothing(running: Rig, visit: Desk) -> None:
    case = raised(running, division=village())
    path = f"/alerts/{case['case_id']}"
    town, county = visit.signed_in("town", path=path), visit.signed_in("county", path=path)
    button(county, "办结").click()
    county.get_by_text("不属实").click()
    button(town, "签收").click()
    expect(town.get_by_text("签收成功")).to_be_visible()
    button(county, "确认办结").click()
    expect(county.get_by_role("alert").filter(has_text="这件事项刚被更新")).to_be_visible()
    assert running.document(case["case_id"])["state"] == "signed"  # type: ignore[index]
    button(county, "重新加载").click()
    expect(county.get_by_role("alert")).to_have_count(0)
    expect(county.locator("header.card")).to_contain_text("核查中")


def test_a_command_waits_for_casework_and_is_not_lost(running: Rig, visit: Desk) -> None:
    case = raised(running, division=village())
    page = visit.signed_in("town", path=f"/alerts/{case['case_id']}")
    expect(button(page, "签收")).to_be_visible()
    running.leave("casework")
    button(page, "签收").click()
    expect(page.get_by_text("已提交，正在等待系统确认…")).to_be_visible()
    running.here("casework")
    expect(page.get_by_text("签收成功")).to_be_visible(timeout=120_000)
    assert running.document(case["case_id"])["signed_by"] == "town"  # type: ignore[index]


def test_the_stream_comes_back_after_the_gateway(running: Rig, visit: Desk) -> None:
    place = village()
    raised(running, division=place)
    page = visit.signed_in("town", path=f"/alerts?division={place}")
    expect(page.locator("[data-case]")).to_have_count(1)
    port = running.url.rpartition(":")[2]
    running.kill("gateway")
    expect(page.get_by_text("连接中断，正在重连")).to_be_visible()
    button(page, "刷新").click()
    expect(page.get_by_role("alert")).to_contain_text("连不上服务器")
    missed = raised(running, division=place)
    running.start("gateway", DOUDI_PORT=port)
    wait((running.settings.home / "run" / "gateway.json").exists, 120)
    expect(page.get_by_text("实时更新中")).to_be_visible(timeout=60_000)
    expect(card(page, missed)).to_be_visible()


def test_identity_needs_a_purpose_and_is_audited(running: Rig, visit: Desk) -> None:
    case = raised(running, division=village())
    key = case["subject_key"]
    number = test_id(7)
    vault = Secrets.load(running.settings.secrets_dir).vault
    identity = {"name": "测试甲", "id_number": number, "telephone": None, "address": "测试村1号"}
    running.publish(
        {
            "person_key": key,
            "key_id": vault.key_id,
            **vault.seal(key, identity)._asdict(),
            "index": [],
            "division": case["division"],
            "source": "test",
            "updated_at": datetime.now(UTC),
        },
        topic="hub.identity",
    )
    wait(lambda: running.redis.exists(running.keys.vault(key)))

    page = visit.signed_in("town", path=f"/alerts/{case['case_id']}")
    button(page, "查看身份信息").click()
    expect(page.get_by_text("审计人员可以查阅")).to_be_visible()
    assert "测试甲" not in page.content()
    expect(button(page, "说明用途并查看")).to_be_disabled()
    page.get_by_text("入户走访").click()
    button(page, "说明用途并查看").click()
    expect(page.get_by_text("测试甲")).to_be_visible()
    expect(page.get_by_text(f"990101{'*' * 10}{number[-2:]}")).to_be_visible()
    button(page, "隐藏").click()
    assert "测试甲" not in page.content()
    audit = read_all(running.settings, running.settings.topic("hub.audit"))
    assert sum(len(batch.values) for batch in audit) == 1

    auditor = visit.signed_in("auditor", path=f"/alerts/{case['case_id']}")
    expect(auditor.get_by_text("您的角色只能查看")).to_be_visible()
    expect(button(auditor, "查看身份信息")).to_have_count(0)


def test_everybody_sees_their_own(running: Rig, visit: Desk) -> None:
    ours, theirs = raised(running, division=village()), raised(running, division=f"{OTHER_TOWN}001")
    task = raised(running, division=village(), **TASK)
    liaison = visit.signed_in("medical")
    expect(card(liaison, task)).to_be_visible()
    assert liaison.url.endswith("/tasks")
    expect(liaison.get_by_role("link", name="预警")).to_have_count(0)
    town = visit.signed_in("town")
    expect(card(town, ours)).to_be_visible()
    expect(card(town, theirs)).to_have_count(0)
    town.goto(f"{visit.url}/alerts/{theirs['case_id']}")
    expect(town.get_by_text("找不到这件事项")).to_be_visible()


def test_wrong_password_expiry_and_sign_out(running: Rig, visit: Desk) -> None:
    case = raised(running, division=village())
    page = visit.page(path=f"/alerts/{case['case_id']}")
    page.get_by_label("用户名").fill("town")
    page.get_by_label("密码").fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("用户名或密码不正确")
    sign_in(page, "town")
    expect(page.locator("article")).to_be_visible()

    page.evaluate("""() => {
        const held = JSON.parse(sessionStorage.getItem('doudi.session'))
        sessionStorage.setItem('doudi.session', JSON.stringify({ ...held, token: 'x' + held.token }))
    }""")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("登录已过期")
    assert "sign-in" in page.url
    sign_in(page, "town")
    expect(page.locator("article")).to_be_visible()

    button(page, "退出登录").click()
    expect(page.get_by_text("已安全退出")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('doudi.session')") is None
    page.go_back()
    expect(page.get_by_label("用户名")).to_be_visible()


def test_by_keyboard_alone(running: Rig, visit: Desk) -> None:
    case = raised(running, division=village())
    page = visit.page(path=f"/alerts/{case['case_id']}", reduced_motion="reduce")
    sign_in(page, "town")
    expect(page.locator("article")).to_be_visible()
    page.reload()
    expect(page.locator("article")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("跳到正文")).to_be_focused()
    button(page, "办结").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="属实已保障")).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(button(page, "办结")).to_be_focused()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_accessible_and_no_wider_than_a_phone(running: Rig, visit: Desk, language: str, tmp_path: Path) -> None:
    place = village()
    case = raised(running, division=place)
    for size in (PHONE, (1440, 900)):
        page = visit.page(size, f"/alerts?division={place}")
        said: list[tuple[str, list[str], int]] = []

        def look(name: str, page: Page = page, said: list[tuple[str, list[str], int]] = said) -> None:
            page.wait_for_timeout(400)  # transitions change contrast while they last
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
            said.append((name, serious(page), overflow(page)))

        look("sign-in")
        sign_in(page, "town")
        if language == "en":
            button(page, "English · 切换为英文").click()
        expect(page.locator("[data-case]").first).to_be_visible()
        look("inbox")
        card(page, case).click()
        expect(page.locator("article")).to_be_visible()
        page.locator("summary").click()
        look("case")
        button(page, "查看身份信息" if language == "zh" else "Show identity").click()
        look("identity")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        button(page, "办结" if language == "zh" else "Close").click()
        look("close")
        assert said == [(name, [], 0) for name, _, _ in said]
