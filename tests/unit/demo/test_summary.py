"""The summary in the terminal has every department's tasks, whole on a narrow screen."""

from __future__ import annotations

import io

from rich.console import Console

from doudi.demo.summary import tasks_of
from schemas.topics import DEPARTMENTS


def test_every_departments_open_tasks_are_shown_within_80_columns() -> None:
    cases = {("task", d, "yellow"): 1001 + n for n, d in enumerate(DEPARTMENTS)}
    more = {("task", "water", "red"): 1000, ("alert", "civil", "red"): 7}
    drawn = io.StringIO()
    Console(file=drawn, width=80).print(tasks_of({**cases, **more}))
    _, names, counts = drawn.getvalue().splitlines()
    found = dict(zip(names.split()[1:], map(int, counts.split()), strict=True))
    assert found == {d: n + more.get(("task", d, "red"), 0) for (_, d, _), n in cases.items()}
