"""Apache Kafka in KRaft mode: one node, or one of several in tests, with or without SASL and ACLs."""

from __future__ import annotations

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doudi.embedded.artifacts import Artifacts
from doudi.embedded.errors import ComponentFailed
from doudi.embedded.java import fits, java, kept
from doudi.embedded.ports import Ports
from doudi.embedded.process import FIRST, Component
from schemas.topics import MESSAGE_MAX_BYTES

ARCHIVE = "kafka.jsa"
"""Classes of the broker, parsed, in the cache of artifacts."""
SCRAM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Logins:
    """Users and passwords of a secured broker; the first is the brokers' own and may do everything."""

    users: tuple[tuple[str, str], ...]
    require_acl: bool = True


class Kafka(Component):
    """One node that is broker and controller.

    ``node`` counts from 1. ``nodes`` is the cluster's size: every node must be given the same home, ports and
    ``nodes``. With more than one, topics are replicated three times with two in sync.
    """

    title = "Kafka"
    boot_s = 120.0
    favour = FIRST
    """Everything waits for it, at its boot and ever after."""
    stop_s = 30.0

    def __init__(
        self,
        home: Path,
        ports: Ports,
        artifacts: Artifacts,
        *,
        node: int = 1,
        nodes: int = 1,
        logins: Logins | None = None,
        heap: str = "768m",
    ) -> None:
        self.name = "kafka" if nodes == 1 else f"kafka{node}"
        super().__init__(home, ports)
        self.artifacts, self.node, self.nodes, self.logins, self.heap = artifacts, node, nodes, logins, heap

    @property
    def url(self) -> str:
        """Bootstrap server of this node."""
        return f"127.0.0.1:{self.ports.get(self.name)}"

    def prepare(self, say: Callable[[str], None]) -> None:
        """Fetch the jars, write the configuration, format the log folder once."""
        jars = self.artifacts.fetch("kafka", lambda done, total: say(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"))
        self.keeps = not fits(self.artifacts.cache / ARCHIVE, jars)
        for port in (self.name, f"{self.name}.controller"):
            self.ports.claim(port)
        config = self.data / "server.properties"
        config.write_text("".join(f"{k}={v}\n" for k, v in self.properties().items()))
        config.chmod(0o600)
        if not (self.data / "log" / "meta.properties").is_file():
            self._format(config)

    def _format(self, config: Path) -> None:
        scram = [
            f"--add-scram={SCRAM}=[name={user},password={password}]"
            for user, password in (self.logins.users if self.logins else ())
        ]
        # with "=": an id may begin with a hyphen
        which = (f"--cluster-id={self.cluster_id()}", f"--config={config}")
        archive = self.artifacts.cache / ARCHIVE
        known = (f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off") if archive.exists() else ()
        command = self._java(*known, "kafka.tools.StorageTool", "format", *which, *scram)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.data,
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip()[-800:]
            raise ComponentFailed("Kafka's log folder could not be formatted", f"{self.data}: {last}", self.hint(last))

    def cluster_id(self) -> str:
        """One id for all nodes of this home, the same at each start."""
        digest = uuid.uuid5(uuid.NAMESPACE_URL, str(self.home)).bytes
        return urlsafe_b64encode(digest).decode().rstrip("=")

    def properties(self) -> dict[str, str | int]:
        """The node's configuration."""
        every = range(1, self.nodes + 1)
        controller = "kafka.controller" if self.nodes == 1 else "kafka{}.controller"
        voters = ",".join(f"{n}@127.0.0.1:{self.ports.get(controller.format(n))}" for n in every)
        copies, in_sync = min(3, self.nodes), min(2, self.nodes)
        plain = self.logins is None
        found: dict[str, str | int] = {
            "process.roles": "broker,controller",
            "node.id": self.node,
            # Static voters: the port of a node may change between starts.
            "controller.quorum.voters": voters,
            "listeners": f"CLIENT://{self.url},CONTROLLER://127.0.0.1:{self.ports.get(f'{self.name}.controller')}",
            "advertised.listeners": f"CLIENT://{self.url}",
            "listener.security.protocol.map": (
                "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT" if plain else "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
            ),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENT",
            "log.dirs": str(self.data / "log"),
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "unclean.leader.election.enable": "false",
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": 2,
            "group.initial.rebalance.delay.ms": 0,
            # Workers choose six seconds; the broker's own lower bound is six.
            "group.min.session.timeout.ms": 1000,
            "auto.create.topics.enable": "false",
            "message.max.bytes": MESSAGE_MAX_BYTES,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 16_777_216,
            "broker.session.timeout.ms": 6000,
            "broker.heartbeat.interval.ms": 1000,
            # Preallocated indexes of every partition would fill small disks.
            "log.index.size.max.bytes": 1_048_576,
        }
        return found if self.logins is None else found | self._security(self.logins)

    def _security(self, logins: Logins) -> dict[str, str | int]:
        user, password = logins.users[0]
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        who = f'username="{user}" password="{password}"'
        return {
            "sasl.enabled.mechanisms": SCRAM,
            "sasl.mechanism.inter.broker.protocol": SCRAM,
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.client.sasl.enabled.mechanisms": SCRAM,
            "listener.name.client.scram-sha-512.sasl.jaas.config": f"{scram} {who};",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": f'{plain} {who} user_{user}="{password}";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false" if logins.require_acl else "true",
            "super.users": f"User:{user}",
        }

    def command(self) -> list[str]:
        """The broker's JVM."""
        return self._java("kafka.Kafka", str(self.data / "server.properties"), archive=self.artifacts.cache / ARCHIVE)

    def _java(self, *arguments: str, archive: Path | None = None) -> list[str]:
        return java(
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
            # Says at each start and stop in a few lines what happened to the node itself.
            "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
            "-XX:+UseSerialGC",
            # A broker on the machine of its clients: compiling less costs a third less of the processor.
            "-XX:TieredStopAtLevel=1",
            *arguments,
            heap=self.heap,
            classpath=self.artifacts.fetch("kafka"),
            archive=archive,
        )

    def ended(self) -> None:
        """Its classes are kept for the next start."""
        kept(self.artifacts.cache / ARCHIVE)

    def check(self) -> None:
        """The broker answers a metadata request with itself in it."""
        check_kafka(self.url, dict(self._client()), need=self.node)

    def _client(self) -> Sequence[tuple[str, str]]:
        if self.logins is None:
            return ()
        user, password = self.logins.users[0]
        return (
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", SCRAM),
            ("sasl.username", user),
            ("sasl.password", password),
        )


def check_kafka(servers: str, extra: dict[str, str] | None = None, need: int = 0, timeout: float = 2.0) -> None:
    """Ask for the cluster's metadata. Raises KafkaException with the client's own words, or LookupError."""
    from confluent_kafka import KafkaException  # noqa: PLC0415 - half a second that `doudi status` need not pay
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    said: list[Any] = []
    config: dict[str, Any] = {
        "bootstrap.servers": servers,
        "socket.timeout.ms": 2000,
        "error_cb": said.append,
        "log_level": 0,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 500,
        **(extra or {}),
    }
    admin = AdminClient(config)
    try:
        brokers = admin.list_topics(timeout=timeout).brokers
    except KafkaException:
        admin.poll(0)
        if said:
            raise KafkaException(said[0]) from None
        raise
    if not brokers or (need and need not in brokers):
        raise LookupError("the broker is not in its own cluster yet")
