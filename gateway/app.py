"""The gateway's composition: `create_app` for tests and servers, `serve` for the command line."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import redis.asyncio as redis
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse

from domain import divisions
from domain.sealing import derive
from gateway import errors
from gateway.asking import Asking, KafkaAsking
from gateway.client import Client, connect
from gateway.errors import Problem
from gateway.explain import Explainer
from gateway.guard import Guard
from gateway.hub import Hub
from gateway.identity import Identities
from gateway.laws import Laws
from gateway.orders import Orders
from gateway.outgoing import KafkaOutgoing, Outgoing
from gateway.routes import cases, catalogue, health, questions, roster, sheets, sign_in, stream
from gateway.sheets import TOPIC as CHECK
from gateway.sheets import Sheets
from gateway.stream import Feed
from gateway.tokens import Tokens
from gateway.users import Users
from wire.asking import QUESTION
from wire.files import replace_whole
from wire.kafka import producer
from wire.lawbook import Lawbook
from wire.rediskeys import RedisKeys
from wire.registry import Registry
from wire.secrets import Secrets
from wire.settings import Settings

log = logging.getLogger("doudi.gateway")

CONSOLE = Path(__file__).parents[1] / "console" / "dist"
RUNFILE = "run/gateway.json"


def create_app(
    settings: Settings,
    client: Client,
    outgoing: Outgoing,
    asking: Asking,
    laws: Laws,
    secrets: Secrets,
    console: Path = CONSOLE,
) -> FastAPI:
    """The application on parts that exist already. It closes the Redis client, whose loop is its own."""
    keys = RedisKeys(settings.namespace)
    hub = Hub(
        settings=settings,
        redis=client,
        keys=keys,
        laws=laws,
        tokens=Tokens(secrets.token, settings.token_minutes, Users(settings.secrets_dir), client, keys),
        orders=Orders(client, keys, outgoing, settings.command_wait_s),
        identities=Identities(client, keys, outgoing, secrets.vault),
        explainer=Explainer(laws, derive(secrets.token, b"doudi.opaque")),
        feed=Feed(client, keys),
        asking=asking,
        divisions=divisions.load(settings.divisions),
        sheets=Sheets(client, keys, outgoing, asking),
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await hub.feed.start()
        await laws.start()
        yield
        await laws.stop()
        await hub.feed.stop()
        await client.aclose()

    app = FastAPI(
        title="Doudi 兜底",
        version="1",
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        description="Alerts, tasks, their explanation and commands on them.",
    )
    app.state.hub = hub
    for router in (
        sign_in.router,
        cases.router_of("alert"),
        cases.router_of("task"),
        cases.commands,
        questions.router_of("alert"),
        questions.router_of("task"),
        sheets.router,
        roster.router,
        stream.router,
        catalogue.router,
        health.router,
    ):
        app.include_router(router)
    errors.install(app)

    async def away(_: Request, error: Exception) -> JSONResponse:
        log.warning("Redis does not answer: %s", type(error).__name__)
        return errors.answer("unavailable")

    app.add_exception_handler(redis.RedisError, away)
    if (console / "index.html").is_file():
        _serve_console(app, console)
    app.add_middleware(Guard)
    return app


def _serve_console(app: FastAPI, folder: Path) -> None:
    root = folder.resolve()

    @app.get("/{path:path}", include_in_schema=False)
    async def console(path: str) -> FileResponse:
        """A file of the console, or its page for its own routes."""
        if path.startswith(("v1/", "healthz", "readyz", "metrics")):
            raise Problem("not_found")
        file = (root / path).resolve()
        if path and file.is_relative_to(root) and file.is_file():
            kept = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
            return FileResponse(file, headers={"Cache-Control": kept})
        if path.startswith("assets/"):
            raise Problem("not_found")
        return FileResponse(root / "index.html", headers={"Cache-Control": "no-cache"})


class _Server(uvicorn.Server):
    """Uvicorn that says where it listens: a file beside the other run files."""

    def __init__(self, config: uvicorn.Config, runfile: Path) -> None:
        super().__init__(config)
        self._runfile = runfile

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then write the file."""
        await super().startup(sockets)
        if self.servers and self.servers[0].sockets:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._runfile.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(self._runfile, orjson.dumps({"url": f"http://{host}:{port}"}), 0o644)
            log.info("the gateway listens on http://%s:%d", host, port)


def serve(settings: Settings) -> None:
    """Run the gateway until a signal. Raises what a missing key file, rule book or registry raises."""
    registry = Registry(settings.registry, settings.namespace)
    outgoing = KafkaOutgoing(
        settings,
        registry,
        producer(settings, linger_ms=0, message_timeout_ms=5_000, queue_buffering_max_messages=10_000),
    )
    for topic in ("hub.command", "hub.audit", QUESTION, CHECK):
        registry.id_of(topic)
    client = connect(settings)
    asking = KafkaAsking(settings, registry)
    laws, secrets = Laws(Lawbook(settings, registry)), Secrets.load(settings.secrets_dir)
    app = create_app(settings, client, outgoing, asking, laws, secrets)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        proxy_headers=False,
    )
    try:
        _Server(config, settings.home / RUNFILE).run()
    finally:
        outgoing.close()
