"""The suite's watch for secrets (conftest): it sees what it should, where it should."""

from __future__ import annotations

import contextlib
import gc
import logging
from typing import Any

import pytest
from tests import conftest

from stretto.errors import UsageError


def record(message: str, *args: str) -> logging.LogRecord:
    return logging.LogRecord("stretto", logging.DEBUG, __file__, 1, message, args, None)


@pytest.mark.parametrize("canary", conftest.CANARIES)
def test_a_secret_in_a_log_is_seen(canary: str) -> None:
    watch = conftest.Watch()
    watch.emit(record("connecting"))
    assert watch.seen == []
    watch.emit(record("connecting with %s", canary))
    assert len(watch.seen) == 1


@pytest.mark.parametrize("canary", conftest.CANARIES)
def test_a_secret_in_an_error_is_seen(watch: conftest.Watch, canary: str) -> None:
    UsageError("a password is missing")
    assert watch.seen == []
    UsageError(f"no such password: {canary}")
    count = len(watch.seen)
    watch.seen.clear()
    assert count == 1


def test_a_secret_in_a_variable_of_a_traceback_is_seen(watch: conftest.Watch) -> None:
    source = "def connect(fail, password):\n    fail()"
    namespace: dict[str, Any] = {}
    exec(compile(source, f"{conftest.PACKAGE}/told.py", "exec"), namespace)

    def fail() -> None:
        raise UsageError("no")

    for value, count in (("nothing", 0), ("hunter2", 1), (b"hunter2", 1), (["hunter2"], 1)):
        with contextlib.suppress(UsageError):
            namespace["connect"](fail, value)
        gc.collect()
        found = list(watch.seen)
        watch.seen.clear()
        assert len(found) == count, value
        assert all("password of connect() under UsageError" in text for text in found)
