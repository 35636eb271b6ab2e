"""Traces of what connections say and hear, in libpq's format (``wire.trace``), written to a file.

A trace begins behind the authentication, so that no password of it is there; the values of all parameters and rows are.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

from stretto.errors import ConfigError, UsageError
from stretto.flows.connect import Greeting
from stretto.flows.shared import Shared
from stretto.wire.trace import Tracer

_LOG = logging.getLogger("stretto")


class Sink:
    """Where traces go: a text file that is open, or the path of one, which is appended to.

    A file that is made here can be read by its owner only. Raises ConfigError where it can't be opened, UsageError for
    what is neither. When writing fails, that is logged and the trace ends: the conversation goes on.
    """

    def __init__(self, target: str | os.PathLike[str] | TextIO) -> None:
        self._lock = threading.Lock()
        self._mine = isinstance(target, (str, os.PathLike))
        self._file: Any = _opened(target) if isinstance(target, (str, os.PathLike)) else target
        if not hasattr(self._file, "write"):
            raise UsageError(f"a trace goes to a path or an open text file, not to {type(target).__name__}")

    def write(self, prefix: str, lines: Sequence[str]) -> None:
        """Write lines, each with the prefix in front."""
        text = "".join([f"{prefix}{line}\n" for line in lines])
        with self._lock:
            if self._file is None or not text:
                return
            try:
                self._file.write(text)
            except (OSError, ValueError, TypeError) as error:  # ValueError: it is closed; TypeError: it takes bytes
                broken, self._file = self._file, None
                if self._mine:
                    with suppress(OSError):
                        broken.close()
                _LOG.warning("a trace has ended, because it could not be written: %s", type(error).__name__)

    def close(self) -> None:
        """Close the file, if it was opened here."""
        with self._lock:
            file, self._file = self._file, None
            if self._mine and file is not None:
                file.close()


class Tap:
    """Takes what one connection says and hears.

    ``own``: it is not the Database's, but begun by who has the connection reserved; ``beside``: the Database's, then.
    """

    def __init__(self, sink: Sink, prefix: str = "", *, own: bool = False, beside: Tap | None = None) -> None:
        self.own = own
        self.beside = beside
        self._sink = sink
        self._prefix = prefix
        self._tracer = Tracer(started=True)

    def said(self, data: bytes) -> None:
        """Take bytes that are about to be sent."""
        self._sink.write(self._prefix, self._tracer.frontend(data))
        if self.beside is not None:
            self.beside.said(data)

    def heard(self, data: bytes) -> None:
        """Take bytes that were received."""
        self._sink.write(self._prefix, self._tracer.backend(data))
        if self.beside is not None:
            self.beside.heard(data)


def tap(shared: Shared, greeting: Greeting) -> Tap | None:
    """The trace of a new connection, where its Database has one: the server's process in front of each line."""
    sink = shared.trace
    return None if sink is None else Tap(sink, f"{greeting.pid or '?'}\t")


def own(present: Tap | None, file: TextIO | None) -> Tap | None:
    """A connection's trace to a file of its own, beside the Database's; None: that one alone. Raises UsageError."""
    around = present.beside if present is not None and present.own else present
    if isinstance(file, (str, os.PathLike)):
        raise UsageError("a connection's trace goes to an open text file: open() it, and close it afterwards")
    return around if file is None else Tap(Sink(file), own=True, beside=around)


def _opened(path: str | os.PathLike[str]) -> TextIO:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(number, "a", encoding="utf-8", buffering=1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the file of trace= can't be opened: {error}") from None
