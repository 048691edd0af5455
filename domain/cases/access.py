"""Who may see and act on a case. The gateway and casework ask here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from domain.divisions import Reach

CIVIL_ROLES = frozenset({"village", "township", "county"})
ROLES = CIVIL_ROLES | {"department", "auditor"}


@dataclass(frozen=True, slots=True)
class Actor:
    """A user: civil staff or auditor of a division, or a department's liaison for a division.

    ``reach``: what the division reaches on the day of asking (``Divisions.reach``).
    """

    username: str
    role: str
    department: str
    division: str
    reach: Reach


def may_read(actor: Actor, kind: str, department: str, division: str) -> bool:
    """Civil staff and auditors see what lies in their division; a liaison the own department's tasks."""
    if actor.role not in ROLES or not actor.reach.holds(division):
        return False
    if actor.role == "department":
        return kind == "task" and department == actor.department
    return True


def may_act(actor: Actor, kind: str, department: str, division: str) -> bool:
    """Civil staff act on civil affairs' cases, a liaison on the own tasks, an auditor on none."""
    if actor.role == "auditor" or not may_read(actor, kind, department, division):
        return False
    return department == ("civil" if actor.role in CIVIL_ROLES else actor.department)


def may_release(actor: Actor, kind: str, department: str, division: str) -> bool:
    """What a storm brought is looked through and released by the county, for departments too."""
    return actor.role == "county" and may_read(actor, kind, department, division)
