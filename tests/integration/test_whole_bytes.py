"""Hostile bytes on department and intake topics: quarantined with reason and original, neighbours screened."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable

from domain.sealing import open_sealed
from doudi.embedded import runfile
from schemas.codec import decode, encode
from schemas.load import of_topic
from tests.ids import test_id
from tests.whole import VILLAGE, Whole
from wire.kafka import Publisher
from wire.reading import read_all

NOW = dt.datetime.now(dt.UTC)


def settlement(person: str, key: str, fen: int) -> dict[str, object]:
    return {
        "event_id": key,
        "source": "test.setl",
        "source_epoch": 1,
        "record_id": key,
        "record_version": 1,
        "op": "create",
        "person_key": person,
        "division": VILLAGE,
        "occurred_at": NOW,
        "published_at": NOW,
        "setl_time": NOW,
        "psn_part_amt_fen": fen,
        "vali_flag": "1",
    }


def intake(whole: Whole, key: str) -> dict[str, object]:
    return {
        "event_id": key,
        "source": "test.intake",
        "source_epoch": 1,
        "topic": "medical.settlement",
        "record_id": key,
        "record_version": 1,
        "op": "create",
        "division": VILLAGE,
        "occurred_at": NOW,
        "sealed_identity": b"not sealed at all",
        "fields": "{}",
    }


Twist = Callable[[bytes], bytes | None]
TWISTS: dict[str, Twist] = {
    "bad_magic": lambda good: b"\x07" + good[1:],
    "unknown_schema": lambda good: good[:1] + struct.pack(">I", 2_000_000_001) + good[5:],
    "truncated": lambda good: good[: len(good) // 2],
    "trailing_bytes": lambda good: good + b"\x00",
    "huge_count": lambda good: good[:5] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + good[6:],
    "null_value": lambda _: None,
}


def quarantined(whole: Whole, topic: str) -> dict[tuple[str, bytes], bytes]:
    """(reason, opened original value) → opened key of what stands quarantined of a topic."""
    registry = whole.registry
    schema, found = of_topic("hub.quarantine"), {}
    for batch in read_all(whole.settings, whole.settings.topic("hub.quarantine")):
        frame = decode(batch.values, batch.keys, schema, registry.writers("hub.quarantine"), max_bytes=1 << 20).frame
        for row in frame.iter_rows(named=True):
            if row["topic"].removeprefix(whole.settings.namespace).startswith(topic):
                value, key = (
                    open_sealed(whole.secrets.hub.private, row[c]) if row[c] else b""
                    for c in ("sealed_value", "sealed_key")
                )
                found[row["reason"], value] = key
    return found


def test_department_topic(whole: Whole) -> None:
    registry, publisher = (
        whole.registry,
        Publisher(whole.settings),
    )
    schema, schema_id = of_topic("medical.settlement"), registry.id_of("medical.settlement")
    topic = whole.settings.topic("medical.settlement")
    victims, sent = [], {}
    for number, (reason, twist) in enumerate(TWISTS.items()):
        before, bad, after = (whole.person(test_id(1000 + 3 * number + k)) for k in range(3))
        for k, person in enumerate((before, bad, after)):
            [value] = encode(schema, [settlement(person, f"H{number}-{k}", 1_600_000)], schema_id)
            if k == 1:
                twisted = twist(value)
                sent[reason] = twisted or b""
                publisher.send(topic, person.encode(), twisted, partition=1)
            else:
                victims.append(person)
                publisher.send(topic, person.encode(), value, partition=1)
    stranger = whole.person(test_id(2000))
    [value] = encode(schema, [settlement(stranger, "H-key", 1_600_000)], schema_id)
    sent["key_mismatch"] = value
    publisher.send(topic, b"0" * 32, value, partition=1)
    publisher.flush()

    def all_there() -> bool:
        standing = {k.decode() for k in whole.client.hkeys(whole.keys.standing)}
        return all(any(name.startswith(f"R04:{p}:") for name in standing) for p in victims)

    whole.wait(all_there, "neighbours of hostile messages were not screened")
    whole.wait(lambda: len(quarantined(whole, "medical.settlement")) >= len(sent), "not everything is in quarantine")
    found = quarantined(whole, "medical.settlement")
    assert {value for _, value in found} == set(sent.values()), "the original bytes are kept"
    reasons = {reason for reason, _ in found}
    assert reasons >= {
        "bad_magic",
        "unknown_schema",
        "truncated",
        "trailing_bytes",
        "null_value",
        "key_mismatch",
    }
    assert not any(k.startswith(f"R04:{stranger}".encode()) for k in whole.client.hkeys(whole.keys.standing))
    assert found["key_mismatch", sent["key_mismatch"]] == b"0" * 32


def test_intake_topic(whole: Whole) -> None:
    registry, publisher = (
        whole.registry,
        Publisher(whole.settings),
    )
    schema, schema_id = of_topic("intake.medical"), registry.id_of("intake.medical")
    topic = whole.settings.topic("intake.medical")
    [good] = encode(schema, [intake(whole, "I1")], schema_id)
    sent = {reason: twist(good) for reason, twist in TWISTS.items()}
    for value in sent.values():
        publisher.send(topic, b"I1", value, partition=0)
    publisher.send(topic, b"I1", good, partition=0)
    publisher.flush()
    whole.wait(lambda: len(quarantined(whole, "intake.medical")) >= len(sent) + 1, "not everything is in quarantine")
    found = quarantined(whole, "intake.medical")
    assert {value for _, value in found} == {v or b"" for v in sent.values()} | {good}
    assert "bad_seal" in {reason for reason, _ in found}


def test_every_worker_lives(whole: Whole) -> None:
    state = runfile.read(whole.settings.home)
    assert state is not None
    assert {p.name: p.restarts for p in state.processes if p.restarts} == {}
    assert all(p.alive for p in state.processes)
