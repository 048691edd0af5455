"""Casework as a process: endings by cause, stale owners, kills, a lost and an old state file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from agents.columns import Columns
from doudi.cli import app
from doudi.embedded.hub import environment
from gateway import listing
from tests.integration.casework_rig import TASK, TOWN, Rig, key, rig, wait
from tests.stack import own_hub
from wire.reading import read_all
from wire.settings import Settings


@pytest.fixture(scope="module")
def running(stack: Settings) -> Iterator[Rig]:
    """Casework and projection."""
    with own_hub(stack) as settings, rig(settings, "casework", "projection") as made:
        made.own()
        yield made


def settled(made: Rig, row: dict[str, Any]) -> dict[str, Any]:
    """The document of the case that was opened for a condition."""
    return wait(lambda: made.case_of(row))  # type: ignore[no-any-return]


@pytest.mark.parametrize("cause", ["fulfilled", "superseded", "lapsed", "corrected"])
def test_success_is_not_a_withdrawal(running: Rig, cause: str) -> None:
    row = running.raise_(**TASK)
    case = settled(running, row)
    assert case["due_on"]
    running.end(row, cause)
    after = wait(lambda: (d := running.document(case["case_id"])) and d["state"] == "closed" and d)
    assert (after["closed_by"], after["outcome"], after["conditions"][0]["cause"]) == ("data", cause, cause)
    assert running.case_of(row) is None


def test_a_household_is_one_alert(running: Rig) -> None:
    home = key()
    rows = [running.raise_(household_key=home), running.raise_(household_key=home, level="red")]
    case = wait(lambda: (d := running.case_of(rows[1])) and d)
    assert [c["condition_id"] for c in case["conditions"]] == [r["condition_id"] for r in rows]
    assert case["level"] == "red"


def test_an_alert_whose_household_comes_later_takes_the_others_in(running: Rig) -> None:
    home = key()
    row = running.raise_()
    assert settled(running, row)["household_key"] == ""
    running.publish({**row, "household_key": home})
    other = running.raise_(household_key=home)
    case = wait(lambda: (d := running.case_of(other)) and d)
    assert [c["condition_id"] for c in case["conditions"]] == [r["condition_id"] for r in (row, other)]
    assert case["household_key"] == home


def test_a_replaced_owner_is_refused(running: Rig) -> None:
    old = running.epoch
    row = running.raise_()
    case = settled(running, row)
    running.own()
    running.publish({**row, "epoch": old, "state": "ended", "cause": "corrected"})
    probe = running.raise_()
    settled(running, probe)
    assert running.document(case["case_id"])["state"] == "open"  # type: ignore[index]


def published_once(made: Rig) -> None:
    """Every event stands once in hub.case, and the versions of each case follow on each other."""
    events = [e for e in made.events() if e["event"] != "owner"]
    assert len({e["event_id"] for e in events}) == len(events)
    versions: dict[str, int] = {}
    for event in events:
        assert event["version"] == versions.get(event["case_id"], 0) + 1
        versions[event["case_id"]] = event["version"]


@pytest.mark.parametrize("fault", ["after_commit:2", "after_publish:2"])
def test_killed_between_commit_and_acknowledgement(hub: Settings, fault: str) -> None:
    with rig(hub, "projection") as made:
        made.start("casework", DOUDI_FAULT=fault)
        made.own()
        rows = [made.raise_() for _ in range(3)]
        settled(made, rows[0])
        rows += [made.raise_() for _ in range(20)]
        assert made.running["casework"].wait(30) == -9
        made.start("casework")
        wait(lambda: made.redis.hlen(made.keys.standing) == len(rows))
        published_once(made)


def test_a_lost_and_an_old_file(hub: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "doudi")
    with rig(hub, "casework", "projection") as made:
        made.own()
        first = [made.raise_() for _ in range(5)]
        wait(lambda: made.redis.hlen(made.keys.standing) == 5)
        made.leave("casework")
        file = made.settings.state_dir / "casework.sqlite"
        old = made.settings.home / "old"
        shutil.copytree(made.settings.state_dir, old)

        file.unlink()
        file.with_name(f"{file.name}-wal").unlink(missing_ok=True)
        made.end(first[0], "corrected")
        second = [made.raise_() for _ in range(5)]
        made.here("casework")
        wait(lambda: made.redis.hlen(made.keys.standing) == 9)
        assert "made anew: 5 cases" in caplog.text
        published_once(made)

        made.leave("casework")
        shutil.rmtree(made.settings.state_dir)
        shutil.copytree(old, made.settings.state_dir)
        made.end(second[0], "fulfilled")
        made.here("casework")
        wait(lambda: made.redis.hlen(made.keys.standing) == 8)
        published_once(made)


def test_a_storm_is_held_counted_on_after_a_loss_and_released(hub: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = hub.model_copy(update={"storm_limit": 4})
    with rig(narrow, "casework", "projection", "gateway") as made:
        made.own()
        rows = [made.raise_() for _ in range(3)]
        wait(lambda: made.redis.hlen(made.keys.standing) == 3)
        made.leave("casework")
        (made.settings.state_dir / "casework.sqlite").unlink()
        rows += [made.raise_() for _ in range(4)]
        made.here("casework")
        wait(lambda: made.redis.hlen(made.keys.standing) == 7)
        assert [made.case_of(r)["state"] for r in rows] == ["open"] * 4 + ["held"] * 3  # type: ignore[index]
        with made.client("town") as town, made.client("county") as county:
            assert len(town.get("/v1/alerts").json()["items"]) == 4
            listed = county.get("/v1/alerts", params={"state": "held"}).json()["items"]
            assert len(listed) == 3
            assert county.get(f"/v1/alerts/{listed[0]['id']}").json()["actions"] == ["release"]
            one = f"/v1/alerts/{listed[0]['id']}/release"
            told = {"Idempotency-Key": "one-release", "If-Match": '"1"'}
            assert town.post(one, headers=told).status_code == 403
            assert county.post(one, headers=told).json()["state"] == "open"
            key, which = {"Idempotency-Key": "the-rest"}, {"rule": "R01", "division": "990101"}
            assert town.post("/v1/alerts/release", headers=key, json={}).json()["asked"] == 0
            none = county.post("/v1/alerts/release", headers={"Idempotency-Key": "of-no-rule"}, json={"rule": "R02"})
            assert none.json() == {"asked": 0, "more": 0}
            with monkeypatch.context() as narrowed:
                narrowed.setattr(listing, "_MOST_SEEN", 1)  # each case stands on a page of its own
                answer = county.post("/v1/alerts/release", headers=key, json=which)
            assert (answer.status_code, answer.json()) == (202, {"asked": 2, "more": 0})
            wait(lambda: len(town.get("/v1/alerts").json()["items"]) == 7)
            published_once(made)
            again = county.post("/v1/alerts/release", headers=key, json=which)
            assert (again.status_code, again.json()) == (202, {"asked": 2, "more": 0})
            other = county.post("/v1/alerts/release", headers=key, json={"rule": "R01"})
            assert (other.status_code, other.json()["code"]) == (409, "key_reused")


def test_a_department_hears_of_held_tasks_once_they_are_released(hub: Settings) -> None:
    narrow = hub.model_copy(update={"storm_limit": 2})
    with rig(narrow, "casework", "projection", "tasks", "gateway") as made:
        made.own()
        for _ in range(4):
            made.raise_(**TASK)
        wait(lambda: made.redis.hlen(made.keys.standing) == 4)
        with made.client("medical") as medical, made.client("county") as county:
            shown = {c["id"] for c in medical.get("/v1/tasks", params={"state": "all"}).json()["items"]}
            held = county.get("/v1/tasks", params={"state": "held"}).json()["items"]
            assert (len(shown), len(held)) == (2, 2)
            assert medical.get(f"/v1/tasks/{held[0]['id']}").status_code == 404
            wait(lambda: told(made) >= shown)
            assert told(made) == shown
            answer = county.post("/v1/tasks/release", headers={"Idempotency-Key": "all-of-them"}, json={})
            assert answer.json() == {"asked": 2, "more": 0}
            wait(lambda: told(made) == shown | {c["id"] for c in held})


def told(made: Rig) -> set[str]:
    """Tasks that were published to the department."""
    columns = Columns(made.registry)
    frames = [
        columns.frame("task.medical", b.keys, b.values, b.offsets)[0]
        for b in read_all(made.settings, made.settings.topic("task.medical"))
    ]
    return {task_id for frame in frames for task_id in frame["task_id"]}


def test_outcomes_are_counted_by_rule(running: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(running.settings).items():
        monkeypatch.setenv(name, value)
    for outcome in ("needs_aid", "needs_aid", "not_true"):
        case = settled(running, running.raise_(rule="R05"))
        command = {
            "command_id": key(),
            "case_id": case["case_id"],
            "expected_version": 1,
            "command": "close",
            "outcome": outcome,
            "actor": "wang",
            "role": "township",
            "department": "civil",
            "division": TOWN,
            "at": datetime.now(UTC),
        }
        running.publish(command, topic="hub.command")
        wait(lambda case=case: running.document(case["case_id"])["state"] == "closed")
    told = CliRunner().invoke(app, ["outcomes", "--rule", "R05", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert (found["rule"], found["checked"], found["found"]) == ("R05", 3, 2)
    curve = CliRunner().invoke(app, ["outcomes", "--rule", "R05", "--curve", "self_pay_fen", "--json"])
    assert json.loads(curve.stdout)["alerts"] == 3
    for asked, words in (
        (["--rule", "R99"], "no rule R99"),
        (["--curve", "self_pay_fen"], "name the rule"),
        (["--rule", "R05", "--curve", "age"], "not in the evidence of R05: "),
    ):
        refused = CliRunner().invoke(app, ["outcomes", *asked])
        assert (refused.exit_code, words in " ".join(refused.output.split())) == (2, True), refused.output
    none = CliRunner().invoke(app, ["outcomes", "--rule", "R42"])
    assert (none.exit_code, "Nobody has closed such a case yet." in none.output) == (0, True)
