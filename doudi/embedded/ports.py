"""Loopback ports, chosen once and remembered, so that clients find a restarted component where it was."""

from __future__ import annotations

import json
import random
import socket
from contextlib import closing
from pathlib import Path

import psutil

from doudi.embedded.errors import FolderUnusable, PortTaken
from wire.files import replace_whole

RANGE = range(20_000, 32_000)
"""Below the ports that Linux and macOS give to outgoing connections, so a remembered one is rarely taken."""


class Ports:
    """The file ``run/ports.json`` of a home. Only the supervisor writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, int] = {}
        if path.is_file():
            try:
                self._known = {str(k): int(v) for k, v in json.loads(path.read_text()).items()}
            except (ValueError, AttributeError) as e:
                raise FolderUnusable(
                    f"The file of remembered ports cannot be read: {e}",
                    str(path),
                    "remove it; ports are chosen anew",
                ) from e

    def get(self, name: str) -> int:
        """The port of that name; the first time a free one is chosen and remembered."""
        if name not in self._known:
            self._known[name] = self._free()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(self.path, json.dumps(self._known, indent=1).encode(), 0o644)
        return self._known[name]

    def claim(self, name: str) -> int:
        """The port of that name, if nobody else uses it. Raises PortTaken naming who does."""
        port = self.get(name)
        if not available(port):
            raise PortTaken(
                f"Port {port} of {name} is in use by {holder(port)}",
                f"127.0.0.1:{port}, remembered in {self.path}",
                f"end that program, or remove the line of {name!r} from {self.path}: a free one is taken",
            )
        return port

    def _free(self) -> int:
        for port in random.SystemRandom().sample(RANGE, 200):
            if port not in self._known.values() and available(port):
                return port
        raise PortTaken("No free port found", f"127.0.0.1, {RANGE.start} to {RANGE.stop}", "end some programs")


def available(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. Connections still closing do not count."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The program that listens on a port, as far as this user may know."""
    try:
        for c in psutil.net_connections("tcp"):
            if c.laddr and c.laddr.port == port and c.status == psutil.CONN_LISTEN and c.pid:
                return f"{psutil.Process(c.pid).name()} (pid {c.pid})"
    except psutil.Error:
        pass
    return "another program"
