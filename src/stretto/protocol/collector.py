"""How often the cyclic garbage collector comes for young objects, while there are very many that all are alive.

CPython's own threshold (700) makes it walk them again and again for nothing. The threshold is raised and the switch not
turned: what stalls must not stop it for good.
"""

from __future__ import annotations

import gc
import os
import threading

_lock = threading.Lock()
_wanted: list[int] = []
_before = gc.get_threshold()


def relieve(young: int) -> None:
    """Let it come when there are ``young`` of them, until ``resume``; of several the most counts.

    A program's own threshold is left alone where it is as high, or 0 (off).
    """
    global _before
    with _lock:
        if not _wanted:
            _before = gc.get_threshold()
        _wanted.append(young)
        _apply()


def resume(young: int) -> None:
    """End what ``relieve`` began, in any order and thread."""
    with _lock:
        _wanted.remove(young)
        if _wanted:
            _apply()
        else:
            gc.set_threshold(*_before)


def _apply() -> None:
    if _before[0] > 0:
        gc.set_threshold(max(_before[0], *_wanted), *_before[1:])


def _after_fork() -> None:
    """A thread of the parent may have had the lock."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
