"""Java artifacts by Maven coordinate: fetched with jgo, kept in the cache, accepted only if the committed
lock knows them.

``artifacts.lock`` names every file of a component with its SHA-256, so a start neither resolves nor trusts
anything.
``python -m doudi.embedded.artifacts`` fetches them; with ``--lock`` it resolves ROOTS anew and writes the
lock.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stamina
from filelock import FileLock

from doudi.embedded.errors import ArtifactError

LOCK = Path(__file__).with_name("artifacts.lock")

ROOTS: dict[str, tuple[str, ...]] = {
    "kafka": ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36"),
    "registry": ("io.apicurio:apicurio-registry-app:3.3.3:all:tar.gz",),
}
"""What each component is made of. Kafka brings no slf4j binding; without one it logs nothing."""

ARCHIVES = ("registry",)
"""Components that are one tar archive, used unpacked."""

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all) of a component that is being downloaded."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file: Maven coordinate, SHA-256 (hex) and size in bytes."""

    component: str
    group: str
    name: str
    version: str
    classifier: str
    packaging: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        """File name as in a Maven repository."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{tail}.{self.packaging}"

    @property
    def coordinate(self) -> str:
        """``group:name:version[:classifier]:packaging``."""
        middle = f":{self.classifier}" if self.classifier else ""
        return f"{self.group}:{self.name}:{self.version}{middle}:{self.packaging}"

    def path(self, cache: Path) -> Path:
        """Where the file is kept in the cache."""
        return cache / "maven" / Path(*self.group.split(".")) / self.name / self.version / self.filename


def read_lock(path: Path = LOCK) -> list[Artifact]:
    """The artifacts of the lock: one a line, ``component coordinate sha256 bytes``; ``#`` begins a
    comment."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.split("#", 1)[0].split()
        if not text:
            continue
        try:
            component, coordinate, digest, size = text
            group, name, version, *rest = coordinate.split(":")
            found.append(Artifact(component, group, name, version, "".join(rest[:-1]), rest[-1], digest, int(size)))
        except (ValueError, IndexError) as e:
            raise ArtifactError(
                "A line of the artifacts' lock cannot be read",
                f"{path}:{number}",
                "restore the file from git, or write it: `python -m doudi.embedded.artifacts --lock`",
            ) from e
    return found


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


class Artifacts:
    """The cache of one machine. Safe to use from several processes at once."""

    def __init__(self, cache: Path, *, lock: Path = LOCK, repository: str = "") -> None:
        self.cache = cache.expanduser().absolute()
        self.repository = repository
        self._all = read_lock(lock)
        self._lock_path = lock

    def of(self, component: str) -> list[Artifact]:
        """The artifacts of one component, in the lock's order."""
        return [a for a in self._all if a.component == component]

    def missing(self, component: str) -> list[Artifact]:
        """Artifacts that are absent or not the file that the lock names."""
        return [a for a in self.of(component) if not self._good(a)]

    def fetch(self, component: str, progress: Progress | None = None) -> list[Path]:
        """Paths of a component's files, downloaded where absent or damaged.

        Raises ArtifactError if a download fails or what came is not what the lock names.
        """
        wanted = self.of(component)
        if self.missing(component):
            with self._guard():
                absent = self.missing(component)
                total, done = sum(a.size for a in absent), 0

                def count(n: int) -> None:
                    nonlocal done
                    done += n
                    if progress:
                        progress(done, total)

                with ThreadPoolExecutor(8) as pool:
                    for future in [pool.submit(self._download, a, count) for a in absent]:
                        future.result()
        return [a.path(self.cache) for a in wanted]

    def unpacked(self, component: str, progress: Progress | None = None) -> Path:
        """Folder with the content of a component that is one tar archive."""
        (artifact,) = self.of(component)
        folder = self.cache / "unpacked" / f"{artifact.name}-{artifact.version}-{artifact.sha256[:16]}"
        if not folder.is_dir():
            (archive,) = self.fetch(component, progress)
            with self._guard(), tempfile.TemporaryDirectory(dir=self.cache) as part:
                if not folder.is_dir():
                    content = Path(part) / "content"
                    with tarfile.open(archive) as tar:
                        tar.extractall(content, filter="data")
                    folder.parent.mkdir(exist_ok=True)
                    content.rename(folder)
        return folder

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            with FileLock(self.cache / "lock"):
                yield
        except OSError as e:
            raise ArtifactError(
                f"The cache of downloaded artifacts cannot be written: {e.strerror}",
                str(self.cache),
                "make room or give yourself the right to write there, or choose another with DOUDI_CACHE",
            ) from e

    def _good(self, artifact: Artifact) -> bool:
        path = artifact.path(self.cache)
        return path.is_file() and path.stat().st_size == artifact.size and digest_of(path) == artifact.sha256

    def _download(self, artifact: Artifact, count: Callable[[int], None]) -> None:
        """Fetch into a folder of its own and move it into place once its digest is right."""
        target = artifact.path(self.cache)
        with tempfile.TemporaryDirectory(dir=self.cache) as part:
            try:
                for attempt in stamina.retry_context(on=OSError, attempts=3, timeout=None):
                    with attempt:
                        shutil.rmtree(part, ignore_errors=True)
                        got = self._maven(Path(part), artifact, count)
            except Exception as e:  # requests raises OSErrors, jgo RuntimeErrors and its own asserts
                raise ArtifactError(
                    f"Download of {artifact.coordinate} failed: {type(e).__name__}: {str(e)[:200]}",
                    self.repository or "Maven Central",
                    "check the network and the proxy (HTTPS_PROXY) and run the same command again; "
                    "DOUDI_MAVEN names another Maven repository",
                ) from e
            if (digest := digest_of(got)) != artifact.sha256:
                raise ArtifactError(
                    f"{artifact.coordinate} has SHA-256 {digest}, expected {artifact.sha256}",
                    f"downloaded from {self.repository or 'Maven Central'}, expected by {self._lock_path}",
                    "run the same command again; if it stays, the repository or a proxy serves another file: "
                    "do not use it, and tell the maintainers",
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            got.replace(target)

    def _maven(self, folder: Path, artifact: Artifact, count: Callable[[int], None]) -> Path:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - slow to import, rarely needed

        @contextmanager
        def progress(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
            yield count

        context = MavenContext(
            resolver=PythonResolver(progress_callback=progress),
            repo_cache=folder,
            local_repos=[],
            timeout=30,
            remote_repos={"repository": self.repository} if self.repository else None,
        )
        component = context.project(artifact.group, artifact.name).at_version(artifact.version)
        return Path(component.artifact(artifact.classifier, artifact.packaging).resolve())


def write_lock(path: Path = LOCK) -> int:
    """Resolve ROOTS with jgo and write the lock. Returns the number of artifacts."""
    from jgo.maven import MavenContext  # noqa: PLC0415

    lines = ["# component  group:name:version[:classifier]:packaging  sha256  bytes"]
    with tempfile.TemporaryDirectory() as folder:
        context: Any = MavenContext(repo_cache=Path(folder), local_repos=[], timeout=60)
        for component, roots in ROOTS.items():
            artifacts = []
            for root in roots:
                group, name, version, *rest = root.split(":")
                if rest:
                    artifacts.append(context.project(group, name).at_version(version).artifact(*rest))
                else:
                    inputs, others = context.resolver.resolve([context.create_dependency(root)])
                    artifacts += [d.artifact for d in (*inputs, *others)]
            for a in {str(a): a for a in artifacts}.values():
                file = Path(a.resolve())
                middle = f":{a.classifier}" if a.classifier else ""
                lines.append(
                    f"{component} {a.groupId}:{a.artifactId}:{a.version}{middle}:{a.packaging} "
                    f"{digest_of(file)} {file.stat().st_size}"
                )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - 1


def main() -> None:
    """Fetch every component into the cache, telling how far it is. ``--lock``: write the lock instead."""
    if "--lock" in sys.argv:
        sys.stdout.write(f"{write_lock()} artifacts in {LOCK}\n")
        return
    from wire.settings import Settings  # noqa: PLC0415

    settings = Settings()
    artifacts = Artifacts(settings.cache, repository=settings.maven)
    for component in ROOTS:
        begun = time.monotonic()
        told = -1

        def tell(done: int, total: int, name: str = component) -> None:
            nonlocal told
            if total and (step := done * 4 // total) > told:
                told = step
                sys.stderr.write(f"setup: {name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB\n")

        artifacts.unpacked(component, tell) if component in ARCHIVES else artifacts.fetch(component, tell)
        if told >= 0:
            sys.stderr.write(f"setup: {component} is there ({time.monotonic() - begun:.0f} s)\n")


if __name__ == "__main__":
    try:
        main()
    except ArtifactError as e:
        sys.exit(f"setup: {e}")
