"""A statement that is given up in blocking code: its caller is free, the server stops, the connection comes back."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.live.support import RUNNING, Broken, until

from stretto.config import Config
from stretto.errors import ConnectionLost, StatementTimeout
from stretto.flows import query
from stretto.flows.shared import Shared
from stretto.runtime import recovery
from stretto.runtime.blocking import Link

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make_link(server_url: str) -> Iterator[Callable[[], Link]]:
    links: list[Link] = []

    def make_link() -> Link:
        links.append(Link.connect(Shared(Config.parse(server_url))))
        return links[-1]

    yield make_link
    for link in links:
        link.close()


def fetchval(link: Link, sql: str, *args: Any, timeout: float | None = None) -> Any:
    return link.run(query.fetchval(link.shared, sql, args), timeout)


def test_threads_use_a_connection_one_at_a_time(make_link: Callable[[], Link]) -> None:
    assert not make_link().joinable


def test_a_single_request_is_submitted_and_waited_for(make_link: Callable[[], Link]) -> None:
    link = make_link()
    request = query.simple("select 1")
    link.submit(request)
    link.wait(request, None, None)
    assert request.done
    assert request.tag == b"SELECT 1\0"


def test_what_is_submitted_to_a_closed_connection_was_not_sent(make_link: Callable[[], Link]) -> None:
    link = make_link()
    link.close()
    request = query.simple("select 1")
    link.submit(request)
    link.wait(request, None, None)
    assert isinstance(request.failure, ConnectionLost)
    assert request.failure.outcome == "not_sent"


def test_the_server_stops_although_nobody_asks_for_the_connection(
    make_link: Callable[[], Link], outside: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    link, seen, cancel = make_link(), threading.Event(), recovery.cancel

    def held(*args: Any) -> Any:
        assert seen.wait(60)  # else it may be over before anybody looks
        return cancel(*args)

    monkeypatch.setattr(recovery, "cancel", held)
    with pytest.raises(StatementTimeout):
        fetchval(link, "select pg_sleep(60), 'forgotten'", timeout=0.05)
    assert link.recovering
    seen.set()
    until(outside, RUNNING, "%forgotten%", wanted=0)
    link.recover()
    assert not link.recovering
    assert fetchval(link, "select pg_backend_pid()") == link.greeting.pid


def test_several_that_were_given_up_are_all_cancelled(
    make_link: Callable[[], Link], outside: psycopg.Connection[Any]
) -> None:
    link = make_link()
    requests = [query.simple(f"select pg_sleep(60), 'one of many {i}'") for i in range(3)]
    for request in requests:
        link.submit(request)
    for request in requests:
        link.give_up(request)
    link.recover()
    assert all(request.done for request in requests)
    assert fetchval(link, "select pg_backend_pid()") == link.greeting.pid


def test_a_frozen_server_process_holds_nobody(
    make_link: Callable[[], Link], outside: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "CANCEL_GRACE", 0.3)
    link, other = make_link(), make_link()
    pid = fetchval(link, "select pg_backend_pid()")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StatementTimeout) as caught:
            fetchval(link, "select 1", timeout=0.05)
        assert caught.value.outcome == "unknown"
        assert link.recovering, "the caller waited for the recovery"
        assert fetchval(other, "select 2") == 2
        with pytest.raises(StatementTimeout, match="not free within") as caught:
            fetchval(link, "select 3", timeout=0.05)
        assert caught.value.outcome == "not_sent"
        link.recover()
        assert link.closed
    finally:
        os.kill(pid, signal.SIGCONT)
    until(outside, "select count(*) from pg_stat_activity where pid = %s", pid, wanted=0)


def test_an_interrupt_stops_the_server_too(make_link: Callable[[], Link], outside: psycopg.Connection[Any]) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise Broken

    link = make_link()
    before = signal.signal(signal.SIGUSR1, interrupt)

    def watch() -> None:
        until(outside, RUNNING, "%interrupted here%", wanted=1)
        os.kill(os.getpid(), signal.SIGUSR1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(Broken):
            fetchval(link, "select pg_sleep(60), 'interrupted here'")
    finally:
        watcher.join()
        signal.signal(signal.SIGUSR1, before)
    assert link.closed
    until(outside, RUNNING, "%interrupted here%", wanted=0)


def test_fifty_threads_under_random_timeouts_get_their_own_answers(open_db: Callable[..., Any]) -> None:
    db = open_db(connections=3)

    def work(worker: int) -> int:
        dice, answers = random.Random(worker), 0
        for i in range(40):
            wanted = worker * 1000 + i
            timeout = dice.choice([None, 0.002, 0.005, 0.02, 0.1])
            try:
                found = db.fetchval(
                    "select $1::int from pg_sleep($2)", wanted, dice.choice([0, 0, 0.002]), timeout=timeout
                )
            except TimeoutError:
                continue
            assert found == wanted
            answers += 1
        return answers

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(work, range(50), timeout=80)) > 200
    held = [db.connection() for _ in range(3)]
    assert [one.__enter__().fetchval("select 5") for one in held] == [5, 5, 5]
    for one in held:
        one.__exit__(None, None, None)


def run_program(program: str, *arguments: str) -> str:
    """Run a program with the same build; it may say nothing on stderr: a forgotten socket is an error there."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


EXIT = """
import sys
from stretto._sync.database import Database
from stretto.errors import StatementTimeout
from tests.runtime.scripted import Peer, scripted
from tests.runtime.test_hostile import falling_silent

with scripted(falling_silent, Peer.wait_for_end) as server:
    db = Database(server.url, connections=1)
    assert db.fetch("select 7 as n") == [(7,)]
    try:
        db.fetch("select 7 as n", timeout=0.05)
    except StatementTimeout:
        print("free")
    if sys.argv[1] == "closed":
        db.close()
"""


@pytest.mark.parametrize("state", ["closed", "not closed"])
def test_a_program_ends_in_peace_while_a_statement_is_given_up(state: str) -> None:
    assert run_program(EXIT, state) == "free"


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork while there are threads
warnings.simplefilter("ignore", ResourceWarning)  # the child has not closed what it inherited
from stretto._sync.database import Database
from stretto.errors import StatementTimeout

url, what = sys.argv[1:]
db = Database(url, connections=1)
pid = db.fetchval("select pg_backend_pid()")
if what == "recovering":
    try:
        db.execute("select pg_sleep(60)", timeout=0.05)
    except StatementTimeout:
        pass
link = db._pool.scheduler.lanes[0].link
child = os.fork()
if child == 0:
    if what == "aborts":
        link.abort()
    elif what != "exits":
        db.close()
    os._exit(0) if what == "leaves at once" else sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(db.fetchval("select pg_backend_pid()") == pid)
db.close()
"""


@pytest.mark.parametrize("what", ["exits", "leaves at once", "closes", "aborts", "recovering"])
def test_a_child_process_leaves_its_parents_session_alone(server_url: str, what: str) -> None:
    assert run_program(FORK, server_url, what) == "True"
