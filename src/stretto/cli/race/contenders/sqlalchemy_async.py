"""SQLAlchemy's ORM over asyncpg; a session for each operation, as a web request has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg  # noqa: F401  # the dialect needs it: without it, these contenders are not there
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from stretto.cli.race.contenders import contender, sqlalchemy_relations
from stretto.cli.race.contenders.sqlalchemy_models import AUTOCOMMIT, PATIENCE, Point, url_for
from stretto.cli.race.workloads import mixed


@contender("models", "SQLAlchemy ORM, asyncpg", callers=range(1, 1000))
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


@contender("graph", "SQLAlchemy selectinload, asyncpg")
async def graph(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(url_for(url, "asyncpg"), isolation_level=AUTOCOMMIT)

    async def fetch() -> list[Any]:
        async with AsyncSession(engine) as session:
            return list(await session.scalars(sqlalchemy_relations.graph()))

    yield fetch
    await engine.dispose()


def _register_mixed(label: str, together: int | None) -> None:
    @contender("mixed", f"SQLAlchemy, asyncpg, {label}")
    async def orm(url: str, connections: int) -> AsyncIterator[Any]:
        engine = create_async_engine(
            url_for(url, "asyncpg"), pool_size=connections, max_overflow=0, pool_timeout=PATIENCE
        )
        reading = engine.execution_options(isolation_level=AUTOCOMMIT)

        async def write(number: int) -> list[Any]:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                session.add_all(new := sqlalchemy_relations.new(number))
            return new

        async def read() -> list[Any]:
            async with AsyncSession(reading) as session:
                return list(await session.scalars(sqlalchemy_relations.first()))

        async def value(sql: str) -> Any:
            async with engine.begin() as connection:
                return await connection.scalar(text(sql))

        yield write, read, value, together
        await engine.dispose()


_register_mixed("all at once", None)
_register_mixed(f"chunks of {mixed.CHUNK}", mixed.CHUNK)
