"""What the code that runs now inherits from its callers: the open transaction block, and the deadline.

One ContextVar holds both, or None, which is all that a plain statement asks. Tasks, and threads that were given a copy
of the context, inherit it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stretto.errors import PoolTimeout, StatementTimeout

if TYPE_CHECKING:
    from stretto.flows.transaction import Scope


@dataclass(frozen=True, slots=True)
class Ambient:
    """``scope``: the innermost open block of any Database; ``deadline`` is on the monotonic clock.

    ``seconds`` is what the deadline was set to, for messages.
    """

    scope: Scope | None = None
    deadline: float | None = None
    seconds: float = 0.0

    def scope_of(self, owner: Any) -> Scope | None:
        """The innermost block of one Database or Connection."""
        scope = self.scope
        while scope is not None and scope.owner is not owner:
            scope = scope.enclosing
        return scope

    def limit(self, timeout: float | None, now: float) -> float | None:
        """The seconds that a call has: what it names, or what is left until the deadline where that is less."""
        if self.deadline is None:
            return timeout
        left = self.deadline - now
        return left if timeout is None else min(left, timeout)

    def remaining(self, timeout: float | None, now: float) -> float | None:
        """As limit; raises StatementTimeout where the deadline has passed already."""
        left = self.limit(timeout, now)
        if left is not None and left <= 0.0 and self.deadline is not None and self.deadline <= now:
            raise StatementTimeout(f"{_PASSED} {self.seconds} seconds has passed", outcome="not_sent")
        return left

    def until(self, seconds: float | None, now: float) -> Ambient:
        """The same with a deadline ``seconds`` from now, or the one that is set, whichever comes first."""
        if seconds is None or (self.deadline is not None and self.deadline <= now + seconds):
            return self
        return Ambient(self.scope, now + seconds, seconds)

    def inside(self, scope: Scope | None) -> Ambient:
        """The same in another block, or in none."""
        return Ambient(scope, self.deadline, self.seconds)

    def explain(self, error: StatementTimeout | PoolTimeout, now: float) -> None:
        """Say in a timeout that it was this deadline, where it was."""
        if self.deadline is not None and self.deadline <= now + _SLACK and not error.message.startswith(_PASSED):
            error.message = f"{_PASSED} {self.seconds} seconds has passed: {error.message}"


_PASSED = "the deadline of"
_SLACK = 0.002  # a timer may be a little early
NOTHING = Ambient()
AMBIENT: ContextVar[Ambient | None] = ContextVar("stretto_ambient", default=None)
ambient = AMBIENT.get


def scope_of(owner: Any) -> Scope | None:
    """The innermost block of one Database or Connection that the running code is in."""
    now = ambient()
    return None if now is None else now.scope_of(owner)


@contextmanager
def surroundings(new: Ambient) -> Iterator[None]:
    """Run a block in other surroundings. What is put back is what was there: the context may have changed meanwhile."""
    before = ambient()
    AMBIENT.set(new)
    try:
        yield
    finally:
        AMBIENT.set(before)
