"""Sealing: sealed boxes for a reader, the vault's envelopes for a person, blind indexes for search.

Nothing here reads a key file or knows who may open what.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from domain.errors import Permanent
from domain.persons import BadId, normalise_id

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_BYTES: Final = 32
INDEXED: Final = ("id_number", "name", "telephone")
"""The parts of an identity that can be searched."""

_NONCE: Final = 12
_COUNTRY_CODE: Final = re.compile(r"^(?:\+|00)?86(?=1[0-9]{10}$)")
_MOBILE: Final = re.compile(r"1[0-9]{10}")
_CANONICAL: Final = re.compile(r"[0-9]{17}[0-9X]")
_NAME_NOISE: Final = re.compile(r"[\s·•・.．\u200b-\u200f\ufeff]+")


class CannotOpen(Permanent):
    """Not sealed for this key, or damaged. Tells nothing of what is inside."""

    code = "bad_seal"


class Forgotten(Permanent):
    """The person's data key was destroyed: nobody can open this any more."""

    code = "forgotten"


def new_pair() -> tuple[bytes, bytes]:
    """A new X25519 pair: (public, private), 32 bytes each."""
    private = PrivateKey.generate()
    return bytes(private.public_key), bytes(private)


def public_of(private: bytes) -> bytes:
    """The public key of a private one, 32 bytes."""
    return bytes(PrivateKey(private).public_key)


def seal_to(public: bytes, data: bytes) -> bytes:
    """Seal for the owner of ``public`` (libsodium sealed box: 48 bytes longer, sender unknown)."""
    return bytes(SealedBox(PublicKey(public)).encrypt(data))


def open_sealed(private: bytes, blob: bytes) -> bytes:
    """Open a sealed box. Raises CannotOpen."""
    try:
        return bytes(SealedBox(PrivateKey(private)).decrypt(blob))
    except (CryptoError, ValueError, TypeError):
        raise CannotOpen("Sealed for another key, or damaged: seal to the hub's public key.") from None


class Sealed(NamedTuple):
    """An envelope: the data key wrapped by the vault's key, and the data under the data key."""

    wrapped_key: bytes
    sealed: bytes


class Vault:
    """Envelope encryption per person, AES-256-GCM, person_key as associated data.

    ``key_id`` names the key that seals; ``older`` holds keys that still open what they sealed.
    Forgetting a person: publish `FORGOTTEN` in place of the envelope; the data key is then nowhere.
    """

    def __init__(self, kek: bytes, key_id: str, older: Mapping[str, bytes] | None = None) -> None:
        self.key_id = key_id
        self._keks = {k: AESGCM(v) for k, v in {**(older or {}), key_id: kek}.items()}

    def __repr__(self) -> str:
        return f"Vault(key_id={self.key_id!r})"

    @property
    def key_ids(self) -> frozenset[str]:
        """Keys that this vault can open with."""
        return frozenset(self._keks)

    def seal(self, person_key: str, identity: Mapping[str, str | None]) -> Sealed:
        """Seal an identity under a fresh data key, itself wrapped by the newest key."""
        data_key = os.urandom(KEY_BYTES)
        sealed = _encrypt(AESGCM(data_key), orjson.dumps(identity), person_key.encode())
        return Sealed(self._wrap(person_key, data_key), sealed)

    def open(self, person_key: str, key_id: str, wrapped_key: bytes, sealed: bytes) -> dict[str, str | None]:
        """The identity. Raises Forgotten, or CannotOpen for another person's envelope or an unknown key."""
        data_key = self._unwrap(person_key, key_id, wrapped_key)
        identity: dict[str, str | None] = orjson.loads(_decrypt(AESGCM(data_key), sealed, person_key.encode()))
        return identity

    def rewrap(self, person_key: str, key_id: str, wrapped_key: bytes) -> bytes:
        """The same data key wrapped by the newest key: rotation without touching the data."""
        return self._wrap(person_key, self._unwrap(person_key, key_id, wrapped_key))

    def _wrap(self, person_key: str, data_key: bytes) -> bytes:
        return _encrypt(self._keks[self.key_id], data_key, f"{self.key_id}:{person_key}".encode())

    def _unwrap(self, person_key: str, key_id: str, wrapped_key: bytes) -> bytes:
        if not wrapped_key:
            raise Forgotten("This person was forgotten: the data key is destroyed.")
        kek = self._keks.get(key_id)
        if kek is None:
            raise CannotOpen(f"Vault key {key_id!r} is not known here: put its file back among the secrets.")
        return _decrypt(kek, wrapped_key, f"{key_id}:{person_key}".encode())


FORGOTTEN: Final = Sealed(b"", b"")


def _encrypt(key: AESGCM, data: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + key.encrypt(nonce, data, bound_to)


def _decrypt(key: AESGCM, blob: bytes, bound_to: bytes) -> bytes:
    try:
        return key.decrypt(blob[:_NONCE], blob[_NONCE:], bound_to)
    except (InvalidTag, ValueError):
        raise CannotOpen("Sealed under another key or for another person, or damaged.") from None


def seal_local(key: bytes, data: bytes) -> bytes:
    """Seal for ourselves under a symmetric key of 32 bytes (positions, notes in a state file)."""
    return _encrypt(AESGCM(key), data, b"doudi.local")


def open_local(key: bytes, blob: bytes) -> bytes:
    """Open what `seal_local` sealed. Raises CannotOpen."""
    return _decrypt(AESGCM(key), blob, b"doudi.local")


def derive(key: bytes, purpose: bytes) -> bytes:
    """A 32-byte key of its own for a purpose (at most 16 bytes), so that one file serves no two uses."""
    return hashlib.blake2b(b"", digest_size=KEY_BYTES, key=key, person=purpose).digest()


def blind_index(key: bytes, kind: str, value: str) -> str:
    """A search entry for an ``id_number``, ``name`` or ``telephone``: 32 hex digits.

    Values are normalised first: full-width forms, spaces, the dot in names, +86 and hyphens in telephones.
    """
    entry = _keyed(key).copy()
    entry.update(f"{kind}:{_normal(kind, value)}".encode())
    return entry.hexdigest()


@cache
def _keyed(key: bytes) -> hashlib.blake2b:
    """To be copied: taking the key in costs more than hashing a name."""
    return hashlib.blake2b(digest_size=16, key=key, person=b"doudi.index")


def _normal(kind: str, value: str) -> str:
    if kind == "id_number":
        if _CANONICAL.fullmatch(value):
            return value
        try:
            return normalise_id(value).clear
        except BadId:
            return _NAME_NOISE.sub("", unicodedata.normalize("NFKC", value)).upper()
    if kind == "telephone" and _MOBILE.fullmatch(value):
        return value
    text = unicodedata.normalize("NFKC", value)
    if kind == "telephone":
        return _COUNTRY_CODE.sub("", re.sub(r"[^0-9+]", "", text))
    return _NAME_NOISE.sub("", text).casefold()


def index_entries(key: bytes, identity: Mapping[str, str | None]) -> list[str]:
    """Blind index entries of an identity, sorted, for hub.identity."""
    return sorted(blind_index(key, kind, value) for kind in INDEXED if (value := identity.get(kind)))
