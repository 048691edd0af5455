"""Libraries read in large pieces: the same bytes, and what cannot be read so is passed over."""

from __future__ import annotations

import os
from pathlib import Path

from doudi.embedded.libraries import SIZE, read_in_large_pieces


def test_the_same_bytes_afterwards(tmp_path: Path) -> None:
    library = tmp_path / "deep" / "_large.abi3.so"
    library.parent.mkdir()
    wanted = os.urandom(1 << 20) * (SIZE >> 20) + b"and a rest"
    library.write_bytes(wanted)
    (tmp_path / "libsmall.so.2").write_bytes(b"not worth it")
    (tmp_path / "liblink.so").symlink_to(library)
    read_in_large_pieces(tmp_path)
    assert library.read_bytes() == wanted


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "folder.so").mkdir()
    (tmp_path / "gone.so").symlink_to(tmp_path / "nowhere")
    read_in_large_pieces(tmp_path)
