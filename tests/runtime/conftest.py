"""What must hold after each test of the runtimes: no descriptor, no thread is left."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_is_left(server_url: str) -> Iterator[None]:
    """Compare the descriptors and threads before and after; a socket that was forgotten warns, which is an error."""
    gc.collect()
    gc.freeze()  # what is there now is not looked at again: to collect takes a millisecond, and not a tenth of a second
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    yield
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert threading.active_count() == threads
