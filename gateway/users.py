"""Users: one JSON file among the secrets, passwords as argon2 hashes, read again when it changes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from schemas.topics import DEPARTMENTS
from wire.files import replace_whole

FILE = "users.json"
Role = Literal["village", "township", "county", "department", "auditor"]
_DIGITS = {"village": 12, "township": 9}
_LEAST = 10
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(os.urandom(16).hex())
"""Verified where there is no such user, so that the time tells nothing."""


class User(BaseModel):
    """A user. ``division``: the prefix of what the user may see; empty: everywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$")
    name: str = Field(min_length=1, max_length=64)
    role: Role
    department: str = "civil"
    division: str = Field("", pattern=r"^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})?$")
    password_hash: str

    @model_validator(mode="after")
    def _fits(self) -> User:
        if self.department not in DEPARTMENTS:
            raise ValueError(f"department is one of {', '.join(DEPARTMENTS)}")
        if self.role in _DIGITS and len(self.division) != _DIGITS[self.role]:
            raise ValueError(f"a {self.role} user needs a division of {_DIGITS[self.role]} digits")
        if self.role == "department" and self.department == "civil":
            raise ValueError("civil staff are village, township or county; a liaison is of another department")
        return self

    @property
    def stamp(self) -> str:
        """Changes with the password or the rights, and ends every token given before."""
        text = f"{self.password_hash}:{self.role}:{self.department}:{self.division}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


_LIST = TypeAdapter(list[User])


class Users:
    """The file. Raises ValueError where it cannot be read, saying how to mend it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._seen: tuple[int, int] | None = None
        self._users: dict[str, User] = {}

    def get(self, username: str) -> User | None:
        """The user of that name."""
        return self._read().get(username)

    def check(self, username: str, password: str) -> User | None:
        """The user if the password is right. Takes some 50 ms, also for an unknown name."""
        user = self.get(username)
        try:
            _HASHER.verify(user.password_hash if user else _NOBODY, password)
        except (VerificationError, InvalidHashError):
            return None
        return user

    def put(self, username: str, password: str, name: str, role: str, department: str, division: str) -> User:
        """Add or replace a user. Raises ValueError (pydantic's says which field)."""
        if len(password) < _LEAST:
            raise ValueError(f"A password needs at least {_LEAST} characters.")
        user = User.model_validate(
            {
                "username": username,
                "name": name,
                "role": role,
                "department": department,
                "division": division,
                "password_hash": _HASHER.hash(password),
            }
        )
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(f"{self._path}.lock"):
            self._write({**self._read(), username: user})
        return user

    def remove(self, username: str) -> bool:
        """Remove a user; whether there was one."""
        with FileLock(f"{self._path}.lock"):
            users = self._read()
            if username not in users:
                return False
            self._write({k: v for k, v in users.items() if k != username})
            return True

    def all(self) -> list[User]:
        """Every user, by name."""
        return sorted(self._read().values(), key=lambda u: u.username)

    def _read(self) -> dict[str, User]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return {}
        seen = (stat.st_mtime_ns, stat.st_size)
        if seen != self._seen:
            try:
                users = _LIST.validate_json(self._path.read_bytes())
            except ValueError as error:
                raise ValueError(
                    f"The users' file {self._path} cannot be read ({type(error).__name__}). Put it back "
                    "from the backup, or remove it and add the users again with `doudi keys user add`."
                ) from None
            self._users, self._seen = {u.username: u for u in users}, seen
        return self._users

    def _write(self, users: dict[str, User]) -> None:
        data = orjson.dumps([u.model_dump() for u in users.values()], option=orjson.OPT_INDENT_2)
        replace_whole(self._path, data, durable=True)
        self._seen = None
