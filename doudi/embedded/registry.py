"""Apicurio Registry with its storage in our Kafka and Confluent's API under /apis/ccompat/v7."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from doudi.embedded.artifacts import Artifacts
from doudi.embedded.java import java
from doudi.embedded.ports import Ports
from doudi.embedded.process import Component


class Registry(Component):
    """One registry. ``kafka`` gives the bootstrap servers once that is known."""

    name = "registry"
    title = "Schema registry"
    needs = ("kafka",)
    boot_s = 120.0

    def __init__(self, home: Path, ports: Ports, artifacts: Artifacts, kafka: Callable[[], str]) -> None:
        super().__init__(home, ports)
        self.artifacts, self.kafka = artifacts, kafka

    @property
    def url(self) -> str:
        """Base URL for Confluent's clients."""
        return f"http://127.0.0.1:{self.ports.get(self.name)}/apis/ccompat/v7"

    def prepare(self, say: Callable[[str], None]) -> None:
        """Fetch and unpack."""
        self.artifacts.unpacked("registry", lambda done, total: say(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"))
        for port in (self.name, f"{self.name}.management"):
            self.ports.claim(port)

    def command(self) -> list[str]:
        """The registry's JVM."""
        app = self.artifacts.unpacked("registry")
        settings = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self.ports.get(self.name),
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": self.ports.get(f"{self.name}.management"),
            "quarkus.log.level": "WARN",
            "quarkus.log.console.enable": "true",
            "apicurio.storage.kind": "kafkasql",
            "apicurio.kafkasql.bootstrap.servers": self.kafka(),
            "apicurio.storage.snapshot.location": str(self.data),
            "apicurio.ui.enabled": "false",
            # H2 holds a copy in memory and spills here.
            "java.io.tmpdir": str(self.data),
        }
        # Boots twice as fast without the optimising compiler, which a registry with few requests never earns back.
        return java(
            "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", *(f"-D{k}={v}" for k, v in settings.items()),
            "-jar", str(app / "quarkus-run.jar"), heap="512m",
        )

    def check(self) -> None:
        """Its list of subjects can be read."""
        check_registry(self.url)


def check_registry(url: str) -> None:
    """Read the list of subjects. Raises httpx errors."""
    httpx.get(f"{url}/subjects", timeout=2.0).raise_for_status()
