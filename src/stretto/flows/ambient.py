"""What the code that runs now inherits from its callers: the open transaction block, and the deadline.

One ContextVar holds both, or None, which is all that a plain statement asks. Tasks, and threads that were given a copy
of the context, inherit it. Blocks need not be left in the order in which they were entered, nor where they were: a
generator that holds one open is closed whenever its consumer likes, or the garbage collector. So a block that is left
is taken out of what surrounds, wherever it stands there, and whoever opened it does not see it any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stretto._places import me
from stretto.errors import PoolTimeout, StatementTimeout

if TYPE_CHECKING:
    from stretto.flows.transaction import Scope


@dataclass(slots=True, eq=False)
class Ambient:
    """``scope``: the innermost open block of any Database; ``deadline`` is on the monotonic clock.

    ``seconds`` is what the deadline was set to, for messages. ``outer`` is what surrounds this one's block, ``opener``
    the task or thread that entered it (None: it is nobody's), and ``over`` says that it was left. ``origin``: the one
    that its block knows, where this one stands in its place.
    """

    scope: Scope | None = None
    deadline: float | None = None
    seconds: float = 0.0
    outer: Ambient | None = None
    opener: object = None
    over: bool = False
    origin: Ambient | None = None

    def scope_of(self, owner: Any) -> Scope | None:
        """The innermost block of one Database or Connection; not one that was left by the task or thread that asks."""
        scope = self.scope
        while scope is not None and (scope.owner is not owner or (scope.left and scope.opener is me())):
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
        return Ambient(self.scope, now + seconds, seconds, self)

    def inside(self, scope: Scope | None) -> Ambient:
        """The same in another block, or in none."""
        return Ambient(scope, self.deadline, self.seconds, self)

    def explain(self, error: StatementTimeout | PoolTimeout, now: float) -> None:
        """Say in a timeout that it was this deadline, where it was."""
        if self.deadline is not None and self.deadline <= now + _SLACK and not error.message.startswith(_PASSED):
            error.message = f"{_PASSED} {self.seconds} seconds has passed: {error.message}"


_PASSED = "the deadline of"
_SLACK = 0.002  # a timer may be a little early
NOTHING = Ambient()
AMBIENT: ContextVar[Ambient | None] = ContextVar("stretto_ambient", default=None)
ambient = AMBIENT.get


def present() -> Ambient:
    """What surrounds the running code."""
    now = ambient()
    if now is None:
        return NOTHING
    if now.over:  # it was left in another context, as the event loop closes generators
        now = _without_left(now, me())
        AMBIENT.set(None if now is NOTHING else now)
    return now


def scope_of(owner: Any) -> Scope | None:
    """The innermost block of one Database or Connection that the running code is in."""
    now = ambient()
    return None if now is None else now.scope_of(owner)


def enter(mine: Ambient, before: Ambient | None) -> None:
    """Begin a block: ``mine`` is new, and ``before`` is what was there."""
    mine.outer = before or NOTHING
    mine.opener = me()
    AMBIENT.set(mine)


def leave(mine: Ambient, before: Ambient | None) -> None:
    """End a block that was entered, wherever in the surroundings it stands by now; it may not be there at all."""
    mine.over = True
    now = ambient()
    if now is mine and (before is None or not before.over):
        AMBIENT.set(before)
    elif now is not None:
        found = _without_left(now, me())
        AMBIENT.set(None if found is NOTHING else found)


def _without_left(now: Ambient, opener: object) -> Ambient:
    """The same without the blocks that their opener has left; those who inherited them from him keep them."""
    outer = now.outer
    if outer is None:
        return now
    base = _without_left(outer, opener)
    block = now.origin or now
    if block.over and block.opener is opener:
        return base
    if base is outer:
        return now
    scope = base.scope if now.scope is outer.scope else now.scope
    deadline, seconds = now.deadline, now.seconds
    if deadline == outer.deadline:
        deadline, seconds = base.deadline, base.seconds
    return Ambient(scope, deadline, seconds, base, now.opener, origin=block)


@contextmanager
def surroundings(new: Ambient) -> Iterator[None]:
    """Run a block in other surroundings."""
    before = ambient()
    mine = Ambient(new.scope, new.deadline, new.seconds)
    enter(mine, before)
    try:
        yield
    finally:
        leave(mine, before)
