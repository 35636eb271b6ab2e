"""The tables of `graph` and `mixed` as SQLAlchemy's ORM has them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, ForeignKey, Select, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from stretto.cli.race.workloads import mixed


class Base(DeclarativeBase):
    """The registry of all."""


class Parent(Base):
    __tablename__ = "bench_parent"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    children: Mapped[list[Child]] = relationship()


class Child(Base):
    __tablename__ = "bench_child"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("bench_parent.id"))
    name: Mapped[str]
    grandchildren: Mapped[list[Grandchild]] = relationship()


class Grandchild(Base):
    __tablename__ = "bench_grandchild"

    id: Mapped[int] = mapped_column(primary_key=True)
    child_id: Mapped[int] = mapped_column(ForeignKey("bench_child.id"))
    name: Mapped[str]


class A(Base):
    __tablename__ = "mixed_a"

    id: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[str | None]
    create_date: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    bs: Mapped[list[B]] = relationship()


class B(Base):
    __tablename__ = "mixed_b"

    id: Mapped[int] = mapped_column(primary_key=True)
    a_id: Mapped[int] = mapped_column(ForeignKey("mixed_a.id"))
    data: Mapped[str | None]


def graph() -> Select[Any]:
    """All parents with all below them."""
    nested = selectinload(Parent.children).selectinload(Child.grandchildren)
    return select(Parent).order_by(Parent.id).options(nested)


def new(number: int) -> list[A]:
    """The three `a` of a write, with their `b`."""
    return [A(data=str(number + i), bs=[B() for _ in range(count)]) for i, count in enumerate(mixed.BRANCHES, 1)]


def first() -> Select[Any]:
    """What a read asks for."""
    return select(A).order_by(A.id).limit(mixed.READ).options(selectinload(A.bs))
