"""The brokers' start of docker-compose.yml, run as far as Docker is not needed: the real Kafka formats its
folder."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import yaml

from doudi.embedded.artifacts import Artifacts
from doudi.embedded.java import java
from tests.stack import folder, fresh

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
SECRETS = {
    "KAFKA_CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
    "KAFKA_ADMIN_PASSWORD": "adm1n",
    "HUB_KAFKA_PASSWORD": "hu8",
}


def test_a_broker_formats_with_both_users_and_starts_the_image() -> None:
    service = COMPOSE["services"]["kafka2"]
    with folder() as home:
        artifacts = Artifacts(fresh(home).cache)
        tool = java("kafka.tools.StorageTool", heap="256m", classpath=artifacts.fetch("kafka"))
        (home / "kafka-storage.sh").write_text(f'#!/bin/sh\nexec {shlex.join(tool)} "$@"\n')
        (home / "run").write_text("#!/bin/sh\necho the image starts\n")
        for script in home.iterdir():
            script.chmod(0o755)
        env = {"PATH": os.environ["PATH"]}
        for name, value in service["environment"].items():
            text = str(value)
            for secret, given in SECRETS.items():
                text = text.replace(f"${{{secret}:?}}", given)
            env[name] = text.replace("/var/lib/kafka/data", str(home / "data"))
        bash, option, script_text = service["entrypoint"]
        text = script_text.replace("$$", "$").replace("/tmp/format", f"{home}/format")  # noqa: S108
        text = text.replace("/opt/kafka/bin", str(home)).replace("/etc/kafka/docker/run", str(home / "run"))
        for _ in range(2):  # the second start finds it formatted
            done = subprocess.run(
                [bash, option, text], env=env, capture_output=True, text=True, check=False, timeout=300
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout.endswith("the image starts\n")
        assert "node.id=2" in (home / "data" / "meta.properties").read_text()
        written = b"".join(p.read_bytes() for p in (home / "data").rglob("*.checkpoint"))
        assert b"admin" in written
        assert b"hub" in written
        assert b"hu8" not in written
