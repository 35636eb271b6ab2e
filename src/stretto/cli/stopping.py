"""SIGTERM and SIGHUP end a command as Ctrl-C does: what it has made on a server is dropped before it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Told(KeyboardInterrupt):
    """A signal that ends us has come.

    Attributes:
        status: the exit status that a shell shows for it, 143 for SIGTERM.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Within the block (of the main thread) they raise `Told`; one that is ignored, as by nohup, stays so.

    Only the first does: what it lets be cleaned up is not cut short by a second one.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Told(number)
