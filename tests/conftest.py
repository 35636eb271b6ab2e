"""Fixtures of the whole suite: one real PostgreSQL for a run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a PostgreSQL 18 for this run: STRETTO_TEST_URL where it is set, else an embedded server."""
    url = os.environ.get("STRETTO_TEST_URL")
    if url:
        yield url
        return
    import stretto.embedded

    with (
        tempfile.TemporaryDirectory(prefix="stretto-test-") as directory,
        stretto.embedded.server(Path(directory)) as url,
    ):
        yield url
