"""SQLAlchemy's ORM over psycopg2; a session for each operation, as a web request has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2  # noqa: F401  # the dialect needs it: without it, these contenders are not there
from sqlalchemy import create_engine
from sqlalchemy import select as sql_select
from sqlalchemy.orm import Session

from benchmarks.contenders import contender
from benchmarks.contenders.sqlalchemy_models import AUTOCOMMIT, Many, Point, url_for


@contender("select", "SQLAlchemy ORM, psycopg2", callers=range(1, 1000))
def select_orm(url: str, callers: int, connections: int) -> Iterator[Any]:
    engine = create_engine(url_for(url, "psycopg2"), pool_size=connections, max_overflow=0, isolation_level=AUTOCOMMIT)

    def ask(key: int) -> Any:
        with Session(engine) as session:
            return session.get(Point, key)

    yield [ask] * callers
    engine.dispose()


@contender("rows", "SQLAlchemy ORM, psycopg2")
def rows_orm(url: str) -> Iterator[Any]:
    engine = create_engine(url_for(url, "psycopg2"), isolation_level=AUTOCOMMIT)

    def fetch() -> list[Any]:
        with Session(engine) as session:
            return list(session.scalars(sql_select(Many)))

    yield fetch, "attributes"
    engine.dispose()
