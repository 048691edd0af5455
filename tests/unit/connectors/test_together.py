"""Several connectors in one process: they end together, and the failure of one is everybody's."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from connectors.errors import ConfigError
from connectors.runner import together
from doudi.commands.connect import _override


def test_the_first_that_fails_stops_the_others_and_is_raised() -> None:
    stop, ended = threading.Event(), threading.Event()

    def works() -> None:
        stop.wait(30)
        ended.set()

    def fails() -> None:
        raise ConfigError("no table")

    with pytest.raises(ConfigError, match="no table"):
        together([works, fails], stop)
    assert stop.is_set()
    assert ended.is_set()


def test_all_end_when_they_are_stopped() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    together([lambda: stop.wait(30) and None, lambda: stop.wait(30) and None], stop)


def test_a_folder_of_configurations_has_one_for_each_department(tmp_path: Path) -> None:
    (tmp_path / "civil.yaml").write_text("url: x")
    assert _override(tmp_path, "civil") == tmp_path / "civil.yaml"
    assert _override(tmp_path, "medical") is None
    assert _override(tmp_path / "civil.yaml", "medical") == tmp_path / "civil.yaml"
    assert _override(None, "civil") is None
