"""Writing objects of Models: get, insert, update, upsert and delete, as flows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stretto.flows.query import Flow
from stretto.flows.shared import Shared


def get(shared: Shared, model: Any, key: Any, include: Any) -> Flow:
    raise NotImplementedError


def insert(shared: Shared, obj: Any) -> Flow:
    raise NotImplementedError


def insert_many(shared: Shared, objs: Iterable[Any]) -> Flow:
    raise NotImplementedError


def update(shared: Shared, obj: Any) -> Flow:
    raise NotImplementedError


def update_many(shared: Shared, objs: Iterable[Any]) -> Flow:
    raise NotImplementedError


def save(shared: Shared, obj: Any) -> Flow:
    raise NotImplementedError


def upsert(shared: Shared, obj: Any, on: Any) -> Flow:
    raise NotImplementedError


def delete(shared: Shared, obj: Any) -> Flow:
    raise NotImplementedError
