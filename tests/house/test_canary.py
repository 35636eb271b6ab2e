"""The suite's watch for secrets (conftest): it sees what it should, where it should."""

from __future__ import annotations

import logging

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
