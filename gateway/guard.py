"""Around every request: security headers, a limit on its size, and an access log without personal data."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import answer

access = logging.getLogger("doudi.access")

MOST_BYTES = 64 * 1024
CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Element Plus sets styles on elements, hence 'unsafe-inline' for styles; scripts come from us alone."""

HEADERS = {
    b"content-security-policy": CONTENT_SECURITY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
}


class TooLarge(Exception):
    """The body is longer than allowed."""


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, started = time.monotonic(), 0, False
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST_BYTES:
                raise TooLarge
            return message

        async def adorned(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                message = {**message, "headers": self._headers(scope, message["headers"])}
            await send(message)

        try:
            if self._declared(scope) > MOST_BYTES:
                raise TooLarge
            await self._app(scope, limited, adorned)
        except TooLarge:
            if started:
                raise
            await answer("too_large")(scope, receive, adorned)
        finally:
            route = scope.get("route")
            # The route's pattern, not the path: a path may name a case, a query anything at all.
            access.info(
                "%s %s %d %.0f ms",
                scope["method"],
                getattr(route, "path", "-"),
                status,
                (time.monotonic() - began) * 1000,
            )

    @staticmethod
    def _headers(scope: Scope, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        headers = [*given, *HEADERS.items()]
        if scope["path"].startswith("/v1/"):
            headers = [h for h in headers if h[0] != b"cache-control"] + [(b"cache-control", b"no-store")]
        return headers

    @staticmethod
    def _declared(scope: Scope) -> int:
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                return int(value)
        return 0
