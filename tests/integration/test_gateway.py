"""The gateway on the whole way: lists, scopes, commands, identity, stream, throttle."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from agents.projection import rebuild
from tests.integration.casework_rig import COUNTY, OTHER_TOWN, PASSWORD, TASK, TOWN, Rig, rig, wait
from tests.stack import own_hub
from wire.reading import read_all
from wire.secrets import Secrets
from wire.settings import Settings

DIVISIONS = """
divisions:
  - {code: "990101201", zh: 甲乡, from: 2000-01-01, until: 2026-01-01}
  - {code: "990101201", zh: 甲镇, en: Jia Town, from: 2026-01-01}
  - {code: "990102", zh: 乙县, from: 2000-01-01}
"""


@pytest.fixture(scope="module")
def running(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Everything from conditions to HTTP, with a table of names."""
    table = tmp_path_factory.mktemp("divisions") / "divisions.yaml"
    table.write_text(DIVISIONS, encoding="utf-8")
    with (
        own_hub(stack.model_copy(update={"divisions": table})) as settings,
        rig(settings, "casework", "projection", "gateway") as made,
    ):
        made.own()
        yield made


def opened(made: Rig, **changes: Any) -> dict[str, Any]:
    """A new case's document."""
    row = made.raise_(**changes)
    return wait(lambda: made.case_of(row))  # type: ignore[no-any-return]


def headers(version: int, key: str = "") -> dict[str, str]:
    return {"Idempotency-Key": key or uuid.uuid4().hex, "If-Match": f'"{version}"'}


def test_a_condition_is_readable_with_its_explanation(running: Rig) -> None:
    case = opened(running)
    with running.client("town") as town:
        listed = town.get("/v1/alerts", params={"limit": 1}).json()
        assert listed["items"][0]["id"] == case["case_id"]
        shown = town.get(f"/v1/alerts/{case['case_id']}")
    (condition,) = shown.json()["conditions"]
    assert "1,500.00元" in condition["sentence_zh"]
    assert condition["thresholds"][0]["text"] == "1,000.00元"
    assert condition["legal"]
    assert condition["records"] == [{"topic": "medical.settlement", "partition": 0, "offset": 3, "record_id": "S1"}]
    assert case["subject_key"] not in shown.text
    assert shown.json()["actions"] == ["sign", "close"]
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    assert shown.headers["cache-control"] == "no-store"


def test_sign_close_replay_and_conflicts(running: Rig) -> None:
    case = opened(running)
    path = f"/v1/alerts/{case['case_id']}"
    with running.client("town") as town:
        assert town.post(f"{path}/sign").json()["code"] == "key_required"
        first = headers(1)
        signed = town.post(f"{path}/sign", headers=first)
        assert (signed.status_code, signed.json()["state"], signed.json()["version"]) == (200, "signed", 2)
        again = town.post(f"{path}/sign", headers=first)
        assert (again.status_code, again.json()["version"]) == (200, 2)
        late = town.post(f"{path}/close", headers=headers(1), json={"outcome": "covered"})
        assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
        wrong = town.post(f"{path}/close", headers=headers(2), json={"outcome": "done"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "bad_outcome")
        closed = town.post(f"{path}/close", headers=headers(2), json={"outcome": "covered"})
        assert (closed.json()["state"], closed.json()["outcome"]) == ("closed", "covered")
        over = town.post(f"{path}/sign", headers=headers(3))
        assert (over.status_code, over.json()["code"]) == (409, "already_closed")
        other = opened(running)
        reused = town.post(f"/v1/alerts/{other['case_id']}/sign", headers=first)
        assert (reused.status_code, reused.json()["code"]) == (409, "key_reused")
        done = town.get("/v1/alerts", params={"state": "closed"}).json()["items"]
        assert case["case_id"] in [c["id"] for c in done]


def test_a_township_never_sees_another(running: Rig) -> None:
    case = opened(running)
    path = f"/v1/alerts/{case['case_id']}"
    with running.client("othertown") as other:
        assert case["case_id"] not in [c["id"] for c in other.get("/v1/alerts").json()["items"]]
        assert other.get(path).status_code == 404
        assert other.post(f"{path}/sign", headers=headers(1)).status_code == 404
        assert other.post(f"{path}/identity", json={"purpose": "visit"}).status_code == 404
        assert other.get("/v1/alerts", params={"division": TOWN}).status_code == 403
        assert other.get("/v1/alerts", params={"division": COUNTY}).status_code == 403
    with running.client("auditor") as auditor:
        assert auditor.get(path).json()["actions"] == []
        assert auditor.post(f"{path}/sign", headers=headers(1)).status_code == 403
    assert running.document(case["case_id"])["version"] == 1  # type: ignore[index]


def test_a_liaison_sees_the_own_tasks_only(running: Rig) -> None:
    evidence = json.dumps({"entry_tier": "dibao", "entry_start_on": "2026-03-01", "marks": "none"})
    case = opened(running, **(TASK | {"evidence": evidence}))
    path = f"/v1/tasks/{case['case_id']}"
    with running.client("medical") as medical, running.client("disability") as disability:
        assert case["case_id"] in [c["id"] for c in medical.get("/v1/tasks").json()["items"]]
        assert medical.get("/v1/alerts").status_code == 403
        assert disability.get(path).status_code == 404
        assert disability.get("/v1/tasks", params={"department": "medical"}).status_code == 403
        (own,) = medical.get(path).json()["conditions"]
        assert [f["name"] for f in own["facts"]] == ["entry_tier", "entry_start_on"]
        assert own["records"] == []
        assert medical.get(f"{path}/why").status_code == 403
        done = medical.post(f"{path}/close", headers=headers(1), json={"outcome": "done"})
        assert done.json()["outcome"] == "done"
    with running.client("town") as town:
        shown = town.get(path).json()
    (whole,) = shown["conditions"]
    assert shown["actions"] == []
    assert [f["name"] for f in whole["facts"]] == ["entry_tier", "entry_start_on", "marks"]
    assert whole["records"]


def test_pages_neither_repeat_nor_hide(running: Rig) -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    rows = [running.row(decided_at=at, division=f"{OTHER_TOWN}001", level="red") for _ in range(450)]
    running.publish(*rows)
    wait(lambda: running.case_of(rows[-1]))
    seen: list[str] = []
    cursor: str | None = None
    with running.client("othertown") as other:
        while True:
            asked = {"limit": 60, "level": "red"} | ({"cursor": cursor} if cursor else {})
            page = other.get("/v1/alerts", params=asked).json()
            seen += [c["id"] for c in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert other.get("/v1/alerts", params={"cursor": "nonsense!"}).status_code == 422
    assert len(seen) == len(set(seen)) == 450


def test_an_identity_is_audited_before_it_is_shown(running: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "doudi")
    case = opened(running)
    person = case["subject_key"]
    vault = Secrets.load(running.settings.secrets_dir).vault
    identity = {
        "name": "测试甲",
        "id_number": "990101194001010018",
        "telephone": "13900000000",
        "address": "某村1号",
    }
    wrapped, sealed = vault.seal(person, identity)
    running.publish(
        {
            "person_key": person,
            "key_id": vault.key_id,
            "wrapped_key": wrapped,
            "sealed": sealed,
            "index": ["e1"],
            "division": case["division"],
            "source": "civil",
            "updated_at": datetime.now(UTC),
        },
        topic="hub.identity",
    )
    wait(lambda: running.redis.exists(running.keys.vault(person)))
    path = f"/v1/alerts/{case['case_id']}/identity"
    with (
        running.client("town") as town,
        running.client("county") as county,
        running.client("auditor") as auditor,
    ):
        shown = town.post(path, json={"purpose": "visit"}).json()
        assert (shown["name"], shown["id_number"]) == ("测试甲", "990101**********18")
        assert county.post(path, json={"purpose": "verify"}).json()["id_number"] == identity["id_number"]
        assert auditor.post(path, json={"purpose": "verify"}).status_code == 403
        assert town.post(path, json={"purpose": "curiosity"}).status_code == 422
        without = opened(running)
        assert town.post(f"/v1/alerts/{without['case_id']}/identity", json={"purpose": "visit"}).status_code == 404
    granted = []
    for batch in read_all(running.settings, running.settings.topic("hub.audit")):
        granted += [case["case_id"].encode() in (v or b"") for v in batch.values]
        assert not any(identity["name"].encode() in (v or b"") for v in batch.values)
    assert sum(granted) == 3
    log = caplog.text
    assert "identity" in log
    assert not any(text in log for text in (*identity.values(), person, base64.b64encode(sealed).decode()))


class Listener:
    """Reads the stream in a thread."""

    def __init__(self, made: Rig, user: str, last: str = "") -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self._client = made.client(user)
        self._client.timeout = httpx.Timeout(10, read=60)
        self._open = threading.Event()
        self._headers = {"Last-Event-ID": last} if last else {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._open.wait(30)

    def _run(self) -> None:
        try:
            with self._client.stream("GET", "/v1/stream", headers=self._headers) as answer:
                event_id = name = ""
                for line in answer.iter_lines():
                    self._open.set()
                    if line.startswith("id: "):
                        event_id = line[4:]
                    elif line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        self.events.append((event_id, name, json.loads(line[6:])))
        except httpx.HTTPError:
            pass
        finally:
            self._client.close()

    def cases(self) -> list[str]:
        return [e[2].get("case_id", "") for e in self.events]

    def join(self) -> None:
        self._thread.join(70)


def test_the_stream_resumes_across_a_restart_and_a_rebuild(running: Rig) -> None:
    listener, stranger = Listener(running, "town"), Listener(running, "othertown")
    first = opened(running)
    wait(lambda: first["case_id"] in listener.cases())
    assert not stranger.events
    last = listener.events[-1][0]
    running.leave("gateway")
    listener.join()
    stranger.join()
    missed = [opened(running)["case_id"] for _ in range(3)]
    before = running.redis.xrange(running.keys.stream)
    rebuild(running.settings)
    assert running.redis.xrange(running.keys.stream) == before
    running.here("gateway")
    again = Listener(running, "town", last)
    wait(lambda: len(again.events) >= 3)
    assert again.cases() == missed
    live = opened(running)
    wait(lambda: live["case_id"] in again.cases())
    assert {e[1] for e in again.events} == {"case"}
    running.leave("gateway")
    again.join()
    running.here("gateway")
    assert running.url


def test_a_ticket_serves_once(running: Rig) -> None:
    with running.client("town") as town:
        ticket = town.post("/v1/stream/ticket").json()["ticket"]
        bare = httpx.Client(base_url=running.url, timeout=10)
        with bare, bare.stream("GET", "/v1/stream", params={"ticket": ticket}) as answer:
            assert answer.status_code == 200
        with httpx.Client(base_url=running.url, timeout=10) as second:
            assert second.get("/v1/stream", params={"ticket": ticket}).status_code == 401


def test_tokens_sizes_and_unknown_things(running: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "doudi")
    with httpx.Client(base_url=running.url, timeout=10) as bare:
        for path in ("/v1/me", "/v1/alerts", "/v1/rules", "/v1/divisions", "/v1/stream", "/v1/commands/x"):
            assert bare.get(path).status_code == 401, path
        assert bare.post("/v1/token", content=b"x" * 70_000).status_code == 413
        assert bare.get("/v1/me", headers={"Authorization": "Bearer x.y.z"}).json()["code"] == "not_signed_in"
        assert bare.get("/readyz").json() == {"ready": True, "missing": {}}
        assert "doudi_open_cases" in bare.get("/metrics").text
        for n in range(6):
            wrong = bare.post("/v1/token", json={"username": "nobody", "password": f"wrong {n}"})
        assert wrong.status_code == 429
        assert PASSWORD not in caplog.text
    with running.client("county") as county:
        assert {r["id"] for r in county.get("/v1/rules").json()} >= {"R01", "R09"}
        assert county.get("/v1/divisions").json() == [
            {"code": "990101201", "name": "甲镇", "name_en": "Jia Town"},
            {"code": "990102", "name": "乙县", "name_en": ""},
        ]
        assert [d["code"] for d in county.get("/v1/divisions", params={"prefix": "990102"}).json()] == ["990102"]
        assert county.get("/v1/divisions", params={"prefix": "甲"}).status_code == 422
        assert county.get("/v1/me").json()["permissions"]["act"] == ["alert", "task"]
        assert county.get("/v1/commands/unknown").json()["status"] == "pending"


def test_a_command_without_casework_is_pending_and_answered_later(running: Rig) -> None:
    case = opened(running)
    running.leave("casework")
    with running.client("town") as town:
        key = headers(1)
        sent = town.post(f"/v1/alerts/{case['case_id']}/sign", headers=key)
        assert (sent.status_code, sent.json()["status"]) == (202, "pending")
        running.here("casework")
        path = f"/v1/commands/{sent.json()['command_id']}"
        answer = wait(lambda: (a := town.get(path).json())["status"] != "pending" and a)
        assert (answer["status"], answer["version"]) == ("accepted", 2)
        assert town.post(f"/v1/alerts/{case['case_id']}/sign", headers=key).status_code == 200


def test_a_question_that_no_worker_answers(running: Rig) -> None:
    case = opened(running)
    with running.client("town") as town:
        answer = town.get(f"/v1/alerts/{case['case_id']}/why")
    assert (answer.status_code, answer.json()["code"]) == (504, "no_answer")
    assert "the worker of stage persons that owns partition" in answer.json()["detail"]
    assert case["subject_key"] not in answer.text
