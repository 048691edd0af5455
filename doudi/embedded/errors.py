"""What can go wrong when the stack starts, each with what, where and how to mend.

StackError
├── AlreadyRunning      another ``doudi up`` holds this home
├── NotRunning          nothing to stop or to connect to
├── ArtifactError       a download failed, or a file is not the one that the lock names
├── PortTaken           a remembered port is used by another program
├── FolderUnusable      a data folder cannot be written, or its disk is full
├── ComponentFailed     a process ended or never became healthy
└── Unreachable         a component given by URL does not answer, or refuses the password

All are permanent: a person mends and starts again.
"""

from __future__ import annotations


class StackError(Exception):
    """Root of this layer. ``what`` went wrong, ``where``, and how to ``mend`` it."""

    code = "stack"
    family = "permanent"

    def __init__(self, what: str, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.mend = what, where, mend

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.mend:
            lines.append(f"  mend:  {self.mend}")
        return "\n".join(lines)


class AlreadyRunning(StackError):
    """Another supervisor holds this home."""

    code = "already_running"


class NotRunning(StackError):
    """No supervisor runs on this home."""

    code = "not_running"


class ArtifactError(StackError):
    """A JVM artifact could not be fetched or is not the file that the lock names."""

    code = "artifact"


class PortTaken(StackError):
    """A remembered or chosen port is used by another program."""

    code = "port_taken"


class FolderUnusable(StackError):
    """A folder cannot be written to, entered or has no room left."""

    code = "folder"


class ComponentFailed(StackError):
    """A supervised process ended while starting or never became healthy."""

    code = "component_failed"


class Unreachable(StackError):
    """A component given by URL does not answer or refuses us."""

    code = "unreachable"
