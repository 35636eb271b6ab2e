"""Graphs of objects: relations fetched with their objects, or for objects in hand, as flows."""

from __future__ import annotations

from typing import Any

from stretto.flows.query import Flow
from stretto.flows.shared import Shared


def load(shared: Shared, objs: Any, relations: Any) -> Flow:
    raise NotImplementedError
