"""The benchmarks run: every installed contender answers rightly in every case (checked before its speed counts)."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks import cases, contenders, load, programs, report
from benchmarks.__main__ import main, parse, sizes_of
from benchmarks.bars import AtLeast, AtMost, Bar, NotSlower
from benchmarks.cases import Case, Column, web
from benchmarks.cases import codecs as codecs_case
from benchmarks.contenders import Contender, pg_dump, pgbench, psql
from benchmarks.measure import WrongAnswer, drive, expect
from benchmarks.runner import ROOT, Outcome, describe
from benchmarks.sizes import QUICK, Sizes
from tests.builds import once

import stretto.codecs
from stretto._core import compiled_modules
from stretto.cli import urls
from stretto.cli.race.workloads import mixed
from stretto.codecs.base import Codec, decode_value, encode_value
from stretto.wire.buffer import ReadBuffer, WriteBuffer

BOTH_BUILDS = pytest.mark.skipif(not compiled_modules(), reason="compares the compiled core with the other")


# Of the case web two tables, one that reads and one that writes: wrk knows no less than a second for each contender.
# That they answer rightly in all four is in test_bench_web.
TABLES = {"web": ("single", "updates")}


def expected(case: Case, found: list[Contender]) -> set[tuple[str, str]]:
    """Each variant of a case, of the tables that are asked for, with each contender that takes it."""
    return {
        (str(variant), each.name)
        for variant in case.variants(QUICK)
        for each in found
        if each.case == case.name and case.takes(each, variant)
        if any(part in describe(variant) for part in TABLES.get(case.name, ("",)))
    }


# Codecs without a figure of their own, and why.
UNMEASURED = {
    "Nested": "measured with the objects that it makes, by the case graph",
    "Temporal": "what temporal codecs have in common",
    "Void": "has no values",
}


def codec_classes(cls: type[Codec]) -> Iterator[type[Codec]]:
    for each in cls.__subclasses__():
        if each.__module__.startswith("stretto."):
            yield each
        yield from codec_classes(each)


def test_every_codec_is_measured_and_gives_its_value_back() -> None:
    subjects = codecs_case.subjects()
    measured = {type(subject.codec).__name__ for subject in subjects.values()}
    for module in pkgutil.iter_modules(stretto.codecs.__path__):
        importlib.import_module(f"stretto.codecs.{module.name}")
    assert {cls.__name__ for cls in codec_classes(Codec)} - measured == UNMEASURED.keys()
    for name, (codec, value, written_by) in subjects.items():
        buf = WriteBuffer()
        encode_value(written_by or codec, buf, value)
        assert decode_value(codec, ReadBuffer(buf.getvalue())) == value, name


@once
@pytest.mark.timeout(300)  # some sixty processes
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[BOTH_BUILDS, pytest.mark.slow] if name == "codecs" else [pytest.mark.slow])
        if name not in ("flow", "stream")
        else name
        for name in cases.NAMES
    ],
)
def test_quick_run_gives_figures_of_every_installed_contender(
    name: str, server_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if missing := cases.load(name).missing():
        pytest.skip(f"needs {missing}")
    path = tmp_path / "result.json"
    tables = ["--tables", "|".join(TABLES[name])] if name in TABLES else []
    status = main([name, "--quick", "--no-pinning", "--url", server_url, "--json", str(path), *tables])
    printed = capsys.readouterr().out
    outcomes = json.loads(path.read_text())["outcomes"]
    assert [outcome["failures"] for outcome in outcomes] == [{}] * len(outcomes)
    assert status == 0
    measured = {(str(outcome["variant"]), name) for outcome in outcomes for name in outcome["results"]}
    assert measured == expected(cases.load(name), contenders.load_all()[0])
    for outcome in outcomes:
        for contender, [figures] in outcome["results"].items():
            assert figures["rate"] > 0, contender
            assert f"| {contender} " in printed


def test_stretto_and_its_closest_peers_are_contenders_in_the_cases_that_have_budgets() -> None:
    found, _missing = contenders.load_all()
    modules = {name: {each.module.rpartition(".")[2] for each in found if each.case == name} for name in cases.NAMES}
    peers = {"asyncpg_", "psycopg3", "psycopg3_pool", "psycopg2_", "psycopg2_gevent", "sqlalchemy_async", "pgbench"}
    assert modules["select"] >= {"stretto_", *peers}
    assert modules["neighbours"] >= {"stretto_callers", "asyncpg_", "psycopg3_pool"}
    assert modules["writes"] >= {"stretto_callers", "asyncpg_", "psycopg3_pool", "psycopg2_"}
    assert modules["transaction"] >= {"stretto_callers", "asyncpg_", "psycopg3_pool", "psycopg2_"}
    assert modules["memory"] >= {"stretto_callers", "asyncpg_", "psycopg3", "psycopg2_"}
    assert modules["rows"] >= {"stretto_", "asyncpg_", "psycopg3", "psycopg2_", "sqlalchemy_rows"}
    assert modules["models"] >= {"stretto_by_hand", "asyncpg_models", "sqlalchemy_async", "tortoise_", "piccolo_"}
    assert modules["graph"] >= {"stretto_by_hand", "asyncpg_models", "sqlalchemy_async", "tortoise_", "piccolo_"}
    assert modules["mixed"] >= {"stretto_by_hand", "asyncpg_models", "sqlalchemy_async", "sqlalchemy_sync"}
    assert modules["web"] >= {"web_stretto", "web_asyncpg", "web_psycopg", "web_sqlalchemy"}
    assert modules["stream"] >= {"stretto_", "asyncpg_", "psycopg3"}
    assert modules["copy"] >= {"stretto_", "asyncpg_", "psycopg3", "psql"}
    assert modules["flow"] >= {"stretto_", "asyncpg_", "psycopg3"}
    threaded = {"psycopg2_census", "psycopg2_gevent", "psycopg3_census", "psycopg3_pool"}
    assert modules["census"] >= {"stretto_census", "asyncpg_census", *threaded}


@pytest.mark.parametrize("callers", [1, 10, 100, 1000])
def test_every_runtime_serves_every_number_of_callers(callers: int) -> None:
    case = cases.load("select")
    found = [each for each in contenders.load_all()[0] if each.case == "select"]
    serving = {each.name for each in found if case.takes(each, {"callers": callers})}
    assert serving >= {"stretto Database", "stretto Database gevent", "stretto AsyncDatabase", "asyncpg pool"}
    assert {"pgbench", "pgbench pipeline"} & serving


@pytest.mark.parametrize(("arguments", "patched"), [([], False), (["gevent"], True)])
def test_a_gevent_contenders_process_is_patched_before_anything_is_imported(
    arguments: list[str], patched: bool
) -> None:
    program = """
import benchmarks.worker, threading, sys
print("gevent" in sys.modules and sys.modules["gevent.monkey"].is_module_patched("threading"))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.stdout.strip(), done.stderr) == (str(patched), "")


def test_what_a_library_does_not_have_is_named_as_missing() -> None:
    assert Contender("any", "one", "python", True, open).missing() is None
    assert Contender("any", "one", "python", True, open, needs="its best verb").missing() == "its best verb"


def test_latencies_are_of_all_waits_in_milliseconds() -> None:
    waits = [i / 1000 for i in range(100, 0, -1)]
    assert load.latencies(waits) == pytest.approx({"p50_ms": 50, "p99_ms": 99, "max_ms": 100, "mean_ms": 50.5})


@pytest.mark.parametrize(
    ("count", "p50", "p99"), [(1, 1, None), (2, 1, None), (3, 2, None), (99, 50, None), (101, 51, 100), (700, 350, 693)]
)
def test_of_a_hundred_waits_and_more_ninety_nine_are_no_longer_than_p99(count: int, p50: int, p99: int | None) -> None:
    found = load.latencies([i / 1000 for i in range(1, count + 1)])
    assert (round(found["p50_ms"]), round(found["max_ms"])) == (p50, count)
    assert ("p99_ms" in found, round(found.get("p99_ms", 0))) == (p99 is not None, p99 or 0)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_caller_gets_its_own_arguments_and_each_call_is_timed(asynchronous: bool) -> None:
    seen: dict[str, list[int]] = {"a": [], "b": []}

    async def ask(name: str, key: int) -> None:
        seen[name].append(key)

    functions = [lambda key, name=name: ask(name, key) for name in seen]
    if not asynchronous:
        functions = [lambda key, name=name: seen[name].append(key) for name in seen]
    own = [iter(range(10**9)), iter(range(10**9))]
    waits = asyncio.run(load.callers(asynchronous, functions, own, 0.001))
    assert len(waits) == sum(map(len, seen.values())) > 1
    assert all(keys == list(range(len(keys))) for keys in seen.values())


def test_a_caller_that_fails_fails_the_measurement() -> None:
    def ask(key: int) -> None:
        raise LookupError(f"no row {key}")

    with pytest.raises(LookupError, match="no row 7"):
        asyncio.run(load.callers(False, [ask, ask], [iter([7]), iter([7])], 1.0))


def test_unknown_case_is_refused_with_the_list_of_cases(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nonsense"])
    assert "no such case: nonsense" in capsys.readouterr().err


def test_wrong_answer_is_an_error_that_shows_both() -> None:
    with pytest.raises(WrongAnswer, match=r"row 7: \(8,\) instead of \(7,\)"):
        expect((8,), (7,), "row 7")


def test_blocking_contender_is_driven_without_an_event_loop() -> None:
    async def answer() -> int:
        return 42

    assert drive(Contender("any", "one", "python", False, open), answer()) == 42


def test_named_number_of_callers_replaces_those_of_the_quick_run() -> None:
    assert sizes_of(parse(["--quick", "--callers", "1,7"])).callers == (1, 7)


def rounds(*rates: float) -> list[dict[str, float]]:
    return [{"rate": rate, "client_us": 1e6 / rate} for rate in rates]


@pytest.mark.parametrize(
    ("own", "other", "text"),
    [
        (rounds(200, 300, 220), rounds(100, 100, 110), "2.00"),
        (rounds(110, 300, 90), rounds(100, 100, 100), "~1.10"),  # the ranges overlap: it may be chance
        (rounds(50), rounds(100), "0.50"),
    ],
)
def test_ratio_is_the_median_of_those_within_a_round(
    own: list[dict[str, float]], other: list[dict[str, float]], text: str
) -> None:
    assert report.ratio(own, other) == text


def test_table_shows_medians_spreads_ratios_and_who_failed() -> None:
    case = Case(
        name="toy",
        about="as a test has it",
        run=lambda _contender, _job: {},
        baselines=("one that is not installed|peer", "another one"),
        rate=Column("rate", "per s", ",.0f"),
        columns=(Column("client_us", "client us/op"), Column("never", "not measured")),
    )
    results = {"peer": rounds(1000, 1100, 900), "stretto": rounds(2000, 2000, 2500)}
    outcome = Outcome("toy", {"callers": 3}, results, {"third": "WrongAnswer: row 7"})
    assert report.table(case, outcome).splitlines() == [
        "## toy: callers 3",
        "",
        "as a test has it",
        "",
        "| contender | per s | spread | x peer | client us/op |",
        "| --------- | ----: | -----: | -----: | -----------: |",
        "| stretto   | 2,000 |    25% |   2.00 |        500.0 |",
        "| peer      | 1,000 |    20% |      1 |      1,000.0 |",
        "",
        "FAILED third: WrongAnswer: row 7",
    ]


MEASURED = {
    "own": [{"rate": 300.0, "rss_mb": 90.0, "geo_rate": 8.0}, {"rate": 200.0, "rss_mb": 101.0, "geo_rate": 8.0}],
    "near": [{"rate": 260.0, "geo_rate": 10.0}, {"rate": 256.0, "geo_rate": 10.0}],
    "slow": [{"rate": 10.0}, {"rate": 10.0}],
    "fast": [{"rate": 100.0}, {"rate": 100.0}],
}


@pytest.mark.parametrize(
    ("bar", "line"),
    [
        (AtLeast("own", 2.5, ("slow", "fast")), "own >= 2.5 x fast: 2.50, holds"),  # the fastest counts
        (AtLeast("own", 1 / 0.7, ("slow",)), "own >= 1.43 x slow: 25.00, holds"),
        (AtLeast("own", 3, ("fast", "absent")), "own >= 3 x fast: 2.50, MISSED"),
        (AtLeast("own", 3, ("absent", "gone")), "own >= 3 x absent | gone: not measured"),
        (AtLeast("absent", 3, ("fast",)), "absent >= 3 x fast: not measured"),
        (AtLeast("own", 0.9, ("near",), "geo_rate", "records/s"), "own >= 0.9 x near, records/s: 0.80, MISSED"),
        (AtLeast("own", 0.9, ("gone",), "geo_rate", "records/s"), "own >= 0.9 x gone, records/s: not measured"),
        (NotSlower("own", ("slow", "fast")), "own not slower than fast: 2.50, holds"),
        (NotSlower("fast", ("slow", "own")), "fast not slower than own: 0.42, MISSED"),
        (NotSlower("own", ("near",)), "own not slower than near: ~0.97, not decided"),  # it may be chance
        (NotSlower("near", ("own",)), "near not slower than own: ~1.07, holds"),
        (NotSlower("own", ("gone",)), "own not slower than gone: not measured"),
        (AtMost("own", "rss_mb", 101, "MB"), "own <= 101 MB: 101, holds"),
        (AtMost("own", "rss_mb", 100, "MB"), "own <= 100 MB: 101, MISSED"),  # in every round
        (AtMost("absent", "rss_mb", 100, "MB"), "absent <= 100 MB: not measured"),
    ],
)
def test_a_bar_says_what_must_hold_what_was_found_and_whether_it_held(bar: Bar, line: str) -> None:
    assert bar.line(MEASURED) == line


@pytest.mark.parametrize("name", cases.NAMES)
def test_every_contender_of_a_bar_is_one_of_its_case(name: str) -> None:
    case, (found, missing) = cases.load(name), contenders.load_all()
    if "stretto's models" in missing:
        pytest.skip("stretto's models are not there")
    everything = {each.name for each in found} | ({"aiopg"} & set(missing))
    for variant in case.variants(Sizes()):
        for bar in case.bars(variant):
            named = {bar.contender, *bar.peers} if not isinstance(bar, AtMost) else {bar.contender}
            assert named <= everything


@pytest.mark.parametrize("together", [None, 7])
def test_of_the_mixed_load_every_operation_is_done_once_and_looked_at(together: int | None) -> None:
    seen: list[int | None] = []

    async def ask(number: int | None) -> list[SimpleNamespace]:
        await asyncio.sleep(0)
        seen.append(number)
        return [SimpleNamespace(id=1, bs=[None] * mixed.BRANCHES[i % 3]) for i in range(3 if number else mixed.READ)]

    operations: list[int | None] = [5, None, 6, None] * 10
    asyncio.run(mixed.tasks(ask, operations, together))
    assert sorted(map(str, seen)) == sorted(map(str, operations))


@pytest.mark.parametrize("together", [None, 7])
def test_a_wrong_answer_ends_the_mixed_load(together: int | None) -> None:
    async def ask(number: int | None) -> list[SimpleNamespace]:
        return [SimpleNamespace(id=None if number == 6 else 1)] * 3

    with pytest.raises(WrongAnswer, match="keys of the new a"):
        asyncio.run(mixed.tasks(ask, [5, 6, 7], together))


@pytest.mark.parametrize("together", [None, 7, 50])
def test_of_the_mixed_load_each_connection_is_warm_before_it_is_measured(together: int | None) -> None:
    """Ten writes and reads for each, in the chunks that are measured, and they are in the rows that are counted."""
    asked: list[int | None] = []
    under_way: list[int] = []
    before: list[int] = []

    @asynccontextmanager
    async def opening(_url: str, _connections: int) -> AsyncIterator[Any]:
        running = 0

        async def ask(number: int | None) -> list[SimpleNamespace]:
            nonlocal running
            running += 1
            under_way.append(running)
            await asyncio.sleep(0)
            running -= 1
            asked.append(number)
            return [SimpleNamespace(id=1, bs=[None] * mixed.BRANCHES[i % 3]) for i in range(3 if number else 10)]

        async def value(sql: str) -> int:
            writes = mixed._WRITES_BEFORE + sum(number is not None for number in asked)
            return writes * (3 * 1000000 + 5)

        yield ask, lambda: ask(None), value, together

    @contextmanager
    def measured() -> Iterator[None]:
        before.append(len(asked))
        yield

    contender = Contender("mixed", "one", "python", True, opening)
    asyncio.run(mixed.carry_out(contender, "", 2, [5, None] * 60, measured, None))
    [warm] = before
    assert warm == max(10 * 2 * 2, together or 0)
    assert len(asked) - warm == 120
    assert 0.25 * warm < sum(number is None for number in asked[:warm]) < 0.75 * warm
    assert max(under_way[:warm]) == (together or warm)


WITH_PASSWORD = "postgresql://u:ge%2Fheim@h:1/x?sslmode=disable"


@pytest.mark.parametrize(
    ("url", "shown", "password"),
    [
        (WITH_PASSWORD, "postgresql://u@h:1/x?sslmode=disable", "ge/heim"),
        ("postgresql://u@h/x?password=ge%2Fheim&a=b", "postgresql://u@h/x?a=b", "ge/heim"),
        ("postgresql://u:one@h/x?password=other", "postgresql://u@h/x", "other"),  # as libpq reads it
        ("postgresql:///x?host=%2Ftmp", "postgresql:///x?host=%2Ftmp", None),
    ],
)
def test_a_program_is_given_the_password_in_its_environment(url: str, shown: str, password: str | None) -> None:
    assert urls.password_apart(url) == (shown, password)
    found, env = programs.given(url)
    assert (found, env.get("PGPASSWORD")) == (shown, password or os.environ.get("PGPASSWORD"))


def test_no_command_line_has_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started, is started with it in the environment or on stdin, and fails here."""
    seen: list[tuple[str, str]] = []
    popen = subprocess.Popen

    def failing(command: list[str], **options: Any) -> subprocess.Popen[Any]:
        seen.append((" ".join(command), (options.get("env") or {}).get("PGPASSWORD", "")))
        return popen([sys.executable, "-c", "raise SystemExit(1)"], **options)

    monkeypatch.setattr(subprocess, "Popen", failing)
    with pytest.raises(RuntimeError), contextmanager(pgbench.select_alone)(WITH_PASSWORD, 1, 10) as select:
        select(0.1)
    with pytest.raises(RuntimeError), contextmanager(psql.copy_file)(WITH_PASSWORD, "") as (_, value):
        value("select 1")
    for way in (pg_dump.dump, pg_dump.copy_binary):
        with pytest.raises(RuntimeError), contextmanager(way)(WITH_PASSWORD, WITH_PASSWORD) as pipe:
            pipe()
    with pytest.raises(WrongAnswer):
        web._check("single", "http://127.0.0.1:1", WITH_PASSWORD)
    assert [password for _, password in seen] == ["ge/heim"] * 6 + [""]
    assert [command for command, _ in seen if "heim" in command] == []
