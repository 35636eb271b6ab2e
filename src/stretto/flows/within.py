"""A statement in a transaction: what rides in front of it or follows it, and what its answer says of the block."""

from __future__ import annotations

from stretto.errors import DatabaseError, UsageError
from stretto.flows.query import Flow
from stretto.flows.transaction import Scope, Trunk
from stretto.protocol.classify import CONTROL
from stretto.protocol.request import Request

_BY_HAND = (
    "inside transaction() leaving the block commits, raising rolls back, and a nested transaction() is a savepoint"
)


def within(scope: Scope, flow: Flow, last: Flow | None = None) -> Flow:
    """Drive a statement's flow in a block: what is due rides in front, the first error is kept.

    ``last``: a flow (COMMIT's) whose requests go out behind the statement without waiting for its answer.
    """
    trunk = scope.trunk
    request = None
    try:
        request = flow.send(None)
        while True:
            if not request.queued:
                scope.check()
                request.undo = scope.undo
                if request.kind == CONTROL:
                    raise UsageError(f"{request.what} was not sent: {_BY_HAND}")
                if request.snapshot:
                    request.unlead()
                if trunk.left:
                    yield from trunk.close_left()
                if trunk.pending:
                    yield from trunk.lead(request)
                    _look_at(scope, trunk.ahead())
                if last is not None and _executes(request):
                    yield from _followed(trunk, request, last)
                elif trunk.xid.due(request):
                    yield from trunk.xid.behind(request)
                if not request.script.endswith((b"Y", b"Q")):
                    trunk.streams(scope, request)
                    request.hurry = request.hurry and trunk.confirmed  # nobody may follow where BEGIN has failed
            yield request
            _look_at(scope, trunk.ahead())
            if request.error is not None:
                trunk.hear_streams()  # which were asked before
                scope.heard(request)
            trunk.heard(request)
            if request.error is not None and request.before_due and not request.done:
                raise scope.failed(request)  # a stream's flow does not look at it yet
            try:
                request = flow.send(request)
            except DatabaseError as error:
                told = scope.told(request, error)
                if told is error:
                    raise
                raise told from told.__cause__
    except StopIteration as stop:
        return stop.value
    finally:
        flow.close()


def _look_at(scope: Scope, ahead: Request | None) -> None:
    """Raise what has become of BEGIN and its like where they went in front by themselves."""
    if ahead is None:
        return
    scope.trunk.heard(ahead)
    if ahead.error is not None:
        scope.trunk.hear_streams()
        scope.heard(ahead)
        raise scope.failed(ahead)
    if ahead.failure is not None:
        raise ahead.failure


def _followed(trunk: Trunk, request: Request, last: Flow) -> Flow:
    """Send a request and COMMIT behind it, and wait for neither."""
    request.hurry = True
    yield request
    for behind in last:
        behind.hurry = True
        yield behind


def _executes(request: Request) -> bool:
    """Tell the request that runs the statement from those that prepare."""
    return request.allow_copy == 0 and request.script.endswith((b"EY", b"Q"))
