"""Ingress: sealed records of external producers to department topics; hostile ones are set aside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from agents.ingress import Ingress, Message
from domain.persons import household_key, normalise_id, person_key, record_key
from domain.sealing import open_sealed, seal_to
from schemas import codec, load
from schemas.topics import MESSAGE_MAX_BYTES
from tests.ids import test_card as some_card
from tests.ids import test_id as some_id
from tests.integration.connecting import wait
from tests.stack import own_hub
from wire.kafka import Publisher
from wire.reading import read_all
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAME = "金丝雀甲"
DEEP = "[" * 60_000
LONE = "\ud800"
"""Half of a character: JSON has it, UTF-8 does not."""


@pytest.fixture(scope="module")
def shared(stack: Settings) -> Iterator[Settings]:
    with own_hub(stack) as settings:
        yield settings


@pytest.fixture(scope="module")
def registry(shared: Settings) -> Iterator[Registry]:
    with Registry(shared.registry, shared.namespace) as made:
        yield made


@pytest.fixture(scope="module")
def secrets(shared: Settings) -> Secrets:
    return Secrets.load(shared.secrets_dir)


@pytest.fixture
def ingress(shared: Settings, registry: Registry, secrets: Secrets) -> Ingress:
    return Ingress(shared, registry, secrets, lambda: NOW)


def record(secrets: Secrets, identity: object = None, **other: Any) -> dict[str, Any]:
    who = {"id_number": some_id(1), "name": NAME, "telephone": "13900000001"} if identity is None else identity
    sealed = seal_to(secrets.hub.public, (who if isinstance(who, str) else json.dumps(who)).encode())
    return {
        "event_id": "e",
        "source": "partner.bills",
        "source_epoch": 1,
        "topic": "medical.settlement",
        "record_id": "S1",
        "record_version": 7,
        "op": "create",
        "division": "990101001001",
        "occurred_at": NOW,
        "sealed_identity": sealed,
        "fields": json.dumps({"psn_part_amt_fen": 1234, "begndate": "2026-05-01"}),
        **other,
    }


def encoded(registry: Registry, rows: list[dict[str, Any]], topic: str = "intake.medical") -> list[bytes]:
    return codec.encode(load.of_topic(topic), rows, registry.id_of(topic))


def taken(ingress: Ingress, registry: Registry, *rows: dict[str, Any], topic: str = "intake.medical") -> list[Message]:
    values = encoded(registry, list(rows), topic)
    return ingress.handle(topic, 0, [r["record_id"].encode() for r in rows], values, range(len(rows)))


def decoded(registry: Registry, messages: list[Message], topic: str) -> list[dict[str, Any]]:
    some = [m for m in messages if m.topic == topic]
    made = codec.decode(
        [m.value for m in some],
        [m.key for m in some],
        load.of_topic(topic),
        registry.writers(topic),
        key=load.key_fields(topic),
        max_bytes=1 << 20,
    )
    assert not made.bad
    return made.frame.to_dicts()


def test_a_record_is_linked_and_stripped(ingress: Ingress, registry: Registry, secrets: Secrets) -> None:
    messages = taken(ingress, registry, record(secrets))
    (row,) = decoded(registry, messages, "medical.settlement")
    person = person_key(normalise_id(some_id(1)), secrets.linking)
    assert (row["person_key"], row["psn_part_amt_fen"], str(row["begndate"])) == (person, 1234, "2026-05-01")
    (identity,) = decoded(registry, messages, "hub.identity")
    opened = secrets.vault.open(person, identity["key_id"], identity["wrapped_key"], identity["sealed"])
    assert opened["name"] == NAME
    everything = b"".join(m.key + m.value for m in messages)
    for canary in (some_id(1), NAME, "13900000001"):
        assert canary.encode() not in everything


def test_reading_a_slice_twice_gives_the_same_records(ingress: Ingress, registry: Registry, secrets: Secrets) -> None:
    one, other = (decoded(registry, taken(ingress, registry, record(secrets)), "medical.settlement") for _ in "ab")
    assert one == other
    assert not decoded(registry, taken(ingress, registry, record(secrets)), "hub.identity")  # nothing new said


def test_snapshots_go_to_the_backlog_lane(ingress: Ingress, registry: Registry, secrets: Secrets) -> None:
    messages = taken(ingress, registry, record(secrets, op="snapshot"))
    assert {m.topic for m in messages} == {"medical.settlement.backlog", "hub.identity"}


def test_keys_of_household_guardian_and_record(ingress: Ingress, registry: Registry, secrets: Secrets) -> None:
    card = record(
        secrets,
        {"id_number": some_id(1), "guardian_id_number": some_id(2)},
        topic="disability.card",
        record_id=some_card(1),
        fields=json.dumps({"category": 6, "grade": 1, "status": "active"}),
    )
    (row,) = decoded(registry, taken(ingress, registry, card, topic="intake.disability"), "disability.card")
    assert row["record_id"] == record_key(some_card(1), secrets.linking)
    assert row["guardian_key"] == person_key(normalise_id(some_id(2)), secrets.linking)
    assert row["born_on"] == normalise_id(some_id(1)).born_on
    entry = record(
        secrets,
        {"id_number": some_id(1), "household_no": "H1"},
        topic="civil.roster",
        fields=json.dumps({"tier": "dibao", "status": "active"}),
    )
    (row,) = decoded(registry, taken(ingress, registry, entry, topic="intake.civil"), "civil.roster")
    assert row["household_key"] == household_key("990101", "H1", secrets.linking)


@pytest.mark.parametrize("given", [NAME, "S/2026/000001", "S" * 65])
def test_a_record_id_that_is_no_code_is_hashed(
    given: str, ingress: Ingress, registry: Registry, secrets: Secrets
) -> None:
    for identity, topic in ((None, "medical.settlement"), ({"name": NAME}, "hub.unidentified")):
        messages = taken(ingress, registry, record(secrets, identity, record_id=given))
        (row,) = decoded(registry, messages, topic)
        assert row["record_id"] == record_key(given, secrets.linking)
        assert given.encode() not in b"".join(m.key + m.value for m in messages)


def test_a_household_number_that_cannot_be_written(ingress: Ingress, registry: Registry, secrets: Secrets) -> None:
    entry = record(secrets, {"id_number": some_id(1), "household_no": LONE}, topic="civil.roster", fields="{}")
    messages = taken(ingress, registry, entry, topic="intake.civil")
    (row,) = decoded(registry, messages, "hub.quarantine")
    assert (row["reason"], row["detail"], len(messages)) == ("undecodable", "UnicodeEncodeError", 1)


def test_a_fault_of_the_machine_is_not_the_records(
    ingress: Ingress, registry: Registry, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("agents.ingress.fields_of", full)
    with pytest.raises(OSError, match="no space"):
        taken(ingress, registry, record(secrets))


def test_without_a_usable_id(ingress: Ingress, registry: Registry, secrets: Secrets) -> None:
    messages = taken(ingress, registry, record(secrets, {"id_number": "canary-1", "name": NAME}))
    (row,) = decoded(registry, messages, "hub.unidentified")
    assert (row["state"], row["reason"], row["topic"]) == ("unidentified", "malformed", "medical.settlement")
    assert NAME in open_sealed(secrets.hub.private, row["sealed"]).decode()
    assert len(messages) == 1
    mended = taken(ingress, registry, record(secrets, op="update"))
    assert decoded(registry, mended, "hub.unidentified")[0]["state"] == "resolved"


def test_a_delete_carries_nothing_but_the_key(ingress: Ingress, registry: Registry, secrets: Secrets) -> None:
    messages = taken(ingress, registry, record(secrets, op="delete", fields="no matter"))
    (row,) = decoded(registry, messages, "medical.settlement")
    assert (row["op"], row["psn_part_amt_fen"]) == ("delete", None)
    assert not decoded(registry, messages, "hub.identity")


HOSTILE: list[tuple[str, dict[str, Any], str]] = [
    ("bad_seal", {"sealed_identity": b"nothing"}, "seal JSON to the hub's public key"),
    ("wrong_schema", {"topic": "hub.condition"}, "may not publish to that topic"),
    ("wrong_schema", {"topic": "civil.roster"}, "intake.medical may not publish"),
    ("wrong_schema", {"topic": "nowhere"}, "no such department topic"),
    ("wrong_schema", {"topic": "medical.settlement.backlog"}, "may not publish"),
    ("wrong_schema", {"op": "drop"}, "op is none of create"),
    ("wrong_schema", {"division": "somewhere"}, "division is not"),
    ("wrong_schema", {"record_id": ""}, "record_id is empty"),
    ("wrong_schema", {"source": some_id(1)}, "source is not the name"),
    ("undecodable", {"fields": "{"}, "fields is not JSON"),
    ("undecodable", {"fields": "[]"}, "not a JSON object"),
    ("undecodable", {"fields": DEEP}, "RecursionError"),
    ("undecodable", {"identity": DEEP}, "RecursionError"),
    ("undecodable", {"identity": {"id_number": some_id(2), "name": LONE}}, "UnicodeEncodeError"),
    ("undecodable", {"identity": {"id_number": some_id(2), "name": LONE}}, "UnicodeEncodeError"),  # and again
    ("undecodable", {"identity": {"id_number": "canary-1", "name": LONE}}, "UnicodeEncodeError"),
    ("wrong_schema", {"fields": '{"psn_name": "x"}'}, "1 unknown to medical.settlement"),
    ("wrong_schema", {"fields": '{"person_key": "x"}'}, "1 unknown"),
    (
        "wrong_schema",
        {"fields": '{"psn_part_amt_fen": "12"}'},
        "psn_part_amt_fen of medical.settlement is not",
    ),
    ("wrong_schema", {"fields": '{"psn_part_amt_fen": 1e300}'}, "is not of type"),
    ("wrong_schema", {"fields": '{"psn_part_amt_fen": 9223372036854775808}'}, "is not of type"),
    ("wrong_schema", {"fields": '{"begndate": "soon"}'}, "begndate of medical.settlement"),
    ("wrong_schema", {"fields": '{"begndate": "0001-01-01"}'}, "begndate of medical.settlement"),
    ("wrong_schema", {"fields": '{"setl_time": 1e17}'}, "setl_time of medical.settlement"),
    ("wrong_schema", {"fields": '{"major_disease": 1}'}, "major_disease"),
    (
        "wrong_schema",
        {"fields": json.dumps({"insutype": some_id(1)})},
        "insutype of medical.settlement is not a code",
    ),
    ("wrong_schema", {"fields": json.dumps({"insutype": NAME})}, "free text and numbers of persons stay out"),
]


def test_each_hostile_record_is_set_aside_and_its_neighbours_go_on(
    ingress: Ingress, registry: Registry, secrets: Secrets
) -> None:
    rows = [record(secrets, record_id="first")]
    rows += [record(secrets, **{"record_id": f"h{n}", **change}) for n, (_, change, _) in enumerate(HOSTILE)]
    rows.append(record(secrets, record_id="last"))
    values: list[bytes | None] = list(encoded(registry, rows))
    keys: list[bytes | None] = [r["record_id"].encode() for r in rows]
    raw = [
        None,
        b"",
        b"\x01junk",
        values[0][:-3] if values[0] else b"",
        (values[0] or b"") + b"\x00",
        b"\x00\x7f\xff\xff\xff123",
    ]
    values[1:1] = raw
    keys[1:1] = [b"first"] * len(raw)
    messages = ingress.handle("intake.medical", 3, keys, values, range(100, 100 + len(values)))
    assert [r["record_id"] for r in decoded(registry, messages, "medical.settlement")] == ["first", "last"]
    aside = {q["offset"]: q for q in decoded(registry, messages, "hub.quarantine")}
    assert sorted(aside) == list(range(101, 101 + len(raw) + len(HOSTILE)))
    for n, (reason, _, says) in enumerate(HOSTILE):
        found = aside[101 + len(raw) + n]
        assert (found["reason"], found["partition"], found["topic"]) == (reason, 3, "intake.medical")
        assert says in found["detail"]
        assert open_sealed(secrets.hub.private, found["sealed_value"]) == values[1 + len(raw) + n]
    text = "".join(q["detail"] for q in aside.values())
    assert some_id(1) not in text
    assert NAME not in text


def test_the_agent(shared: Settings, registry: Registry, secrets: Secrets) -> None:
    rows = [record(secrets, record_id=f"A{n}") for n in range(500)]
    rows[250]["sealed_identity"] = b"bad"
    publisher = Publisher(shared)
    publisher.send_all(shared.topic("intake.medical"), [r["record_id"].encode() for r in rows], encoded(registry, rows))
    huge = os.urandom(MESSAGE_MAX_BYTES - 10_000)  # not to be compressed
    publisher.send(shared.topic("intake.medical"), b"huge", huge)
    publisher.flush()
    environment = {
        **os.environ,
        "DOUDI_HOME": str(shared.home),
        "DOUDI_KAFKA": shared.kafka,
        "DOUDI_REGISTRY": shared.registry,
        "DOUDI_NAMESPACE": shared.namespace,
        "DOUDI_REDIS": shared.redis,
        "DOUDI_PARTITIONS": str(shared.partitions),
    }
    child = subprocess.Popen([sys.executable, "-m", "doudi", "worker", "ingress"], env=environment)

    def ids() -> set[str]:
        frames = [load.of_topic("medical.settlement").empty()]
        for batch in read_all(shared, shared.topic("medical.settlement")):
            made = codec.decode(
                batch.values,
                batch.keys,
                load.of_topic("medical.settlement"),
                registry.writers("medical.settlement"),
                key=("person_key",),
            )
            frames.append(made.frame)
        return set(pl.concat(frames)["record_id"])

    def aside() -> list[bytes | None]:
        return [value for batch in read_all(shared, shared.topic("hub.quarantine")) for value in batch.values]

    try:
        wait(lambda: len(ids()) == 499 and len(aside()) == 2, 60)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)
    assert ids() == {f"A{n}" for n in range(500)} - {"A250"}
    kept = codec.decode(
        aside(), [None] * 2, load.of_topic("hub.quarantine"), registry.writers("hub.quarantine"), max_bytes=8 << 20
    ).frame
    assert huge in [open_sealed(secrets.hub.private, value) for value in kept["sealed_value"]]
