"""How a transaction ends: COMMIT, alone or in the flight of the last statement, ROLLBACK, and whether to try again."""

from __future__ import annotations

import random

from stretto.errors import CommitUnknown, ConnectionLost, DatabaseError, Error, TransactionAborted
from stretto.flows.query import Flow, server_error
from stretto.flows.simple import simple
from stretto.flows.transaction import Scope, Trunk
from stretto.flows.within import within
from stretto.flows.xid import Found
from stretto.protocol.classify import CONTROL

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds


def commit(trunk: Trunk) -> Flow:
    """Send COMMIT, before it what is due, and the question for the xid where it is not known."""
    yield from trunk.xid.settle()
    for _, stream in trunk.portals:  # nobody reads on: its rows are not kept
        stream.abandoned = True
    due = [command for command in trunk.pending if not command.startswith("RELEASE")]
    trunk.pending = []
    request = trunk.committing = simple("; ".join([*due, "COMMIT"]))
    request.kind = CONTROL
    yield request


def committed(scope: Scope) -> None:
    """Raise what has become of COMMIT, unless it took place. It is done."""
    request = scope.trunk.committing
    if request is None:
        return
    if isinstance(request.failure, CommitUnknown):
        request.failure.xid = (scope.trunk.xid.read() or (None,))[0]
    if request.failure is not None:
        raise request.failure
    if request.error is not None:
        scope.heard(request)
        raise scope.root or server_error(request, None)
    if request.tag != b"COMMIT\0":
        scope.trunk.hear_streams()
        why = scope.verdict(None)
        raise why or TransactionAborted("COMMIT was answered by ROLLBACK: the transaction had failed")


def closing(scope: Scope, flow: Flow) -> Flow:
    """Run the last statement of a transaction with COMMIT in its flight.

    COMMIT has a Sync of its own: behind a statement that failed it is answered by ROLLBACK, so either way the
    transaction has ended. ``trunk.results`` gets the statement's result, or ``trunk.failure`` its error. Where the flow
    executes nothing, ``trunk.committing`` stays None, and COMMIT is still to be sent.
    """
    trunk = scope.trunk
    trunk.results, trunk.failure = None, None
    try:
        trunk.results = [(yield from within(scope, flow, commit(trunk)))]
    except Error as error:
        trunk.failure = error
    if trunk.committing is not None:
        trunk.committing.hurry = False
        yield trunk.committing


def rollback() -> Flow:
    """Send ROLLBACK. One round trip."""
    request = simple("ROLLBACK")
    yield request
    if request.failure is not None:
        raise request.failure
    if request.error is not None:
        raise server_error(request, None)


def unknown(lost: ConnectionLost, found: Found | None) -> CommitUnknown:
    """Make the error for a COMMIT whose outcome could not be found out."""
    xid = None if found is None else found.xid
    hint = "its xid is not known"
    if xid is not None:
        hint = f"pg_xact_status('{xid}') on the same server may tell later, unless that has crashed"
    error = CommitUnknown(f"COMMIT was sent, but not answered: whether it took place is not known; {hint}", xid=xid)
    error.__cause__ = lost
    return error


def is_retryable(scope: Scope, error: BaseException, inner: BaseException | None) -> bool:
    """Tell whether a transaction may succeed if it is run again: by its first error, whatever the body made of it.

    ``inner``: what a block inside it was left by, which counts where it has left this one too.
    """
    root = error if scope.root is None and inner is error else scope.root
    return isinstance(root, DatabaseError) and root.retryable and not isinstance(error, CommitUnknown)


def pause_before(attempt: int) -> float:
    """Seconds to wait before an attempt: random up to a limit that doubles each time ("full jitter")."""
    return random.uniform(0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 2)))  # noqa: S311  # not a secret
