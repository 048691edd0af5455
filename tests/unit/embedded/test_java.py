"""The classes that JVMs share between their starts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from doudi.embedded import java


def test_the_runtime_of_this_environment_has_its_classes() -> None:
    assert java.BASE.stat().st_size > 1_000_000


def test_one_that_cannot_be_made_is_said_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(java, "BASE", tmp_path / "classes.jsa")
    monkeypatch.setattr(java, "JAVA", shutil.which("false"))
    java.share_classes()
    assert "could not be made" in capfd.readouterr().err


def test_one_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "BASE", tmp_path)
    monkeypatch.setattr(java, "JAVA", tmp_path / "absent")
    java.share_classes()


def test_an_archive_fits_while_it_is_younger_than_all_that_it_was_made_of(tmp_path: Path) -> None:
    archive, jar = tmp_path / "a.jsa", tmp_path / "a.jar"
    jar.touch()
    assert not java.fits(archive, [jar])
    archive.touch()
    later = max(java.BASE.stat().st_mtime, jar.stat().st_mtime) + 10
    os.utime(archive, (later, later))
    assert java.fits(archive, [jar])
    os.utime(jar, (later + 10, later + 10))
    assert not java.fits(archive, [jar])
    os.utime(jar, (later - 10, later - 10))
    os.utime(archive, (1, 1))
    java.kept(archive)  # an orderly end left it as it was
    assert java.fits(archive, [jar])
    java.kept(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
