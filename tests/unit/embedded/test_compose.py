"""docker-compose.yml as far as it can be judged without Docker: structure, references, names, and our own
commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from doudi.cli import app
from doudi.commands.run import STAGES
from doudi.embedded.artifacts import Artifacts, read_lock
from doudi.embedded.hub import hub
from doudi.embedded.kafka import Kafka, Logins
from doudi.embedded.ports import Ports
from tests.stack import fresh
from wire.settings import Settings

TEXT = (Path(__file__).parents[3] / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BROKERS = ("kafka1", "kafka2", "kafka3")
ALLOWED = "image restart entrypoint command environment volumes depends_on healthcheck ports secrets"
KNOWN = set(ALLOWED.split(" "))
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_well_formed(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KNOWN
    assert re.fullmatch(r"[\w./-]+:[\w.-]+|\$\{HUB_IMAGE:-doudi:latest\}", service["image"])
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] in CONDITIONS
        if how["condition"] == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"]
    for volume in service.get("volumes", ()):
        assert volume.split(":")[0] in COMPOSE["volumes"]
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert all(isinstance(v, str | int) for v in service.get("environment", {}).values())


def test_only_the_top_level_keys_of_compose() -> None:
    assert {k for k in COMPOSE if not k.startswith("x-")} == {"services", "volumes", "secrets"}


def test_our_variables_are_settings() -> None:
    names = {n for s in SERVICES.values() for n in s.get("environment", {}) if n.startswith("DOUDI_")}
    assert names
    assert {n.removeprefix("DOUDI_").lower() for n in names} <= set(Settings.model_fields)


def test_the_hub_reads_these_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["gateway"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?\}", "secret", str(value)))
    settings = Settings()
    assert (settings.replication, settings.partitions, settings.port) == (3, 16, 8000)
    assert settings.kafka == ",".join(f"{b}:9092" for b in BROKERS)


def test_no_password_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name:
                assert re.fullmatch(r"\$\{\w+:\?\}", value), name
    assert all("${" in found for found in re.findall(r'password="([^"…]*)"', TEXT) if "$$" not in found)


def kafka_property(variable: str) -> str:
    """How the image turns a variable into a property: three underscores are a dash, two one, one a dot."""
    name = variable.removeprefix("KAFKA_").lower()
    return name.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")


@pytest.mark.parametrize("broker", BROKERS)
def test_brokers_have_the_properties_that_the_tests_run_with(broker: str, tmp_path: Path) -> None:
    """Every property here is one that the embedded, secured three-node Kafka starts with."""
    env = SERVICES[broker]["environment"]
    given = {kafka_property(n): str(v) for n, v in env.items() if n.startswith("KAFKA_")}
    ports = Ports(tmp_path / "ports.json")
    node = Kafka(tmp_path, ports, Artifacts(tmp_path), node=1, nodes=3, logins=Logins((("admin", "x"),)))
    known = {k: str(v) for k, v in node.properties().items()}
    assert set(given) <= set(known)
    ours = {"node.id", "controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs"}
    same = set(given) - ours - {n for n in given if "jaas" in n}
    assert {n: given[n] for n in same} == {n: known[n] for n in same}
    assert given["advertised.listeners"] == f"CLIENT://{broker}:9092"
    assert f"{given['node.id']}@{broker}:9093" in given["controller.quorum.voters"]


def test_the_same_versions_as_embedded() -> None:
    versions = {a.name: a.version for a in read_lock()}
    assert SERVICES["kafka1"]["image"] == f"apache/kafka:{versions['kafka_2.13']}"
    assert SERVICES["access"]["image"] == SERVICES["kafka1"]["image"]
    assert SERVICES["registry"]["image"] == f"apicurio/apicurio-registry:{versions['apicurio-registry-app']}"


def test_every_process_of_the_hub_is_a_service(tmp_path: Path) -> None:
    embedded = {tuple(c.arguments) for c in hub(fresh(tmp_path), Ports(tmp_path / "p")) if hasattr(c, "arguments")}
    composed = {tuple(s["command"]) for s in SERVICES.values() if s["image"].startswith("${HUB_IMAGE")}
    assert composed == embedded | {("init",)}
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert all(c[0] in commands and (c[0] != "worker" or c[1] in STAGES) for c in composed)
