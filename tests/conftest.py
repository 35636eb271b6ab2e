"""Fixtures of the whole suite: one real PostgreSQL for a run; and a watch on what is said: no secret may be in it."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
import tempfile
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cases import FUZZED
from tests.unchanged import changes, shared

from stretto import _core
from stretto.errors import Error

PACKAGE = os.path.dirname(_core.__file__)
CODECS = os.path.join(PACKAGE, "codecs")  # statements' values are there, as in the caller's own frames; no password is
LARGE = 10_000  # what is longer is not looked at
# Who is started in the background, or by nohup, has these ignored, and so have his children; tests send them.
for _number, _default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)
# Passwords of the tests. None may be seen in a log, in what is printed, or in an error.
CANARIES = ("canary-4711", "hunter2", "it's =a, pässword 😀")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a PostgreSQL 18 for this run: STRETTO_TEST_URL where it is set, else an embedded server."""
    url = os.environ.get("STRETTO_TEST_URL")
    if url:
        yield url
        return
    import stretto.embedded

    with (
        tempfile.TemporaryDirectory(prefix="stretto-test-") as directory,
        stretto.embedded.server(Path(directory)) as url,
    ):
        yield url


def pytest_report_header() -> str:
    return f"core: {_core.core_info()}, {len(_core.compiled_modules())} modules compiled"


class Watch(logging.Handler):
    """Looks for canaries in what the package logs at any level and in every error of it that is made."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.seen: list[str] = []

    def look(self, where: str, text: str) -> None:
        if any(canary in text for canary in CANARIES):
            self.seen.append(ascii(f"a secret got out, in {where}: {text}"))  # xdist carries no lone surrogate

    def emit(self, record: logging.LogRecord) -> None:
        self.look("a log", f"{record.getMessage()} {record.args}")

    def attach(self) -> None:
        """Watch the logger and the class of errors until the end of the process."""
        logging.getLogger("stretto").addHandler(self)
        logging.getLogger("stretto").setLevel(logging.DEBUG)
        make = Error.__init__

        def watched(error: Error, *args: Any, **keywords: Any) -> None:
            make(error, *args, **keywords)
            self.look(type(error).__name__, f"{error.args} {vars(error)}")

        Error.__init__ = watched  # type: ignore[method-assign]  # the same signature, watched
        # An error has its whole traceback when nobody needs it any more.
        Error.__del__ = lambda error: self.look_through(error)  # type: ignore[attr-defined]  # the class has none

    def look_through(self, error: BaseException) -> None:
        """Look at the variables of the package in an error's traceback, as tools show them."""
        seen: set[int] = set()
        following: BaseException | None = error
        while following is not None and id(following) not in seen:
            seen.add(id(following))
            for frame, _ in traceback.walk_tb(following.__traceback__):
                file = frame.f_code.co_filename
                if file.startswith(PACKAGE) and not file.startswith(CODECS):
                    for name, value in frame.f_locals.items():
                        where = f"the variable {name} of {frame.f_code.co_name}() under {error!r:.200}"
                        self.look(where, _shown(value))
            following = following.__cause__ or following.__context__


def _shown(value: Any, depth: int = 3) -> str:
    """What a tool shows of a variable: a text, what is in a container, else its repr. Nothing of what is large."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace") if len(value) <= LARGE else ""
    if isinstance(value, str):
        return str(value) if len(value) <= LARGE else ""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return " ".join([_shown(one, depth - 1) for one in itertools.islice(value, 100)]) if depth else ""
    try:
        return repr(value)
    except Exception:
        return ""  # half made or half gone


WATCH = Watch()


@pytest.fixture
def watch() -> Watch:
    """The watch of this run."""
    return WATCH


def pytest_configure() -> None:
    WATCH.attach()


def pytest_collection_finish() -> None:
    """Let the collector look at what tests make, and not again and again at twelve thousand tests."""
    gc.collect()
    gc.freeze()


BEFORE = pytest.StashKey[dict[str, Any]]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    item.stash[BEFORE] = shared()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Fail a test that leaves something changed that the whole process shares, and not the next one."""
    result = yield
    if changed := changes(item.stash[BEFORE], shared()):
        pytest.fail("left changed: " + "; ".join(changed), pytrace=False)
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look at the errors that are still held by something, and fail the run for a canary in one."""
    gc.collect()
    if WATCH.seen:
        print("\n".join(WATCH.seen))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test in which a canary was logged, printed or put into an error. Note how many cases it had."""
    report = yield
    mark = item.get_closest_marker("fuzz")
    if mark is not None:
        report.user_properties.append(("cases", mark.args[0]))
    for where, text in report.sections:
        WATCH.look(where, text)
    if WATCH.seen and report.passed:
        report.outcome, report.longrepr = "failed", "\n".join(WATCH.seen)
    WATCH.seen.clear()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Behind ``make fuzz``, say what was tried, how often, and how often something differed."""
    if not FUZZED:
        return
    tried: dict[str, list[float]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, number in report.user_properties:
                if name == "cases" and report.when == "call":
                    entry = tried.setdefault(report.nodeid.partition("[")[0], [0, 0, 0])
                    each = (1, number, outcome == "failed")
                    entry[:] = [sum(pair) for pair in zip(entry, each, strict=True)]
    terminalreporter.section("generated cases (hypothesis stops early where a type has no more values)")
    terminalreporter.line(f"{'tests':>6} {'cases':>11} {'failed':>6}")
    for place, (tests, number, failed) in sorted(tried.items()):
        terminalreporter.line(f"{tests:>6} {number:>11,} {failed:>6}  {place}")
    tests, number, failed = (sum(column) for column in zip(*tried.values(), strict=True)) if tried else (0, 0, 0)
    terminalreporter.line(f"{tests:>6} {number:>11,} {failed:>6}  in all; differences and errors: {failed}")
