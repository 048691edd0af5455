"""Key files: made when missing, never readable by others, never printed.

In production each process finds only the files it needs: a private key that is absent is not made
where its public half stands alone.
"""

from __future__ import annotations

import logging
import re
import secrets as random
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import Permanent
from domain.sealing import KEY_BYTES, Vault, new_pair, public_of
from schemas.topics import DEPARTMENTS
from wire.files import create_whole

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("doudi.secrets")

_HEX = re.compile(r"[0-9a-f]{64}")
_OTHERS = stat.S_IRWXO | stat.S_IWGRP
_FIRST_VAULT_KEY = "k0001"


class SecretsError(Permanent):
    """A key file cannot be used. Says which, why, and what to do."""

    code = "secrets"


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """An X25519 pair; ``private`` is empty where only the public half is held."""

    public: bytes
    private: bytes


@dataclass(frozen=True, slots=True, repr=False)
class DepartmentKeys:
    """A department's pair (tasks are sealed to it) and the key of its pseudonyms."""

    pair: KeyPair
    pseudonym: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """Every key of the hub, 32 bytes each. ``vault`` seals with the newest of its keys and opens with all."""

    linking: bytes
    index: bytes
    token: bytes
    vault: Vault
    hub: KeyPair
    departments: dict[str, DepartmentKeys]

    @staticmethod
    def load(folder: Path) -> Secrets:
        """Read the key files of ``folder`` and make those that are missing (0600, logged).

        Safe when several processes start at once: each file is made once. Raises SecretsError.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return Secrets(
                linking=_symmetric(folder / "linking.key"),
                index=_symmetric(folder / "index.key"),
                token=_symmetric(folder / "token.key"),
                vault=_vault(folder / "vault"),
                hub=_pair(folder / "hub"),
                departments={
                    d: DepartmentKeys(
                        _pair(folder / "departments" / d),
                        _symmetric(folder / "departments" / f"{d}.pseudonym.key"),
                    )
                    for d in DEPARTMENTS
                },
            )
        except OSError as error:
            raise SecretsError(
                f"Key files cannot be read or made: {error.strerror}, at {error.filename or folder}. "
                "Give this account the folder (0700), or point DOUDI_SECRETS elsewhere."
            ) from None

    @staticmethod
    def rotate_vault(folder: Path) -> str:
        """Add a newer vault key and return its id; running processes use it after a restart."""
        vault = folder / "vault"
        newest = max((p.stem for p in vault.glob("k*.key")), default="k0000")
        key_id = f"k{int(newest[1:]) + 1:04d}"
        _symmetric(vault / f"{key_id}.key")
        return key_id


def _vault(folder: Path) -> Vault:
    folder.mkdir(exist_ok=True, mode=0o700)
    if not any(folder.glob("k*.key")):
        _symmetric(folder / f"{_FIRST_VAULT_KEY}.key")
    keys = {p.stem: _symmetric(p) for p in sorted(folder.glob("k*.key"))}
    newest = max(keys)
    return Vault(keys[newest], newest, keys)


def _symmetric(path: Path) -> bytes:
    return _read(path, lambda: random.token_bytes(KEY_BYTES))


def _pair(stem: Path) -> KeyPair:
    stem.parent.mkdir(exist_ok=True, mode=0o700)
    private_file, public_file = stem.with_name(f"{stem.name}.key"), stem.with_name(f"{stem.name}.pub")
    if public_file.exists() and not private_file.exists():
        return KeyPair(_parse(public_file), b"")
    private = _read(private_file, lambda: new_pair()[1])
    public = public_of(private)
    if not public_file.exists():
        _create(public_file, public, 0o644)
    elif _parse(public_file) != public:
        raise SecretsError(
            f"{public_file} is not the public half of {private_file}. Remove the .pub file: it is made again."
        )
    return KeyPair(public, private)


def _read(path: Path, make: Callable[[], bytes]) -> bytes:
    if not path.exists():
        _create(path, make(), 0o600)
        log.warning("Made the key file %s. Back it up: without it, what it protects cannot be read.", path)
    mode = path.stat().st_mode
    if mode & _OTHERS:
        raise SecretsError(
            f"The key file {path} can be read or written by others (mode {stat.S_IMODE(mode):04o}). "
            f"Run: chmod 600 {path}; if others could read it, replace the key."
        )
    return _parse(path)


def _parse(path: Path) -> bytes:
    text = path.read_text("ascii", errors="replace").strip()
    if not _HEX.fullmatch(text):
        raise SecretsError(f"The key file {path} does not hold 64 hexadecimal digits. Put it back from the backup.")
    return bytes.fromhex(text)


def _create(path: Path, data: bytes, mode: int) -> None:
    """Write the whole file or nothing; whoever comes second takes the first one's file."""
    create_whole(path, f"{data.hex()}\n".encode(), mode)
