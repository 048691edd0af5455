"""What stops a demo, in three parts: what, where, how to mend it. The tree is that of the stack's errors."""

from __future__ import annotations

from doudi.embedded.errors import StackError


class DemoError(StackError):
    """Root of the demo's errors."""


class DemoFolder(DemoError):
    """The folder cannot be used for a demo."""


class NotQuiet(DemoError):
    """The hub does not come to rest."""
