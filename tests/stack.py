"""One embedded stack for the whole pytest session, and a namespace of its own on it for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from confluent_kafka.admin import AdminClient

from doudi.commands.run import prepare
from doudi.embedded import runfile
from doudi.embedded.running import running
from wire.settings import Settings


def fresh(home: Path, **given: object) -> Settings:
    """Settings for tests: nothing from the environment or a .env file but the shared cache."""
    cache = os.environ.get("DOUDI_CACHE", "~/.cache/doudi")
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    return Settings.model_construct(**{**defaults, "home": home, "cache": Path(cache), **given})


@contextmanager
def session_stack() -> Iterator[Settings]:
    """A stack in a folder of its own; or, for quick development, the one on DOUDI_TEST_STACK's home."""
    if other := os.environ.get("DOUDI_TEST_STACK"):
        settings = runfile.connected(fresh(Path(other)))
        if not settings.kafka:
            raise RuntimeError(f"nothing runs on DOUDI_TEST_STACK={other}: `DOUDI_HOME={other} doudi up --only-stack`")
        with folder() as home:
            yield settings.model_copy(update={"home": home})
        return
    with folder() as home, running(fresh(home), hub=False) as settings:
        yield settings


@contextmanager
def own_hub(stack: Settings, **given: object) -> Iterator[Settings]:
    """Settings with a namespace and a home of its own, topics created, schemas registered; cleaned up at
    the end."""
    with folder() as home:
        # Tests raise many cases of one rule at once; those about storms name a limit.
        update = {"namespace": f"t{uuid.uuid4().hex[:8]}.", "home": home, "storm_limit": 100_000, **given}
        settings = stack.model_copy(update=update)
        prepare(settings)
        try:
            yield settings
        finally:
            forget(settings)


def forget(settings: Settings) -> None:
    """Delete the namespace's topics, groups and Redis keys. Schemas stay: a registry keeps versions."""
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    mine = [t for t in admin.list_topics(timeout=10).topics if t.startswith(settings.namespace)]
    for future in (admin.delete_topics(mine) if mine else {}).values():
        future.result(30)
    with redis.Redis.from_url(settings.redis) as client:
        for key in client.scan_iter(f"{settings.namespace}*", count=10_000):
            client.delete(key)


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that other users may pass through (PostgreSQL runs as another one under root)."""
    path = Path(tempfile.mkdtemp(prefix="doudi-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[tuple[tuple[str, ...], Path]]:
    """A file system of its own on a folder, with these mount options, seen only by what a command (the first
    value) runs.

    The second value is the folder as it is seen from outside. Linux only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    user, enter = ((), ()) if os.geteuid() == 0 else (("--user", "--map-root-user"), ("-U", "--preserve-credentials"))
    script = f'mount -t tmpfs -o {options} doudi "$0" && echo there && exec sleep 600'
    command = ["unshare", *user, "--mount", "sh", "-c", script, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"there\n"
            inside = Path(f"/proc/{holder.pid}/root") / folder.relative_to("/")
            yield ("nsenter", "--target", str(holder.pid), *enter, "--mount", "--wd=."), inside
        finally:
            holder.kill()
