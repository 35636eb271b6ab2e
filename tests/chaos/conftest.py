"""Fixtures of the tests of faults: a server of the module's own, for it is killed, and its sessions are counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chaos.server import Target, fresh


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """A server that may be harmed."""
    with fresh() as target:
        yield target
