"""Ports, run file and lock of artifacts: what is remembered, what is hidden, what is refused."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from doudi.embedded import runfile
from doudi.embedded.artifacts import LOCK, ROOTS, read_lock
from doudi.embedded.errors import ArtifactError, FolderUnusable, PortTaken
from doudi.embedded.hub import environment
from doudi.embedded.ports import RANGE, Ports
from tests.stack import fresh
from wire.settings import Settings


def test_a_port_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "run" / "ports.json"
    first = Ports(path)
    port = first.claim("kafka")
    assert port in RANGE
    assert first.get("valkey") != port
    assert Ports(path).claim("kafka") == port


def test_a_taken_port_names_the_program_and_the_remedy(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    port = ports.get("kafka")
    with closing(socket.socket()) as s:
        s.bind(("127.0.0.1", port))
        s.listen()
        with pytest.raises(PortTaken) as error:
            ports.claim("kafka")
    text = str(error.value)
    assert re.search(rf"Port {port} of kafka is in use by \S+ \(pid \d+\)", text)
    assert str(tmp_path / "ports.json") in text
    assert "end that program, or remove the line" in text
    assert ports.claim("kafka") == port  # free again: nothing was changed


def test_a_damaged_file_of_ports(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    path.write_text("{")
    with pytest.raises(FolderUnusable, match="remove it"):
        Ports(path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql+psycopg://doudi:se:cret@127.0.0.1:5432/x",
            "postgresql+psycopg://doudi:***@127.0.0.1:5432/x",
        ),
        ("redis://:secret@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
        ("http://127.0.0.1:80/apis", "http://127.0.0.1:80/apis"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert runfile.masked(url) == shown


def test_settings_take_the_urls_of_what_runs(tmp_path: Path) -> None:
    me = psutil.Process()
    (tmp_path / "run").mkdir()
    run = runfile.RunFile(me.pid, me.create_time(), True, {"kafka": "k:1", "redis": "redis://r", "gateway": "http://g"})
    runfile.write(tmp_path, run)
    found = runfile.connected(fresh(tmp_path, kafka="mine:1"))
    assert (found.kafka, found.redis) == ("mine:1", "redis://r")
    runfile.write(tmp_path, runfile.RunFile(me.pid, 1.0, True, {"redis": "redis://r"}))
    assert runfile.connected(fresh(tmp_path)).redis == ""


def test_a_program_of_the_hub_waits_for_what_it_stands_on(tmp_path: Path) -> None:
    me = psutil.Process()
    (tmp_path / "run").mkdir()
    runfile.wait_prepared(tmp_path)  # nothing runs here: nothing to wait for
    coming = runfile.RunFile(me.pid, me.create_time(), False)
    runfile.write(tmp_path, coming)
    waiting = threading.Thread(target=runfile.wait_prepared, args=(tmp_path,), daemon=True)
    waiting.start()
    waiting.join(3 * runfile.WAIT_S)
    assert waiting.is_alive()
    runfile.write(tmp_path, replace(coming, prepared=True))
    waiting.join(10)
    assert not waiting.is_alive()
    runfile.write(tmp_path, replace(coming, started=1.0))  # its supervisor is gone
    runfile.wait_prepared(tmp_path)


def test_a_child_reads_the_settings_of_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = fresh(tmp_path, kafka="k:1", kafka_password=SecretStr("s"), partitions=7, namespace="n.")
    for name, value in environment(parent).items():
        monkeypatch.setenv(name, value)
    assert Settings() == parent


def test_the_lock_is_whole() -> None:
    artifacts = read_lock()
    assert {a.component for a in artifacts} == set(ROOTS)
    assert all(re.fullmatch(r"[0-9a-f]{64}", a.sha256) and a.size > 0 for a in artifacts)
    for roots in ROOTS.values():
        for root in roots:
            group, name, version, *_ = root.split(":")
            assert [a for a in artifacts if (a.group, a.name, a.version) == (group, name, version)]
    assert "://" not in LOCK.read_text()


def test_a_damaged_lock_says_where(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("# comment\nkafka org.x:y:1:jar abc 12\nkafka half\n")
    with pytest.raises(ArtifactError, match=re.escape(f"{path}:3")):
        read_lock(path)
