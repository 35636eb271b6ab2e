"""What a test must leave as it was: what the whole process shares, so that another test does not fail in its stead."""

from __future__ import annotations

import decimal
import gc
import logging
import os
import signal
import sys
import tempfile
import threading
from typing import Any

SIGNALS = [
    signal.Signals[name]
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGUSR1",
        "SIGUSR2",
        "SIGCHLD",
        "SIGPIPE",
    )  # SIGALRM is pytest-timeout's
]
LOGGERS = ("stretto", "asyncio")  # other libraries set up theirs when they are imported
# What pytest sets for each test, and what polars sets when it is imported.
NOT_OURS = {"PYTEST_CURRENT_TEST", "_RJEM_MALLOC_CONF"}


def shared() -> dict[str, Any]:
    """Everything that is looked at, by a name for people."""
    found: dict[str, Any] = {
        "the current directory": _directory(),
        "sys.path": set(sys.path),
        "the collector": (gc.isenabled(), gc.get_threshold()),
        "the directory for temporary files": tempfile.tempdir,
        "the switch interval": sys.getswitchinterval(),
        "the limit of recursion": sys.getrecursionlimit(),
        "the decimal context": repr(decimal.getcontext()).partition(" flags=")[0],
        "threading.excepthook": threading.excepthook,
        "sys.stdin": sys.stdin,
        "logging.disable": logging.root.manager.disable,
        "the class of loggers": logging.getLoggerClass(),
    }
    found |= {f"the handler of {number.name}": signal.getsignal(number) for number in SIGNALS}
    found |= {f"the variable {name}": text for name, text in os.environ.items() if name not in NOT_OURS}
    found["the logger root"] = _state(logging.root)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith(LOGGERS) and isinstance(logger, logging.Logger) and (state := _state(logger)) != _NEW:
            found[f"the logger {name}"] = state
    return found


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for everything that differs."""
    return [
        f"{name} was {before.get(name)!r}, is {after.get(name)!r}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


_NEW = (logging.NOTSET, True, False, [], [])


def _state(logger: logging.Logger) -> tuple[Any, ...]:
    """Its settings, without the handlers with which pytest records."""
    handlers = [each for each in logger.handlers if not type(each).__module__.startswith("_pytest.")]
    return logger.level, logger.propagate, logger.disabled, handlers, list(logger.filters)


def _directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "gone"
