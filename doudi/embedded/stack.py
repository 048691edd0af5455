"""The stack of one home: what the settings do not name by URL, then (if wanted) the hub on top of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from doudi.embedded.artifacts import Artifacts
from doudi.embedded.errors import Unreachable
from doudi.embedded.kafka import Kafka, Logins
from doudi.embedded.ports import Ports
from doudi.embedded.postgres import Postgres, check_postgres
from doudi.embedded.process import Component, Process
from doudi.embedded.registry import Registry
from doudi.embedded.runfile import masked
from doudi.embedded.supervisor import Show, Supervisor, first
from doudi.embedded.valkey import Valkey, check_redis
from wire.settings import Settings

log = logging.getLogger(__name__)

Hub = Callable[[Settings, Ports], Sequence[Component]]


class Stack(Supervisor):
    """Embedded components where no URL is given, checks where one is; then ``hub``'s components, if given.

    ``settings`` holds every URL once it starts. ``brokers``: 1, or 3 for tests of a broker's loss.
    ``prepare``: what is made before the hub goes on (topics, schemas), by the component that keeps it: as soon as that
    is healthy.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        hub: Hub | None = None,
        prepare: Mapping[str, Callable[[Settings], None]] = MappingProxyType({}),
        show: Show | None = None,
        brokers: int = 1,
    ) -> None:
        super().__init__(settings.home, show=show)
        self.given, self._hub, self._prepare, self._brokers = settings, hub, prepare, brokers
        self.settings = settings

    def _plan(self) -> None:
        """Decide what is embedded, under which addresses. Only the holder of the home's lock may."""
        self.ports = Ports(self.home / "run" / "ports.json")
        components = self._embedded(self.given, self._brokers)
        self.processes = [Process(c, self.changed) for c in components]
        self.settings = self.given.model_copy(update={**self.urls, "home": self.home})

    def _embedded(self, s: Settings, brokers: int) -> list[Component]:
        artifacts = Artifacts(s.cache, repository=s.maven)
        found: list[Component] = []
        if not s.kafka:
            login = Logins(((s.kafka_user, s.kafka_password.get_secret_value()),)) if s.kafka_user else None
            nodes = [
                Kafka(self.home, self.ports, artifacts, node=n, nodes=brokers, logins=login)
                for n in range(1, brokers + 1)
            ]
            found += nodes
            self.urls["kafka"] = ",".join(n.url for n in nodes)
        if not s.registry:
            registry = Registry(self.home, self.ports, artifacts, self._kafka)
            registry.needs = [c.name for c in found]
            found.append(registry)
            self.urls["registry"] = registry.url
        if not s.redis:
            valkey = Valkey(self.home, self.ports)
            found.append(valkey)
            self.urls["redis"] = valkey.url
        if not s.postgres:
            postgres = Postgres(self.home, self.ports)
            found.append(postgres)
            self.urls["postgres"] = postgres.url
        return found

    def _kafka(self) -> Settings:
        return self.settings

    async def bring_up(self) -> None:
        """First what is given must answer; then what is embedded, and topics and schemas; the hub's programs are
        spawned meanwhile, and go on once those are there (`runfile.wait_prepared`)."""
        self._plan()
        await asyncio.to_thread(check_given, self.given)
        prepared = asyncio.Event()
        stack, hub = list(self.processes), []
        if self._hub:
            hub = [Process(c, self.changed, prepared) for c in self._hub(self.settings, self.ports)]
            self.urls |= {c.component.name: c.component.url for c in hub if c.component.url}
            self.processes += hub
        self._layers = [stack, hub]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._found(stack, prepared))
                group.create_task(self.start(hub))
        except* Exception as errors:
            raise first(errors) from None

    async def _found(self, stack: Sequence[Process], prepared: asyncio.Event) -> None:
        """Start what the hub stands on, make topics and schemas, and say so."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.start(stack))
            for name, work in self._prepare.items():
                group.create_task(self._made(name, work, stack))
        self.prepared = True
        self.changed()
        prepared.set()

    async def _made(self, name: str, work: Callable[[Settings], None], stack: Sequence[Process]) -> None:
        for process in stack:
            if process.component.name.rstrip("0123456789") == name:
                await process.healthy.wait()
        await asyncio.to_thread(work, self.settings)


def check_given(settings: Settings) -> None:
    """Everything given by URL answers. Raises Unreachable or the error of wire/, saying which does not, and
    why."""
    from wire.kafka import check_reachable  # noqa: PLC0415 - slow to import, not needed where all is embedded
    from wire.registry import Registry as Client  # noqa: PLC0415

    s = settings
    if s.kafka:
        check_reachable(s, 8.0)
    if s.registry:
        with Client(s.registry) as client:
            client.check_reachable()
    for name, url, check in (("redis", s.redis, check_redis), ("postgres", s.postgres, check_postgres)):
        if not url:
            continue
        try:
            check(url)
        except Exception as e:  # every client raises its own
            text = brief(e)
            variable = f"DOUDI_{name.upper()}"
            if any(word in text for word in ("uthentication", "WRONGPASS", "NOAUTH", "password")):
                raise Unreachable(
                    f"{name} refuses the login: {text}",
                    f"{variable}={masked(url)}",
                    f"correct the user and password in {variable}",
                ) from e
            raise Unreachable(
                f"{name} does not answer: {text}",
                f"{variable}={masked(url)}",
                f"start it, correct {variable}, or leave it empty to run the embedded one",
            ) from e


def brief(error: BaseException) -> str:
    """A client's words in one line, without the password that some repeat."""
    return masked(" ".join(f"{type(error).__name__}: {error}".split()))[:300]
