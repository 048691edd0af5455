"""Apicurio Registry with its storage in our Kafka and Confluent's API under /apis/ccompat/v7."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from doudi.embedded.artifacts import Artifacts
from doudi.embedded.java import fits, java, kept
from doudi.embedded.ports import Ports
from doudi.embedded.process import FIRST, Component
from wire.http import check
from wire.settings import Settings

ARCHIVE = "registry.jsa"


class Registry(Component):
    """One registry. ``settings`` gives the settings with Kafka's address once that is known."""

    name = "registry"
    title = "Schema registry"
    needs: Sequence[str] = ("kafka",)
    boot_s = 180.0
    patient = True
    """Two thirds of its boot are its own."""
    tries = 2
    """It ends, or never answers, where the broker has made its topics but does not know them everywhere yet."""
    favour = FIRST
    """Everything else of the hub waits for its boot, and afterwards it does next to nothing."""

    def __init__(self, home: Path, ports: Ports, artifacts: Artifacts, settings: Callable[[], Settings]) -> None:
        super().__init__(home, ports)
        self.artifacts, self.settings = artifacts, settings

    @property
    def url(self) -> str:
        """Base URL for Confluent's clients."""
        return f"http://127.0.0.1:{self.ports.get(self.name)}/apis/ccompat/v7"

    def prepare(self, say: Callable[[str], None]) -> None:
        """Fetch and unpack."""
        app = self.artifacts.unpacked("registry", lambda done, total: say(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"))
        self.keeps = not fits(self.artifacts.cache / ARCHIVE, classes(app))
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
            **self._kafka(),
            "apicurio.storage.snapshot.location": str(self.data),
            "apicurio.ui.enabled": "false",
            # H2 holds a copy in memory and spills here.
            "java.io.tmpdir": str(self.data),
            # Its boot begins before Kafka's has ended; a minute would be the default.
            "apicurio.kafkasql.admin.default.api.timeout.ms": int(self.boot_s * 1000),
            # At boot it polls empty topics for so long, four times; five seconds each would be the default.
            "apicurio.kafkasql.consumer.poll.timeout": 500,
            # Without snapshots of its own the journal is read whole, so a short poll can miss nothing.
            "apicurio.kafkasql.snapshot.scheduled.enabled": "false",
        }
        # Boots twice as fast without the optimising compiler, which a registry with few requests never
        # earns back.
        return java(
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            # As its manifest has them.
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            "--enable-native-access=ALL-UNNAMED",
            *(f"-D{k}={v}" for k, v in settings.items()),
            "io.quarkus.runner.GeneratedMain",
            heap="512m",
            classpath=classes(app),
            archive=self.artifacts.cache / ARCHIVE,
        )

    def _kafka(self) -> dict[str, str]:
        """Where its storage is, and with which login."""
        s = self.settings()
        found = {"apicurio.kafkasql.bootstrap.servers": s.kafka}
        if s.kafka_user:
            login = self.data / "login.conf"  # not on the command line, which everybody on the machine can read
            login.write_text(
                "KafkaClient {\n org.apache.kafka.common.security.scram.ScramLoginModule required\n"
                f' username="{s.kafka_user}" password="{s.kafka_password.get_secret_value()}";\n}};\n'
            )
            login.chmod(0o600)
            found["java.security.auth.login.config"] = str(login)
            for client in ("admin", "producer", "consumer"):
                found[f"apicurio.kafkasql.{client}.security.protocol"] = "SASL_PLAINTEXT"
                found[f"apicurio.kafkasql.{client}.sasl.mechanism"] = "SCRAM-SHA-512"
        return found

    def ended(self) -> None:
        """Its classes are kept for the next start."""
        kept(self.artifacts.cache / ARCHIVE)

    def check(self) -> None:
        """It has read its journal, and its list of subjects can be read.

        Before, it answers as if what the journal still holds were not registered.
        """
        check(f"http://127.0.0.1:{self.ports.get(f'{self.name}.management')}", "health/ready")
        check(self.url, "subjects")


def classes(app: Path) -> list[Path]:
    """The class path of an unpacked Quarkus application: what was rewritten at build time comes before its original.

    Its own launcher loads the same classes one jar after the other, past the archive of parsed classes: a quarter more
    of the processor at each boot.
    """
    rewritten = [app / "quarkus" / f"{name}-bytecode.jar" for name in ("transformed", "generated")]
    return [
        *rewritten,
        *(jar for part in ("app", "lib/main", "lib/boot") for jar in sorted((app / part).glob("*.jar"))),
    ]
