"""One whole hub for the tests of promises, in any order but for those that move its day."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.whole import Whole, whole_hub
from wire.settings import Settings


@pytest.fixture(scope="session")
def whole(stack: Settings) -> Iterator[Whole]:
    """Departments, connectors, workers and gateway, running and empty at first."""
    with whole_hub(stack) as running:
        yield running
