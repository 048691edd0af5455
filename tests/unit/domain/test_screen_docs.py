"""The example of docs/screen.md, run as it stands there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from doudi.cli import app

PAGE = (Path(__file__).parents[3] / "docs" / "screen.md").read_text(encoding="utf-8")
FILE = re.compile(r"`([a-z_.]+\.csv)`\n\n```csv\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"```console\n\$ doudi (.*?)\n(.*?)\n```", re.DOTALL)
SHOWN = ("rule", "id_number", "episode", "state", "cause", "level", "department", "deadline")


def test_the_example_gives_what_the_page_says(tmp_path: Path) -> None:
    files = FILE.findall(PAGE)
    assert len(files) == 4
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    command, answer = COMMAND.findall(PAGE)[0]
    places = {"DIR": str(tmp_path), "OUT": str(tmp_path / "out")}
    result = CliRunner().invoke(app, [places.get(word, word) for word in shlex.split(command)])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == answer
    lines = (tmp_path / "out" / "conditions.jsonl").read_text(encoding="utf-8").splitlines()
    found = sorted(tuple(str(row[c] or "") for c in SHOWN) for row in map(json.loads, lines))
    table = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in PAGE.splitlines()
        if line.startswith("| R")
    ]
    assert found == sorted(table)
