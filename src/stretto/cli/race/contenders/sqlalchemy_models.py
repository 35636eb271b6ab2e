"""The tables of `select` and `rows` as SQLAlchemy's ORM has them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import URL, DateTime, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

AUTOCOMMIT = "AUTOCOMMIT"  # no BEGIN and ROLLBACK around each select: SQLAlchemy at its fastest
PATIENCE = 600  # seconds that an operation may wait for a connection, where all are started at once


class Base(DeclarativeBase):
    """The registry of both."""


class Columns:
    """The five columns."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    price: Mapped[Decimal]
    active: Mapped[bool]


class Point(Columns, Base):
    __tablename__ = "point"


def url_for(url: str, driver: str) -> URL:
    """The URL with SQLAlchemy's name of the driver in its scheme."""
    return make_url(url).set(drivername=f"postgresql+{driver}")
