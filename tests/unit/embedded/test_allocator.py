"""What the hub's processes are told about memory is the same embedded and composed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from doudi.embedded.hub import ALLOCATOR, MIMALLOC, program_environment
from wire.settings import Settings


def test_composed_as_embedded() -> None:
    composed = yaml.safe_load(Path("docker-compose.yml").read_text(encoding="utf-8"))["services"]["persons"]
    told = composed["environment"]
    assert {**ALLOCATOR, "LD_PRELOAD": told["LD_PRELOAD"]}.items() <= told.items()
    assert Path(told["LD_PRELOAD"]).parts[-3:] == MIMALLOC.parts[-3:]


def test_what_the_environment_says_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert program_environment(Settings())["GLIBC_TUNABLES"] == ALLOCATOR["GLIBC_TUNABLES"]
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=1")
    assert "GLIBC_TUNABLES" not in program_environment(Settings())


@pytest.mark.skipif(sys.platform != "linux", reason="the wheel is installed on Linux only")
def test_small_pieces_come_from_mimalloc() -> None:
    show = "from pathlib import Path; print(Path('/proc/self/maps').read_text())"
    told = {**os.environ, **program_environment(Settings())}
    shown = subprocess.run([sys.executable, "-c", show], env=told, capture_output=True, text=True, check=True)
    assert MIMALLOC.name in shown.stdout
    assert not shown.stderr
