"""What goes wrong below the pages: COMMITs that fail or conflict, updates at the same time, a server that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from tests.games.serving import FORM, JSON, SERVERS, Answer, Running, form, serving
from tests.live.support import until

import stretto
import stretto.embedded

TRIGGER = """
    create sequence tries;
    create function at_commit() returns trigger language plpgsql as $$ begin
        if new.name = 'never' then raise 'not this one'; end if;
        if new.name = 'at last' and nextval('tries') < 3 then raise sqlstate '40001'; end if;
        return null;
    end $$;
    create constraint trigger at_commit after insert or update on game deferrable initially deferred
        for each row execute function at_commit();
"""
SLOW = """create function wait() returns trigger language plpgsql as $$begin perform pg_sleep(60); return null; end$$;
create trigger wait before update on game for each statement execute function wait()"""
WAITING = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"


@pytest.fixture
def judged(servers: list[Running], databases: dict[str, str]) -> Iterator[list[Running]]:
    """The servers, with a constraint that is looked at by COMMIT."""
    with ExitStack() as stack:
        for name in SERVERS:
            db = stack.enter_context(stretto.Database(databases[name]))
            db.execute(TRIGGER)
            stack.callback(db.execute, "drop sequence tries; drop function at_commit() cascade")
        yield servers


def put(server: Running, name: str, version: int = 1) -> Answer:
    """Change the first game by its form."""
    return server.ask("POST", "/games/1", form(name=name, version=version), FORM)


def same(answers: list[Answer]) -> Answer:
    """What all four have said."""
    assert len(set(answers)) == 1, answers
    return answers[0]


def test_a_failed_commit_is_a_500_and_nothing_is_stored(judged: list[Running]) -> None:
    page = same([server.ask("POST", "/new", form(name="never"), FORM) for server in judged])
    said = same([server.ask("POST", "/api/games", b'{"name": "never"}', JSON) for server in judged])
    assert (page.status, "Our fault" in page.text, page.header("location")) == (500, True, None)
    assert (said.status, said.text) == (500, '{"error": "Something went wrong on our side."}\n')
    assert same([server.ask("GET", "/api/games") for server in judged]).text == '{"games": [], "more": null}\n'


def test_a_conflict_is_tried_again(judged: list[Running]) -> None:
    answer = same([server.ask("POST", "/api/games", b'{"name": "at last"}', JSON) for server in judged])
    assert answer.status == 201
    listed = same([server.ask("GET", "/api/games") for server in judged])
    assert listed.text.count("at last") == 1


def test_of_changes_at_the_same_time_one_is_stored_and_the_others_are_told(servers: list[Running]) -> None:
    for server in servers:
        server.ask("POST", "/new", form(name="Go"), FORM)
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda number, server=server: put(server, f"Go {number}"), range(4)))
        assert sorted(answer.status for answer in answers) == [303, 409, 409, 409], server.name
        [winner] = [number for number, answer in enumerate(answers) if answer.status == 303]
        assert f'"name": "Go {winner}"' in server.ask("GET", "/api/games/1").text


def kill(postgres: stretto.embedded.Server) -> None:
    """End all processes of a server as they are."""
    children = Path(f"/proc/{postgres.pid}/task/{postgres.pid}/children").read_text().split()
    for pid in [postgres.pid, *map(int, children)]:
        os.kill(pid, signal.SIGKILL)
    postgres.stop()  # waits for its end


ENDS: dict[str, Callable[[stretto.embedded.Server], None]] = {"killed": kill, "stopped": lambda server: server.stop()}


def test_without_the_database_they_say_so_and_with_it_they_are_well_again(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="stretto-games-") as home, ExitStack() as stack:
        postgres = stack.enter_context(stretto.embedded.start(home, durable=True))  # what was stored outlives kill -9
        port = postgres.port
        servers = stack.enter_context(serving(dict.fromkeys(SERVERS, postgres.url), tmp_path))
        threads = stack.enter_context(ThreadPoolExecutor(len(servers)))  # each waits a while for the database
        servers[0].ask("POST", "/new", form(name="Go"), FORM)
        for version, end in enumerate(ENDS.values(), 1):
            before = same([server.ask("GET", "/") for server in servers])
            with closing(psycopg.connect(postgres.url, autocommit=True)) as outside:
                outside.execute(SLOW)  # not a lock: that would be free as soon as its holder has ended
                changes = [threads.submit(put, server, "Weiqi", version) for server in servers]
                until(outside, WAITING, wanted=len(servers))
                end(postgres)
            said = same([change.result(60) for change in changes])
            page = same(list(threads.map(lambda server: server.ask("GET", "/"), servers)))
            api = same(list(threads.map(lambda server: server.ask("GET", "/api/games"), servers)))
            assert (said, page.status, page.header("retry-after")) == (page, 503, "5")
            assert (api.status, "The database can’t be reached" in page.text) == (503, True)
            postgres = stack.enter_context(stretto.embedded.start(home, durable=True, port=port))
            assert same([server.ask("GET", "/") for server in servers]) == before
            with closing(psycopg.connect(postgres.url, autocommit=True)) as outside:
                outside.execute("drop function wait() cascade")
            assert put(servers[version], f"Go {version}", version).status == 303
        for server in servers:
            server.process.send_signal(signal.SIGINT)
        ends = [server.process.wait(60) for server in servers]
    assert ends == [0, 0, 0, 0], [(tmp_path / name).read_text() for name in SERVERS]
