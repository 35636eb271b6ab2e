"""What a rollback does to objects: they forget what was written of them in the block.

Else they would say that they are stored, with keys that nobody has: a transaction that is tried again would find that
nothing was changed, and write nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stretto.flows.ambient import ambient
from stretto.flows.query import Flow
from stretto.model.base import settle
from stretto.model.fields import UNSET
from stretto.model.loading import known_of
from stretto.model.writing import Values, Writer, writer_for


class Before:
    """An object before it was written: its values, UNSET where it had none, and what was known of its row.

    ``made``: its values right after, so that what was assigned later is told from what the server has made.
    """

    __slots__ = ("loaded", "made", "obj", "origin", "values", "writer")

    def __init__(self, obj: Any) -> None:
        self.obj = obj
        self.writer: Writer = writer_for(obj)
        self.values: Values = self.writer.values(obj)
        self.made = self.values
        self.origin, self.loaded = known_of(obj)

    def revert(self) -> None:
        """Make it as it was. What was assigned since stays."""
        obj, writer = self.obj, self.writer
        now = writer.values(obj)
        for name, old, made, value in zip(writer.names, self.values, self.made, now, strict=True):
            if made is not old and value is made:
                slot = writer.table.slot[name]
                if old is UNSET:
                    slot.__delete__(obj)
                else:
                    slot.__set__(obj, old)
        writer.forget(obj)
        if self.origin is not None:
            obj._origin_, obj._loaded_ = self.origin, self.loaded
        settle(obj)


def undoable(flow: Flow, objs: Sequence[Any]) -> Flow:
    """A flow that writes objects, and in a transaction leaves there how to make them as they were."""
    return flow if ambient() is None else _recorded(flow, objs)


def _recorded(flow: Flow, objs: Sequence[Any]) -> Flow:
    before = [Before(obj) for obj in objs]
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
            for one in before:
                one.made = one.writer.values(one.obj)
            request.undo.append(before)
        return stop.value
    finally:
        flow.close()


def revert(undo: list[list[Before]]) -> None:
    """Make objects as they were, the last written first."""
    while undo:
        for one in reversed(undo.pop()):
            one.revert()
