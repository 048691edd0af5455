"""Casework: the single writer of hub.case. Conditions and commands in, case events out."""

from agents.casework.core import Casework
from agents.casework.store import CaseStore
from agents.casework.worker import run

__all__ = ["CaseStore", "Casework", "run"]
