"""Income sheets through the gateway: worked out, saved as civil.check, corrected, refused; inputs are not kept."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from agents.columns import Columns
from doudi.commands.run import prepare
from gateway.views import today
from tests.ids import test_id
from tests.integration.casework_rig import TASK, TOWN, Rig, key, rig, wait
from tests.stack import own_hub
from wire.partitioner import partition_for
from wire.reading import read_all
from wire.settings import Settings

SHEET: dict[str, Any] = {
    "checked_on": "2026-06-01",
    "assets_ok": True,
    "medical_year_fen": 300_000,
    "schooling_year_fen": 250_000,
    "care_year_fen": 0,
    "members": [
        {"age": 41, "ability": "full", "incomes": [{"kind": "wages", "year_fen": 1_234_567, "cost_year_fen": 34_567}]},
        {"age": 12, "ability": "student", "no_income": True},
    ],
}


@pytest.fixture(scope="module")
def running(stack: Settings) -> Iterator[Rig]:
    """Everything from conditions to HTTP."""
    with own_hub(stack) as settings, rig(settings, "casework", "projection", "gateway") as made:
        made.own()
        yield made


def opened(made: Rig, **changes: Any) -> dict[str, Any]:
    """A new case's document."""
    row = made.raise_(**changes)
    return wait(lambda: made.case_of(row))  # type: ignore[no-any-return]


def path(case: dict[str, Any], rest: str = "") -> str:
    return f"/v1/alerts/{case['case_id']}/sheet{rest}"


def headers(version: int = 0, wish: str = "") -> dict[str, str]:
    return {"Idempotency-Key": wish or uuid.uuid4().hex, "If-Match": f'"{version}"'}


def given(authorisation: str = "SQ-2026-1", **changes: Any) -> dict[str, Any]:
    return {"sheet": {**SHEET, **changes}, "authorisation": authorisation}


def records(made: Rig, person: str = "") -> list[dict[str, Any]]:
    """What stands in civil.check, of everybody or of one person, with its partition."""
    columns, found = Columns(made.registry), []
    for batch in read_all(made.settings, made.settings.topic("civil.check")):
        frame, bad = columns.frame("civil.check", batch.keys, batch.values, batch.offsets)
        assert not bad
        found += [{**row, "partition": batch.partition} for row in frame.to_dicts()]
    return sorted(
        (r for r in found if person in ("", r["person_key"])), key=lambda r: (r["record_version"], r["_offset"])
    )


def test_a_sheet_is_worked_out_and_nothing_is_kept(running: Rig) -> None:
    case = opened(running)
    with running.client("town") as town:
        assert town.get(f"/v1/alerts/{case['case_id']}").json()["sheet"] is True
        begun = town.get(path(case)).json()
        assert (begun["asked"], begun["members"]) == ("answered", [])
        assert {k["code"] for k in begun["kinds"]} >= {"wages", "old_age"}
        before = len(records(running))
        shown = town.post(path(case, "/compute"), json=given("")).json()
    # (12,345.67 - 345.67) / 12 / 2 = 500.00; less 5,500.00 a year: 270.83
    assert (shown["income_month_fen"], shown["after_rigid_month_fen"]) == (50_000, 27_083)
    assert (shown["proposal"], shown["proposal_zh"]) == ("dibao", "低保对象")
    assert shown["lines"][0]["formula"] == "12,345.67-345.67"
    assert shown["lines"][0]["parameters"][0]["product_default"] is True
    assert "version" not in shown
    assert len(records(running)) == before


def test_saved_corrected_repeated(running: Rig) -> None:
    case = opened(running)
    person = case["subject_key"]
    with running.client("town") as town, running.client("county") as county:
        wish = headers()
        saved = town.post(path(case), json=given(), headers=wish)
        assert saved.status_code == 200, saved.text
        first = saved.json()["version"]
        assert saved.headers["etag"] == f'"{first}"'
        assert person not in saved.text
        again = town.post(path(case), json=given(), headers=wish)
        assert (again.status_code, again.json()["version"]) == (200, first)
        other = town.post(path(case), json=given(assets_ok=False), headers=wish)
        assert (other.status_code, other.json()["code"]) == (409, "key_reused")
        late = county.post(path(case), json=given(assets_ok=False), headers=headers(0))
        assert (late.status_code, late.json()["code"]) == (409, "sheet_conflict")
        assert county.post(path(case, "/compute"), json=given()).json()["version"] == first
        mended = county.post(path(case), json=given(assets_ok=False), headers=headers(first))
        second = mended.json()["version"]
        assert second > first
        # Another authorisation is another check.
        third = town.post(path(case), json=given("SQ-2026-2"), headers=headers(0)).json()["version"]
    rows = records(running, person)
    assert [r["record_version"] for r in rows] == [first, first, second, third]
    assert len({r["record_id"] for r in rows[:3]}) == 1
    assert rows[3]["record_id"] != rows[0]["record_id"]
    assert rows[0]["event_id"] == rows[1]["event_id"] != rows[2]["event_id"]
    assert [r["op"] for r in rows] == ["create", "create", "update", "create"]
    assert {r["partition"] for r in rows} == {partition_for(person.encode(), running.settings.partitions)}
    fields = ("finding", "checked_on", "authorisation", "income_month_fen", "assets_ok", "education_year_fen")
    assert [rows[0][f] for f in fields] == ["none", date(2026, 6, 1), "SQ-2026-1", 50_000, True, 250_000]
    assert rows[2]["assets_ok"] is False
    assert rows[0]["division"] == case["division"]
    for batch in read_all(running.settings, running.settings.topic("civil.check")):
        assert not any(b"student" in (v or b"") or b"wages" in (v or b"") for v in batch.values)


def test_two_who_save_at_once(running: Rig) -> None:
    case = opened(running)
    answers: list[httpx.Response] = []
    start = threading.Barrier(6)

    def save(n: int) -> None:
        with running.client("town") as town:
            start.wait()
            answers.append(town.post(path(case), json=given(medical_year_fen=n), headers=headers()))

    threads = [threading.Thread(target=save, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409, 409]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"sheet_conflict"}
    assert len(records(running, case["subject_key"])) == 1


def test_who_may_not(running: Rig) -> None:
    case, task = opened(running), opened(running, **TASK)
    civil = opened(running, kind="task", department="civil", rule="R13", rule_class="entitlement")
    before = len(records(running))
    for user, status in (("othertown", 404), ("medical", 404), ("disability", 404), ("auditor", 403)):
        with running.client(user) as one:
            assert one.get(path(case)).status_code == status, user
            assert one.post(path(case, "/compute"), json=given()).status_code == status, user
            assert one.post(path(case), json=given(), headers=headers()).status_code == status, user
    with running.client("auditor") as auditor:
        assert auditor.get(f"/v1/alerts/{case['case_id']}").json()["sheet"] is False
    with running.client("town") as town:
        for other in (task, civil):
            assert town.post(path(other), json=given(), headers=headers()).status_code == 404
    assert len(records(running)) == before
    audited = [v for b in read_all(running.settings, running.settings.topic("hub.audit")) for v in b.values]
    assert any(case["case_id"].encode() in (v or b"") and b"save_sheet" in (v or b"") for v in audited)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (given(""), "no_authorisation"),
        (given("授权书一号"), "bad_authorisation"),
        (given(test_id(7)), "bad_authorisation"),
        (given("13912345678"), "bad_authorisation"),
        (given("x" * 33), "bad_authorisation"),
        (given(members=[{"age": 41, "ability": "full"}]), "sheet_incomplete"),
        (given(members=[]), "bad_request"),
        (given(checked_on=(today() + timedelta(days=1)).isoformat()), "bad_request"),
        (given(checked_on="2019-12-31"), "bad_request"),
        (given(name="测试甲"), "bad_request"),
    ],
)
def test_what_cannot_be_saved(running: Rig, body: dict[str, Any], code: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "doudi")
    case = opened(running)
    with running.client("town") as town:
        answer = town.post(path(case), json=body, headers=headers())
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert town.post(path(case), json=body).json()["code"] == "key_required"
        if len(body["authorisation"]) > 9:  # what was typed there goes nowhere
            assert body["authorisation"] not in answer.text + caplog.text
    assert "测试甲" not in answer.text + caplog.text
    assert not records(running, case["subject_key"])


def test_a_held_alert_waits_and_a_closed_one_may_be_corrected(stack: Settings, running: Rig) -> None:
    case = opened(running)
    with running.client("town") as town:
        town.post(f"/v1/alerts/{case['case_id']}/close", headers=headers(1), json={"outcome": "needs_aid"})
        assert town.post(path(case), json=given(), headers=headers()).status_code == 200
    with own_hub(stack, storm_limit=1) as settings, rig(settings, "casework", "projection", "gateway") as made:
        made.own()
        rows = [made.raise_(division=f"{TOWN}001") for _ in range(2)]
        held = wait(lambda: next((c for r in rows if (c := made.case_of(r)) and c["state"] == "held"), None))
        with made.client("town") as town:
            assert town.get(f"/v1/alerts/{held['case_id']}").json()["sheet"] is False
            answer = town.post(path(held), json=given(), headers=headers())
            assert (answer.status_code, answer.json()["code"]) == (409, "held")
        assert not records(made)


def test_a_household_of_which_no_worker_answers(running: Rig) -> None:
    home = key()
    case = opened(running, rule="H01", subject_kind="household", subject_key=home, household_key=home)
    with running.client("town") as town:
        begun = town.get(path(case)).json()
        assert (begun["asked"], begun["members"]) == ("no_answer", [])
        answer = town.post(path(case), json=given(), headers=headers())
    assert (answer.status_code, answer.json()["code"]) == (504, "no_answer")
    assert home not in answer.text


def test_after_redis_lost_its_note_the_next_version_is_still_the_greater(running: Rig) -> None:
    case = opened(running)
    with running.client("town") as town:
        first = town.post(path(case), json=given(), headers=headers()).json()["version"]
        for name in running.redis.scan_iter(running.keys.sheet("*")):
            running.redis.delete(name)
        assert town.post(path(case), json=given(), headers=headers(first)).json()["code"] == "sheet_conflict"
        assert town.post(path(case, "/compute"), json=given()).json()["version"] == 0
        assert town.post(path(case), json=given(), headers=headers()).json()["version"] > first


def test_what_kafka_did_not_take_is_taken_when_asked_again(running: Rig) -> None:
    case = opened(running)
    topic = running.settings.topic("civil.check")
    admin = AdminClient({"bootstrap.servers": running.settings.kafka})
    for future in admin.delete_topics([topic]).values():
        future.result(30)
    wish = headers()
    with running.client("town") as town:
        answer = town.post(path(case), json=given(), headers=wish)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        prepare(running.settings)

        def saved() -> httpx.Response | None:
            answer = town.post(path(case), json=given(), headers=wish)
            time.sleep(0.5)
            return answer if answer.status_code == 200 else None

        version = wait(saved).json()["version"]
    rows = records(running, case["subject_key"])
    assert {(r["record_version"], r["op"]) for r in rows} == {(version, "create")}
