"""The live summary in the terminal: what came in, what stands, how fast, where to look."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import redis
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wire.rediskeys import RedisKeys

if TYPE_CHECKING:
    from doudi.demo.observe import Observer
    from doudi.demo.run import Demo

LEVELS = (("red", "红 red"), ("orange", "橙 orange"), ("yellow", "黄 yellow"))
DEPARTMENTS = {
    "civil": "民政",
    "medical": "医保",
    "education": "教育",
    "housing": "住建",
    "employment": "人社",
    "disability": "残联",
    "water": "水利",
    "agriculture": "农业农村",
}


class Summary:
    """Redrawn each second on a thread of its own until left."""

    def __init__(self, demo: Demo, observer: Observer) -> None:
        self._demo, self._observer = demo, observer
        self._client = redis.Redis.from_url(demo.settings.redis)
        self._keys = RedisKeys(demo.settings.namespace)
        self._end = threading.Event()
        self._began = time.time()
        self._thread = threading.Thread(target=self._run, name="summary", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        with Live(self.draw(), console=Console(stderr=True), refresh_per_second=2) as live:
            while not self._end.wait(1.0):
                live.update(self.draw())

    def draw(self) -> Group:
        """One picture."""
        counted: dict[bytes, bytes] = self._client.hgetall(self._keys.open)  # type: ignore[assignment]
        cases = {tuple(k.decode().split(":")): int(v) for k, v in counted.items()}
        figures = Table.grid(padding=(0, 3))
        figures.add_row("人口 people", f"{len(self._demo.county.people):,}")
        figures.add_row("已发布记录 records", f"{self._demo.hub.published():,}")
        figures.add_row("本次变更 changes written", f"{self._demo.writer.rows:,}")
        figures.add_row("成立条件 conditions", f"{self._client.hlen(self._keys.standing):,}")
        figures.add_row("无法识别 unidentified", f"{self._client.hlen(self._keys.unidentified):,}")
        alerts = Table("预警 open alerts", *(title for _, title in LEVELS), box=None)
        alerts.add_row(
            "",
            *(str(sum(n for key, n in cases.items() if key[0] == "alert" and key[2] == level)) for level, _ in LEVELS),
        )
        logins = Table("登录 sign in", "密码 password", "角色 role", "部门 department", "区划 division", box=None)
        for u in self._demo.logins:
            logins.add_row(u.username, u.password, f"{u.name} {u.role}", u.department, u.division or "—")
        parts: list[RenderableType] = [
            Text(f"兜底 Doudi   {self._demo.gateway}", style="bold"),
            figures,
            alerts,
            tasks_of(cases),
            self._delay(),
            logins,
            Text("Ctrl-C 停止 stops everything", style="dim"),
        ]
        return Group(*parts)

    def _delay(self) -> Text:
        """From commit until readable, of the last changes that began something."""
        found = self._demo.recent_delays(self._observer)
        if not found:
            return Text("提交到可见 commit to readable: —")
        found.sort()
        return Text(
            f"提交到可见 commit to readable: {found[len(found) // 2]:.0f} ms median, "
            f"{found[-1]:.0f} ms worst of {len(found)}"
        )


def tasks_of(cases: Mapping[tuple[str, ...], int]) -> Table:
    """Open tasks by department, of cases counted by kind, department and level; fits 80 columns."""
    titles = (f"{title}\n{department}" for department, title in DEPARTMENTS.items())
    tasks = Table("待办\ntasks", *titles, box=None, collapse_padding=True)
    tasks.add_row("", *(str(sum(n for key, n in cases.items() if key[:2] == ("task", d))) for d in DEPARTMENTS))
    return tasks
