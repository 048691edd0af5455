"""The set-up: what is missing is put back before it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from doudi import bootstrap


def test_packages_that_somebody_removed_are_put_back_before_npm_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "package-lock.json").write_text("{}")
    ran: list[str] = []

    def npm(*arguments: str) -> None:
        ran.append(arguments[0])
        (tmp_path / "node_modules").mkdir(exist_ok=True)

    monkeypatch.setattr(bootstrap, "CONSOLE", tmp_path)
    monkeypatch.setattr(bootstrap, "npm", npm)
    bootstrap.main(["--npm", "test"])
    bootstrap.main(["--npm", "test"])
    assert ran == ["ci", "test", "test"]
    (tmp_path / "package-lock.json").write_text("{} ")
    bootstrap.main(["--npm", "test"])
    assert ran[3:] == ["ci", "test"]
