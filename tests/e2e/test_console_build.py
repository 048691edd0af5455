"""The console's tool chain: its own tests, a lock without addresses, a build that needs nobody else."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.e2e.console_rig import CONSOLE, ROOT, built


def test_the_console_passes_its_own_tests() -> None:
    run = subprocess.run(
        [sys.executable, "-I", ROOT / "doudi" / "bootstrap.py", "--npm", "test"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]


def test_the_lock_names_no_registry() -> None:
    text = (CONSOLE / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert text.count('"integrity": "sha512-') > 100


def test_versions_are_exact() -> None:
    text = (CONSOLE / "package.json").read_text()
    assert not re.findall(r'"[^"]+": "[\^~*>]', text.replace('"node": ">=', ""))


def test_the_build_loads_nothing_from_elsewhere() -> None:
    built()
    page = (CONSOLE / "dist" / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|<style|style=", page)
    for file in (CONSOLE / "dist" / "assets").iterdir():
        text = file.read_text()
        assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", text), file.name
        assert not re.search(r"\beval\(|new Function\(", text), file.name
