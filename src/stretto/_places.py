"""Where in a program stretto was called from, and by which task or thread."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from functools import lru_cache
from typing import Any

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_COMMANDS = os.path.join(_PACKAGE, "cli") + os.sep  # a program like any other that uses stretto
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
# What calls a program's functions, or stands between them and stretto, and says nothing of the program.
_MACHINERY = (
    *(_LIBRARY + name + os.sep for name in ("asyncio", "concurrent")),
    *(_LIBRARY + name + ".py" for name in ("contextlib", "selectors", "threading")),
    "<frozen ",  # runpy and the importing of modules
)
_GEVENT = f"{os.sep}gevent{os.sep}"


def places(most: int) -> tuple[str, ...]:
    """Return the innermost places outside of stretto, and of what runs event loops, threads and context managers."""
    found: list[str] = []
    frame: Any = sys._getframe(1)
    while frame is not None and len(found) < most:
        code = frame.f_code
        if _is_outside(code.co_filename):
            found.append(place(code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back
    return tuple(found)


def caller() -> str:
    """The innermost place outside, as its line alone."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and not _is_outside(frame.f_code.co_filename):
        frame = frame.f_back
    return place(frame.f_code.co_filename, frame.f_lineno)


@lru_cache(maxsize=512)
def place(filename: str, line: int, function: str = "") -> str:
    """A line of a program as text, one for all who come from there."""
    return f"{filename}:{line} in {function}" if function else f"{filename}:{line}"


@lru_cache(maxsize=4096)
def _is_outside(filename: str) -> bool:
    ours = filename.startswith(_PACKAGE) and not filename.startswith(_COMMANDS)
    return not ours and not filename.startswith(_MACHINERY) and _GEVENT not in filename


class _Thread(threading.local):
    """``token``: an object of each thread, or greenlet, for a number may be another one's later."""

    def __init__(self) -> None:
        self.token = object()


_thread = _Thread()


_asyncio: list[Any] = []  # two functions of it, once a program has loaded it: an import of stretto does not


def me() -> object:
    """The running task, or thread, or greenlet, to be compared by ``is``."""
    if not _asyncio:
        module = sys.modules.get("asyncio")
        if not hasattr(module, "current_task"):
            return _thread.token
        _asyncio[:] = module._get_running_loop, module.current_task  # type: ignore[union-attr]  # private, but exported
    running, task_of = _asyncio
    loop = running()
    task = None if loop is None else task_of(loop)
    return _thread.token if task is None else weakref.ref(task)


def is_over(who: object) -> bool:
    """Tell of what ``me`` gave whether it is a task that has ended. Of a thread or greenlet nobody knows."""
    task = who() if isinstance(who, weakref.ref) else None
    return isinstance(who, weakref.ref) and (task is None or task.done())
