"""`stretto race --profile`: its parts add up to the whole, for stretto and for DB-API modules, and how is said."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.builds import once

import stretto
from stretto.cli import profile as profiling
from stretto.cli.profile import dbapi
from stretto.cli.profile.drivers import CONSTANT, ROWLESS, WHOLE, statement
from stretto.cli.profile.parts import PARTS, Kinds, Profile, Slice, crowd, split
from stretto.cli.profile.rounds import Line
from stretto.cli.profile.show import bars
from stretto.cli.profile.watch import Watch
from stretto.cli.profile.work import Tables, Work
from stretto.errors import ConfigError

LOOKUP = Work("lookup", "one row", "select id from t where id = {}", (7,), (-1,))


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(stretto.__file__).parent.parent)
    paths = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": paths, "COLUMNS": "80", **environment}
    command = [sys.executable, "-m", "stretto", "race", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env)


def check(profile: dict[str, Any]) -> None:
    """The parts are there, none is below zero, and they add up; each is rounded to a nanosecond."""
    parts = profile["parts"]
    assert list(parts) == list(PARTS)
    assert min(parts.values()) >= 0
    assert sum(parts.values()) == pytest.approx(profile["whole"], abs=0.001 * len(PARTS))


@once
@pytest.mark.timeout(300)
def test_the_profile_of_stretto_and_modules(server_url: str, tmp_path: Path) -> None:
    output, file = tmp_path / "report", tmp_path / "other.sqlite"
    done = run(
        *("--profile", "psycopg2", "psycopg", "--url-for", f"sqlite3={file}"),
        *("--url", server_url, "--rounds", "2", "--callers", "5", "--output", str(output)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert max(len(line) for line in done.stdout.splitlines() if str(output) not in line) <= 80
    report = json.loads((output / "profile.json").read_text())
    for profile in report["profiles"]:
        check(profile)
    lines = {(each["driver"].split()[0], each["style"], each["callers"]) for each in report["profiles"]}
    assert lines == {
        ("stretto", "blocking", 1),
        ("stretto", "asyncio", 1),
        ("stretto", "asyncio", 5),
        *((name, "blocking", 1) for name in ("psycopg2", "psycopg", "sqlite3")),
    }
    assert len(report["profiles"]) == len(lines) * len(report["works"]) == 18
    assert set(report["how"]) == {"whole", *PARTS, "many callers"}
    assert {"fsync", "synchronous_commit", "server_version", "reached by"} <= set(report["server"])
    for profile in report["profiles"]:
        ours = profile["driver"] == "stretto"
        assert bool(profile["stamps"]) == ours
        assert profile["parts"]["queued"] == 0 or ours, "a held connection has no queue"
        assert profile["parts"]["decode"] == 0 or profile["work"] != "insert", "there are no rows"
    for said in (
        "How it is measured",
        "sqlite3 has a server of its own",
        "synchronous_commit",
        "calls picked out evenly",
    ):
        assert said in " ".join(done.stdout.split())
    with stretto.Database(server_url) as db:
        assert db.fetchval("select count(*) from pg_class where relname like 'stretto_profile_%'") == 0
    with sqlite3.connect(file) as connection:
        assert connection.execute("select count(*) from sqlite_master").fetchone() == (0,)
    connection.close()


NOWHERE = "postgresql://somebody:s3cret@127.0.0.1:1/nowhere"


@once
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--profile", "no_such_module"], "the module 'no_such_module' can't be imported"),
        (["--profile", "json"], "'json' is not a DB-API module"),
        (["--profile", "--url-for", "pymysql"], "--url-for takes MODULE=URL"),
        (["--profile", "--output", f"{__file__}/report"], "Not a directory"),
        (["--profile", "psycopg2", "--url", NOWHERE], "Connection refused"),
        (["--profile", "--url-for", "sqlite3=sqlite3://host/x", "--url", "{url}"], "sqlite3 can't connect"),
        (["--profile", "--url-for", f"psycopg={NOWHERE}", "--url", "{url}"], "psycopg can't connect"),
    ],
)
def test_what_it_cannot_do_is_one_line(server_url: str, arguments: Sequence[str], said: str) -> None:
    done = run(*(each.format(url=server_url) for each in arguments))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("stretto race: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr


def sliced(wall: float, cpu: float, *, calls: int = 10, system: float = 0.0, **more: float) -> Slice:
    """A slice of that many calls; the times are of one, in microseconds."""
    each = calls / 1e6
    named = {name: value * each for name, value in more.items()}
    return Slice(calls, wall * each, cpu * each, user=(cpu - system) * each, system=system * each, **named)


def micros(profile: Profile) -> dict[str, float]:
    return {name: round(1e6 * seconds, 6) for name, seconds in profile.parts.items() if round(1e6 * seconds, 6)}


EMPTY = [sliced(25, 15)]  # an empty round trip waits 10 us


@pytest.mark.parametrize(
    ("kinds", "parts"),
    [
        pytest.param(
            Kinds([sliced(100, 40, system=8)], [sliced(90, 37)], [sliced(90, 28)], EMPTY),
            {"encode": 3, "decode": 12, "rest": 17, "wire": 18, "server": 50},
            id="each part is a difference",
        ),
        pytest.param(
            Kinds([sliced(100, 40)], [sliced(90, 41)], [], EMPTY, {"queued": 2e-6}),
            {"queued": 2, "rest": 38, "wire": 10, "server": 50},
            id="a difference below zero is nothing, and no rows is no decoding",
        ),
        pytest.param(
            Kinds([sliced(44, 40)], [sliced(40, 10)], [sliced(40, 10)], EMPTY),
            {"encode": 30, "decode": 10, "wire": 4},
            id="no part is more than there is",
        ),
        pytest.param(
            Kinds([sliced(40, 41), sliced(40, 39)], [sliced(40, 41), sliced(40, 39)], [], EMPTY),
            {"rest": 39.5, "wire": 0.5},
            id="the CPU's clock is ahead of the wall's",
        ),
        pytest.param(
            Kinds([sliced(100, 40, delayed=20, backend=15, held_up=5)], [sliced(1, 40)], [sliced(1, 40)], EMPTY),
            {"rest": 40, "wire": 10, "server": 25, "no_cpu": 25},
            id="time without a core is nobody's",
        ),
        pytest.param(
            Kinds([sliced(100, 40, delayed=20, backend=50, held_up=5)], [sliced(1, 40)], [sliced(1, 40)], EMPTY),
            {"rest": 40, "wire": 10, "server": 40, "no_cpu": 10},
            id="but while the server ran it was the server's",
        ),
        pytest.param(
            Kinds([sliced(wall, 10) for wall in (1000, 30, 30, 12)], [sliced(9, 10)], [sliced(9, 10)], EMPTY),
            {"rest": 10, "wire": 10, "server": 10},
            id="the quickest and the slowest quarter of the rounds do not count",
        ),
    ],
)
def test_the_parts_of_one_callers_call(kinds: Kinds, parts: dict[str, float]) -> None:
    profile = split(kinds)
    assert micros(profile) == parts
    assert sum(profile.parts.values()) == pytest.approx(profile.whole)


def test_the_parts_among_many_callers_are_shares_of_the_stamps() -> None:
    alone = split(Kinds([sliced(100, 40)], [sliced(90, 37)], [sliced(90, 28)], EMPTY))
    stamps = {"queued": 10e-6, "behind": 20e-6, "wire": 5e-6, "server": 30e-6, "decode": 35e-6, "total": 100e-6}
    profile = crowd([sliced(4, 3)], [200e-6], stamps, alone)
    assert micros(profile) == {"queued": 60, "wire": 20, "server": 50, "decode": 12, "encode": 3, "rest": 55}
    assert sum(profile.parts.values()) == pytest.approx(profile.whole)
    assert profile.rate == pytest.approx(250_000)


@pytest.mark.parametrize(
    ("kind", "sql", "values"),
    [
        (WHOLE, "select id from t where id = $1", (7,)),
        (ROWLESS, "select id from t where id = $1", (-1,)),
        (CONSTANT, "select id from t where id = 7", ()),
    ],
)
def test_the_kinds_of_a_call(kind: str, sql: str, values: tuple[int, ...]) -> None:
    assert statement(LOOKUP, kind, lambda number: f"${number}") == (sql, values)


def test_constants_say_the_same_as_the_parameters(server_url: str) -> None:
    insert = Work("insert", "", "select {}::text, {}::text, {}::text", ("it's 5 %", 7, 0.125), None)
    with stretto.Database(server_url) as db:
        assert tuple(db.fetchrow(insert.constant())) == ("it's 5 %", "7", "0.125")


def test_a_bar_has_the_length_of_all_bars_whatever_the_parts() -> None:
    parts = dict.fromkeys(PARTS, 0.0)
    for last in (1e-9, 1e-6, 1.0):
        profile = Profile(1.0, parts | {"wire": 1e-6, "server": 0.2, "rest": last}, 0.0, 0.5, 1000.0, 10)
        (text,) = bars({Line("stretto", "blocking", 1, LOOKUP): profile}, 80)
        assert len(text.plain) == 80


def test_the_watch_takes_few_calls_and_leaves_the_log_as_it_was(server_url: str) -> None:
    log = logging.getLogger("stretto.slow")
    before = (log.level, log.propagate, list(log.handlers))
    with stretto.Database(server_url, slow=0.0) as db, Watch() as watch:
        for _ in range(2 * Watch.EACH + 1):
            db.execute("select 1")
            watch.count()
        means = watch.means()
    assert (log.level, log.propagate, list(log.handlers)) == before
    assert watch.taken == 2
    assert means["total"] == pytest.approx(sum(seconds for name, seconds in means.items() if name != "total"))


class Named:
    """A DB-API module like those that take parameters by name, and know no autocommit."""

    paramstyle, Error = "named", sqlite3.Error

    def __init__(self) -> None:
        self.commits = 0
        self._inner = sqlite3.connect(":memory:")

    def connect(self, **given: object) -> Named:
        self.given = given
        return self

    def cursor(self) -> sqlite3.Cursor:
        return self._inner.cursor()

    def commit(self) -> None:
        self.commits += 1
        self._inner.commit()

    def close(self) -> None:
        self._inner.close()


def test_a_module_with_names_for_parameters_and_without_autocommit(monkeypatch: pytest.MonkeyPatch) -> None:
    named, tables = Named(), Tables.mine()
    monkeypatch.setitem(sys.modules, "a_driver", named)  # type: ignore[arg-type]  # as good as a module
    with dbapi.connected("a_driver", "a://us%40er:p%2Fw@host:77/name") as module:
        module.prepare(tables)
        before = named.commits
        for work in tables.works():
            assert module.run(work, WHOLE, 2).calls == 2
        assert named.commits - before == 6
        count = named.cursor().execute(f"select count(*) from {tables.written}")
        assert count.fetchone() == (2,)
    assert named.given == {"host": "host", "port": 77, "user": "us@er", "password": "p/w", "database": "name"}


def test_a_module_that_fails_says_so_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a_driver", Named())  # type: ignore[arg-type]  # as good as a module
    failed = pytest.raises(ConfigError, match=r"^a_driver failed: table \*\*\*_1 already exists$")
    with failed, dbapi.connected("a_driver", "a://user:geheim@host/name") as module:
        module.prepare(Tables("geheim_1", "geheim_1"))


def test_a_url_for_that_is_none_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a_driver", Named())  # type: ignore[arg-type]  # as good as a module
    with pytest.raises(ConfigError, match="is no URL") as told, dbapi.connected("a_driver", "a://u:ge[heim@host/name"):
        pass
    assert "heim" not in str(told.value)


def test_a_url_for_whose_port_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a_driver", Named())  # type: ignore[arg-type]  # as good as a module
    with pytest.raises(ConfigError, match="port"), dbapi.connected("a_driver", "a://host:x/name"):
        pass


def test_url_for_may_have_more_equals_signs() -> None:
    assert profiling.urls(["a=b://c/?d=e"]) == {"a": "b://c/?d=e"}
