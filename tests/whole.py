"""A whole hub on the session's stack: departments' databases, connectors, workers, gateway; for tests of promises."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import redis
from psycopg import sql

from domain.persons import household_key, normalise_id, person_key
from doudi.demo import databases
from doudi.demo.connecting import Connectors
from doudi.demo.databases import DATABASES, Departments
from doudi.demo.observe import Hub
from doudi.embedded.running import running
from gateway.users import Users
from tests.stack import own_hub
from wire.rediskeys import RedisKeys
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

VILLAGE = "990101101102"
PATIENCE_S = 60.0
_NOW = "clock_timestamp()"


@dataclass
class Whole:
    """The running hub and its departments."""

    settings: Settings
    departments: Departments
    connectors: Connectors
    hub: Hub
    secrets: Secrets
    client: redis.Redis
    keys: RedisKeys
    registry: Registry

    def execute(self, department: str, statement: str, **values: Any) -> None:
        """Run one statement in a department's database, committed."""
        with psycopg.connect(self.departments.url(department)) as connection:
            connection.execute(statement.encode(), values)

    def insert(self, department: str, table: str, **values: Any) -> None:
        """Insert one row; the table's default says when."""
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        )
        with psycopg.connect(self.departments.url(department)) as connection:
            connection.execute(statement, values)

    def person(self, id_number: str) -> str:
        """The person's key."""
        return person_key(normalise_id(id_number), self.secrets.linking)

    def household(self, number: str) -> str:
        """The key of a household of the test's village."""
        return household_key(VILLAGE[:6], number, self.secrets.linking)

    def case_of(self, rule: str, id_number: str, episode: str = "") -> str:
        """Waits until a condition stands; the id of its case."""
        return self.case_about(rule, self.person(id_number), episode)

    def case_about(self, rule: str, subject: str, episode: str = "") -> str:
        """Waits until a condition stands for a person or a household; the id of its case."""
        prefix = f"{rule}:{subject}:{episode}"

        def look() -> str:
            standing: dict[bytes, bytes] = self.client.hgetall(self.keys.standing)  # type: ignore[assignment]
            return next((c.decode() for name, c in standing.items() if name.decode().startswith(prefix)), "")

        return str(self.wait(look, f"{rule} does not stand"))

    def case(self, case_id: str) -> dict[str, Any]:
        """The case as Redis shows it."""
        found: dict[str, Any] = json.loads(self.client.get(self.keys.case(case_id)) or b"{}")
        return found

    @contextmanager
    def gateway(self, role: str, department: str, division: str) -> Iterator[httpx.Client]:
        """The gateway, signed in as a new user."""
        user, password = f"u{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
        Users(self.settings.secrets_dir).put(user, password, user, role, department, division)
        url = json.loads((self.settings.home / "run" / "gateway.json").read_text())["url"]
        given = {"username": user, "password": password}
        token = httpx.post(f"{url}/v1/token", json=given, timeout=30).raise_for_status().json()["token"]
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            yield client

    def ended(self, case_id: str, rule: str) -> dict[str, Any]:
        """Waits until the rule's condition of a case has ended; the condition."""

        def look() -> dict[str, Any] | None:
            return next(
                (c for c in self.case(case_id)["conditions"] if c["rule"] == rule and c["state"] == "ended"),
                None,
            )

        found: dict[str, Any] = self.wait(look, f"{rule} of {case_id} does not end")
        return found

    def wait(self, look: Callable[[], Any], words: str, patience_s: float = PATIENCE_S) -> Any:
        """The first true answer of ``look``; fails with ``words`` after a while."""
        until = time.monotonic() + patience_s
        while not (found := look()):
            if time.monotonic() > until:
                raise AssertionError(f"after {patience_s:.0f} s: {words}")
            time.sleep(0.1)
        return found


@contextmanager
def whole_hub(stack: Settings) -> Iterator[Whole]:
    """Start everything in a namespace, with empty departments whose first load is over; stop it at the end."""
    with ExitStack() as exits:
        up = exits.enter_context(running(exits.enter_context(own_hub(stack))))
        departments = Departments(up.postgres, up.home / "drop", prefix=f"t{uuid.uuid4().hex[:8]}_")
        databases.create(departments)
        exits.callback(_forget, departments)
        connectors = exits.enter_context(Connectors(up, departments))
        connectors.start()
        client = exits.enter_context(redis.Redis.from_url(up.redis))
        hub = Hub(up)
        exits.callback(hub.close)
        registry = exits.enter_context(Registry(up.registry, up.namespace))
        secrets, keys = Secrets.load(up.secrets_dir), RedisKeys(up.namespace)
        whole = Whole(up, departments, connectors, hub, secrets, client, keys, registry)
        whole.wait(connectors.loaded, "the first load is not over")
        yield whole


def _forget(departments: Departments) -> None:
    with psycopg.connect(
        departments.url("civil").replace(departments.name("civil"), "postgres"), autocommit=True
    ) as connection:
        for department in DATABASES:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(departments.name(department)))
            )
