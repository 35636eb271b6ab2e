"""How a transaction ends: COMMIT and what has become of it, ROLLBACK, the connection given back, hooks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Protocol

from stretto._places import me
from stretto.errors import ConnectionLost, Error, OperationalError
from stretto.flows import ending as flows
from stretto.flows.ambient import NOTHING, Ambient, surroundings
from stretto.flows.failed import left, rolled_back
from stretto.flows.query import fetchrow
from stretto.flows.shared import Shared
from stretto.flows.transaction import Scope, Trunk
from stretto.flows.xid import STATUS, Found, outcome_of
from stretto.runtime.aio import Link
from stretto.runtime.aturns import Turns, forgotten_closed, pause, value_of
from stretto.runtime.base import CANCEL_GRACE
from stretto.runtime.crowd import Crowd

_log = logging.getLogger("stretto")
SETTLE = 5.0  # seconds to find out what has become of a COMMIT
POLL = 0.05


class Owner(Protocol):
    """Whose transactions they are, and where their connections come from and go to."""

    _shared: Shared
    _track_commit: bool
    _crowd: Crowd

    def _turn(self, timeout: float | None, block: bool = False) -> Any: ...

    def _take(self, timeout: float | None, since: float = 0.0) -> Any: ...

    def _give(self, link: Link) -> Any: ...

    def _elsewhere(self) -> Any: ...


async def all_left(scope: Scope, turns: Turns, timeout: float | None) -> None:
    """Wait for the turn in which a block ends, until what others run in it has ended.

    Raises UsageError where whoever leaves it has left a nested block open, which a generator may hold: there is nobody
    who could close it meanwhile. One that has been forgotten is closed by the event loop.
    """
    if scope.held_by(me()) is not None:
        await forgotten_closed(timeout)
    held = scope.held_by(me())
    if held is not None:
        raise held
    await turns.enter(True, timeout)


async def seize(
    scope: Scope, turns: Turns, link_of: Callable[[], Link | None], why: Callable[[], Error]
) -> Turns | None:
    """Go in alone where a block is left by an error. The nested one that is open may stay so: it can do nothing more.

    So a turn is taken in the innermost. None where others are still at the connection.
    """
    inner = scope.inner
    while inner is not None:
        door = inner.door()
        turns = Turns() if door is None else door._turns
        inner = inner.inner
    return turns if await turns.seize(link_of, why) else None


async def commit(trunk: Trunk, link: Link, timeout: float | None) -> BaseException | None:
    """Send COMMIT and wait for its answer. Returns a cancellation that is still to be delivered."""
    if link.recovering:  # a cancellation is under way on the server, and must not hit COMMIT
        await link.recover()
    _, held = await link.settle(flows.commit(trunk), timeout)
    return held


async def fate(owner: Owner, scope: Scope, held: BaseException | None) -> Error | None:
    """What COMMIT failed with, or None; where its answer was lost, the server is asked on another connection."""
    try:
        flows.committed(scope)
    except ConnectionLost as lost:
        trunk = scope.trunk
        found = trunk.xid.read()
        if not trunk.committing_sent() or (found is None and trunk.options.readonly):
            return rolled_back(lost)
        if found is None or held is not None:
            return flows.unknown(lost, found)
        return await _found_out(owner, lost, found)
    except Error as error:
        return error
    return None


async def _found_out(owner: Owner, lost: ConnectionLost, found: Found) -> Error | None:
    """Ask what has become of a xid until it is settled, for some seconds."""
    until = monotonic() + SETTLE
    while (left := until - monotonic()) > 0:
        try:
            status = await _status(owner, found, left)
        except OperationalError:  # no connection can be made yet
            status = "in progress"
        except Error:  # the server does not know the xid
            status = None
        if status == "committed":
            return None
        if status == "aborted":
            return rolled_back(lost)
        if status is None:
            break
        await pause(min(POLL, left))
    return flows.unknown(lost, found)


async def _status(owner: Owner, found: Found, timeout: float) -> str | None:
    other: Owner = owner._elsewhere()
    link: Link = await other._take(timeout)
    try:
        row = await link.run(fetchrow(other._shared, STATUS, (found.xid, found.begun)), timeout)
    finally:
        await other._give(link)
    return outcome_of(row, found.timeline)


async def part(owner: Owner, trunk: Trunk, link: Link, mine: bool, why: BaseException | None) -> None:
    """Roll back what is open and give the connection back. A cancelled task does not wait: the pool rolls back.

    What others still run is cancelled, for it would keep its locks; they are told.
    """
    try:
        if not mine and trunk.committing is None:
            link.give_up_all(partial(left, why))
        if trunk.discard or not (mine or link.recovering or link.machine.idle()):
            link.abort()
        elif isinstance(why, Exception):
            if link.recovering:
                await link.recover()
            if not link.closed and link.machine.status != "I":
                await link.run(flows.rollback(), CANCEL_GRACE)
    except Error:
        link.abort()
    finally:
        await owner._give(link)


async def call_hooks(scope: Scope, before: Ambient | None, *, committed: bool) -> None:
    """Call the hooks for how a block has ended, in the surroundings of before it. What interrupts is raised last."""
    interrupt: BaseException | None = None
    with surroundings(before or NOTHING):
        for on_commit, function in scope.hooks:
            if on_commit is committed:
                try:
                    await value_of(function())
                except Exception:
                    _log.exception("a hook of the transaction opened at %s has failed", scope.place)
                except BaseException as error:  # the others are due all the same
                    interrupt = interrupt or error
    if interrupt is not None:
        raise interrupt


async def discard(owner: Owner, link: Link) -> None:
    """Close the connection of a transaction that was forgotten."""
    link.abort()
    await owner._give(link)
