"""Which entries are to be re-certified when: from the department's table to the gateway and the page."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from gateway.users import Users
from tests.e2e.console_rig import PHONE, desk, overflow, serious
from tests.ids import test_id
from tests.integration.casework_rig import PASSWORD
from tests.integration.test_whole_endings import TODAY, enter
from tests.whole import Whole

VERIFIED = {811: 400, 812: 365, 813: 300, 814: 183}
"""Days ago that an entry of the dibao was re-certified, by number: overdue, today, two months on; and by its class."""
CLASS = {811: "A类", 814: "c"}
"""The class of some, as the department writes it."""


@pytest.fixture(scope="module")
def entered(whole: Whole) -> Whole:
    """Four entries, and the worker has read them."""
    for number, days in VERIFIED.items():
        enter(whole, number, verify_date=TODAY - dt.timedelta(days=days), class_code=CLASS.get(number))
    with whole.gateway("county", "civil", "9901") as county:

        def there() -> bool:
            found = county.get("/v1/roster/calendar").json()["entries"]
            return {"E811", "E812", "E814"} <= {e["entry"] for e in found}

        whole.wait(there, "the entries are not in the calendar")
    return whole


def test_through_the_gateway(entered: Whole) -> None:
    with ExitStack() as exits:
        users = {
            "county": ("county", "civil", "9901"),
            "auditor": ("auditor", "civil", "9901"),
            "medical": ("department", "medical", "9901"),
            "far": ("county", "civil", "9902"),
        }
        clients = {name: exits.enter_context(entered.gateway(*who)) for name, who in users.items()}

        answer = clients["county"].get("/v1/roster/calendar", params={"months": 36})
        found = answer.json()
        mine = {e["entry"]: e for e in found["entries"] if e["entry"] in {f"E{n}" for n in VERIFIED}}
        assert mine["E811"]["month"] == "overdue"
        assert mine["E812"]["month"] == mine["E812"]["due_on"][:7] == found["on"][:7]
        assert mine["E813"]["month"] == mine["E813"]["due_on"][:7] > found["on"][:7]
        assert mine["E814"]["due_on"] == mine["E812"]["due_on"]
        assert [mine[f"E{n}"]["review_class"] for n in VERIFIED] == ["A", "", "", "C"]
        said = {"entry", "tier", "review_class", "division", "why", "month", "due_on", "last"}
        assert all(e.keys() == said for e in found["entries"])
        assert sum(c["entries"] for c in found["counts"]) >= len(mine) == len(VERIFIED)
        assert not any(entered.person(test_id(n)) in answer.text for n in VERIFIED)

        def code(user: str, **query: object) -> object:
            return clients[user].get("/v1/roster/calendar", params=query).json().get("code")

        assert code("auditor") is None
        assert clients["far"].get("/v1/roster/calendar").json()["entries"] == []
        assert code("county", division="9902") == "forbidden"
        assert code("medical") == "forbidden"
        assert code("county", months=0) == "bad_request"


@pytest.mark.browser
def test_on_the_page_and_on_a_telephone(entered: Whole) -> None:
    with entered.gateway("county", "civil", "9901") as county:
        url = str(county.base_url)
    Users(entered.settings.secrets_dir).put("planner", PASSWORD, "planner", "county", "civil", "9901")
    Users(entered.settings.secrets_dir).put("liaison", PASSWORD, "liaison", "department", "medical", "9901")
    with desk(url) as visit:
        for size in (None, PHONE):
            page = visit.signed_in("planner", **({"size": size} if size else {}))
            page.get_by_role("link", name="复核日历").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("复核日历")
            row = page.get_by_role("row").filter(has_text="E811")
            expect(row).to_contain_text("已逾期")
            expect(row).to_contain_text("低保对象 A类")
            expect(page.get_by_role("row").filter(has_text="E812")).to_be_visible()
            page.get_by_text("12个月", exact=True).click()
            expect(page.get_by_role("row").filter(has_text="E813")).to_be_visible()
            assert overflow(page) <= 0
            assert serious(page) == []
            page.get_by_role("button", name="切换为英文").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Re-certification calendar")
            expect(row).to_contain_text("Overdue")
            expect(row).to_contain_text("class A")
            visit.close()
        page = visit.signed_in("liaison")
        expect(page.get_by_role("link", name="复核日历")).to_have_count(0)
        page.goto(f"{url}/calendar")
        expect(page.get_by_role("heading", level=1)).to_contain_text("待办任务")
