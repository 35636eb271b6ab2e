"""A host's name is looked up for each connection: a name that leads elsewhere now is followed."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.live.support import kill

from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database

NAME = "database.test"


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were asked for; ``NAME`` is this machine."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **keywords: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if host == NAME else host, *args, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.fixture
def named_url(server_url: str) -> str:
    parts = urlsplit(server_url)
    return parts._replace(netloc=f"{parts.username}@{NAME}:{parts.port}").geturl()


def test_blocking(lookups: list[str], named_url: str, outside: psycopg.Connection[Any]) -> None:
    with Database(named_url, connections=1) as db:
        for times in (1, 2):
            kill(outside, db.fetchval("select pg_backend_pid()"))
            assert lookups == [NAME] * times
        assert db.fetchval("select 1") == 1


def test_asyncio(lookups: list[str], named_url: str, outside: psycopg.Connection[Any]) -> None:
    async def main() -> None:
        async with AsyncDatabase(named_url, connections=1) as db:
            for times in (1, 2):
                kill(outside, await db.fetchval("select pg_backend_pid()"))
                assert lookups == [NAME] * times
            assert await db.fetchval("select 1") == 1

    asyncio.run(main())
