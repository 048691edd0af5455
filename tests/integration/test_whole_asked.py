"""Why, and why not, of a case through the gateway: answered by the running worker, without anybody's key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.integration.test_whole_endings import YEAR, bill, enter
from tests.whole import Whole

USERS = {
    "county1": ("county", "civil", "9901"),
    "medical1": ("department", "medical", "9901"),
    "far": ("county", "civil", "9902"),
}
Asked = Callable[..., httpx.Response]


@pytest.fixture
def asked(whole: Whole) -> Iterator[Asked]:
    """Asks the gateway of the whole hub, as one of USERS."""
    with ExitStack() as exits:
        clients = {name: exits.enter_context(whole.gateway(*who)) for name, who in USERS.items()}
        yield lambda user, path, **query: clients[user].get(f"/v1/{path}", params=query)


def test_why_and_why_not(whole: Whole, asked: Asked) -> None:
    person = enter(whole, 801)
    bill(whole, 801, "Q801", "6000.00")
    case = whole.case_of("R02", person, YEAR)

    answer = asked("county1", f"alerts/{case}/why")
    assert answer.status_code == 200, answer.text
    why = answer.json()
    assert (why["rule"], why["episode"], why["stands"], why["decided"], why["agrees"]) == (
        "R02",
        YEAR,
        True,
        "standing",
        True,
    )
    assert why["conditions"]
    assert all(c["met"] for c in why["conditions"])
    assert [r["topic"] for r in why["records"] if r["record_id"] == "Q801"] == ["medical.settlement"]
    detail = asked("county1", f"alerts/{case}").json()
    assert why["condition_id"] == detail["conditions"][0]["condition_id"]
    assert asked("county1", f"alerts/{case}/why", condition=why["condition_id"]).json() == why
    assert whole.person(person) not in answer.text
    assert person not in answer.text

    answer = asked("county1", f"alerts/{case}/why-not", rule="R01")
    assert answer.status_code == 200, answer.text
    (row,) = (r for r in answer.json()["rows"] if r["episode"] == YEAR)
    assert not row["stands"]
    assert [c["text"] for c in row["conditions"] if c["part"] == "when"] == ["tier = 'tekun'"]
    assert whole.person(person) not in answer.text

    stands = asked("county1", f"alerts/{case}/why-not", rule="R02").json()
    assert [r["stands"] for r in stands["rows"] if r["episode"] == YEAR] == [True]


def test_what_is_refused(whole: Whole, asked: Asked) -> None:
    person = enter(whole, 802)
    bill(whole, 802, "Q802", "6000.00")
    case = whole.case_of("R02", person, YEAR)
    task = whole.case_of("R09", person)

    def code(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["code"]

    assert code(asked("far", f"alerts/{case}/why")) == (404, "not_found")
    assert code(asked("county1", f"alerts/{case}/why", condition="0" * 24)) == (404, "not_found")
    assert code(asked("county1", f"alerts/{case}/why-not", rule="R99")) == (422, "bad_request")
    assert code(asked("county1", f"alerts/{case}/why-not", rule="R02", on="2026-02-30")) == (422, "bad_request")
    nobody = asked("county1", f"alerts/{case}/why-not", rule="H01")  # no record names a household
    assert code(nobody) == (422, "bad_request")
    assert "H01 is about a household" in nobody.json()["detail"]
    assert code(asked("medical1", f"tasks/{task}/why")) == (403, "forbidden")
    assert code(asked("medical1", f"tasks/{task}/why-not", rule="R01")) == (403, "forbidden")
