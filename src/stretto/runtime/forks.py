"""A fork: the child has its parent's connections too. It closes its copies of their sockets, and tells their users so.

Nothing is said to the server and nothing is shut down: the sessions are the parent's, who goes on with them.
"""

from __future__ import annotations

import os
import socket
import weakref
from typing import Protocol

from stretto.errors import Error, UsageError


class Heir(Protocol):
    """What a child has of its parent, and has to forget."""

    def _forget_parent(self) -> None: ...


_HEIRS: weakref.WeakSet[Heir] = weakref.WeakSet()


def tell(heir: Heir) -> None:
    """Have an object be told in a child process that it is there."""
    _HEIRS.add(heir)


def forked() -> Error:
    """What a child gets that uses what is its parent's."""
    return UsageError(
        "this Database was made in the parent process, whose connections it has: make a new one after the fork"
    )


def drop(sock: socket.socket) -> None:
    """Close this process's descriptor of a socket at once. The parent's, and what watches it there, are not touched."""
    getattr(sock, "_sock", sock).close()  # gevent's own close() would wait for the loop, which is not yet as new


def _after_fork() -> None:
    for heir in list(_HEIRS):
        heir._forget_parent()


os.register_at_fork(after_in_child=_after_fork)
