"""The stack's progress in the terminal: a live table, or plain lines where the output is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from doudi.embedded.process import Process
from doudi.embedded.runfile import masked

STYLES = {"up": "green", "failed": "bold red", "restarting": "yellow", "stopped": "dim"}


class Show:
    """Shows processes on standard error. A context manager."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._console = Console(file=sys.stderr, soft_wrap=True)
        self._live = Live(console=self._console, transient=False, auto_refresh=False)
        self._said: dict[str, str] = {}

    def __enter__(self) -> Show:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, processes: Sequence[Process]) -> None:
        if self._console.is_terminal:
            self._live.update(self._table(processes), refresh=True)
            return
        for p in processes:
            if p.state != "waiting" and self._said.get(p.component.name) != p.state:
                self._said[p.component.name] = p.state
                note = f" ({p.note})" if p.note else ""
                url = f" {masked(p.component.url)}" if p.state == "up" and p.component.url else ""
                self._console.print(f"{p.component.name}: {p.state}{note}{url}", markup=False, highlight=False)

    def _table(self, processes: Sequence[Process]) -> Table:
        table = Table(title=self.title, title_justify="left", box=None)
        for column in ("", "state", "pid", "address", ""):
            table.add_column(column, overflow="fold")
        for p in processes:
            table.add_row(
                p.component.title,
                f"[{STYLES.get(p.state, 'cyan')}]{p.state}[/]",
                str(p.pid or ""),
                masked(p.component.url) if p.state == "up" else "",
                p.note.splitlines()[0] if p.note else "",
            )
        return table
