"""What a rollback does to objects: they forget what was written of them in the block.

Else they would say that they are stored, with keys that nobody has: a transaction that is tried again would find that
nothing was changed, and write nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stretto.flows.ambient import ambient
from stretto.flows.query import Flow
from stretto.model.writing import State, Writer, writer_for

Undo = tuple[Writer, Any, State]


def undoable(flow: Flow, objs: Sequence[Any]) -> Flow:
    """A flow that writes objects, and in a transaction leaves there how to make them as they were."""
    return flow if ambient() is None else _recorded(flow, objs)


def _recorded(flow: Flow, objs: Sequence[Any]) -> Flow:
    before = [(writer := writer_for(obj), obj, writer.state(obj)) for obj in objs]
    request = None
    try:
        request = flow.send(None)
        while True:
            try:
                answer = yield request
            except BaseException as error:
                request = flow.throw(error)
            else:
                request = flow.send(answer)
    except StopIteration as stop:
        if request is not None and request.undo is not None:
            request.undo.append([(writer, obj, writer.made(obj, state)) for writer, obj, state in before])
        return stop.value
    finally:
        flow.close()


def revert(undo: list[list[Undo]]) -> None:
    """Make objects as they were, the last written first. What was assigned to them since stays."""
    while undo:
        for writer, obj, state in reversed(undo.pop()):
            writer.revert(obj, state)
