"""What can be wrong when the stack starts, made to happen: each message says what, where and how to mend."""

from __future__ import annotations

import contextlib
import functools
import gc
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr

from doudi.embedded import runfile
from doudi.embedded.artifacts import Artifacts
from doudi.embedded.errors import ArtifactError
from doudi.embedded.hub import environment
from doudi.embedded.ports import Ports
from doudi.embedded.running import running
from tests.stack import folder, fresh, small_disk
from wire.settings import Settings

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="makes a small file system with unshare and tmpfs")


def doudi(settings: Settings, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [*before, sys.executable, "-m", "doudi", *arguments]
    env = {**os.environ, **environment(settings), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=400, check=False)


def given(stack: Settings, home: Path, **other: object) -> Settings:
    """Settings with everything given by URL."""
    return stack.model_copy(update={"home": home, **other})


@pytest.mark.parametrize(("code", "program"), [(78, ("worker", "persons")), (2, ("gateway",))])
def test_a_rules_parameter_that_is_missing(hub: Settings, tmp_path: Path, code: int, program: tuple[str, ...]) -> None:
    """Nothing starts, so nothing is decided without it; what comes in meanwhile waits in Kafka."""
    rules = tmp_path / "rules"
    shutil.copytree(Path(__file__).parents[2] / "rules", rules)
    (rules / "parameters" / "red_step.yaml").unlink()
    done = doudi(hub.model_copy(update={"rules": rules}), *program)
    assert done.returncode == code
    assert "civil/R01.yaml: level: red_step is neither a column nor a parameter" in done.stderr
    assert "add parameters/red_step.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def free_port() -> int:
    with closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def test_kafka_unreachable(stack: Settings) -> None:
    port = free_port()
    with folder() as home:
        began = time.monotonic()
        done = doudi(given(stack, home, kafka=f"127.0.0.1:{port}"), "up")
        took = time.monotonic() - began
    assert done.returncode == 2
    assert f"Kafka at 127.0.0.1:{port} does not answer" in done.stderr
    assert "DOUDI_KAFKA" in done.stderr
    assert "Traceback" not in done.stderr
    assert took < 30


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("registry", "http://127.0.0.1:{port}/apis/ccompat/v7", ["registry at http", "DOUDI_REGISTRY"]),
        (
            "redis",
            "redis://:secret@127.0.0.1:{port}/0",
            ["redis does not answer", "DOUDI_REDIS", "leave it empty"],
        ),
        (
            "postgres",
            "postgresql+psycopg://a:secret@127.0.0.1:{port}/x",
            ["postgres does not answer", "correct"],
        ),
    ],
)
def test_another_component_unreachable(stack: Settings, name: str, url: str, words: list[str]) -> None:
    with folder() as home:
        done = doudi(given(stack, home, **{name: url.format(port=free_port())}), "up")
    assert done.returncode == 2
    assert all(word in done.stderr for word in words), done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_password_of_postgres(stack: Settings) -> None:
    wrong = stack.postgres.replace("://doudi:", "://doudi:wrong")
    with folder() as home:
        done = doudi(given(stack, home, postgres=wrong), "up")
    assert done.returncode == 2
    assert "postgres refuses the login" in done.stderr
    assert "correct the user and password in DOUDI_POSTGRES" in done.stderr
    assert "wrong" not in done.stderr


def test_wrong_password_of_kafka(stack: Settings) -> None:
    login = {"kafka": "", "kafka_user": "hub", "kafka_password": SecretStr("right-one")}
    with folder() as home, running(given(stack, home, **login), hub=False) as secured, folder() as other:
        wrong = given(secured, other, kafka_password=SecretStr("wrong-one"))
        done = doudi(wrong, "up", "--only-stack")
        right = doudi(given(secured, other), "init")
    assert done.returncode == 2
    assert "refuses user hub" in done.stderr
    assert "DOUDI_KAFKA_PASSWORD" in done.stderr
    assert "wrong-one" not in done.stderr
    assert right.returncode == 0, right.stderr


def test_a_port_in_use_and_mended(stack: Settings) -> None:
    with folder() as home:
        ports = Ports(home / "run" / "ports.json")
        port = ports.get("valkey")
        settings = given(stack, home, redis="")
        with closing(socket.socket()) as s:
            s.bind(("127.0.0.1", port))
            s.listen()
            done = doudi(settings, "up", "--only-stack")
        assert done.returncode == 2
        assert f"Port {port} of valkey is in use by" in done.stderr
        assert f"(pid {os.getpid()})" in done.stderr
        assert "remove the line of 'valkey'" in done.stderr
        with running(settings, hub=False) as mended:
            assert mended.redis == f"redis://127.0.0.1:{port}/0"


@linux_only
def test_a_full_disk(stack: Settings) -> None:
    with folder() as home, small_disk(home, "size=1m,mode=755") as (before, _):
        done = doudi(given(stack, home, redis=""), "up", "--only-stack", before=(
            *before, "sh", "-c", f'head -c 2m /dev/zero > {home}/fill 2>/dev/null; exec "$0" "$@"',
        ))  # fmt: skip
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert str(home) in done.stderr
    assert "make room on that disk" in done.stderr
    assert "Traceback" not in done.stderr


@linux_only
@pytest.mark.timeout(1200)
def test_a_disk_that_fills_under_kafka_and_is_mended(stack: Settings) -> None:
    """The message names the disk; once there is room Kafka comes back by itself, with everything
    acknowledged."""
    with folder() as home, small_disk(home, "size=40m,mode=755") as (before, _):
        settings = given(stack, home, kafka="")
        env = {**os.environ, **environment(settings), "PYTHONPATH": str(Path(__file__).parents[2])}
        with (home.parent / f"{home.name}.err").open("w+") as err:
            command = [*before, sys.executable, "-m", "doudi", "up", "--only-stack"]
            child = subprocess.Popen(command, stderr=err, env=env)
            try:
                inside = Path(f"/proc/{child.pid}/root") / home.relative_to("/")
                until(lambda: (run := runfile.read(inside)) and run.ready)
                port = Ports(inside / "run" / "ports.json").get("kafka")
                producer = Producer({"message.timeout.ms": 3000, **client(port)})
                admin = AdminClient(client(port))
                admin.create_topics([NewTopic("t", 1, 1)])["t"].result(30)
                kept = publish(producer, 10)
                assert kept == 10
                with contextlib.suppress(OSError), (inside / "fill").open("wb") as fill:
                    while True:
                        fill.write(b"x" * 65_536)
                        fill.flush()

                def lost() -> bool:
                    nonlocal kept
                    more = publish(producer, 1)
                    kept += more
                    return not more

                until(lost)
                until(lambda: "the disk is full: make room" in Path(err.name).read_text())
                (inside / "fill").unlink()
                until(lambda: publish(producer, 1))
                assert end_offset(port) > kept
            finally:
                child.terminate()
                child.wait(60)
                Path(err.name).unlink()


def publish(producer: Producer, count: int) -> int:
    """How many of these messages (30 KB each) were acknowledged."""
    good: list[bool] = []
    for _ in range(count):
        producer.produce("t", b"x" * 30_000, on_delivery=lambda e, _: good.append(e is None))
    producer.flush(5)
    return sum(good)


def client(port: int) -> dict[str, str | int]:
    return {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0, "reconnect.backoff.max.ms": 500}


def end_offset(port: int) -> int:
    consumer = Consumer({"group.id": "g", **client(port)})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition("t", 0), timeout=20)[1])
    finally:
        consumer.close()


def until(condition: Callable[[], object], seconds: float = 400.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.2)


@linux_only
def test_a_folder_that_cannot_be_written(stack: Settings) -> None:
    with folder() as home, small_disk(home, "ro,mode=755") as (before, _):
        done = doudi(given(stack, home, redis=""), "up", "--only-stack", before=before)
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr
    assert "DOUDI_HOME" in done.stderr


def test_a_setting_that_is_none(tmp_path: Path) -> None:
    env = {**os.environ, "DOUDI_PARTITIONS": "many", "DOUDI_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "doudi", "status"], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 2
    assert "DOUDI_PARTITIONS='many'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_runs(tmp_path: Path) -> None:
    assert doudi(fresh(tmp_path), "down").returncode == 2
    assert doudi(fresh(tmp_path), "status").returncode == 1
    assert runfile.read(tmp_path) is None


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def repository(content: bytes) -> Iterator[str]:
    """A Maven repository on this machine with one artifact."""
    with folder() as root:
        place = root / "cn" / "doudi" / "thing" / "1"
        place.mkdir(parents=True)
        (place / "thing-1.jar").write_bytes(content)
        handler = functools.partial(_Quiet, directory=str(root))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


def lock_of(folder_: Path, content: bytes) -> Path:
    path = folder_ / "artifacts.lock"
    path.write_text(f"kafka cn.doudi:thing:1:jar {sha256(content).hexdigest()} {len(content)}\n")
    return path


GOOD, BAD = b"the jar" * 1000, b"another" * 1000


def test_a_download_and_a_damaged_file_in_the_cache(tmp_path: Path) -> None:
    lock = lock_of(tmp_path, GOOD)
    seen: list[tuple[int, int]] = []
    with repository(GOOD) as url:
        cache = Artifacts(tmp_path / "cache", lock=lock, repository=url)
        (path,) = cache.fetch("kafka", lambda done, total: seen.append((done, total)))
        assert path.read_bytes() == GOOD
        assert seen[-1] == (len(GOOD), len(GOOD))
        path.write_bytes(BAD)
        assert cache.fetch("kafka") == [path]
        assert path.read_bytes() == GOOD
    assert cache.fetch("kafka") == [path]  # without the repository


def test_a_download_that_is_not_what_the_lock_names(tmp_path: Path) -> None:
    with repository(BAD) as url:
        cache = Artifacts(tmp_path / "cache", lock=lock_of(tmp_path, GOOD), repository=url)
        with pytest.raises(ArtifactError) as error:
            cache.fetch("kafka")
    text = str(error.value)
    assert "cn.doudi:thing:1:jar has SHA-256" in text
    assert sha256(GOOD).hexdigest() in text
    assert url in text
    assert "do not use it" in text
    assert not list((tmp_path / "cache").rglob("*.jar"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # jgo leaves a refused answer open
@pytest.mark.parametrize("there", [True, False])
def test_a_download_that_fails(tmp_path: Path, there: bool) -> None:
    lock = lock_of(tmp_path, GOOD)
    lock.write_text(lock.read_text().replace("thing", "other"))
    with repository(GOOD) as url:
        where = url if there else f"http://127.0.0.1:{free_port()}"
        with pytest.raises(ArtifactError) as error:
            Artifacts(tmp_path / "cache", lock=lock, repository=where).fetch("kafka")
    text = str(error.value)
    assert "Download of cn.doudi:other:1:jar failed" in text
    assert where in text
    assert "HTTPS_PROXY" in text
    assert "DOUDI_MAVEN" in text
    gc.collect()
