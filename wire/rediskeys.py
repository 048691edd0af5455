"""Names of every Redis key. Written by the projection, read by the gateway; a namespace shares one server."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX_LENGTHS = (0, 2, 4, 6, 9, 12)
"""Digits of province, prefecture, county, township and village in a division code (GB/T 2260, 10114)."""

STREAM_LENGTH = 100_000
"""About so many entries of the stream are kept for clients to resume."""


@dataclass(frozen=True, slots=True)
class RedisKeys:
    """Keys under ``{namespace}d:``."""

    namespace: str = ""

    def _key(self, *parts: str) -> str:
        return f"{self.namespace}d:{':'.join(parts)}"

    @property
    def everything(self) -> str:
        """Pattern of all keys of this namespace."""
        return self._key("*")

    @property
    def position(self) -> str:
        """HASH ``topic:partition`` → next offset, written with the effects; ``epoch:hub.case`` likewise."""
        return self._key("position")

    @property
    def hold(self) -> str:
        """While it exists nothing is projected: a rebuild is clearing away."""
        return self._key("hold")

    @property
    def standing(self) -> str:
        """HASH condition_id → case_id: standing conditions of cases that are not closed."""
        return self._key("standing")

    @property
    def open(self) -> str:
        """HASH ``kind:department:level`` → number of cases that are not closed."""
        return self._key("open")

    @property
    def stream(self) -> str:
        """Redis Stream of case events; entry id ``offset+1`` of hub.case."""
        return self._key("stream")

    @property
    def unidentified(self) -> str:
        """HASH ``topic:source:record_id`` → reason."""
        return self._key("unidentified")

    @property
    def quarantine(self) -> str:
        """HASH reason → count."""
        return self._key("quarantine")

    def case(self, case_id: str) -> str:
        """JSON of the latest event of a case."""
        return self._key("case", case_id)

    def inbox(self, kind: str, department: str, *, closed: bool, prefix: str) -> str:
        """ZSET of case ids, score opened_at in ms."""
        return self._key("inbox", kind, department, "closed" if closed else "open", prefix or "all")

    def command(self, command_id: str) -> str:
        """JSON answer of a command, kept for a day."""
        return self._key("cmd", command_id)

    def vault(self, person_key: str) -> str:
        """JSON of a sealed identity, bytes in base64."""
        return self._key("vault", person_key)

    def heartbeat(self, source: str, topic: str) -> str:
        """JSON of the newest heartbeat of a feed."""
        return self._key("heartbeat", source, topic)

    def metrics(self, stage: str, partition: int | str) -> str:
        """HASH of an agent's figures, best effort, each second."""
        return self._key("metrics", stage, str(partition))

    def ticket(self, ticket_hash: str) -> str:
        """The gateway's own: a single-use ticket for the stream."""
        return self._key("ticket", ticket_hash)

    def sheet(self, record_id: str) -> str:
        """The gateway's own: the version of an income sheet's record that it published last."""
        return self._key("sheet", record_id)

    def saved(self, command_id: str) -> str:
        """The gateway's own: what a request saved or which cases it chose, and for which wish; kept for a day."""
        return self._key("saved", command_id)

    def attempts(self, who: str) -> str:
        """The gateway's own: failed sign-ins of a user or an address."""
        return self._key("attempts", who)


def prefixes(division: str) -> list[str]:
    """The prefixes under which a division's cases are listed, from the whole to the village."""
    return [division[:n] for n in PREFIX_LENGTHS if n <= len(division)]
