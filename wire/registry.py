"""The schema registry: a thin client of Confluent's API, with time-outs and errors that say what to mend.

Our own because the usual client asks routes that not every registry answers, without a time-out.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import stamina

from schemas import lint, load, topics
from schemas.codec import Reason, Writers
from schemas.errors import SchemaError
from schemas.load import Schema
from wire.errors import Incompatible, NotRegistered, RegistryRefused, RegistryUnreachable
from wire.http import client

LEVEL = "FULL_TRANSITIVE"
_MOST_LOOKUPS = 16
_JSON = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


class Registry:
    """Schemas of all topics under one namespace. Safe for threads; ids and schemas are remembered."""

    def __init__(self, url: str, namespace: str = "", timeout_s: float = 5.0) -> None:
        if not url:
            raise RegistryUnreachable(
                "no registry address: set DOUDI_REGISTRY to its Confluent-compatible "
                "base URL, or start the embedded stack"
            )
        self._http = client(url, timeout=timeout_s, headers=_JSON)
        base = httpx.URL(url)
        self._shown = str(base.copy_with(username=None, password=None)) if base.userinfo else url
        self._namespace = namespace
        self._lock = threading.Lock()
        self._by_id: dict[int, Schema | None] = {}
        self._ids: dict[str, int] = {}
        self._allowed: dict[str, frozenset[int]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def subject(self, topic: str) -> str:
        """The subject of a logical topic or lane (TopicNameStrategy)."""
        return f"{self._namespace}{topic}-value"

    def check_reachable(self) -> None:
        """Raises RegistryUnreachable or RegistryRefused if the registry does not answer."""
        self._call("GET", "config")

    def register_all(self, names: Iterable[str] | None = None) -> dict[str, int]:
        """Register the schemas of all topics, lanes included; returns topic to id. Repeating changes nothing.

        Raises SchemaError (lint), Incompatible, RegistryRefused, RegistryUnreachable.
        """
        wanted = tuple(names if names is not None else topics.names())
        for topic in wanted:
            lint.check(load.of_topic(topic), topics.of(topic))
        if self._call("GET", "config").get("compatibilityLevel") != LEVEL:
            self._call("PUT", "config", {"compatibility": LEVEL})
        first: dict[str, str] = {}
        for topic in wanted:  # one of each schema first: registries quarrel over equal content in parallel
            first.setdefault(topics.of(topic).schema, topic)
        rest = [topic for topic in wanted if topic not in first.values()]
        with ThreadPoolExecutor(8, thread_name_prefix="registry") as pool:
            for some in (list(first.values()), rest):
                for topic, found in zip(some, pool.map(self._register, some), strict=True):
                    self._ids[topic] = found
        return {topic: self._ids[topic] for topic in wanted}

    def register(self, topic: str, schema: Schema) -> int:
        """Register one version of a topic's schema; returns its id. Raises as ``register_all``."""
        lint.check(schema, topics.of(topic))
        return self._post(topic, schema)

    def _register(self, topic: str) -> int:
        return self._post(topic, load.of_topic(topic))

    def _post(self, topic: str, schema: Schema) -> int:
        path = f"subjects/{quote(self.subject(topic), safe='')}/versions"
        return int(self._call("POST", path, {"schema": schema.json})["id"])

    def id_of(self, topic: str) -> int:
        """The id under which this program's schema of a topic is registered. Raises NotRegistered."""
        if topic not in self._ids:
            subject = self.subject(topic)
            answer = self._call(
                "POST",
                f"subjects/{quote(subject, safe='')}",
                {"schema": load.of_topic(topic).json},
                absent_ok=True,
            )
            if "id" not in answer:
                raise NotRegistered(
                    f"the schema of {topic} is not registered as {subject} at {self._shown}; "
                    f"run `doudi init` with this version first"
                )
            self._ids[topic] = int(answer["id"])
        return self._ids[topic]

    def ids(self, topic: str, *, fresh: bool = False) -> frozenset[int]:
        """Ids of all versions registered for a topic or lane; asked of the registry once, or if fresh."""
        if fresh or topic not in self._allowed:
            path = f"subjects/{quote(self.subject(topic), safe='')}/versions"
            versions = self._call("GET", path, absent_ok=True)
            found = [self._call("GET", f"{path}/{v}", absent_ok=True) for v in versions]
            self._allowed[topic] = frozenset(int(f["id"]) for f in found if "id" in f)
        return self._allowed[topic]

    def meet(self, topic: str) -> None:
        """Learn the versions of a topic or lane before its first message needs them."""
        with self._lock:
            for schema_id in self.ids(topic):
                self.schema_by_id(schema_id)

    def schema_by_id(self, schema_id: int) -> Schema | None:
        """The schema of an id; None if there is none or if it lies outside the decodable subset."""
        if (known := self._by_id.get(schema_id)) is not None:
            return known
        answer = self._call("GET", f"schemas/ids/{schema_id}", absent_ok=True)
        if "schema" not in answer or answer.get("schemaType", "AVRO") != "AVRO":
            return None
        try:
            found = load.parse(str(answer["schema"]))
        except SchemaError:
            return None
        self._by_id[schema_id] = found
        return found

    def writers(self, topic: str) -> Writers:
        """Looks up writers' schemas for ``schemas.codec.decode`` of a topic or lane.

        Ids not registered for the topic come back as ``wrong_schema`` or ``unknown_schema``. The registry
        is asked once per slice with an unknown id, so a version registered just before its first message
        is found.
        """

        def find(ids: Collection[int]) -> Mapping[int, Schema | Reason]:
            with self._lock:
                allowed = self.ids(topic)
                if not allowed.issuperset(ids):
                    allowed = self.ids(topic, fresh=True)
                found: dict[int, Schema | Reason] = {}
                strangers = 0
                for schema_id in sorted(ids, key=lambda i: i not in allowed):
                    strangers += schema_id not in allowed
                    if strangers > _MOST_LOOKUPS:
                        break
                    schema = self.schema_by_id(schema_id)
                    if schema is None:
                        found[schema_id] = "wrong_schema" if schema_id in allowed else "unknown_schema"
                    else:
                        found[schema_id] = schema if schema_id in allowed else "wrong_schema"
                return found

        return find

    def _call(self, method: str, path: str, body: Any = None, *, absent_ok: bool = False) -> Any:
        try:
            for attempt in stamina.retry_context(on=_passing, attempts=4, timeout=10, wait_initial=0.1):
                with attempt:
                    answer = self._http.request(method, path, json=body)
                    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                        answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise RegistryUnreachable(
                f"the registry at {self._shown} answers {error.response.status_code} to {method} {path}; "
                f"look at its log, then retry"
            ) from error
        except httpx.HTTPError as error:
            raise RegistryUnreachable(
                f"the registry at {self._shown} does not answer ({type(error).__name__}). "
                f"Is it running, and is DOUDI_REGISTRY right?"
            ) from error
        if answer.status_code == httpx.codes.NOT_FOUND and absent_ok:
            return {}
        if answer.is_success:
            return answer.json()
        raise self._refusal(method, path, answer)

    def _refusal(self, method: str, path: str, answer: httpx.Response) -> RegistryRefused | Incompatible:
        try:
            message = str(answer.json().get("message", ""))
        except ValueError:
            message = ""
        if answer.status_code == httpx.codes.CONFLICT:
            subject = path.split("/")[1] if "/" in path else path
            return Incompatible(
                f"{subject}: the registry refuses this version as not {LEVEL} compatible: "
                f"{message or 'no reason given'}. A new field must be nullable with default null; no field "
                f"may change its type or lose its default."
            )
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return RegistryRefused(
                f"the registry at {self._shown} refuses the login ({answer.status_code}); put user and "
                f"password into DOUDI_REGISTRY: http://user:password@host/…"
            )
        return RegistryRefused(
            f"the registry at {self._shown} answers {answer.status_code} to {method} {path}: {message}"
        )


def _passing(error: Exception) -> bool:
    """Worth another attempt: the registry's own fault, or a connection cut."""
    if isinstance(error, httpx.HTTPStatusError):
        return True
    return isinstance(error, httpx.TransportError) and not isinstance(error, (httpx.UnsupportedProtocol,))
