"""SQLAlchemy's ORM over the many rows, by psycopg2 and by asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg  # noqa: F401  # the dialect needs it: without it, these contenders are not there
import psycopg2  # noqa: F401  # so here
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from benchmarks.contenders import contender
from stretto.cli.race.contenders.sqlalchemy_models import AUTOCOMMIT, Base, Columns, url_for


class Many(Columns, Base):
    __tablename__ = "many"


@contender("rows", "SQLAlchemy ORM, asyncpg")
async def rows_async(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(url_for(url, "asyncpg"), isolation_level=AUTOCOMMIT)

    async def fetch() -> list[Any]:
        async with AsyncSession(engine) as session:
            return list(await session.scalars(select(Many)))

    yield fetch, "attributes"
    await engine.dispose()


@contender("rows", "SQLAlchemy ORM, psycopg2")
def rows_blocking(url: str) -> Iterator[Any]:
    engine = create_engine(url_for(url, "psycopg2"), isolation_level=AUTOCOMMIT)

    def fetch() -> list[Any]:
        with Session(engine) as session:
            return list(session.scalars(select(Many)))

    yield fetch, "attributes"
    engine.dispose()
