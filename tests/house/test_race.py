"""`stretto race`: who takes part, what is left of it, who is named where they can't, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from rich.console import Console
from starlette.applications import Starlette
from tests.builds import once
from typer.testing import CliRunner

import stretto
from stretto import Database
from stretto.cli import urls
from stretto.cli.app import app
from stretto.cli.race import contenders, course, ground, machine, page, pictures, plots, report, workloads
from stretto.cli.race.contenders import address
from stretto.cli.race.course import Course, chosen
from stretto.cli.race.findings import findings
from stretto.cli.race.live import Screen
from stretto.cli.race.meter import Meter
from stretto.cli.race.result import Heat, Result, Standing
from stretto.cli.race.workloads import Entry, Sizes
from stretto.errors import ConfigError

SOURCE = str(Path(stretto.__file__).parent.parent)
NOW = Sizes(callers=3, connections=2, seconds=0.25, operations=12, points=50, parents=3, places=4)
OURS = Entry("stretto", "asyncio", "stretto_", "stretto AsyncDatabase")
SERVER = {"version": "18.6", "fsync": "on", "synchronous_commit": "on", "shared_buffers": "256MB"}
FIGURES = {"rate": 0.0, "client_us": 20.0, "client_share": 0.5, "rss_mb": 30.0, "operations": 10.0, "seconds": 1.0}
FIGURES |= {"p50_ms": 1.0, "p99_ms": 2.0, "max_ms": 3.0, "mean_ms": 1.5}


def standing(library: str, rate: float | None, place: str = "asyncio", **more: Any) -> Standing:
    figures = None if rate is None else {**FIGURES, "rate": rate}
    ours = library == "stretto"
    state = "done" if figures else "failed"
    return Standing("select", library, place, more.pop("way", ""), ours, None, state, figures=figures, **more)


def result(*standings: Standing) -> Result:
    heat = Heat("select", "Point selects", "they ask", "selects", "seconds", "a select", list(standings))
    return Result(SERVER, NOW, [heat], {"processor": "a processor", "system": "a system"})


@contextmanager
def command(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "PYTHONPATH": SOURCE, "COLUMNS": "80", **environment}
    program = [sys.executable, "-m", "stretto", "race", *arguments]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield process
        finally:
            process.kill()


def databases(url: str, pid: int) -> int:
    with Database(url) as db:
        return int(db.fetchval("select count(*) from pg_database where datname like $1", f"stretto_race_{pid}"))


def test_a_race_is_shown_and_leaves_a_page_and_its_figures(server_url: str, tmp_path: Path) -> None:
    sizes = ("--seconds", "0.3", "--operations", "20", "--callers", "4")
    who = ("--workload", "select", "--workload", "mixed", "--only", "stretto, uvloop|asyncpg, uvloop")
    with command(*who, *sizes, "--url", server_url, "--output", str(tmp_path), PATH="/nowhere") as process:
        shown, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert max(map(len, shown.splitlines())) <= 80 + len(str(tmp_path))
    for expected in ("  Point selects\n", "Mixed reads and writes", "stretto at its best (uvloop", "fsync="):
        assert expected in shown
    assert "no pictures: no Chromium" in shown
    assert databases(server_url, process.pid) == 0

    found = json.loads((tmp_path / "race.json").read_text())
    assert set(found) == {each.name for each in fields(Result)}
    assert found["server"].keys() == {"version", *ground.SETTINGS}
    assert found["machine"].keys() >= {"processor", "system", "stretto", "peers"}
    assert found["sizes"] == asdict(Sizes(callers=4, seconds=0.3, operations=20))
    assert [heat["name"] for heat in found["heats"]] == ["select", "mixed"]
    for heat in found["heats"]:
        assert {each["library"] for each in heat["standings"]} == {"stretto", "asyncpg"}
        for each in heat["standings"]:
            assert set(each) == {one.name for one in fields(Standing)}
            assert (each["state"], each["part"], each["reason"]) == ("done", 1.0, "")
            assert each["figures"].keys() == FIGURES.keys() - ({"p99_ms"} if heat["name"] == "mixed" else set())
            assert min(each["figures"].values()) > 0
            assert each["begun"] < each["ended"] <= found["seconds"]

    times, open_ = zip(*found["connections"], strict=True)
    assert list(times) == sorted(times)
    assert found["looks"] >= len(times) > 2, "it goes up and down"
    most = max(each["connections"] for heat in found["heats"] for each in heat["standings"])
    assert max(open_) >= most >= 2

    html = (tmp_path / "race.html").read_text()
    assert "://" not in html
    assert set(re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')]*)", html)) == {"data:,"}
    captions = re.findall("<figcaption>(.*?)</figcaption>", html)
    assert len(captions) == 8
    assert all("fsync=" in each and "shared_buffers=" in each and "cores in use" in each for each in captions)
    assert json.loads(html.partition('id="race">')[2].partition("</script>")[0]) == found


@pytest.mark.parametrize("name", workloads.NAMES)
def test_everybody_who_is_named_is_a_contender(name: str) -> None:
    workload = workloads.load(name)
    assert workload.name == name
    titles = [entry.title for entry in workload.entries]
    assert len(set(titles)) == len(titles)
    registered = {(each.module, each.case, each.name): each for each in contenders.load_all()[0]}
    for entry in workload.entries:
        key = (f"{contenders.__name__}.{entry.module}", entry.case or name, entry.contender)
        if course._missing(entry) is None:
            found = registered[key]
            assert (found.gevent, found.loop == "uvloop") == (entry.place == "gevent", entry.place == "uvloop")
            assert found.asynchronous == (entry.place in ("asyncio", "uvloop"))


def test_stretto_is_in_every_place_and_every_peer_is_there() -> None:
    places = {entry.place for name in ("select", "mixed") for entry in workloads.load(name).entries if entry.is_ours}
    assert places == {"blocking", "threads", "gevent", "asyncio", "uvloop"}
    for name in workloads.NAMES:
        libraries = {entry.library for entry in workloads.load(name).entries}
        others = {"aiopg"} if name == "census" else {"SQLAlchemy", "Tortoise", "Piccolo"}
        assert libraries == {"stretto", "asyncpg", "psycopg 3", "psycopg2"} | others


@once
@pytest.mark.slow
@pytest.mark.timeout(300)  # four dozen processes
@pytest.mark.parametrize("name", workloads.NAMES)
def test_everybody_who_is_installed_has_figures(name: str, server_url: str) -> None:
    with ground.existing(server_url) as place:
        standings = Course(place, chosen([name], None), NOW).run().standings
    assert [each.title for each in standings if each.state != "done"] == []
    if name != "census":  # where workers have a connection each
        assert all(each.connections <= NOW.connections for each in standings if each.library != "psycopg 3")


def raced(server_url: str, *entries: Entry) -> Result:
    with ground.existing(server_url) as place:
        return Course(place, [(workloads.load("select"), list(entries))], NOW).run()


def test_who_is_missing_or_fails_is_named_and_the_others_go_on(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that is not there, one that lacks what it needs, and one that fails with a password in its message."""
    (tmp_path / "asyncpg.py").write_text("import needed_by_asyncpg")
    (tmp_path / "psycopg2.py").write_text("print('noise'); raise RuntimeError('no route to u:geheim@host')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), SOURCE]))
    found = course.find_spec
    monkeypatch.setattr(course, "find_spec", lambda name: None if name == "tortoise" else found(name))
    with_password = re.sub("//([^@/]*)@", "//postgres:geheim@", server_url)
    ended = raced(
        with_password,
        Entry("Tortoise", "asyncio", "tortoise_", "Tortoise, asyncpg", case="models"),
        Entry("asyncpg", "asyncio", "asyncpg_", "asyncpg pool"),
        Entry("psycopg2", "threads", "psycopg2_", "psycopg2 pool"),
        OURS,
    )
    assert [(each.state, each.reason) for each in ended.standings] == [
        ("missing", "tortoise"),
        ("missing", "needed_by_asyncpg"),
        ("failed", "RuntimeError: no route to u:***@host"),
        ("done", ""),
    ]
    said = list(findings(ended.heats[0]))
    assert "psycopg2, threads gave no figures: RuntimeError: no route to u:***@host" in said
    assert "Not installed, so those who need it did not take part: needed_by_asyncpg, tortoise." in said
    html = report.html(ended)
    assert "not installed: tortoise" in html
    assert "failed: RuntimeError" in html
    assert "geheim" not in html


def test_one_that_does_not_end_in_time_is_ended(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "_PATIENCE", -60.0)
    [ended] = raced(server_url, OURS).standings
    assert (ended.state, ended.figures) == ("failed", None)
    assert ended.reason.startswith("it did not end in ")


@once
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
        (signal.SIGKILL, -9, None),
    ],
)
def test_what_ends_a_race_leaves_no_process(
    number: signal.Signals, status: int, said: str | None, server_url: str, tmp_path: Path
) -> None:
    who = ("--workload", "select", "--only", "stretto, asyncio, Models", "--seconds", "60")
    with command(*who, "--url", server_url, "--output", str(tmp_path)) as process, Database(server_url) as db:
        connected = "select count(*) from pg_stat_activity where datname = $1 and backend_type = 'client backend'"
        workers: list[psutil.Process] = []
        while not workers or db.fetchval(connected, f"stretto_race_{process.pid}") < 2:
            assert process.poll() is None
            db.execute("select pg_sleep(0.05)")
            workers = psutil.Process(process.pid).children()
        [worker] = workers
        process.send_signal(number)
        _, errors = process.communicate()
        assert process.returncode == status
        assert psutil.wait_procs([worker], timeout=60)[1] == []
    if said:
        assert errors.strip() == f"stretto race: {said}"
        assert databases(server_url, process.pid) == 0
    else:
        with Database(server_url) as db:
            db.execute(f"drop database stretto_race_{process.pid} with (force)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workload", "nonsense"], "there is no workload 'nonsense': there are select, mixed, graph"),
        (["--only", "nobody"], "nobody has 'nobody' in the name"),
        (["--url", "host=localhost"], "the server is named by a URL"),
        (["--url", "postgresql://u:ge[heim@localhost/x"], "in a password [ is %5B"),
        (["--url", "postgresql://u:ge#heim@localhost/x"], "# is %23"),
        (["--url", "postgresql://nobody@127.0.0.1:1/x"], "127.0.0.1"),
    ],
)
def test_what_can_not_be_raced_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["race", *arguments, "--output", str(tmp_path)])
    assert ended.exit_code == 1
    assert ended.output.startswith("stretto race: ")
    assert message in ended.output
    assert "heim" not in ended.output
    assert ended.output.count("\n") == 1


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        (90.0, "Quicker than stretto in the same place: nobody (by more than 3 %)."),
        (120.0, "Quicker than stretto in the same place: a peer, asyncio, by 20 %."),
        (350.0, "Quicker than stretto in the same place: a peer, asyncio, 3.5 times."),
    ],
)
def test_where_a_peer_was_quicker_is_said(peer: float, said: str) -> None:
    heat = result(standing("stretto", 100.0), standing("a peer", peer), standing("other", 999.0, "threads")).heats[0]
    assert list(findings(heat))[1] == said
    assert f"{100 / peer:.1f} x a peer" in next(findings(heat))


@pytest.mark.parametrize("width", [80, 120])
def test_every_workload_fits_the_terminal(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    for name in workloads.NAMES:
        workload = workloads.load(name)
        heat = Heat.of(workload, Sizes(), list(workload.entries))
        for number, each in enumerate(heat.standings, 1):
            each.state, each.figures, each.connections = "done", {**FIGURES, "rate": 1_234_567.0 / number}, 10
        Screen(Console(width=width, highlight=False)).heat(heat)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert max(line.count("━") for line in lines) >= width / 12, "the bar of the quickest"


def test_on_the_page_the_quickest_is_first_and_what_is_strange_is_escaped() -> None:
    html = report.html(result(standing("<b>&", 50.0), standing("stretto", 100.0), standing("gone", None, reason="<i>")))
    bars = re.findall(r'class="name"><i>\d</i> ([^<]*)', html)
    assert bars[:2] == ["stretto, asyncio", "&lt;b&gt;&amp;, asyncio"]
    assert "width:50.0%" in html
    assert "failed: &lt;i&gt;" in html
    assert "<b>&" not in html


def test_the_picture_of_all_has_each_library_at_its_best_the_best_first() -> None:
    ended = result(standing("slow", 1.0), standing("stretto", 5.0), standing("stretto", 9.0), standing("quick", 20.0))
    assert re.findall(r'class="name">([^<]*)', report.summary(ended)) == ["quick", "stretto", "slow"]


def test_the_curve_has_every_step_while_somebody_ran() -> None:
    ended = result(standing("stretto", 9.0, begun=1.0, ended=3.0), standing("peer", 5.0, begun=3.0, ended=5.0))
    ended.connections = [(0.5, 1), (1.5, 4), (2.5, 0), (4.0, 2), (9.0, 7)]
    drawn = plots.curve(ended, ended.standings)
    assert '<path class="line" d="M0 75.0H0.500V0.0H1.500V100.0H3.000V50.0H4.000"/>' in drawn
    assert "at most 4" in drawn
    assert plots.curve(ended, []) == ""


@once
@pytest.mark.skipif(pictures.chromium() is None, reason="needs Chromium: apt-get install chromium")
def test_pictures_are_as_high_as_what_they_show(tmp_path: Path) -> None:
    ended = result(standing("stretto", 9.0), standing("peer", 5.0))
    drawn = pictures.write({"one.png": report.document(report.summary(ended), "picture")}, tmp_path)
    assert drawn == [tmp_path / "one.png"]
    data = drawn[0].read_bytes()
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    assert (width, 100 < height < 500) == (1250, True)


def test_without_a_browser_there_are_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor those of the race before."""
    for name in ("race.png", "race-select.png", "race-graph.png", "racecar.png"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PATH", "/nowhere")
    assert [path.name for path in report.write(result(standing("stretto", 9.0)), tmp_path)] == [
        "race.html",
        "race.json",
    ]
    assert [path.name for path in tmp_path.glob("*.png")] == ["racecar.png"]


def test_of_few_waits_the_longest_is_shown_and_no_p99() -> None:
    ended = result(standing("stretto", 9.0), standing("peer", 5.0))
    assert "<h3>p99 of a select" in report.html(ended)
    few = ended.standings[1].figures
    assert few is not None
    del few["p99_ms"]
    shown = report.html(ended)
    assert "<h3>Longest of a select" in shown
    assert "p99 of" not in shown
    assert "<td>–</td>" in shown


def test_callers_that_can_not_be_collected_evenly_are_not_passed_for_more(server_url: str) -> None:
    pytest.importorskip("psycopg")
    by_hand = Entry("psycopg 3", "asyncio", "psycopg3", "psycopg 3 pipeline by hand")
    with ground.existing(server_url) as place:
        race = Course(place, [(workloads.load("select"), [by_hand])], replace(NOW, callers=150))
        [ended] = race.run().standings
    assert (ended.state, ended.reason[-46:]) == ("failed", "WrongAnswer: callers served: 100 instead of 150"[-46:])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--profile", "--workload", "select"], "--workload is for the race"),
        (["--profile", "--only", "stretto"], "--only is for the race"),
        (["--profile", "--seconds", "2"], "--seconds is for the race"),
        (["--profile", "--connections", "10"], "--connections is for the race"),
        (["--profile", "--operations", "10"], "--operations is for the race"),
        (["psycopg2"], "MODULE is for --profile"),
        (["--url-for", "a=b"], "--url-for is for --profile"),
        (["--rounds", "15"], "--rounds is for --profile"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(arguments: list[str], said: str) -> None:
    ended = CliRunner().invoke(app, ["race", *arguments])
    assert ended.exit_code == 2
    assert said in " ".join(ended.output.replace("│", " ").split())


def test_the_machine_names_the_peers() -> None:
    assert set(machine.describe()) - {"beware"} == {"processor", "system", "stretto", "peers"}
    assert machine.library_version("stretto") is None
    assert machine.library_version("asyncpg") in machine.describe()["peers"]


class Client:
    """Asks an application without a server."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._ask("GET", path))

    def post(self, path: str, data: dict[str, str], **headers: str) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, data=data, headers=headers))

    def send(self, path: str, body: Iterator[bytes], **headers: str) -> httpx.Response:
        """Post a body as it comes, so that its length is not said before."""

        async def parts() -> AsyncIterator[bytes]:
            for each in body:
                yield each

        return asyncio.run(self._ask("POST", path, content=parts(), headers=headers))

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **more)


@pytest.mark.parametrize(("load", "warned"), [(0.5, False), (500.0, True)])
def test_a_machine_with_other_work_is_warned_of(load: float, warned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    assert ("beware" in machine.describe()) == warned
    html = report.html(Result(SERVER, NOW, []))
    assert ("makes these figures wander" in html) == warned


@pytest.fixture
def racing(server_url: str) -> Iterator[tuple[Client, page.Races]]:
    """The page at /race, and its races, which are ended."""
    mounted = page.application(server_url)
    try:
        yield Client(Starlette(routes=page.mounted(mounted, "/race"))), mounted.state.races
    finally:
        mounted.state.races.close()


def test_on_the_page_there_is_one_race_at_a_time_and_its_report_at_the_end(
    racing: tuple[Client, page.Races],
) -> None:
    client, races = racing
    assert client.get("/race").headers["location"] == "/race/"
    assert "Graphs of objects" in client.get("/race/").text
    assert client.get("/race/state").json() == {"running": False, "result": None, "report": False, "error": ""}
    assert client.get("/race/report").status_code == 404

    form = {"workload": "select", "only": "stretto, uvloop", "seconds": "0.2", "callers": "3"}
    assert client.post("/race/start", form, accept="application/json").status_code == 202
    busy = client.post("/race/start", form)
    assert (busy.status_code, busy.json()) == (409, {"error": "a race is under way: wait for its end"})
    assert races._thread is not None
    races._thread.join()
    state = client.get("/race/state").json()
    assert (state["running"], state["report"], state["error"]) == (False, True, "")
    [heat] = state["result"]["heats"]
    assert [(each["library"], each["state"]) for each in heat["standings"]] == [("stretto", "done")]
    assert state["result"]["conditions"].startswith(f"PostgreSQL {state['result']['server']['version']}, fsync=")
    assert "stretto, uvloop" in client.get("/race/report").text
    again = client.post("/race/start", form)
    assert (again.status_code, again.headers["location"]) == (303, "./")


@pytest.mark.parametrize(
    ("form", "status", "message"),
    [
        ({"workload": "nonsense"}, 400, "there is no workload 'nonsense'"),
        ({"only": "nobody"}, 400, "nobody has 'nobody' in the name"),
        ({"callers": "many"}, 400, "callers: 'many' is no number"),
        ({"callers": "0"}, 400, "callers is from 1 to 1000, not 0"),
        ({"seconds": "nan"}, 400, "seconds is from 0.05 to 60, not nan"),
        ({"only": "x" * 20_000}, 413, "the form is too long"),
    ],
)
def test_a_form_that_asks_for_what_there_is_not_is_refused(
    form: dict[str, str], status: int, message: str, racing: tuple[Client, page.Races]
) -> None:
    client, _ = racing
    refused = client.post("/race/start", form)
    assert refused.status_code == status
    assert refused.json()["error"].startswith(message)
    assert client.get("/race/state").json()["running"] is False


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),  # another port of this machine
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost"}, 403),
        ({"origin": "http://stranger.example"}, 403),
        ({"origin": "http://localhost:8001"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"host": "stranger.example", "sec-fetch-site": "same-origin"}, 403),  # DNS rebinding
        ({"host": "["}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": ""}, 415),
        ({"sec-fetch-site": "same-origin"}, 400),  # it is read: there is nobody of that name
        ({"sec-fetch-site": "none"}, 400),
        ({"origin": "http://localhost"}, 400),
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, 400),
        ({"host": "[::1]:8000"}, 400),
    ],
)
def test_only_its_own_page_starts_a_race(
    headers: dict[str, str], status: int, racing: tuple[Client, page.Races]
) -> None:
    client, races = racing
    answer = client.send("/race/start", iter([b"only=nobody"]), **{"content-type": FORM, **headers})
    assert answer.status_code == status
    assert "error" in answer.json()
    assert races._thread is None


@once
def test_who_still_runs_tells_p99_and_cpu_of_the_moment() -> None:
    told: list[dict[str, Any]] = []
    heard = threading.Event()

    def say(message: dict[str, Any]) -> None:
        told.append(message)
        if message.get("so_far"):
            heard.set()

    meter = Meter(say)
    many, few = meter.waits(), meter.waits()
    many += [1.0] * 5000 + [0.001] * 989 + [0.2] * 11
    few.append(0.3)
    with meter.counting():
        assert heard.wait(60)
    [said] = [message for message in told if message.get("so_far")][:1]
    assert (said["state"], said["done"], said["so_far"].keys()) == ("running", 6001, {"client_us", "p99_ms"})
    assert said["so_far"]["p99_ms"] == 200.0  # of the last 500 of each
    assert said["so_far"]["client_us"] >= 0.0
    runs = replace(standing("asyncpg", None), state="running", rate=5.0, part=0.5, so_far=said["so_far"], connections=7)
    screen = Screen(Console(record=True, width=100))
    screen.console.print(screen.table(result(runs).heats[0], [runs]))
    [line] = [line for line in screen.console.export_text().splitlines() if "asyncpg" in line]
    assert line.split()[-4:] == ["5", "200", f"{said['so_far']['client_us']:,.1f}", "7"]


def test_a_form_that_is_too_long_is_not_read_to_its_end(racing: tuple[Client, page.Races]) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for sent in range(1, 1_000):  # noqa: B007  # it is looked at
            yield b"x" * 1_000

    answer = racing[0].send("/race/start", endless(), **{"content-type": FORM})
    assert (answer.status_code, sent) == (413, 11)


@pytest.mark.parametrize("path", ["/race/", "/race/state", "/race/report", "/race/start"])
def test_every_answer_says_what_the_page_may_load(path: str, racing: tuple[Client, page.Races]) -> None:
    policy = racing[0].get(path).headers["content-security-policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"} <= set(policy.split("; "))


def test_a_page_for_others_has_their_names() -> None:
    client = Client(page.application("postgresql://nobody@127.0.0.1:1/x", hosts=["race.example"]))
    assert client.send("/start", iter([]), host="race.example:80").status_code == 415
    assert client.send("/start", iter([]), host="localhost").status_code == 403


def test_a_server_that_is_away_is_told_on_the_page() -> None:
    mounted = page.application("postgresql://nobody@127.0.0.1:1/x")
    client = Client(mounted)
    assert client.post("/start", {"only": "stretto"}, accept="application/json").status_code == 202
    mounted.state.races._thread.join()
    assert "127.0.0.1" in client.get("/state").json()["error"]


def test_closing_ends_the_race_and_no_other_begins(racing: tuple[Client, page.Races], server_url: str) -> None:
    _, races = racing
    races.start({"workload": ["select"], "only": ["stretto"], "seconds": ["60"]})
    races.close()
    assert races.state()["running"] is False
    with pytest.raises(page.Busy):
        races.start({})
    assert databases(server_url, os.getpid()) == 0


def test_who_is_being_started_when_the_race_is_ended_is_ended_too(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def ended_meanwhile(*args: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(popen(*args, **options))
        race.stop()
        return started[-1]

    with ground.existing(server_url) as place:
        race = Course(place, [(workloads.load("select"), [OURS, OURS])], replace(NOW, seconds=300.0))
        monkeypatch.setattr(subprocess, "Popen", ended_meanwhile)
        ended = race.run()
    assert [(each.state, each.figures) for each in ended.standings] == [("failed", None), ("waiting", None)]
    assert [each.returncode for each in started] == [-signal.SIGKILL]


def test_a_mistake_of_ours_is_told_on_the_page(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)

    def mistaken(_: object) -> str:
        raise LookupError("p99_ms of geheim@host\nand more")

    monkeypatch.setattr(report, "html", mistaken)
    monkeypatch.setattr(Course, "run", lambda _: None)
    races = page.Races(re.sub("//([^@/]*)@", "//postgres:geheim@", server_url))
    races.start({"workload": ["select"], "only": ["stretto"]})
    assert races._thread is not None
    races._thread.join()
    assert (races.state()["running"], races.state()["error"]) == (False, "LookupError: p99_ms of ***@host")
    assert [each.exc_type for each in raised] == [LookupError]


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://u%40:p%2Fw@h:7/x", {"host": "h", "port": 7, "user": "u@", "database": "x", "password": "p/w"}),
        ("postgresql:///x?host=%2Ftmp&port=8", {"host": "/tmp", "port": 8, "user": "postgres", "database": "x"}),
        ("postgresql://h/x?dbname=y", {"host": "h", "port": 5432, "user": "postgres", "database": "y"}),
    ],
)
def test_a_library_without_urls_gets_the_parts(url: str, parts: dict[str, Any]) -> None:
    assert address.parts(url) == parts


@pytest.mark.parametrize("key", ["sslmode", "user", "password", "options"])
def test_what_a_library_would_not_be_given_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{key} in the URL's query") as told:
        address.parts(f"postgresql://u@h/x?host=a&{key}=geheim")
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://u:ge%2Fheim@h/x", "no ge%2Fheim, no ge/heim"),
        ("postgresql://u@h/x?password=ge%2Fheim", "no ge%2Fheim, no ge/heim"),
        ("postgresql://u@h/x?a=b&%70assword=ge%2Fheim", "no ge%2Fheim, no ge/heim"),
        ("postgresql://u:one@h/x?password=other", "no one, no other"),
        ("postgresql://u:ge[heim@h/x", "no ge[heim, no ge[heim"),
        ("postgresql://u:ge?heim@h/x", "no ge?heim, no ge?heim"),
        ("postgresql://u:ge%27%22%5Cheim@h/x", "no ge'\"\\heim, no ge\\'\"\\\\heim"),
        ("postgresql://u:ge@heim@h/x", "no ge@heim, no ge@heim"),
    ],
)
def test_a_password_is_shown_in_no_form(url: str, text: str) -> None:
    assert urls.without_password(text, url) == "no ***, no ***"


@pytest.mark.parametrize("url", ["postgresql://u@h/x", "", "host=h", "postgresql://u:@h/x?password="])
def test_without_a_password_nothing_is_masked(url: str) -> None:
    assert urls.without_password("postgresql://u@h/x: no password", url) == "postgresql://u@h/x: no password"


def test_a_dsn_that_not_all_drivers_read_is_refused() -> None:
    with pytest.raises(ConfigError, match="named by a URL"), ground.existing("dbname=x"):
        pass


@contextmanager
def somebodys(server_url: str) -> Iterator[tuple[str, str]]:
    """A database with a table `point` that is somebody's, and its URL."""
    name = f"stretto_theirs_{os.getpid()}"
    with Database(server_url) as admin:
        admin.execute(f"create database {name}")
        url = urls.in_database(server_url, name)
        try:
            with Database(url) as db:
                db.execute("create table point (id int)")
                db.execute("insert into point values (42)")
            yield name, url
            with Database(url) as db:
                assert db.fetchval("select id from point") == 42
        finally:
            admin.execute(f"drop database {name} with (force)")


@pytest.mark.parametrize("key", ["dbname", "%64bname"])
def test_the_users_database_is_not_touched_where_the_query_names_it(key: str, server_url: str) -> None:
    with somebodys(server_url) as (name, _):
        url = f"{server_url}{'&' if '?' in server_url else '?'}{key}={name}"
        with ground.existing(url) as place:
            assert "bname" not in place.url
            ended = Course(place, [(workloads.load("select"), [OURS])], NOW).run()
        assert [each.state for each in ended.standings] == ["done"]


def test_nothing_is_made_or_dropped_in_another_database(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a pooler leads somewhere else than the URL says."""
    with somebodys(server_url) as (name, url):
        with ground.existing(server_url) as place:
            elsewhere = replace(place, url=url)
            with pytest.raises(ConfigError, match=f"leads to the database '{name}'"):
                Course(elsewhere, [(workloads.load("select"), [OURS])], NOW).run()
        monkeypatch.setattr(urls, "in_database", lambda *_: url)
        with pytest.raises(ConfigError, match=f"leads to the database '{name}'"), ground.existing(server_url):
            pass
        assert databases(server_url, os.getpid()) == 0


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("postgresql://u@h:1/mine?sslmode=require", "postgresql://u@h:1/new?sslmode=require"),
        ("postgres://u@h/mine?a=b&dbname=mine&c=%20d", "postgres://u@h/new?a=b&c=%20d"),
        ("postgresql:///mine?host=%2Ftmp", "postgresql:///new?host=%2Ftmp"),
        ("postgresql://a:1,b:2?%64bname=mine", "postgresql://a:1,b:2/new"),
    ],
)
def test_the_race_has_the_users_server_and_a_database_of_its_own(url: str, other: str) -> None:
    assert urls.in_database(url, "new") == other


@pytest.fixture
def served(server_url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server of `make serve` on a database of its own, and its address."""
    name = f"stretto_served_{os.getpid()}"
    root = Path(__file__).resolve().parents[2]
    with Database(server_url) as admin:
        admin.execute(f"create database {name}")
        url = f"{server_url.rpartition('/')[0]}/{name}"
        program = [sys.executable, str(root / "examples/games/with_race.py"), "--port", "0", url]
        env = {**os.environ, "PYTHONPATH": SOURCE}
        try:
            with subprocess.Popen(
                program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
            ) as process:
                assert process.stdout is not None
                try:
                    yield process, process.stdout.readline().split()[-1]
                finally:
                    process.kill()
        finally:
            admin.execute(f"drop database {name} with (force)")


@once
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_server_that_is_ended_ends_its_race(
    number: signal.Signals, served: tuple[subprocess.Popen[str], str], server_url: str
) -> None:
    process, address = served
    with httpx.Client(base_url=address) as client:
        assert "Games" in client.get("/").text
        # One runs when a quarter of its time has gone by; and there are more of them, one after the other.
        started = client.post("/race/start", data={"workload": "select", "only": "stretto", "seconds": "4"})
        assert started.headers["location"] == "./"
        state: dict[str, Any] = {}
        pause = threading.Event()
        while not (state and any(each["state"] == "running" for each in state["heats"][0]["standings"])):
            assert process.poll() is None
            pause.wait(0.02)
            state = client.get("/race/state").json()["result"]
    workers = psutil.Process(process.pid).children()
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 0
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    assert databases(server_url, process.pid) == 0


@once
@pytest.mark.skipif(pictures.chromium() is None, reason="needs Chromium: apt-get install chromium")
def test_a_person_starts_a_race_watches_it_and_reads_the_report(served: tuple[subprocess.Popen[str], str]) -> None:
    pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]  # it does not run as root, and the page is our own
        browser = playwright.chromium.launch(executable_path=pictures.chromium(), args=options)
        try:
            seen = browser.new_page(viewport={"width": 390, "height": 844})
            wrong: list[str] = []
            seen.on("pageerror", lambda error: wrong.append(str(error)))
            seen.goto(f"{served[1]}/race")
            seen.get_by_label("Only").fill("nobody")
            seen.get_by_role("button").click()
            seen.get_by_role("alert").get_by_text("nobody has 'nobody' in the name").wait_for()
            seen.get_by_label("Seconds for each").fill("0.4")
            seen.get_by_label("Only").fill("stretto, uvloop|asyncpg, uvloop")
            seen.get_by_role("button").click()
            seen.locator("li.running, li.done").first.wait_for()
            shown = seen.get_by_text("Read the report")
            shown.wait_for(timeout=90_000)
            bars = seen.locator("#bars li")
            figures = [
                [span.inner_text() for span in bar.locator("span:not(.name, .track, .bar)").all()] for bar in bars.all()
            ]
            assert len(figures) == 2
            for each in figures:
                assert all(re.fullmatch(r"[\d,]+(\.\d+)?", figure) for figure in each), figures
                assert len(each) == 3
            units = "(span, part) => getComputedStyle(span, part).content"
            assert [bars.first.locator(".p99").evaluate(units, part) for part in ("::before", "::after")] == [
                '"p99 "', '" ms"']  # fmt: skip
            conditions = seen.locator("#conditions").inner_text()
            assert re.match(r"PostgreSQL \d+.*fsync=\w+, synchronous_commit=\w+, shared_buffers=\w+; ", conditions)
            assert seen.evaluate("document.documentElement.scrollWidth") <= 390
            seen.set_viewport_size({"width": 1280, "height": 800})
            assert seen.get_by_text("CPU µs").is_visible()
            boxes = [seen.locator(each).bounding_box() for each in (".heads span >> nth=2", "#bars .cpu >> nth=0")]
            assert boxes[0]["x"] + boxes[0]["width"] == pytest.approx(boxes[1]["x"] + boxes[1]["width"], abs=1)
            seen.set_viewport_size({"width": 390, "height": 844})
            shown.click()
            seen.get_by_role("heading", name="Point selects").wait_for()
            assert seen.locator(".bars").first.locator("li").count() == 2
            assert seen.evaluate("document.documentElement.scrollWidth") <= 390
            assert wrong == []
        finally:
            browser.close()
