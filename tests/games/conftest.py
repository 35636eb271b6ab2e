"""The four servers on one PostgreSQL, each with a database of its own, so that all can be asked the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.games.serving import SERVERS, Running, serving

import stretto


@pytest.fixture(scope="session")
def databases(server_url: str) -> Iterator[dict[str, str]]:
    """The URL of an empty database for each server, and for the script."""
    names = {name: f"stretto_games_{os.getpid()}_{name}" for name in (*SERVERS, "offline")}
    with stretto.Database(server_url) as admin:
        for name in names.values():
            admin.execute(f"create database {name}")
        try:
            yield {name: f"{server_url.rpartition('/')[0]}/{database}" for name, database in names.items()}
        finally:
            for name in names.values():
                admin.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def running(databases: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    """The servers of this run."""
    logs: Path = tmp_path_factory.mktemp("games")
    with serving(databases, logs) as servers:
        yield servers


@pytest.fixture
def servers(running: list[Running], databases: dict[str, str]) -> list[Running]:
    """The servers, with empty shelves."""
    for name in SERVERS:
        with stretto.Database(databases[name]) as db:
            db.execute("truncate game restart identity")
    return running
