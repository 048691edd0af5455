"""Our registry client against the real registry."""

from __future__ import annotations

import copy
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from agents.coding import Coder
from schemas import codec, load, samples, topics
from schemas.errors import SchemaError
from wire.errors import Incompatible, NotRegistered, RegistryRefused, RegistryUnreachable
from wire.registry import Registry
from wire.settings import Settings


@pytest.fixture
def registry(hub: Settings) -> Iterator[Registry]:
    with Registry(hub.registry, hub.namespace) as client:
        yield client


def grown(name: str, *fields: dict[str, Any], drop: str = "") -> load.Schema:
    raw = copy.deepcopy(dict(load.schema(name).raw))
    raw["fields"] = [f for f in raw["fields"] if f["name"] != drop] + list(fields)
    return load.parse(raw)


MARK = {"name": "mark", "type": ["null", "string"], "default": None, "doc": "A field of a later version"}


def test_every_topic_and_lane_is_registered_and_repeating_changes_nothing(registry: Registry) -> None:
    ids = registry.register_all()
    assert set(ids) == set(topics.names())
    assert registry.register_all() == ids
    for name in topics.names():
        assert registry.id_of(name) == ids[name]
        assert registry.ids(name) == {ids[name]}
        assert registry.schema_by_id(ids[name]).fields == load.of_topic(name).fields  # type: ignore[union-attr]


def test_another_process_finds_the_same_ids(hub: Settings, registry: Registry) -> None:
    with Registry(hub.registry, hub.namespace) as other:
        assert other.id_of("hub.case") == registry.id_of("hub.case")
        assert other.id_of("civil.roster.backlog") == registry.id_of("civil.roster.backlog")


def test_whoever_met_a_topic_needs_the_registry_no_more(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    number = registry.id_of("disability.card")
    registry.meet("disability.card")
    monkeypatch.setattr(registry, "_call", lambda *_: pytest.fail("the registry was asked"))
    found = registry.writers("disability.card")([number])[number]
    assert isinstance(found, load.Schema)
    assert found.fields == load.of_topic("disability.card").fields


def test_a_registry_that_is_away_is_left_to_the_first_record() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: every connection is refused
        with Registry(f"http://127.0.0.1:{taken.getsockname()[1]}") as away:
            Coder(away, Settings(), b"").meet(["disability.card"])
            assert not away._allowed


def test_registering_from_many_threads_at_once(stack: Settings) -> None:
    found: list[dict[str, int]] = []

    def register() -> None:
        with Registry(stack.registry, f"t{time.time_ns()}.") as client:
            found.append(client.register_all(["hub.tick", "civil.roster", "civil.roster.backlog"]))

    threads = [threading.Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(ids["civil.roster"] == ids["civil.roster.backlog"] for ids in found)


def test_a_later_version_is_taken_and_its_messages_are_read_at_once(hub: Settings, registry: Registry) -> None:
    """Registered just before its first message, by somebody else, while we already know the topic."""
    topic, today = "civil.household", load.of_topic("civil.household")
    writers = registry.writers(topic)
    old_id = registry.id_of(topic)
    row = samples.row_of(today)
    assert not codec.decode(list(codec.encode(today, [row], old_id)), [None], today, writers).bad
    new = grown("civil.household", MARK)
    with Registry(hub.registry, hub.namespace) as other:
        new_id = other.register(topic, new)
    assert new_id != old_id
    values: list[bytes | None] = [
        *codec.encode(new, [{**row, "mark": "m"}], new_id),
        *codec.encode(today, [row], old_id),
    ]
    found = codec.decode(values, [None, None], today, writers)
    assert not found.bad
    assert found.frame.to_dicts() == [row, row]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"drop": "division"}, "civil.benefit-value"),
        (
            {"drop": "source", "fields": ({"name": "source", "type": "long", "doc": "x"},)},
            "civil.benefit-value",
        ),
    ],
    ids=["a field removed", "a type changed"],
)
def test_an_incompatible_version_is_refused_with_the_place(
    registry: Registry, change: dict[str, Any], says: str
) -> None:
    broken = grown("civil.benefit", *change.get("fields", ()), drop=change["drop"])
    with pytest.raises((Incompatible, SchemaError)) as raised:
        registry._post("civil.benefit", broken)
    assert says in str(raised.value)
    assert "FULL_TRANSITIVE" in str(raised.value)
    assert "must be nullable with default null" in str(raised.value)


def test_lint_stands_before_the_registry(registry: Registry) -> None:
    with pytest.raises(SchemaError, match=r"CivilBenefit\.psn_name: smells of personal data"):
        registry.register("civil.benefit", grown("civil.benefit", {**MARK, "name": "psn_name"}))


def test_ids_of_other_topics_and_of_nobody(registry: Registry) -> None:
    tick, roster = registry.id_of("hub.tick"), registry.id_of("civil.roster")
    found = registry.writers("civil.roster")([roster, tick, 1_999_999_999])
    assert found[roster] == registry.schema_by_id(roster)
    assert found[tick] == "wrong_schema"
    assert found[1_999_999_999] == "unknown_schema"


def test_a_slice_full_of_unknown_ids_is_not_a_thousand_questions(registry: Registry) -> None:
    today = load.of_topic("civil.roster")
    values: list[bytes | None] = [b"\x00" + (1_500_000_000 + i).to_bytes(4, "big") + b"x" for i in range(3_000)]
    row = samples.row_of(today)
    values.append(codec.encode(today, [row], registry.id_of("civil.roster"))[0])
    begin = time.monotonic()
    found = codec.decode(values, [None] * len(values), today, registry.writers("civil.roster"))
    assert time.monotonic() - begin < 20
    assert {b.reason for b in found.bad} == {"unknown_schema"}
    assert found.frame.to_dicts() == [row]


def test_a_topic_that_was_never_registered(stack: Settings) -> None:
    with (
        Registry(stack.registry, "nobody.") as client,
        pytest.raises(NotRegistered, match=r"the schema of hub\.case is not registered as nobody\.hub\.case-value"),
    ):
        client.id_of("hub.case")


@pytest.mark.stack
def test_an_unreachable_registry_says_so_soon() -> None:
    begin = time.monotonic()
    with (
        Registry("http://user:hunter2@127.0.0.1:9/apis", timeout_s=1) as client,
        pytest.raises(RegistryUnreachable, match=r"127\.0\.0\.1:9/apis does not answer \(ConnectError\)") as raised,
    ):
        client.check_reachable()
    assert time.monotonic() - begin < 12
    assert "hunter2" not in str(raised.value)
    with pytest.raises(RegistryUnreachable, match="set DOUDI_REGISTRY"):
        Registry("")


@pytest.mark.stack
@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, RegistryRefused, "put user and password into DOUDI_REGISTRY"),
        (422, RegistryRefused, "answers 422 to GET config: because"),
        (503, RegistryUnreachable, "answers 503 to GET config; look at its log"),
    ],
)
def test_answers_that_are_no_answers(status: int, error: type[Exception], says: str) -> None:
    """A login in front of a registry, or a fault of its own: no real one here can be made to say these."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"message": "because"}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Registry(f"http://127.0.0.1:{server.server_port}") as client, pytest.raises(error) as raised:
            client.check_reachable()
        server.shutdown()
    assert says in str(raised.value)
