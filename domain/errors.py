"""Errors of the reasoning, by what the runtime must do with them.

DomainError
├── Permanent   the input is bad: quarantine it, or tell the caller; trying again changes nothing
├── Transient   try again later
└── Bug         stop: going on would be worse
"""

from __future__ import annotations


class DomainError(Exception):
    """Root of the layer. ``code`` is stable and may be counted; the text says what, where and how to mend."""

    code = "domain"
    family = "bug"


class Permanent(DomainError):
    """The input is bad."""

    family = "permanent"


class Transient(DomainError):
    """Try again later."""

    family = "transient"


class Bug(DomainError):
    """Stop."""
