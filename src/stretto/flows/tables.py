"""Creating and dropping the tables of Models, as flows."""

from __future__ import annotations

from typing import Any

from stretto.flows.query import Flow
from stretto.flows.shared import Shared


def create(shared: Shared, models: Any) -> Flow:
    raise NotImplementedError


def drop(shared: Shared, models: Any) -> Flow:
    raise NotImplementedError
