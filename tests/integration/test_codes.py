"""A town is split: people of its old and of its new codes go on with its cases, through casework and the gateway."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.columns import Columns
from gateway import asking
from gateway.users import Users
from tests.integration.casework_rig import COUNTY, PASSWORD, TASK, TOWN, VILLAGE, Rig, rig, wait
from tests.integration.test_gateway import Listener, headers, opened
from tests.stack import own_hub
from wire.reading import read_all
from wire.settings import Settings

NEW, SECOND = "990101011", "990101012"
WENT, THERE = f"{TOWN}002", f"{SECOND}005"
EVE = date(2025, 12, 31)
TABLE = f"""
divisions:
  - {{code: "{COUNTY}", zh: 甲县, from: 2000-01-01}}
  - {{code: "{TOWN}", zh: 甲乡, from: 2000-01-01, until: 2026-01-01, into: ["{NEW}", "{SECOND}"]}}
  - {{code: "{WENT}", zh: 丑村, from: 2000-01-01, until: 2026-01-01, into: ["{THERE}"]}}
  - {{code: "{NEW}", zh: 甲镇, from: 2026-01-01}}
  - {{code: "{SECOND}", zh: 乙镇, from: 2026-01-01}}
  - {{code: "{THERE}", zh: 丑村, from: 2026-01-01}}
"""
USERS = {
    "newtown": ("township", "civil", NEW),
    "second": ("township", "civil", SECOND),
    "far": ("county", "civil", "990102"),
    "clinic": ("department", "medical", NEW),
}


def with_table(settings: Settings, folder: Path, **changes: Any) -> Settings:
    """Settings with the table of divisions."""
    table = folder / "divisions.yaml"
    table.write_text(TABLE, encoding="utf-8")
    return settings.model_copy(update={"divisions": table, **changes})


def enrolled(made: Rig) -> Rig:
    users = Users(made.settings.secrets_dir)
    for name, (role, department, division) in USERS.items():
        users.put(name, PASSWORD, name, role, department, division)
    made.own()
    return made


@pytest.fixture(scope="module")
def running(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Everything from conditions to HTTP."""
    with (
        own_hub(with_table(stack, tmp_path_factory.mktemp("divisions"))) as settings,
        rig(settings, "casework", "projection", "gateway") as made,
    ):
        yield enrolled(made)


def listed(made: Rig, user: str, kind: str = "alerts", **query: Any) -> list[str]:
    """The ids of all pages, whose number is the total."""
    ids: list[str] = []
    cursor: str | None = None
    with made.client(user) as client:
        while True:
            page = client.get(f"/v1/{kind}", params=query | ({"cursor": cursor} if cursor else {})).json()
            ids += [c["id"] for c in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                assert page["total_estimate"] == len(ids)
                return ids


@pytest.mark.parametrize("user", ["town", "newtown", "second"])
def test_who_has_the_old_or_a_new_code_works_a_case_of_the_old_one(running: Rig, user: str) -> None:
    listener = Listener(running, user)
    case = opened(running)
    path = f"/v1/alerts/{case['case_id']}"
    assert case["division"] == VILLAGE
    assert case["case_id"] in listed(running, user)
    wait(lambda: case["case_id"] in listener.cases())
    with running.client(user) as client:
        shown = client.get(path).json()
        assert (shown["division"], shown["actions"]) == (VILLAGE, ["sign", "close"])
        assert client.post(f"{path}/sign", headers=headers(1)).json()["state"] == "signed"
        closed = client.post(f"{path}/close", headers=headers(2), json={"outcome": "covered"}).json()
        assert (closed["state"], closed["closed_by"]) == ("closed", user)
    assert case["case_id"] in listed(running, user, state="closed")
    running.leave("gateway")
    listener.join()
    running.here("gateway")
    assert running.url


def test_a_village_that_went_elsewhere_is_seen_there_alone(running: Rig) -> None:
    streams = {user: Listener(running, user) for user in ("newtown", "second")}
    case, after = opened(running, division=WENT), opened(running)
    path = f"/v1/alerts/{case['case_id']}"
    for user, sees in (("second", True), ("town", True), ("county", True), ("newtown", False), ("far", False)):
        assert (case["case_id"] in listed(running, user)) is sees, user
        with running.client(user) as client:
            assert client.get(path).status_code == (200 if sees else 404), user
    with running.client("newtown") as client:
        assert client.post(f"{path}/sign", headers=headers(1)).status_code == 404
    for listener in streams.values():
        wait(lambda one=listener: after["case_id"] in one.cases())
    assert [case["case_id"] in streams[user].cases() for user in streams] == [False, True]
    running.leave("gateway")
    for listener in streams.values():
        listener.join()
    running.here("gateway")
    assert running.url


def test_casework_asks_again_by_the_day_of_the_command(running: Rig) -> None:
    cases = {name: opened(running, division=name)["case_id"] for name in (VILLAGE, WENT)}

    def told(division: str, case_id: str, at: datetime | None = None) -> str:
        command_id = uuid.uuid4().hex
        command = {"command_id": command_id, "case_id": case_id, "expected_version": 1, "command": "sign"}
        actor = {"actor": "wang", "role": "township", "department": "civil", "division": division}
        running.publish({**command, **actor, "outcome": "", "at": at or datetime.now(UTC)}, topic="hub.command")
        answer = wait(lambda: [e for e in running.events() if e["command_id"] == command_id])
        return str(answer[0]["refusal"])

    assert told(NEW, cases[WENT]) == "out_of_scope"
    assert told(NEW, cases[VILLAGE], datetime(2025, 12, 31, 15, 59, tzinfo=UTC)) == "out_of_scope"
    assert told(NEW, cases[VILLAGE], datetime(2025, 12, 31, 16, 0, tzinfo=UTC)) == ""  # midnight in Beijing
    assert told("no code", cases[WENT]) == "out_of_scope"
    assert told(THERE, cases[WENT]) == ""


def test_pages_over_several_lists_neither_repeat_nor_hide(running: Rig) -> None:
    places = (VILLAGE, f"{NEW}001", WENT, THERE, f"{TOWN}003", f"{SECOND}001")
    cases = [opened(running, division=place, level="red") for place in places for _ in range(3)]
    by_place = {place: {c["case_id"] for c in cases if c["division"] == place} for place in places}
    of = {
        "newtown": {VILLAGE, f"{NEW}001", f"{TOWN}003"},
        "second": {VILLAGE, WENT, THERE, f"{TOWN}003", f"{SECOND}001"},
        "town": set(places),
        "county": set(places),
    }
    for user, mine in of.items():
        found = listed(running, user, limit=2)
        assert len(found) == len(set(found))
        expected = set().union(*(by_place[p] for p in mine))
        assert set(found) & {c["case_id"] for c in cases} == expected, user


def test_a_filter_lies_within_the_scope(running: Rig) -> None:
    old, new = opened(running), opened(running, division=f"{NEW}001")
    both = {old["case_id"], new["case_id"]}
    assert both & set(listed(running, "newtown", division=TOWN)) == both
    assert both & set(listed(running, "newtown", division=VILLAGE)) == {old["case_id"]}
    assert both & set(listed(running, "county", division=NEW)) == both
    assert both & set(listed(running, "county", division=SECOND)) == {old["case_id"]}
    with running.client("newtown") as client:
        for outside in (WENT, THERE, SECOND, COUNTY, "99"):
            assert client.get("/v1/alerts", params={"division": outside}).json()["code"] == "forbidden"


def test_a_department_of_a_new_code(running: Rig) -> None:
    tasks = [opened(running, **TASK, division=place)["case_id"] for place in (VILLAGE, WENT)]
    assert listed(running, "clinic", "tasks") == tasks[:1]


def test_the_day_comes_without_a_restart(running: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    case = opened(running)["case_id"]
    with monkeypatch.context() as patch:
        patch.setattr("gateway.hub.today", lambda: EVE)
        assert (case in listed(running, "town"), case in listed(running, "newtown")) == (True, False)
    assert case in listed(running, "newtown")


def test_names_of_today_and_the_last_ones_of_codes_that_ended(running: Rig) -> None:
    def names(user: str, **query: str) -> list[tuple[str, str]]:
        with running.client(user) as client:
            return [(d["code"], d["name"]) for d in client.get("/v1/divisions", params=query).json()]

    today = [(COUNTY, "甲县"), (NEW, "甲镇"), (SECOND, "乙镇"), (THERE, "丑村")]
    assert names("county") == names("county", prefix=COUNTY) == today
    assert names("newtown", prefix=NEW) == [(NEW, "甲镇")]
    assert names("town", prefix=TOWN) == today[1:]
    assert names("newtown", prefix=NEW, ended="true") == [(TOWN, "甲乡")]
    assert names("county", ended="true") == [(TOWN, "甲乡"), (WENT, "丑村")]


def test_the_calendar_is_asked_of_all_codes(running: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WAIT_S", 0.2)
    with running.client("newtown") as client:
        assert client.get("/v1/roster/calendar").json()["code"] == "no_answer"  # no worker runs here
        assert client.get("/v1/roster/calendar", params={"division": WENT}).json()["code"] == "forbidden"
    columns = Columns(running.registry)
    asked = [
        place
        for b in read_all(running.settings, running.settings.topic("hub.question"))
        for place in columns.frame("hub.question", b.keys, b.values, b.offsets)[0]["subject_key"]
    ]
    assert set(asked) == {f"{TOWN} -{WENT} {NEW}"}


def test_the_county_releases_what_is_held_under_the_old_code(hub: Settings, tmp_path: Path) -> None:
    with rig(with_table(hub, tmp_path, storm_limit=1), "casework", "projection", "gateway") as made:
        enrolled(made)
        rows = [made.raise_() for _ in range(4)] + [made.raise_(division=WENT)]
        wait(lambda: made.redis.hlen(made.keys.standing) == 5)
        assert [made.case_of(r)["state"] for r in rows] == ["open"] + ["held"] * 4  # type: ignore[index]
        with made.client("newtown") as town, made.client("county") as county, made.client("far") as far:
            mine = town.post("/v1/alerts/release", headers={"Idempotency-Key": "of-a-town"}, json={})
            assert mine.json() == {"asked": 0, "more": 0}
            key = {"Idempotency-Key": "of-the-county"}
            assert far.post("/v1/alerts/release", headers=key, json={"division": NEW}).status_code == 403
            answer = county.post("/v1/alerts/release", headers=key, json={"division": NEW})
            assert (answer.status_code, answer.json()) == (202, {"asked": 3, "more": 0})
            wait(lambda: len(town.get("/v1/alerts").json()["items"]) == 4)
            assert made.case_of(rows[-1])["state"] == "held"  # type: ignore[index]


def test_casework_and_gateway_refuse_the_same_bad_table(hub: Settings, tmp_path: Path) -> None:
    bad = with_table(hub, tmp_path)
    assert bad.divisions
    bad.divisions.write_text(TABLE.replace(f'code: "{NEW}"', 'code: "990101013"'), encoding="utf-8")
    with rig(bad) as made:
        made.start("casework", "gateway")
        for name in ("casework", "gateway"):
            assert made.running[name].wait(60) != 0
            assert f"into names {NEW}, which has no name on that day" in made.log(name)
        made.running.clear()
