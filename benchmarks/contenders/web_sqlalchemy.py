"""SQLAlchemy's ORM over asyncpg behind a web server: a session for each request; reads are in AUTOCOMMIT."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg  # noqa: F401  # the dialect needs it: without it, this contender is not there
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks import web
from benchmarks.contenders import contender
from benchmarks.web import Queries
from stretto.cli.race.contenders.sqlalchemy_models import AUTOCOMMIT, PATIENCE, url_for


class Base(DeclarativeBase):
    """The registry of both."""


class World(Base):
    __tablename__ = "world"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column("randomnumber")

    def plain(self) -> web.World:
        return {"id": self.id, "randomNumber": self.number}


class Fortune(Base):
    __tablename__ = "fortune"
    id: Mapped[int] = mapped_column(primary_key=True)
    message: Mapped[str]


@contender("web", "SQLAlchemy ORM, asyncpg")
async def orm(url: str, connections: int) -> AsyncIterator[Queries]:
    engine = create_async_engine(url_for(url, "asyncpg"), pool_size=connections, max_overflow=0, pool_timeout=PATIENCE)
    reading = engine.execution_options(isolation_level=AUTOCOMMIT)

    async def one(key: int) -> web.World:
        [found] = await many([key])
        return found

    async def many(keys: Sequence[int]) -> list[web.World]:
        async with AsyncSession(reading) as session:
            return [(await session.get_one(World, key)).plain() for key in keys]

    async def fortunes() -> Any:
        async with AsyncSession(reading) as session:
            return (await session.execute(select(Fortune.id, Fortune.message))).all()

    async def update(new: Mapping[int, int]) -> list[web.World]:
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            worlds = [await session.get_one(World, key) for key in new]
            for world in worlds:
                world.number = new[world.id]
        return [world.plain() for world in worlds]

    yield Queries(one, many, fortunes, update)
    await engine.dispose()
