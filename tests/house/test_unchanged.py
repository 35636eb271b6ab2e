"""The watch on what the whole process shares sees what a test leaves changed."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unchanged import changes, shared


def log(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setattr(logging.getLogger("stretto.slow"), "propagate", False)


def variable(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setenv("PGUSER", "somebody")


def directory(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.chdir(path)


def imports(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.syspath_prepend(str(path))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (log, "the logger stretto.slow"),
        (variable, "the variable PGUSER"),
        (directory, "the current directory"),
        (imports, "sys.path"),
    ],
)
def test_what_is_left_changed_is_named(
    change: Callable[[pytest.MonkeyPatch, Path], None], named: str, tmp_path: Path
) -> None:
    before = shared()
    with pytest.MonkeyPatch.context() as monkeypatch:
        change(monkeypatch, tmp_path)
        [line] = changes(before, shared())
    assert line.startswith(named)
    assert changes(before, shared()) == []


def test_the_collector_and_signals_are_looked_at() -> None:
    before = shared()
    threshold, handler = gc.get_threshold(), signal.getsignal(signal.SIGUSR2)
    gc.set_threshold(threshold[0] + 1)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        found = changes(before, shared())
    finally:
        gc.set_threshold(*threshold)
        signal.signal(signal.SIGUSR2, handler)
    assert [line.partition(" was ")[0] for line in found] == ["the collector", "the handler of SIGUSR2"]


def test_the_variable_of_the_test_that_runs_is_not_ours() -> None:
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert "the variable PYTEST_CURRENT_TEST" not in shared()
