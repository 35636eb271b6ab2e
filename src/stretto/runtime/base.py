"""What both runtimes share: how a lost connection is told, the limits, and the contract of a Link.

A Link is one connection in the hands of a runtime. ``run(flow, timeout)`` drives a flow and returns its result;
``recover()`` makes the connection usable after a statement was given up, or closes it; ``close()`` says goodbye.
"""

from __future__ import annotations

import socket
import struct
import time

from stretto.errors import ConnectionLost, DatabaseError, Error, Outcome, ProtocolError, UsageError
from stretto.protocol import state as states
from stretto.protocol.classify import CONTROL, COPYING, SESSION
from stretto.protocol.machine import Machine
from stretto.protocol.request import Request
from stretto.runtime.forks import forked
from stretto.sqlstate import error_from_fields
from stretto.wire import backend, frontend
from stretto.wire.buffer import WriteBuffer

RECEIVE = 1 << 16  # bytes asked for at once
CANCEL_GRACE = 2.0  # seconds for a cancelled statement to end before its connection is discarded
CANCEL_AFTER = 0.01  # seconds for a statement that was given up on a shared connection to end by itself
CANCEL_AGAIN = 0.25  # seconds until one that still runs is asked to stop again
REAP_EVERY = 0.05  # seconds between looks at what was given up while others wait on its connection


def _copy_given_up() -> bytes:
    buf = WriteBuffer()
    frontend.copy_fail(buf, "the client gave the COPY up")
    return buf.getvalue()


_COPY_IN = ord(states.COPY_IN)
COPY_GIVEN_UP = _copy_given_up()


def fail_all(machine: Machine, cause: BaseException | None) -> list[Request]:
    """The connection is gone: give each request that waits an error that says what became of it; return them.

    The server takes requests in turn and flushes each reply. So where it told why it goes (FATAL, as the answer to the
    oldest request or to none, or the notice of its end), those behind the oldest have certainly not run.
    """
    requests = machine.lost()
    if machine.farewell is None and requests:
        machine.farewell = requests[0].error
    ordered = False
    if machine.farewell is not None:
        cause = told(machine.farewell)
        fatal = isinstance(cause, DatabaseError) and cause.severity in ("FATAL", "PANIC")
        ordered = fatal or machine.going
    outcome: Outcome = "unknown"
    for request in requests:
        if request.failure is None:
            request.failure = lost(cause, outcome if request.sent else "not_sent")
        request.done = True
        if ordered:
            outcome = "rolled_back"
    return requests


def why_lost(machine: Machine, inherited: bool, reason: Error | None) -> Error:
    """Make the error for a connection that is gone while nothing was asked. ``inherited``: it is a parent process's."""
    if inherited:
        return forked()
    farewell = machine.farewell
    return lost(reason if farewell is None else told(farewell), "not_sent")


def forsake(machine: Machine) -> list[Request]:
    """This is a child process, and the session its parent's: nothing is sent or heard here any more."""
    requests = machine.lost()
    for request in requests:
        request.failure = forked()
        request.done = True
    return requests


def told(farewell: bytes) -> Error:
    """Read the server's last words; they may be malformed."""
    try:
        return error_from_fields(backend.fields(farewell))
    except ProtocolError as error:
        return error


def lost(cause: BaseException | None, outcome: Outcome) -> Error:
    """Make the error for a statement whose connection is gone."""
    reason = "the server closed the connection" if cause is None else str(cause) or type(cause).__name__
    error = ConnectionLost(f"the connection was lost: {reason}", outcome=outcome)
    error.__cause__ = cause
    return error


def given_back() -> Error:
    """Make the error for whoever still waits on a connection that its block has given back."""
    return UsageError(
        "the block of this connection ended while the statement ran, which was cancelled or may have run: wait for it"
    )


def release(machine: Machine, head: Request) -> None:
    """End what the given up request still has open: a COPY, or a portal whose Sync was not sent."""
    if head.state == _COPY_IN:
        machine.write(COPY_GIVEN_UP)
    elif not head.script.endswith((b"Y", b"Q")):
        head.say(frontend.SYNC, b"Y")
        machine.extend(head)


def peer_user(sock: socket.socket) -> int:
    """The user id of the process at the other end of a Unix socket (SO_PEERCRED: Linux)."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)


def remaining(deadline: float | None) -> float | None:
    """Seconds left; raises TimeoutError when there are none."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left


def shortest(timeout: float | None, until: float | None, now: float) -> float | None:
    """The seconds of a timeout, or those that are left until a time, whichever are fewer."""
    if until is None:
        return timeout
    left = max(until - now, 0.001)
    return left if timeout is None else min(timeout, left)


def is_deadline(error: OSError) -> bool:
    """Tell our own deadline from TCP's ETIMEDOUT, which is a TimeoutError too and means that the peer is gone."""
    return isinstance(error, TimeoutError) and error.errno is None


def unfinished(request: Request) -> bool:
    """Tell whether a reply is still to come that nobody will take: not of a stream or COPY, which end it themselves."""
    return request.queued and not request.done and not request.allow_copy and request.script.endswith(b"Y")


def may_wait(request: Request) -> bool:
    """Tell whether the rest of a reply may wait with the server: of a COPY, and of a stream before its Sync."""
    return request.allow_copy != 0 or (request.partial and not request.script.endswith(b"Y"))


def may_cancel(machine: Machine) -> bool:
    """Tell whether something runs that may be cancelled: not where the end of a transaction is under way."""
    head = machine.head()
    return head is not None and all(one.kind != CONTROL for one in (head, *machine.inflight))


_REFUSED = {
    SESSION: "it would change the session of a connection that others use: use connection(), which reserves one",
    CONTROL: "a transaction is a block of db.transaction(), or takes a connection of its own, from connection()",
    COPYING: "COPY is run by copy_in() and copy_out()",
}


def check_shareable(request: Request) -> None:
    """Raise UsageError for a request that can't travel on a shared connection; nothing was sent."""
    remedy = _REFUSED.get(request.kind)
    if remedy is not None:
        raise UsageError(f"{request.what or 'this statement'} was not sent: {remedy}")
