"""SQLAlchemy's ORM over asyncpg; a session for each operation, as a web request has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg  # noqa: F401  # the dialect needs it: without it, these contenders are not there
from sqlalchemy import select as sql_select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from benchmarks.contenders import contender
from benchmarks.contenders.sqlalchemy_models import AUTOCOMMIT, Many, Point, url_for


@contender("select", "SQLAlchemy ORM, asyncpg", callers=range(1, 1000))
async def select_orm(url: str, callers: int, connections: int) -> AsyncIterator[Any]:
    engine = create_async_engine(
        url_for(url, "asyncpg"), pool_size=connections, max_overflow=0, isolation_level=AUTOCOMMIT
    )

    async def ask(key: int) -> Any:
        async with AsyncSession(engine) as session:
            return await session.get(Point, key)

    yield [ask] * callers
    await engine.dispose()


@contender("rows", "SQLAlchemy ORM, asyncpg")
async def rows_orm(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(url_for(url, "asyncpg"), isolation_level=AUTOCOMMIT)

    async def fetch() -> list[Any]:
        async with AsyncSession(engine) as session:
            return list(await session.scalars(sql_select(Many)))

    yield fetch, "attributes"
    await engine.dispose()
