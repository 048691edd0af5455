"""The house rules that a machine can hold: layers, documentation of every setting and topic, clean files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.topics import TOPICS
from wire.settings import Settings

ROOT = Path(__file__).parents[2]


def tracked(*patterns: str) -> list[Path]:
    out = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / p for p in out.decode().split("\0") if p and (ROOT / p).exists()]


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    missing = [n for n in Settings.model_fields if f"`DOUDI_{n.upper()}`" not in text]
    assert not missing, f"settings without a line in docs/operations.md: {missing}"


def test_no_setting_is_documented_that_does_not_exist() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    documented = {m.lower() for m in re.findall(r"`DOUDI_([A-Z_]+)`", text)}
    assert documented <= set(Settings.model_fields) | {"test_stack", "chromium"}


def test_every_topic_is_documented() -> None:
    text = (ROOT / "docs/schemas.md").read_text()
    missing = [t for t in TOPICS if f"`{t}`" not in text]
    assert not missing, f"topics without a line in docs/schemas.md: {missing}"


def test_no_registry_host_stands_in_a_committed_file() -> None:
    hosts = re.compile(r"(registry\.npmjs\.|files\.pythonhosted\.|pypi\.org|repo1?\.maven|maven\.org)", re.I)
    bad = [
        p.relative_to(ROOT)
        for p in tracked(
            "*.txt",
            "*.json",
            "*.toml",
            "*.lock",
            "*.yml",
            "*.yaml",
            "*.py",
            ".npmrc",
            "Makefile",
            ".ci/*",
            "*.md",
        )
        if p != Path(__file__) and hosts.search(p.read_text(errors="replace"))
    ]
    assert not bad


def test_the_lock_has_a_hash_for_everything() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        pins = re.findall(r"^[A-Za-z0-9_.\-\[\]]+==\S+", text, re.M)
        blocks = re.split(r"^(?=[A-Za-z0-9_.\-\[\]]+==)", text, flags=re.M)[1:]
        assert pins
        assert all("--hash=sha256:" in b for b in blocks)
        assert "openai-agents" not in text


def test_no_absolute_path_of_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(?:home/[a-z]|root/|Users/|work/)")
    bad = [
        p.relative_to(ROOT)
        for p in tracked()
        if p != Path(__file__) and p.suffix not in {".png", ".xlsx"} and pattern.search(p.read_text(errors="replace"))
    ]
    assert not bad


@pytest.mark.parametrize("path", [p.relative_to(ROOT).as_posix() for p in tracked("*.py") if p.name != "__init__.py"])
def test_every_module_says_what_it_is_for(path: str) -> None:
    text = (ROOT / path).read_text().lstrip()
    assert text.startswith(('"""', "#!")), f"{path} has no module docstring"


def test_facts_have_no_filtered_aggregate() -> None:
    """Each costs a copy of every column in every cycle, however few rows there are: ``case`` inside says the same."""
    assert not [p.name for p in tracked("domain/facts/*.sql") if re.search(r"\bfilter\s*\(", p.read_text(), re.I)]


def test_layers_hold() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
