"""Sealed boxes, the vault's envelopes, blind indexes, key files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.sealing import (
    FORGOTTEN,
    CannotOpen,
    Forgotten,
    Vault,
    blind_index,
    derive,
    index_entries,
    new_pair,
    open_local,
    open_sealed,
    seal_local,
    seal_to,
)
from tests.ids import test_id as some_id
from wire.secrets import Secrets, SecretsError

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = b"o" * 32, b"n" * 32
IDENTITY = {"name": "测试甲", "id_number": some_id(1), "telephone": None}


def test_sealed_box_opens_only_for_its_reader() -> None:
    public, private = new_pair()
    blob = seal_to(public, b"row")
    assert open_sealed(private, blob) == b"row"
    for bad in (blob[:-1], b"", blob[::-1]):
        with pytest.raises(CannotOpen):
            open_sealed(private, bad)
    with pytest.raises(CannotOpen):
        open_sealed(new_pair()[1], blob)


def test_vault_binds_an_envelope_to_its_person() -> None:
    vault = Vault(OLD, "k0001")
    wrapped, sealed = vault.seal("p1", IDENTITY)
    assert vault.open("p1", "k0001", wrapped, sealed) == IDENTITY
    assert some_id(1).encode() not in wrapped + sealed
    for args in [("p2", "k0001", wrapped, sealed), ("p1", "k0009", wrapped, sealed)]:
        with pytest.raises(CannotOpen):
            vault.open(*args)
    with pytest.raises(Forgotten):
        vault.open("p1", "k0001", *FORGOTTEN)


def test_rotation_seals_with_the_newest_and_opens_with_all() -> None:
    wrapped, sealed = Vault(OLD, "k0001").seal("p1", IDENTITY)
    both = Vault(NEW, "k0002", {"k0001": OLD})
    assert both.open("p1", "k0001", wrapped, sealed) == IDENTITY
    again = both.rewrap("p1", "k0001", wrapped)
    assert Vault(NEW, "k0002").open("p1", "k0002", again, sealed) == IDENTITY


def test_blind_index_meets_writings_of_the_same_value() -> None:
    key = b"i" * 32
    same = [
        ("name", "买买提·吐尔逊", "买买提 吐尔逊"),
        ("telephone", "+86 138-0000-0000", "13800000000"),
        ("id_number", some_id(9).lower(), f" {some_id(9)}"),
    ]
    for kind, one, other in same:
        assert blind_index(key, kind, one) == blind_index(key, kind, other)
    assert blind_index(key, "name", "甲") != blind_index(key, "telephone", "甲")
    assert blind_index(key, "name", "甲") != blind_index(b"j" * 32, "name", "甲")
    assert len(index_entries(key, IDENTITY)) == 2


def test_local_seal() -> None:
    key = derive(OLD, b"doudi.position")
    assert open_local(key, seal_local(key, b"here")) == b"here"
    with pytest.raises(CannotOpen):
        open_local(OLD, seal_local(key, b"here"))


def test_key_files_are_made_once_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first, second = Secrets.load(folder), Secrets.load(folder)
    assert (first.linking, first.hub, first.departments) == (second.linking, second.hub, second.departments)
    keys = [p for p in folder.rglob("*") if p.is_file()]
    assert {p.stat().st_mode & 0o777 for p in keys if p.suffix == ".key"} == {0o600}
    assert first.linking.hex() not in repr(first)


def test_readable_key_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    Secrets.load(tmp_path)
    (tmp_path / "linking.key").chmod(0o644)
    with pytest.raises(SecretsError, match=r"linking\.key can be read.*chmod 600"):
        Secrets.load(tmp_path)


def test_broken_key_files_are_named(tmp_path: Path) -> None:
    Secrets.load(tmp_path)
    (tmp_path / "index.key").write_text("short")
    with pytest.raises(SecretsError, match=r"index\.key does not hold 64 hexadecimal"):
        Secrets.load(tmp_path)


def test_a_public_half_alone_is_enough_to_seal(tmp_path: Path) -> None:
    Secrets.load(tmp_path)
    (tmp_path / "departments" / "civil.key").unlink()
    civil = Secrets.load(tmp_path).departments["civil"].pair
    assert civil.public
    assert not civil.private


def test_mismatched_halves_are_refused(tmp_path: Path) -> None:
    Secrets.load(tmp_path)
    (tmp_path / "hub.pub").write_text("ab" * 32)
    with pytest.raises(SecretsError, match="not the public half"):
        Secrets.load(tmp_path)


def test_vault_key_rotation_on_disk(tmp_path: Path) -> None:
    old = Secrets.load(tmp_path).vault
    assert Secrets.rotate_vault(tmp_path) == "k0002"
    new = Secrets.load(tmp_path).vault
    assert new.key_id == "k0002"
    assert new.open("p", old.key_id, *old.seal("p", IDENTITY)) == IDENTITY
