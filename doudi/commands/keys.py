"""Keys and users: make the key files, add, list and remove the users of the gateway."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from wire.settings import Settings

MORE = typer.Typer(no_args_is_help=True, help="Key files and users.")
USERS = typer.Typer(no_args_is_help=True, help="Users of the gateway and the console.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    MORE.add_typer(USERS, name="user")
    app.add_typer(MORE, name="keys")


@MORE.command()
def init() -> None:
    """Make the key files that are missing. Every command does it by itself; back the folder up."""
    from wire.secrets import Secrets  # noqa: PLC0415 - slow to import

    settings = Settings()
    Secrets.load(settings.secrets_dir)
    sys.stdout.write(f"Key files are there ({settings.secrets_dir}).\n")


@USERS.command()
def add(
    username: Annotated[str, typer.Argument(help="Lower-case letters, digits, . _ -")],
    role: Annotated[str, typer.Option(help="village, township, county, department or auditor")],
    name: Annotated[str, typer.Option(help="Name as shown; default: the user name")] = "",
    division: Annotated[str, typer.Option(help="Division prefix: 2, 4, 6, 9 or 12 digits; empty: all")] = "",
    department: Annotated[str, typer.Option(help="Department of a liaison")] = "civil",
) -> None:
    """Add a user, or replace one. Asks for the password, or reads it from a pipe."""
    from gateway.users import Users  # noqa: PLC0415

    try:
        user = Users(Settings().secrets_dir).put(username, _password(), name or username, role, department, division)
    except ValueError as error:
        raise typer.BadParameter(_plain(error)) from None
    sys.stdout.write(f"{user.username}: {user.role}, {user.department}, division {user.division or 'all'}\n")


@USERS.command("list")
def listed() -> None:
    """Every user."""
    from gateway.users import Users  # noqa: PLC0415

    for user in Users(Settings().secrets_dir).all():
        sys.stdout.write(f"{user.username}\t{user.role}\t{user.department}\t{user.division or '-'}\t{user.name}\n")


@USERS.command()
def remove(username: str) -> None:
    """Remove a user; tokens given out end at once."""
    from gateway.users import Users  # noqa: PLC0415

    if not Users(Settings().secrets_dir).remove(username):
        raise typer.BadParameter(f"there is no user {username}; `doudi keys user list` shows all")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise ValueError("The two passwords differ; try again.")
    return first


def _plain(error: ValueError) -> str:
    """What is wrong, without the values: one of them may be a password."""
    from pydantic import ValidationError  # noqa: PLC0415

    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(str(x) for x in e['loc']) or 'user'}: {e['msg']}" for e in error.errors())
    return str(error)
