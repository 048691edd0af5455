"""The ingress agent: external producers' records, their ID sealed to the hub, become department records.

`Ingress.handle` is the whole reasoning: bytes of one slice in, messages out. What cannot be taken goes to
hub.quarantine, its neighbours go on. A slice read twice publishes the same records under the same ids.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NoReturn

from agents.app import build
from agents.app import run as run_app
from agents.intake import CODE, LOCAL, Refused, fields_of
from agents.slices import Slice
from domain import persons
from domain.persons import ID_INSIDE, BadId, IdNumber
from domain.quarantine import aside
from domain.sealing import CannotOpen, index_entries, open_sealed, seal_to
from schemas import load
from schemas.codec import decode, encode
from schemas.errors import UnknownTopic
from schemas.topics import INTAKE_TOPICS, of
from wire.kafka import Publisher
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

log = logging.getLogger("doudi.ingress")

OPS = ("create", "update", "delete", "snapshot")
IDENTITY = ("id_number", "name", "telephone", "address")
_DIVISION = re.compile(r"[0-9]{0,12}")
_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message for a logical topic (or its backlog lane)."""

    topic: str
    key: bytes
    value: bytes


Row = tuple[str, dict[str, Any]]


class Ingress:
    """Opens, links, strips, validates. Remembers only which identities it published last."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        secrets: Secrets,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings, self._registry, self._secrets, self._clock = settings, registry, secrets, clock
        self._said: OrderedDict[str, int] = OrderedDict()

    def handle(
        self,
        topic: str,
        partition: int,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        offsets: Sequence[int],
    ) -> list[Message]:
        """Messages for the records of one slice of ``intake.<department>``. Raises only WireError."""
        decoded = decode(
            values,
            keys,
            load.of_topic(topic),
            self._registry.writers(topic),
            key=load.key_fields(topic),
            max_bytes=self._settings.message_max_bytes,
        )
        department = of(topic).owner
        rows: list[Row] = []
        refused: list[tuple[int, str, str]] = [(b.index, b.reason, b.detail) for b in decoded.bad]
        for place, record in zip(decoded.index.tolist(), decoded.frame.iter_rows(named=True), strict=True):
            try:
                rows += self._record(department, record)
            except Refused as no:
                refused.append((place, no.reason, no.detail))
            except (MemoryError, OSError):
                raise  # the machine's fault; Kafka and the registry are not asked for a single record
            except Exception as error:  # whatever else a record raises is about that record
                refused.append((place, "undecodable", type(error).__name__))
        public, now = self._secrets.hub.public, self._clock()
        for place, reason, detail in refused:
            log.warning("%s, partition %d, offset %d: %s: %s", topic, partition, offsets[place], reason, detail)
            where = (topic, partition, offsets[place])
            rows.append(("hub.quarantine", aside(public, where, (reason, detail), keys[place], values[place], now)))
        return self._encoded(rows)

    def _encoded(self, rows: Sequence[Row]) -> list[Message]:
        grouped: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for topic, row in rows:
            grouped[topic].append(row)
        messages = []
        for topic, some in grouped.items():
            values = encode(load.of_topic(topic), some, self._registry.id_of(topic))
            fields = load.key_fields(topic)
            messages += [
                Message(topic, ":".join(str(row[f]) for f in fields).encode(), value)
                for row, value in zip(some, values, strict=True)
            ]
        return messages

    def _record(self, department: str, record: Mapping[str, Any]) -> list[Row]:
        topic = self._topic(department, record)
        identity = self._identity(record["sealed_identity"])
        division: str = record["division"]
        record_id: str = record["record_id"]
        if ID_INSIDE.search(record_id) or not CODE.fullmatch(record_id):  # it may be anybody's name
            record_id = persons.record_key(record_id, self._secrets.linking)
        deleted = record["op"] == "delete"
        fields = {} if deleted else fields_of(topic, record["fields"])
        row = {
            "source": record["source"],
            "source_epoch": record["source_epoch"],
            "record_id": record_id,
            "record_version": record["record_version"],
            "op": record["op"],
            "division": division,
            "occurred_at": record["occurred_at"],
            "published_at": self._clock(),
            "event_id": f"{record_id}:{record['source_epoch']}:{record['record_version']}:{record['op']}",
        }
        try:
            number = persons.normalise_id(identity.get("id_number"), self._clock().astimezone(LOCAL).date())
        except BadId as bad:
            state = "resolved" if deleted else "unidentified"
            return [self._unidentified(topic, row, state, bad.reason, {**identity, **fields})]
        person = persons.person_key(number, self._secrets.linking)
        if not deleted:
            fields |= self._derived(topic, number, identity, division)
        lane = of(topic).backlog if record["op"] == "snapshot" else topic
        rows: list[Row] = [(lane, {**row, "person_key": person, **fields})]
        if record["op"] in ("update", "delete"):  # the record may have stood unidentified before
            rows.append(self._unidentified(topic, row, "resolved", "", {}))
        if not deleted:
            rows += self._vault(person, {**identity, "id_number": number.clear}, row)
        return rows

    def _topic(self, department: str, record: Mapping[str, Any]) -> str:
        """The target topic, once everything of the envelope is seen to be right."""
        topic: str = record["topic"]
        try:
            target = of(topic)
            load.of_topic(topic)
        except (KeyError, UnknownTopic):
            raise Refused("wrong_schema", "no such department topic; see schemas/topics.py") from None
        if target.family != "department" or topic != target.name or target.owner != department:
            raise Refused("wrong_schema", f"intake.{department} may not publish to that topic")
        if record["op"] not in OPS:
            raise Refused("wrong_schema", f"op is none of {', '.join(OPS)}")
        if not _DIVISION.fullmatch(record["division"]):
            raise Refused("wrong_schema", "division is not of at most 12 digits")
        if not CODE.fullmatch(record["source"]) or not record["source"] or ID_INSIDE.search(record["source"]):
            raise Refused("wrong_schema", "source is not the name of a feed")
        if not record["record_id"]:
            raise Refused("wrong_schema", "record_id is empty")
        return topic

    def _identity(self, sealed: bytes) -> dict[str, str]:
        try:
            opened = json.loads(open_sealed(self._secrets.hub.private, sealed))
        except (CannotOpen, ValueError):
            raise Refused("bad_seal", "sealed_identity does not open: seal JSON to the hub's public key") from None
        if not isinstance(opened, dict) or not all(v is None or isinstance(v, str) for v in opened.values()):
            raise Refused("bad_seal", "sealed_identity is not a JSON object of texts")
        return {k: v for k, v in opened.items() if v}

    def _derived(
        self, topic: str, person: IdNumber, identity: Mapping[str, str], division: str
    ) -> dict[str, str | date | None]:
        """Date of birth and the keys of household and guardian, where the topic has them."""
        known = load.of_topic(topic).dtypes
        found: dict[str, str | date | None] = {"born_on": person.born_on} if "born_on" in known else {}
        if "household_key" in known and (number := identity.get("household_no")):
            found["household_key"] = persons.household_key(division[:6], number, self._secrets.linking)
        if "guardian_key" in known and (guardian := identity.get("guardian_id_number")):
            found["guardian_key"] = persons.link([guardian], self._secrets.linking).get(guardian)
        return found

    def _vault(self, person: str, identity: Mapping[str, str], row: Mapping[str, Any]) -> list[Row]:
        content = {k: identity[k] for k in IDENTITY if k in identity}
        mark = hash(tuple(sorted(content.items())))
        if "name" not in content or self._said.get(person) == mark:
            return []
        index = index_entries(self._secrets.index, content)
        wrapped, sealed = self._secrets.vault.seal(person, content)
        self._said[person] = mark  # not before: what cannot be sealed was not said
        self._said.move_to_end(person)
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return [
            (
                "hub.identity",
                {
                    "person_key": person,
                    "key_id": self._secrets.vault.key_id,
                    "wrapped_key": wrapped,
                    "sealed": sealed,
                    "index": index,
                    "division": row["division"],
                    "source": row["source"],
                    "updated_at": self._clock(),
                },
            )
        ]

    def _unidentified(
        self, topic: str, row: Mapping[str, Any], state: str, reason: str, content: Mapping[str, Any]
    ) -> Row:
        text = json.dumps(content, ensure_ascii=False, default=str).encode()
        return (
            "hub.unidentified",
            {
                "source": row["source"],
                "topic": topic,
                "record_id": row["record_id"],
                "record_version": row["record_version"],
                "state": state,
                "reason": reason,
                "division": row["division"],
                "published_at": row["published_at"],
                "sealed": seal_to(self._secrets.hub.public, text) if state == "unidentified" else b"",
            },
        )


def run(settings: Settings) -> NoReturn:
    """Run ingress until a signal; exits the process. A slice is acknowledged after Kafka has its messages."""
    registry = Registry(settings.registry, settings.namespace)
    ingress = Ingress(settings, registry, Secrets.load(settings.secrets_dir))
    publisher = Publisher(settings)
    lock = asyncio.Lock()

    def work(part: Slice) -> None:
        topic = part.topic.removeprefix(settings.namespace)
        for message in ingress.handle(topic, part.partition, part.keys, part.values, part.offsets):
            publisher.send(settings.topic(message.topic), message.key, message.value)
        publisher.flush()

    async def handle(part: Slice, done: Callable[[], None]) -> None:
        async with lock:
            await asyncio.to_thread(work, part)
        done()

    run_app(build(settings, "ingress", tuple(t.name for t in INTAKE_TOPICS), handle), settings)
