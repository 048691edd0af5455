"""Every setting, read once by the composition root from DOUDI_* variables or a .env file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """All settings of the hub. An empty URL means: run the embedded component."""

    model_config = SettingsConfigDict(env_prefix="DOUDI_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path(".doudi"), description="Folder of everything that the hub writes on this machine")
    cache: Path = Field(Path("~/.cache/doudi"), description="Downloaded artifacts, shared by all checkouts")
    maven: str = Field("", description="Maven repository for the JVM artifacts; empty: Maven Central")
    namespace: str = Field("", description="Prefix of topics, groups and Redis keys, to share one cluster")

    kafka: str = Field("", description="Bootstrap servers, host:port,…; empty: embedded")
    kafka_user: str = Field("", description="SASL user; empty: no authentication")
    kafka_password: SecretStr = Field(SecretStr(""), description="SASL password (SCRAM-SHA-512)")
    replication: int = Field(1, description="Replicas of each topic; 3 in production", ge=1)
    registry: str = Field("", description="Confluent-compatible base URL of the registry; empty: embedded")
    redis: str = Field("", description="redis:// URL; empty: embedded Valkey")
    postgres: str = Field("", description="SQLAlchemy URL of the example departments' server; empty: embedded")

    partitions: int = Field(4, description="State partitions, chosen once at installation (16 in production)", ge=1)
    state: str = Field("", description="Folder of the state files; empty: home/state")
    snapshots: str = Field("", description="fsspec URL for snapshots of state files; empty: home/snapshots")
    snapshot_minutes: int = Field(60, description="Minutes between snapshots of a partition", ge=1)
    slice_records: int = Field(100_000, description="Most records of one partition in one cycle", ge=1)
    backlog_records: int = Field(20_000, description="Most backlog records in one cycle while live records flow", ge=1)
    gather_ms: int = Field(
        400, description="From one moment of decision on live records to the next (docs/adr/0018)", ge=0
    )
    storm_limit: int = Field(
        50, description="More cases of one rule in a township on one day are held for review; red never", ge=0
    )
    session_timeout_s: float = Field(6.0, description="A worker unheard of for so long loses its partitions")
    lock_wait_s: float = Field(20.0, description="How long a new owner waits for a state file held by another process")
    message_max_bytes: int = Field(65_536, description="A larger message on a department topic is quarantined")

    secrets: str = Field("", description="Folder of key files; empty: home/secrets, made at first start")
    rules: Path | None = Field(None, description="Folder of the rules; empty: those shipped")
    calendar: Path | None = Field(None, description="YAML with working days of years that the library lacks")
    divisions: Path | None = Field(None, description="YAML with names and codes of divisions by day; empty: none")
    region: str = Field("", description="Division prefix that chooses regional parameters where a record names none")

    host: str = Field("127.0.0.1", description="Address that the gateway listens on")
    port: int = Field(0, description="Port of the gateway; 0: a free one")
    token_minutes: int = Field(480, description="Life of a sign-in token", ge=1)
    command_wait_s: float = Field(3.0, description="How long a command's request waits for casework's answer")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")

    @property
    def state_dir(self) -> Path:
        """Folder of the state files."""
        return Path(self.state) if self.state else self.home / "state"

    @property
    def snapshot_url(self) -> str:
        """fsspec URL of the snapshots."""
        return self.snapshots or (self.home / "snapshots").absolute().as_uri()

    @property
    def secrets_dir(self) -> Path:
        """Folder of the key files."""
        return Path(self.secrets) if self.secrets else self.home / "secrets"

    def topic(self, name: str) -> str:
        """The Kafka name of a topic under this namespace."""
        return f"{self.namespace}{name}"
