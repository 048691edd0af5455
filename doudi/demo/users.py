"""One user of each role for the demo. The passwords are for a machine of one's own: they are printed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from gateway.users import Role, Users
from wire.settings import Settings


@dataclass(frozen=True)
class Login:
    """A user of the demo, password in clear."""

    username: str
    password: str
    role: Role
    department: str
    division: str
    name: str


ROLES: tuple[tuple[str, Role, str, str, str], ...] = (
    ("village", "village", "civil", "990101101201", "村专干"),
    ("township", "township", "civil", "990101101", "乡镇民政办"),
    ("county", "county", "civil", "990101", "县民政局"),
    ("medical", "department", "medical", "990101", "医保联络员"),
    ("disability", "department", "disability", "990101", "残联联络员"),
    ("water", "department", "water", "990101", "水利联络员"),
    ("agriculture", "department", "agriculture", "990101", "农业农村联络员"),
    ("auditor", "auditor", "civil", "", "审计"),
)


def sign_up(settings: Settings) -> tuple[Login, ...]:
    """Add the demo's users; every start gives new passwords."""
    users = Users(settings.secrets_dir)
    logins = tuple(
        Login(username, secrets.token_hex(6), role, department, division, name)
        for username, role, department, division, name in ROLES
    )
    for u in logins:
        users.put(u.username, u.password, u.name, u.role, u.department, u.division)
    return logins
