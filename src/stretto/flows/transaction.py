"""Transactions as pure state and flows: what is due in front of the next statement, what failed first, how it ended.

A Trunk is one transaction on one connection, a Scope one block of it: the outermost, or a nested one, which is a
savepoint. Nothing is sent for its own sake but COMMIT and ROLLBACK: BEGIN, SAVEPOINT, RELEASE and ROLLBACK TO wait in
``Trunk.pending`` and ride in front of the next statement, in its request and under its Sync. So a BEGIN that fails
takes the statement along, which never runs outside its transaction.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from typing import Any

from stretto._places import is_over
from stretto.errors import ConnectionLost, DatabaseError, Error, TransactionAborted, TransactionClosed, UsageError
from stretto.flows.failed import aborted, only_aborted, rolled_back, still_open
from stretto.flows.options import Options
from stretto.flows.query import server_error
from stretto.flows.ridden import ridden
from stretto.flows.simple import simple
from stretto.flows.xid import Xid
from stretto.protocol.classify import CONTROL
from stretto.protocol.request import Request
from stretto.protocol.statement import encode_sql
from stretto.wire import frontend
from stretto.wire.buffer import WriteBuffer

_IDLE = ord("I")


class Trunk:
    """One transaction on one connection.

    ``sent``: BEGIN is on its way or answered, so the connection is not clean; ``confirmed``: it was answered.
    ``doom``: why nothing can be done any more but to roll back. ``discard``: the connection's state is not certain.
    ``portals``: requests of streams, which may have failed in rows that nobody has read, and in which blocks they run.
    ``left``: names of portals that nobody wants any more.
    """

    __slots__ = (
        "_ahead",
        "_opener",
        "_savepoints",
        "_shift",
        "committing",
        "confirmed",
        "copying",
        "discard",
        "doom",
        "failure",
        "left",
        "options",
        "pending",
        "portals",
        "results",
        "sent",
        "xid",
    )

    def __init__(self, options: Options, *, track: bool) -> None:
        self.options = options
        self.pending = [options.begin()]
        self.sent = False
        self.confirmed = False
        self.discard = False
        self.copying = False
        self.doom: BaseException | None = None
        self.xid = Xid(wanted=track and not options.readonly)
        self.portals: list[tuple[Scope, Request]] = []
        self.left: list[bytes] = []
        self.committing: Request | None = None
        self.results: list[Any] | None = None
        self.failure: Error | None = None
        self._opener: Request | None = None
        self._ahead: Request | None = None
        self._shift = 0
        self._savepoints = 0

    def savepoint(self) -> str:
        """Begin a nested block; return its generated name."""
        self._savepoints += 1
        name = f"stretto_{self._savepoints}"
        self.pending.append(f"SAVEPOINT {name}")
        return name

    def leave_savepoint(self, name: str, *, keep: bool) -> None:
        """End a nested block. One that has sent nothing leaves no trace; what it still had due is void."""
        begun = f"SAVEPOINT {name}"
        if begun in self.pending:
            del self.pending[self.pending.index(begun) :]
        elif keep:
            self.pending.append(f"RELEASE SAVEPOINT {name}")
        else:
            self.pending = [f"ROLLBACK TO SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}"]

    def lead(self, request: Request) -> Generator[Request, Any, None]:
        """Let what is due ride in front of a request; where it can't be in it, send it as one of its own before.

        A simple query takes BEGIN into its text: when BEGIN fails, the rest of the text is passed over. What else is
        due goes before, unwaited for: when it fails, so does the query, because the transaction has failed.
        """
        commands, self.pending = self.pending, []
        opening = not self.sent
        self.sent = True
        if not request.script.endswith(b"Q"):
            request.before, request.before_script = ridden(*commands)
            request.before_due = len(commands)
            if opening:
                self._opener = request
        elif opening and len(commands) == 1 and request.text is not None:
            self._opener = request
            self._shift = len(commands[0]) + 1
            buf = WriteBuffer()
            frontend.query(buf, encode_sql(f"{commands[0]};{request.text}"))
            request.data = buf.getvalue()
            request.before_due = 1
        else:
            own = simple("; ".join(commands))
            own.kind = CONTROL
            own.before_due = len(commands)
            own.hurry = own.given_up = not opening
            if opening:
                self._opener = own
            self._ahead = own
            yield own

    def close_left(self) -> Generator[Request, Any, None]:
        """Close the portals of streams that were left early; wait for nothing. One that is gone is no error."""
        buf = WriteBuffer()
        for name in self.left:
            frontend.close_portal(buf, name)
        buf.write_bytes(frontend.SYNC)
        request = Request(buf.getvalue(), b"C" * len(self.left) + b"Y")
        self.left.clear()
        request.kind = CONTROL
        request.hurry = request.given_up = True
        yield request

    def streams(self, scope: Scope, request: Request) -> None:
        """Remember a stream's request, and no longer those that have ended well."""
        self.portals = [(where, one) for where, one in self.portals if not one.done or one.error is not None]
        self.portals.append((scope, request))

    def hear_streams(self) -> None:
        """Let streams that have failed fail their blocks; those of a block that was kept, the one around it."""
        for scope, request in self.portals:
            while scope.closed and scope.parent is not None:
                scope = scope.parent  # it has taken its place
            scope.heard(request)

    def ahead(self) -> Request | None:
        """The request that went in front of the last one, once it is done."""
        own = self._ahead
        if own is not None and own.done:
            self._ahead = None
            return own
        return None

    def heard(self, request: Request) -> None:
        """Look at what has come of a request: whether BEGIN was answered, and whether the transaction is still there.

        Raises UsageError where it is not.
        """
        if request is self._opener and not self.confirmed:
            if request.before_due == 0:
                self.confirmed = True
            elif request.done:
                self.sent = False
                self.discard = self.discard or request.text is None  # what else was said with it was passed over, too
                self.doom = request.failure or server_error(request, None)
        if request.done and request.status == _IDLE and self.confirmed and self.committing is None:
            self.vanish()

    def committing_sent(self) -> bool:
        """Tell whether COMMIT may have reached the server."""
        return self.committing is not None and self.committing.sent

    def look(self, status: str) -> None:
        """Whoever sent BEGIN did not wait for its answer: see by the status of the connection what came of it."""
        if status == "I":
            self.sent = False
            self.doom = TransactionAborted("the first statement was given up, and BEGIN with it")
        else:
            self.confirmed = True

    def over(self, why: BaseException | None) -> BaseException | None:
        """What the transaction ends with: where a COPY still runs in it, at least that."""
        if self.copying:
            self.discard = True
            why = why or UsageError("a COPY of this transaction still runs: it must end inside the block")
        return why

    def vanish(self) -> None:
        """The server has no transaction where there should be one."""
        self.discard = True
        self.doom = self.doom or UsageError(
            "a COMMIT or ROLLBACK by hand has ended the transaction of this block: leave the block instead, or raise; "
            "what ran behind it ran outside. The connection was closed"
        )
        raise self.doom

    def unshift(self, request: Request, error: DatabaseError) -> None:
        """An error's position counts from the start of what was sent; make it count in the caller's statement."""
        if request is self._opener and self._shift and error.position is not None:
            error.position -= self._shift
            error.fields["P"] = str(error.position)


class Scope:
    """One block. ``root`` is the first error that failed it; ``door`` the object that runs its statements.

    ``enclosing`` is the block around it of whatever Database, ``parent`` the one of the same, ``inner`` the one in it.
    ``opener``: who opened it; ``left``: he has left it.
    """

    __slots__ = (
        "_root_request",
        "closed",
        "door",
        "enclosing",
        "hooks",
        "inner",
        "left",
        "name",
        "opener",
        "owner",
        "parent",
        "place",
        "root",
        "trunk",
        "undo",
    )

    def __init__(self, owner: Any, trunk: Trunk, place: str, parent: Scope | None, enclosing: Scope | None) -> None:
        self.owner = owner
        self.trunk = trunk
        self.place = place
        self.parent = parent
        self.enclosing = enclosing
        self.name = None if parent is None else trunk.savepoint()
        self.closed = False
        self.opener: object = None
        self.left = False
        self.inner: Scope | None = None
        self.root: BaseException | None = None
        self.hooks: tuple[tuple[bool, Callable[[], Any]], ...] = ()
        self.undo: list[Any] = []
        self.door: Callable[[], Any] = _no_door
        self._root_request: Request | None = None

    def opened_by(self, door: Any, opener: object) -> None:
        """Keep a weak reference: a block that is forgotten must be found out."""
        self.door = weakref.ref(door)
        self.opener = opener
        if self.parent is not None:
            self.parent.inner = self

    def held_by(self, who: object = None) -> UsageError | None:
        """What to raise where this block is left before a nested one by who has opened either. None: by whoever has.

        A nested block of a task that has ended is as good as his: neither will leave it.
        """
        inner, these = self.inner, (who, self.opener)
        while inner and (inner.left or not (who is None or inner.opener in these or is_over(inner.opener))):
            inner = inner.inner
        return None if inner is None else still_open(self.place, inner.place)

    def leave(self, *, keep: bool) -> None:
        """End a nested block: its work stays the transaction's, or is rolled back. Raises what is wrong around it."""
        parent, name = self.parent, self.name
        if parent is None or name is None:
            raise UsageError("this block is the outermost")
        parent.inner = None
        if not self._is_undone():
            self.trunk.leave_savepoint(name, keep=keep)
        if not keep:  # what its streams have failed with is undone
            portals = self.trunk.portals
            self.trunk.portals = [one for one in portals if one[0] is not self and not one[0].is_inside(self)]
        if keep:
            parent.check()
            parent.hooks += self.hooks
            parent.undo += self.undo

    def _is_undone(self) -> bool:
        """Tell whether a block around has ended before: then it was rolled back, and this one's savepoint with it."""
        scope = self.parent
        while scope is not None and not scope.closed:
            scope = scope.parent
        return scope is not None

    def is_inside(self, other: Scope) -> bool:
        """Tell whether this block is nested in another."""
        scope = self.parent
        while scope is not None and scope is not other:
            scope = scope.parent
        return scope is not None

    def check_open(self) -> None:
        """Raise TransactionClosed where this block, or one around it, has ended."""
        scope: Scope | None = self
        while scope is not None:
            if scope.closed:
                raise TransactionClosed(
                    f"the transaction opened at {scope.place} has ended, so nothing was sent: what runs in it must end "
                    "before its block does, or be started inside stretto.detached()"
                )
            scope = scope.parent

    def check(self) -> None:
        """Raise what keeps a statement from being sent in this block."""
        self.check_open()
        why = self.cause() or self.trunk.doom
        if why is not None:
            raise aborted(why)

    def cause(self) -> BaseException | None:
        """The first error that failed this block or one around it, if any did."""
        scope: Scope | None = self
        while scope is not None and scope.root is None:
            scope = scope.parent
        return None if scope is None else scope.root

    def fail(self, why: BaseException) -> None:
        """Record what failed the block, unless something has before."""
        if self.root is None:
            self.root = why

    def heard(self, request: Request) -> None:
        """Record the server's error, in the order in which it told. Its last words come again, as ConnectionLost."""
        error = server_error(request, None) if request.error is not None and self.cause() is None else None
        if error is not None and error.severity not in ("FATAL", "PANIC"):
            self.root, self._root_request = error, request

    def failed(self, request: Request) -> BaseException:
        """What to raise where what rode in front of a request has failed: the root cause, or that one around has it."""
        cause = self.cause()
        return self.root or (server_error(request, None) if cause is None else aborted(cause))

    def told(self, request: Request, error: DatabaseError) -> BaseException:
        """What the caller gets for an error: the root cause stays the one object; who follows it is told of it."""
        self.trunk.unshift(request, error)
        if isinstance(error, ConnectionLost) and self.trunk.committing is None:
            rolled_back(error)
        if request is self._root_request and (error.sqlstate is not None or isinstance(error, ConnectionLost)):
            self.root = error
        elif error.sqlstate == "25P02" and (cause := self.cause()) is not None:
            return aborted(cause)
        return error

    def interrupted(self, error: BaseException) -> None:
        """A statement was given up, or its connection lost: nobody knows what it has done, so the block has failed."""
        if not isinstance(error, Exception) or isinstance(error, TimeoutError | ConnectionLost):
            self.fail(error)

    def verdict(self, error: BaseException | None) -> BaseException | None:
        """What leaving the block raises, given what its body raised.

        The root cause, where the body has only heard of it or has swallowed it; else what the body raised.
        """
        why = self.root or self.trunk.doom
        if why is None or error is why:
            return error
        if error is None or only_aborted(error):
            return why if isinstance(why, Exception) else aborted(why)
        return error


def _no_door() -> None:
    return None
