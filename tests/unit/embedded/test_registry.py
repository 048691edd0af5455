"""What the registry's JVM is given to load."""

from __future__ import annotations

from pathlib import Path

from doudi.embedded.registry import classes


def test_rewritten_classes_come_before_their_originals(tmp_path: Path) -> None:
    names = ("app/registry", "lib/main/z", "lib/main/a", "lib/boot/b", "quarkus/generated-bytecode")
    for name in (*names, "quarkus/transformed-bytecode"):
        path = tmp_path / f"{name}.jar"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "lib" / "main" / "notes.txt").touch()
    assert [jar.stem for jar in classes(tmp_path)] == [
        "transformed-bytecode",
        "generated-bytecode",
        "registry",
        "a",
        "z",
        "b",
    ]
