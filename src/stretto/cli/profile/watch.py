"""stretto's own stamps (``stretto.slow``) of a few calls among many, picked so that the log does not slow the others.

The log is silent but for one record at a time: each so many calls it is opened, and the next call that ends closes it
behind it. Its stamps were all set before the record was made.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from statistics import fmean
from types import TracebackType
from typing import Any

STAMPS = ("queued", "behind", "wire", "server", "decode", "total")
_LOG = logging.getLogger("stretto.slow")
_SILENT = logging.CRITICAL + 1


class Watch(logging.Handler):
    """Collects the stamps in its ``with`` block, of Databases with ``slow=0``."""

    EACH = 23  # calls for one that is watched; a prime, so that it does not keep step with a number of callers

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[Any] = []
        self._calls = 0
        self._before = (_LOG.level, _LOG.propagate)

    def __enter__(self) -> Watch:
        self._before = (_LOG.level, _LOG.propagate)
        _LOG.addHandler(self)
        _LOG.propagate = False
        _LOG.setLevel(_SILENT)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _LOG.removeHandler(self)
        level, _LOG.propagate = self._before
        _LOG.setLevel(level)

    def count(self) -> None:
        """A call has ended: each so many open the log for the next one."""
        self._calls += 1
        if self._calls % self.EACH == 0:
            _LOG.setLevel(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record, and no more."""
        _LOG.setLevel(_SILENT)
        self._seen.append(getattr(record, "slow"))  # noqa: B009  # the logging of stretto puts it there

    @property
    def taken(self) -> int:
        """How many calls were watched."""
        return len(self._seen)

    def means(self) -> Mapping[str, float]:
        """The mean of each stamp's stretch in seconds, for the calls that were watched; there has to be one."""
        return {name: fmean(getattr(each, name) for each in self._seen) for name in STAMPS}
