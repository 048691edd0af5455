"""The law as Kafka has it: activations on hub.rulebook over the installed rules, and the newest day told."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import date
from threading import Lock
from typing import Any

from domain import rules
from domain.law import Activation, File, Law
from domain.rules import Rule, RuleBook
from schemas import load
from schemas.codec import decode, encode
from wire.kafka import publish_and_wait
from wire.reading import read_all
from wire.registry import Registry
from wire.settings import Settings

log = logging.getLogger(__name__)

RULEBOOK, TICK = "hub.rulebook", "hub.tick"
ACTIVE, WITHDRAWN = "active", "withdrawn"
_MOST_BYTES = 1 << 20


class Lawbook:
    """Reads the law when asked. Every call blocks.

    ``checked``: the installed rules are tried before use; who comes behind the workers that decide may leave it to
    them. Raises RuleError for the installed rules; the calls raise WireError.
    """

    def __init__(self, settings: Settings, registry: Registry, *, checked: bool = True) -> None:
        self._settings, self._registry = settings, registry
        self._installed = rules.load(settings.rules, checked=checked)
        self._lock = Lock()
        self._law: Law | None = None
        self._met: set[tuple[str, int]] = set()

    def known(self, said: Iterable[tuple[str, int]]) -> Law:
        """The law, read again where a rule's version is met for the first time since the start."""
        new = {pair for pair in said if pair not in self._met}
        self._met |= new
        return self.refresh() if any(not self._says(*pair) for pair in new) else self.law

    def rule(self, rule: str, version: int) -> Rule | None:
        """A rule as a version said it, or as it was said last; None for one that nobody knows."""
        return self.known([(rule, version)]).rule(rule, version)

    def _says(self, rule: str, version: int) -> bool:
        found = self.law.rule(rule, version)
        return found is not None and found.version == version

    @property
    def law(self) -> Law:
        """The law as last read; read now if it never was."""
        return self._law or self.refresh()

    def refresh(self) -> Law:
        """Read what was activated and withdrawn so far: the last record of an id counts."""
        found = {row["activation_id"]: _activation(row) for row in self._rows(RULEBOOK)}
        read = Law(self._installed, self._settings.rules, tuple(found.values()))
        self._law = read.knowing(self._law) if self._law else read
        return self._law

    def newest(self, day: date = date.min) -> tuple[date, RuleBook]:
        """The newest day told, or ``day`` where that is later, and its book, read now. From any thread.

        Raises RuleError for activations that do not agree with the installed rules.
        """
        with self._lock:
            newest = max(day, self.told() or day)
            return newest, self.refresh().book(newest)

    def told(self) -> date | None:
        """The newest day that any partition was told; None before the first."""
        return max((row["day"] for row in self._rows(TICK)), default=None)

    def say(self, activation: Activation) -> None:
        """Publish an activation, or that it is withdrawn, and wait until it is acknowledged."""
        row = {
            "activation_id": activation.activation_id,
            "state": WITHDRAWN if activation.withdrawn else ACTIVE,
            "day": activation.day,
            "files": [{"file": file.name, "content": file.content} for file in activation.files],
            "account": activation.account,
            "at": activation.at,
        }
        (value,) = encode(load.of_topic(RULEBOOK), [row], self._registry.id_of(RULEBOOK))
        publish_and_wait(self._settings, self._settings.topic(RULEBOOK), activation.activation_id.encode(), value)

    def _rows(self, topic: str) -> Iterator[dict[str, Any]]:
        schema, writers, key = load.of_topic(topic), self._registry.writers(topic), load.key_fields(topic)
        for batch in read_all(self._settings, self._settings.topic(topic)):
            decoded = decode(batch.values, batch.keys, schema, writers, key=key, max_bytes=_MOST_BYTES)
            for bad in decoded.bad:
                log.error("%s, offset %d: %s (%s)", topic, batch.offsets[bad.index], bad.reason, bad.detail)
            yield from decoded.frame.iter_rows(named=True)


def _activation(row: dict[str, Any]) -> Activation:
    files = tuple(File(file["file"], file["content"]) for file in row["files"])
    return Activation(
        row["activation_id"], row["day"], files, row["account"], row["at"], withdrawn=row["state"] == WITHDRAWN
    )
