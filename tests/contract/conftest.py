"""A hub of its own for each module rather than for each test: contracts do not disturb one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack import own_hub
from wire.settings import Settings


@pytest.fixture(scope="module")
def hub(stack: Settings) -> Iterator[Settings]:
    """Settings with a namespace of this module's own; topics created, schemas registered."""
    with own_hub(stack) as settings:
        yield settings
