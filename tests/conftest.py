"""Fixtures for all tests. Unit tests open no socket; whoever needs a server takes ``stack`` or ``hub``."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.stack import own_hub, session_stack
from wire.settings import Settings

for _name in [n for n in os.environ if n.startswith("DOUDI_")]:
    if _name not in ("DOUDI_CACHE", "DOUDI_TEST_STACK", "DOUDI_CHROMIUM", "DOUDI_MAVEN"):
        del os.environ[_name]  # a developer's own settings must not reach the tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever takes the stack carries its marker, so ``-m 'not stack'`` needs no discipline.

    What moves the day that others share comes last.
    """
    items.sort(key=_moves)
    for item in items:
        if {"stack", "hub"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.stack)


def _moves(item: pytest.Item) -> int:
    marker = item.get_closest_marker("moves")
    return marker.args[0] if marker else 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The run fails if a program that a test started still runs."""
    left = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        sys.stderr.write(f"left running by a test: {process.pid} {' '.join(process.cmdline())[:200]}\n")
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def stack() -> Iterator[Settings]:
    """Settings of one embedded stack (Kafka, registry, Valkey, PostgreSQL) for the whole session. No
    topics."""
    with session_stack() as settings:
        yield settings


@pytest.fixture
def hub(stack: Settings) -> Iterator[Settings]:
    """Settings of an empty hub of one's own on the session's stack: namespace, home, topics, schemas."""
    with own_hub(stack) as settings:
        yield settings


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads a developer's .env."""
    monkeypatch.setitem(Settings.model_config, "env_file", None)


_LOOPBACK_FREE = ("unit", "property", "architecture")


@pytest.fixture(autouse=True)
def _no_socket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit, property and architecture tests open no connection."""
    area = Path(str(request.node.path)).relative_to(Path(__file__).parent).parts[0]
    if area not in _LOOPBACK_FREE or request.node.get_closest_marker("stack"):
        return

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError(f"a test under tests/{area} opened a connection: take the fixture `stack` or `hub`")

    monkeypatch.setattr(socket.socket, "connect", refuse)
