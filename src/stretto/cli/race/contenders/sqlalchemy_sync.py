"""SQLAlchemy's ORM over psycopg2 (models over psycopg 3 too); a session for each operation, as a web request has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import psycopg2  # noqa: F401  # the dialect needs it: without it, these contenders are not there
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from stretto.cli.race.contenders import contender, sqlalchemy_relations
from stretto.cli.race.contenders.sqlalchemy_models import AUTOCOMMIT, Point, url_for


@contender("select", "SQLAlchemy ORM, psycopg2", callers=range(1, 1000))
def select_orm(url: str, callers: int, connections: int) -> Iterator[Any]:
    engine = create_engine(url_for(url, "psycopg2"), pool_size=connections, max_overflow=0, isolation_level=AUTOCOMMIT)

    def ask(key: int) -> Any:
        with Session(engine) as session:
            return session.get(Point, key)

    yield [ask] * callers
    engine.dispose()


BLOCKING = range(1, 100)
DRIVERS = {"psycopg2": "psycopg2", "psycopg": "psycopg 3"}


def _register(driver: str, label: str, **when: Any) -> None:
    @contender("models", f"SQLAlchemy ORM, {label}", callers=BLOCKING, **when)
    def models(url: str, callers: int, connections: int) -> Iterator[Any]:
        engine = create_engine(url_for(url, driver), pool_size=connections, max_overflow=0, isolation_level=AUTOCOMMIT)

        def ask(key: int) -> Any:
            with Session(engine) as session:
                return session.get(Point, key)

        yield [ask] * callers
        engine.dispose()

    @contender("graph", f"SQLAlchemy selectinload, {label}", **when)
    def graph(url: str) -> Iterator[Any]:
        engine = create_engine(url_for(url, driver), isolation_level=AUTOCOMMIT)

        def fetch() -> list[Any]:
            with Session(engine) as session:
                return list(session.scalars(sqlalchemy_relations.graph()))

        yield fetch
        engine.dispose()


for _driver, _label in DRIVERS.items():
    _register(_driver, _label, needs=None if find_spec(_driver) else _driver)


@contextmanager
def _mixed(url: str, connections: int) -> Iterator[Any]:
    engine = create_engine(url_for(url, "psycopg2"), pool_size=connections, max_overflow=0)
    reading = engine.execution_options(isolation_level=AUTOCOMMIT)

    def write(number: int) -> list[Any]:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            session.add_all(new := sqlalchemy_relations.new(number))
        return new

    def read() -> list[Any]:
        with Session(reading) as session:
            return list(session.scalars(sqlalchemy_relations.first()))

    def value(sql: str) -> Any:
        with engine.begin() as connection:
            return connection.scalar(text(sql))

    yield write, read, value
    engine.dispose()


@contender("mixed", "SQLAlchemy, psycopg2, one by one")
def mixed_sequential(url: str, connections: int) -> Iterator[Any]:
    with _mixed(url, connections) as (write, read, value):
        yield write, read, value, 1


@contender("mixed", "SQLAlchemy, psycopg2, threads")
def mixed_threads(url: str, connections: int) -> Iterator[Any]:
    with _mixed(url, connections) as (write, read, value):
        yield write, read, value, connections
