"""No driver at all: what the others import in any case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import contender


@contender("startup", "(asyncio, ssl, dataclasses, decimal)")
def startup(_url: str) -> Iterator[Any]:
    yield "import asyncio, ssl, dataclasses, decimal", None
