"""What routes work with: one object made by the composition root, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from domain.cases import Actor
from domain.divisions import Divisions, Reach
from domain.rules import RuleBook
from gateway.access import place_of, require_readable
from gateway.asking import Asking
from gateway.client import Client
from gateway.errors import Problem
from gateway.explain import Explainer
from gateway.identity import Identities
from gateway.laws import Laws
from gateway.orders import Orders
from gateway.sheets import Sheets
from gateway.stream import Feed
from gateway.tokens import Tokens
from gateway.users import User
from gateway.views import today
from wire.rediskeys import RedisKeys
from wire.settings import Settings


@dataclass(frozen=True, slots=True)
class Hub:
    """The gateway's parts."""

    settings: Settings
    redis: Client
    keys: RedisKeys
    laws: Laws
    tokens: Tokens
    orders: Orders
    identities: Identities
    explainer: Explainer
    feed: Feed
    asking: Asking
    divisions: Divisions
    sheets: Sheets

    @property
    def rules(self) -> RuleBook:
        """The rule book of today."""
        return self.laws.today

    def actor(self, user: User) -> Actor:
        """As casework knows the user, with what the scope reaches today."""
        reach = self.divisions.reach(user.division, today())
        return Actor(user.username, user.role, user.department, user.division, reach)

    def place(self, user: User, division: str) -> Reach:
        """What a place within the user's scope reaches today, or the whole of it. Raises Problem forbidden."""
        return place_of(self.actor(user), division, self.divisions.reach(division, today()))

    async def case(self, user: User, kind: str, case_id: str) -> dict[str, Any]:
        """The case's document, or Problem not_found where it is another kind or outside the user's scope."""
        raw = await self.redis.get(self.keys.case(case_id))
        document: dict[str, Any] | None = orjson.loads(raw) if raw else None
        if document is not None and document["kind"] != kind:
            document = None
        require_readable(self.actor(user), document)
        assert document is not None  # noqa: S101 - require_readable raised otherwise
        return document


_bearer = HTTPBearer(auto_error=False, description="Token of POST /v1/token")


def hub_of(request: Request) -> Hub:
    """The parts, from the application's state."""
    found: Hub = request.app.state.hub
    return found


TheHub = Annotated[Hub, Depends(hub_of)]


def signed_in(hub: TheHub, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> User:
    """The user of the request. Raises Problem not_signed_in."""
    if credentials is None:
        raise Problem("not_signed_in", headers={"WWW-Authenticate": "Bearer"})
    return hub.tokens.user(credentials.credentials)


SignedIn = Annotated[User, Depends(signed_in)]
