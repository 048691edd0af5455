"""A Faust app on the slices transport: no tables, no web server, no topics of its own.

    app = build(settings, "casework", ("hub.condition", "hub.command"), handle, positions=read_positions)
    run(app, settings)

``handle(part, done)`` gets each slice in the order of its log and calls ``done()`` on the event loop
once its effects are kept; an exception ends the process, because Faust would acknowledge and go on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import faust
from faust.transport.drivers import TRANSPORTS
from faust.types import TP

from agents.errors import AgentError, ConfigurationError, Permanent, Transient
from agents.slices import Slice
from agents.transport import Options, Positions, SliceApp
from schemas.topics import of
from wire import memory
from wire.kafka import partitions_of
from wire.settings import Settings

log = logging.getLogger(__name__)

Handler = Callable[[Slice, Callable[[], None]], Awaitable[None]]
Change = Callable[[frozenset[TP]], Awaitable[None]]
MAX_PARTITIONS = 256
COLLECT = {"fetch_wait_ms": 40, "fetch_enough_bytes": 64 << 10}
"""Departments' records come one by one from many sides."""
EXIT_CODES = {"permanent": Permanent.exit_code, "transient": Transient.exit_code}


def group(settings: Settings, stage: str) -> str:
    """The consumer group of a stage."""
    return f"{settings.namespace}doudi-{stage}"


def kafka_topics(settings: Settings, topics: Sequence[str]) -> dict[str, int]:
    """Kafka names of logical topics, with the backlog lane where there is one, and each one's partitions."""
    lanes = (name for t in topics for name in ((t, of(t).backlog) if of(t).lanes else (t,)))
    return {settings.topic(name): partitions_of(settings, of(name)) for name in lanes}


def logical(settings: Settings, kafka_topic: str) -> str:
    """The logical name (with its lane) of a Kafka topic."""
    return kafka_topic.removeprefix(settings.namespace)


def build(
    settings: Settings,
    stage: str,
    topics: Sequence[str],
    handle: Handler,
    *,
    positions: Positions | None = None,
    on_revoked: Change | None = None,
    on_assigned: Change | None = None,
    on_stop: Callable[[], Awaitable[None]] | None = None,
    **conf: Any,
) -> SliceApp:
    """The app of one stage. ``topics`` are logical names; lanes are added.

    ``positions`` says where to read on (see ``agents.transport.Positions``); without it the group's
    offsets do. ``on_revoked`` is awaited before a rebalance goes on, ``on_assigned`` after it,
    ``on_stop`` at an orderly stop.
    """
    if settings.partitions > MAX_PARTITIONS:
        raise ConfigurationError(
            f"DOUDI_PARTITIONS is {settings.partitions}; at most {MAX_PARTITIONS} are supported: choose fewer"
        )
    # found by the entry point when installed; from a checkout, by this
    TRANSPORTS.aliases.setdefault("slices", "agents.transport:Transport")
    options: dict[str, Any] = {
        "broker": [f"slices://{server.strip()}" for server in settings.kafka.split(",")],
        "broker_credentials": _credentials(settings),
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": min(1.0, settings.session_timeout_s / 6),
        "broker_rebalance_timeout": max(30.0, 2 * settings.session_timeout_s),
        "broker_request_timeout": max(60.0, 2 * settings.session_timeout_s),
        "broker_max_poll_interval": 600.0,
        "broker_commit_interval": 1.0,
        "store": "memory://",
        "datadir": str(settings.home / "faust" / stage),
        "autodiscover": False,
        "web_enabled": False,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "stream_wait_empty": False,
        "worker_redirect_stdouts": False,
        **conf,
    }
    app = SliceApp(group(settings, stage), **options)
    read = kafka_topics(settings, topics)
    app.slices = Options(
        topics=read,
        positions=positions,
        slice_records=settings.slice_records,
        backlog_records=settings.backlog_records,
        **(COLLECT if any(of(t).lanes for t in topics) else {}),
    )
    channel = app.topic(*read, key_serializer="raw", value_serializer="raw")

    async def slices(stream: Any) -> None:
        async for event in stream.noack().events():
            for part, done in event.value:
                try:
                    await handle(part, done)
                except Exception as error:
                    die(error, f"{stage}, {_where(part)}")

    app.agent(channel, name=f"{stage}-slices")(slices)
    if on_revoked is not None:

        async def revoking(_app: Any, /, *args: Any, **_: Any) -> None:
            await on_revoked(frozenset(TP(tp.topic, tp.partition) for tp in args[0]))

        app.on_partitions_revoked.connect(revoking, weak=False)
    if on_assigned is not None:

        async def assigning(_app: Any, /, *args: Any, **_: Any) -> None:
            await on_assigned(frozenset(TP(tp.topic, tp.partition) for tp in args[0]))

        app.on_partitions_assigned.connect(assigning, weak=False)
    if on_stop is not None:

        async def stopping(_app: Any, /, *_args: Any, **_: Any) -> None:
            await on_stop()

        app.on_before_shutdown.connect(stopping, weak=False)
    return app


class _Worker(faust.Worker):
    async def _sentinel_task(self) -> None:
        """A turn of the loop for what ends with it; Mode's own waits a second, and all was awaited before."""
        await asyncio.sleep(0)


def run(app: SliceApp, settings: Settings) -> NoReturn:
    """Run the worker until a signal; exits the process. Logging is the caller's."""
    Path(app.conf.datadir).mkdir(parents=True, exist_ok=True)  # Faust makes the last folder only
    worker = _Worker(
        app,
        loglevel=settings.log_level,
        redirect_stdouts=False,
        override_logging=False,
        quiet=True,
    )
    worker.spinner = None
    memory.settle()
    logging.getLogger("mode.timers").setLevel(logging.WARNING)  # tells of each late wake-up otherwise
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        reason = worker.crash_reason or app.crash_reason
        if not end.code or reason is None:
            raise
        die(reason, app.conf.id)
    sys.exit(0)


def die(error: BaseException, where: str) -> NoReturn:
    """End the process at once: nothing after a failed slice may be acknowledged."""
    family = EXIT_CODES.get(getattr(error, "family", ""), AgentError.exit_code)
    code = getattr(error, "exit_code", family)
    expected = code != AgentError.exit_code
    log.critical("%s: %s: %s", where, type(error).__name__, error, exc_info=None if expected else error)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


def _where(part: Slice) -> str:
    return f"{part.topic}-{part.partition}, offsets {part.start} to {part.next - 1}"


def _credentials(settings: Settings) -> Any:
    if not settings.kafka_user:
        return None
    return faust.SASLCredentials(
        username=settings.kafka_user,
        password=settings.kafka_password.get_secret_value(),
        mechanism=faust.types.auth.SASLMechanism.SCRAM_SHA_512,
    )
