"""Sign-in: tokens, single-use tickets for the stream, and the throttle of failed attempts."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

import jwt

from gateway.client import Client
from gateway.errors import Problem
from gateway.users import User, Users
from wire.rediskeys import RedisKeys

ALGORITHM = "HS256"
AUDIENCE = "doudi.gateway"
TICKET_S = 60
THROTTLE_S = 900
_MOST_PER_USER = 5
_MOST_PER_ADDRESS = 50


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues and checks what users carry. Rights are read from the users' file at each request."""

    key: bytes
    minutes: int
    users: Users
    redis: Client
    keys: RedisKeys

    def issue(self, user: User) -> tuple[str, int]:
        """A token and when it ends (seconds since 1970)."""
        ends = int(time.time()) + self.minutes * 60
        claims = {"sub": user.username, "st": user.stamp, "exp": ends, "aud": AUDIENCE}
        return jwt.encode(claims, self.key, ALGORITHM), ends

    def user(self, token: str) -> User:
        """The user of a token. Raises Problem not_signed_in, also after a change of password or rights."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self.key, [ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "sub", "aud"]}
            )
        except jwt.InvalidTokenError:
            raise Problem("not_signed_in") from None
        user = self.users.get(str(claims["sub"]))
        if user is None or user.stamp != claims.get("st"):
            raise Problem("not_signed_in")
        return user

    async def ticket(self, user: User) -> str:
        """A ticket for one connection to the stream, where a browser cannot send a header."""
        ticket = secrets.token_urlsafe(24)
        await self.redis.set(self._ticket(ticket), f"{user.username}\n{user.stamp}", ex=TICKET_S)
        return ticket

    async def redeem(self, ticket: str) -> User:
        """The user of a ticket, which is gone then. Raises Problem not_signed_in."""
        found = await self.redis.getdel(self._ticket(ticket))
        username, _, stamp = (found or b"").decode().partition("\n")
        user = self.users.get(username)
        if user is None or user.stamp != stamp:
            raise Problem("not_signed_in")
        return user

    async def admit(self, username: str, address: str) -> None:
        """Raises Problem too_many_attempts after five failures of a user, or fifty of an address.

        Counted before the password is looked at, so that parallel guesses count too.
        """
        for name, most in self._counters(username, address):
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.incr(name)
                pipe.expire(name, THROTTLE_S, nx=True)
                count, _ = await pipe.execute()
            if count > most:
                raise Problem("too_many_attempts", headers={"Retry-After": str(THROTTLE_S)})

    async def succeeded(self, username: str, address: str) -> None:
        """A right password clears the user's count and takes back the address's."""
        user, whole = (name for name, _ in self._counters(username, address))
        await self.redis.delete(user)
        await self.redis.decr(whole)

    def _counters(self, username: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
        both = hashlib.blake2b(f"{username}\n{address}".encode(), digest_size=12, key=self.key).hexdigest()
        alone = hashlib.blake2b(address.encode(), digest_size=12, key=self.key).hexdigest()
        return (
            (self.keys.attempts(both), _MOST_PER_USER),
            (self.keys.attempts(alone), _MOST_PER_ADDRESS),
        )

    def _ticket(self, ticket: str) -> str:
        return self.keys.ticket(hashlib.blake2b(ticket.encode(), digest_size=16).hexdigest())
