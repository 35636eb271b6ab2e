"""What greenlets do on one connection; each function is a program of its own: ``python -m ... NAME URL``.

``tests.live.test_greenlets`` runs them. gevent's monkey patching stays in this process.
"""

from gevent import monkey

monkey.patch_all()

import random  # noqa: E402  # gevent must come first
import signal  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from contextvars import copy_context  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from stretto._sync.database import Database  # noqa: E402
from stretto.config import Config  # noqa: E402
from stretto.context import deadline  # noqa: E402
from stretto.errors import ConnectionLost, StatementTimeout, TransactionClosed  # noqa: E402
from stretto.flows import query  # noqa: E402
from stretto.flows.shared import Shared  # noqa: E402
from stretto.runtime.blocking import Link  # noqa: E402

SLOW = "select $1::int, pg_sleep($2)"


class Broken(Exception):
    """What a signal's handler raises."""


def make_link(url: str) -> Link:
    link = Link.connect(Shared(Config.parse(url)))
    assert link.joinable
    return link


def fetchval(link: Link, sql: str, *args: Any, timeout: float | None = None) -> Any:
    return link.run(query.fetchval(link.shared, sql, args), timeout)


def caught(call: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    """Return what a call returns or raises."""
    try:
        return call(*args, **keywords)
    except (Exception, gevent.Timeout) as error:
        return error


def spawn(link: Link, *args: Any, **keywords: Any) -> Any:
    return gevent.spawn(caught, fetchval, link, *args, **keywords)


def until_depth(link: Link, depth: int) -> None:
    with gevent.Timeout(20):
        while link.machine.depth() != depth:
            gevent.sleep(0)


def pid_of(link: Link) -> Any:
    return fetchval(link, "select pg_backend_pid()")


def a_greenlet_with_a_copy_of_the_context_is_in_the_block_and_the_deadline(url: str) -> None:
    with Database(url, connections=2) as db:
        with db.transaction():
            pid = db.fetchval("select pg_backend_pid()")
            work = (db.fetchval, "select pg_backend_pid()")
            assert gevent.spawn(copy_context().run, *work).get() == pid
            assert gevent.spawn(*work).get() != pid
            with deadline(0.0):
                late = gevent.spawn(copy_context().run, caught, *work).get()
                assert isinstance(late, StatementTimeout)
                assert gevent.spawn(*work).get() != pid
            left = copy_context()
        assert isinstance(gevent.spawn(left.run, caught, *work).get(), TransactionClosed)


def statements_are_in_flight_together(url: str) -> None:
    link = make_link(url)
    fetchval(link, SLOW, 0, 0.0)
    asking = [spawn(link, SLOW, i, 0.2 if i == 0 else 0.0) for i in range(20)]
    until_depth(link, 20)
    assert [one.get() for one in asking] == list(range(20))
    link.close()


def one_that_times_out_disturbs_nobody(url: str) -> None:
    link = make_link(url)
    pid = pid_of(link)
    asking = [spawn(link, SLOW, 0, 0.3)]
    asking += [spawn(link, SLOW, i, 0.0, timeout=0.05 if i % 2 else None) for i in range(1, 10)]
    found = [one.get() for one in asking]
    assert [found[i] for i in range(0, 10, 2)] == [0, 2, 4, 6, 8], found
    assert {type(found[i]) for i in range(1, 10, 2)} == {StatementTimeout}
    assert found[1].outcome == "unknown"
    link.recover()
    assert pid_of(link) == pid
    assert not link.recovering
    link.close()


def the_first_times_out_and_the_others_wait_on(url: str) -> None:
    link = make_link(url)
    fetchval(link, SLOW, 0, 0.0)
    asking = [spawn(link, SLOW, i, 0.3 if i == 0 else 0.0, timeout=0.05 if i == 0 else None) for i in range(5)]
    assert isinstance(asking[0].get(), StatementTimeout)
    assert link.recovering
    assert [one.get() for one in asking[1:]] == [1, 2, 3, 4]
    assert not link.recovering
    link.close()


def what_everybody_gave_up_is_cancelled(url: str) -> None:
    link = make_link(url)
    pid = pid_of(link)
    asking = [spawn(link, SLOW, i, 60.0, timeout=0.05 + i / 100) for i in range(3)]
    assert all(isinstance(one.get(), StatementTimeout) for one in asking)
    assert pid_of(link) == pid
    link.close()


def whoever_is_killed_leaves_the_others_their_answers(url: str) -> None:
    """Kill the one who reads, then one who waits, then one that has not said anything yet."""
    link = make_link(url)
    pid = pid_of(link)
    for victims in ([0], [3], [0, 1, 2], [5, 0]):
        asking = [spawn(link, SLOW, i, 0.2 if i == 0 else 0.0) for i in range(6)]
        until_depth(link, 6)
        for i in victims:
            asking[i].kill()
        for i, one in enumerate(asking):
            found = one.get()
            assert isinstance(found, gevent.GreenletExit) if i in victims else found == i, (victims, i, found)
        link.recover()
    asking = [spawn(link, SLOW, i, 0.0) for i in range(3)]
    gevent.killall(asking)
    assert pid_of(link) == pid
    link.close()


def gevents_own_timeout_leaves_the_others_their_answers(url: str) -> None:
    link = make_link(url)
    pid = pid_of(link)
    fetchval(link, SLOW, 0, 0.0)
    for kind in (gevent.Timeout(0.05), gevent.Timeout(0.05, Broken)):
        others = [spawn(link, SLOW, i, 0.3) for i in (1, 2)]
        until_depth(link, 2)
        with kind:
            found = caught(fetchval, link, SLOW, 0, 60.0)
        assert isinstance(found, (gevent.Timeout, Broken))
        assert [one.get() for one in others] == [1, 2]
        link.recover()
    assert pid_of(link) == pid
    link.close()


def a_lost_connection_is_told_to_all(url: str) -> None:
    link, other = make_link(url), make_link(url)
    asking = [spawn(link, SLOW, i, 60.0) for i in range(5)]
    until_depth(link, 5)
    assert fetchval(other, "select pg_terminate_backend($1)", link.greeting.pid)
    assert {type(one.get()) for one in asking} == {ConnectionLost}
    asking = [spawn(other, SLOW, i, 60.0) for i in range(5)]
    until_depth(other, 5)
    other.close()
    assert {type(one.get()) for one in asking} == {ConnectionLost}


def an_interrupt_in_the_middle_ends_the_connection_for_all(url: str) -> None:
    """What a handler raises while bytes are in hand must not make anybody's answer another's."""
    link = make_link(url)
    pid_of(link)

    def interrupt(data: bytes) -> None:
        raise Broken

    asking = [spawn(link, SLOW, i, 0.1) for i in range(4)]
    until_depth(link, 4)
    link._feed = interrupt  # type: ignore[method-assign]  # as if the signal came just now
    found = [type(one.get()) for one in asking]
    assert found.count(Broken) == 1, found
    assert found.count(ConnectionLost) == 3, found
    assert link.closed


def a_large_reply_is_taken_in_parts_among_others(url: str) -> None:
    link = make_link(url)
    sql = "select string_agg(repeat(i::text, 10), '') from generate_series($1::int, 20000) i"
    rows = "select i from generate_series(1, $1::int) i"
    large = [gevent.spawn(link.run, query.fetch(link.shared, rows, (200_000,), int)) for _ in range(2)]
    values = [spawn(link, sql, i) for i in range(2)]
    small = [spawn(link, "select $1::int", i) for i in range(10)]
    assert [one.get() for one in small] == list(range(10))
    assert [sum(one.get()) for one in large] == [200_000 * 200_001 // 2] * 2
    assert len({len(one.get()) for one in values}) == 2
    link.close()


def a_large_argument_travels_among_others(url: str) -> None:
    link = make_link(url)
    large = "x" * 8_000_000
    asking = [spawn(link, "select length($1::text) from pg_sleep(0.05)", large[i:]) for i in range(4)]
    small = [spawn(link, "select $1::int", i) for i in range(10)]
    assert [one.get() for one in asking] == [len(large) - i for i in range(4)]
    assert [one.get() for one in small] == list(range(10))
    link.close()


def a_storm_gives_nobody_anothers_answer(url: str) -> None:
    """Fifty greenlets on two connections, each operation with its own id, timed out or killed at random."""
    links = [make_link(url) for _ in range(2)]
    dice = random.Random(7)
    answers = 0

    def work(worker: int) -> None:
        nonlocal answers
        for i in range(60):
            usable = [link for link in links if not link.recovering]
            link = min(usable or links, key=lambda one: one.machine.depth())
            wanted = worker * 1000 + i
            pause = dice.choice([0.0, 0.0, 0.0, 0.001, 0.004])
            timeout = dice.choice([None, None, 0.0, 0.002, 0.005, 0.02])
            with gevent.Timeout(dice.choice([None, None, 0.003, 0.01]), False):
                found = caught(fetchval, link, SLOW, wanted, pause, timeout=timeout)
                assert found == wanted or isinstance(found, (StatementTimeout, gevent.Timeout)), found
                answers += found == wanted

    with gevent.Timeout(60):
        gevent.joinall([gevent.spawn(work, worker) for worker in range(50)], raise_error=True)
    assert answers > 100, answers
    for link in links:
        link.recover()
        assert not link.closed
        assert link.machine.idle()
        assert fetchval(link, "select $1::int", 7) == 7
        link.close()


def a_database_serves_fifty_greenlets(url: str) -> None:
    with Database(url, connections=3) as db:

        def work(worker: int) -> None:
            for i in range(40):
                found = caught(db.fetchval, SLOW, worker * 1000 + i, 0.0, timeout=random.choice([None, 0.01]))
                assert found == worker * 1000 + i or isinstance(found, TimeoutError), found

        gevent.joinall([gevent.spawn(work, worker) for worker in range(50)], raise_error=True)
        assert db.fetchval("select 1") == 1


if __name__ == "__main__":
    signal.alarm(90)
    globals()[sys.argv[1]](sys.argv[2])
