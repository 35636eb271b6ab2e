"""Turns at a sandbox's connection: who waits too long for one is told which block has it, instead of waiting for ever.

Where one task in a block waits for another one that uses the Database, the other one waits for the block to end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from stretto._numbers import check_seconds
from stretto._places import caller
from stretto.errors import PoolTimeout, StatementTimeout
from stretto.runtime import aturns, turns

_SECONDS = 30.0  # where the Database would wait for ever
_named: ContextVar[float | None] = ContextVar("stretto_sandbox_timeout", default=None)


@contextmanager
def at_most(timeout: float | None) -> Iterator[None]:
    """Wait no longer than a statement may take. (A timeout of the block would be told as a deadline's.)"""
    check_seconds(timeout=timeout)
    token = _named.set(timeout)
    try:
        yield
    finally:
        _named.reset(token)


def turns_of(db: Any, asynchronous: bool) -> AsyncTurns | Turns:
    """The turns for a sandbox of ``db``: what waits for one waits as long as the Database would for a connection."""
    found: AsyncTurns | Turns = AsyncTurns() if asynchronous else Turns()
    found.limit = db._pool._limit
    return found


class _Patience:
    """``limit``: from what a call names to the seconds that it waits (None: no limit); ``place``: whose turn it is."""

    limit: Any
    place = ""

    def _seconds(self, timeout: float | None) -> float:
        seconds = self.limit(_shorter(timeout, _named.get()))
        return _SECONDS if seconds is None else max(seconds, 0.0)

    def _too_late(self, seconds: float) -> PoolTimeout:
        return PoolTimeout(
            f"no turn at the sandbox's connection within {seconds:.3g} seconds: it is that of the transaction(), or "
            f"statement outside of one, at {self.place}. What runs inside a block must not wait for what runs outside"
        )


def _shorter(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


class AsyncTurns(_Patience, aturns.Turns):
    """On asyncio."""

    async def enter(self, alone: bool, timeout: float | None) -> None:
        """Wait for a turn; raises PoolTimeout when the time is up, and then nothing was sent."""
        place, seconds = caller(), self._seconds(timeout)
        try:
            await super().enter(alone, seconds)
        except StatementTimeout:
            raise self._too_late(seconds) from None
        self.place = place


class Turns(_Patience, turns.Turns):
    """In threads and greenlets."""

    def enter(self, alone: bool, timeout: float | None) -> None:
        """Wait for a turn; raises PoolTimeout when the time is up, and then nothing was sent."""
        place, seconds = caller(), self._seconds(timeout)
        try:
            super().enter(alone, seconds)
        except StatementTimeout:
            raise self._too_late(seconds) from None
        self.place = place
