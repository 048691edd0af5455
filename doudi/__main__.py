"""``python -m doudi``: the same as the command ``doudi``."""

from doudi.cli import app

app()
