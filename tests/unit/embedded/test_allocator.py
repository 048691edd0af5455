"""What the hub's processes are told about memory is the same embedded and composed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from doudi.embedded.hub import ALLOCATOR, environment
from wire.settings import Settings


def test_composed_as_embedded() -> None:
    composed = yaml.safe_load(Path("docker-compose.yml").read_text(encoding="utf-8"))["services"]["persons"]
    assert ALLOCATOR.items() <= composed["environment"].items()


def test_what_the_environment_says_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment(Settings())["GLIBC_TUNABLES"] == ALLOCATOR["GLIBC_TUNABLES"]
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=1")
    assert "GLIBC_TUNABLES" not in environment(Settings())
