"""The web case of the benchmarks: every contender's answers are right on each framework, and wrong ones are found."""

from __future__ import annotations

import asyncio
import html
import importlib
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks import cases, contenders
from benchmarks.__main__ import main
from benchmarks.contenders import Contender
from benchmarks.measure import WrongAnswer, opened
from benchmarks.web import FORTUNES, Queries, World, check, wrk

from stretto import AsyncDatabase, Database

CONTENDERS = {each.name: each for each in contenders.load_all()[0] if each.case == "web"}
FRAMEWORKS = ("starlette_", "tornado_")


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    """A database with the tables."""
    name = f"stretto_web_{os.getpid()}"
    with Database(server_url) as admin:
        admin.execute(f"create database {name}")
        found = f"{server_url.rpartition('/')[0]}/{name}"
        with Database(found) as db:
            cases.load("web").setup(db, cases.Sizes())
        yield found
        admin.execute(f"drop database {name} with (force)")


@asynccontextmanager
async def served(framework: str, queries: Queries) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        async with importlib.import_module(f"benchmarks.web.{framework}").serving(queries, listening):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", CONTENDERS)
def test_each_contender_answers_rightly_on_each_framework(url: str, name: str, framework: str) -> None:
    async def ask(contender: Contender) -> None:
        with Database(url, connections=1) as db:
            async with opened(contender, url, 4) as queries, served(framework, queries) as base:
                for each in check.CHECKS.values():
                    await asyncio.to_thread(each, base, db)

    asyncio.run(ask(CONTENDERS[name]))


class Wrong:
    """Queries that are stretto's but for one, which is wrong."""

    def __init__(self, right: Queries, db: AsyncDatabase) -> None:
        self.right = right
        self.db = db

    async def another(self, key: int) -> World:
        return {**await self.right.one(key), "randomNumber": 0}

    async def unnamed(self, key: int) -> Any:
        return {"id": key, "randomnumber": 1}

    async def too_few(self, keys: Sequence[int]) -> Sequence[World]:
        return (await self.right.many(keys))[1:]

    async def always_the_first(self, keys: Sequence[int]) -> Sequence[World]:
        return await self.right.many(range(1, len(keys) + 1))

    async def none(self) -> Sequence[Any]:
        return []

    async def escaped_twice(self) -> Sequence[Any]:
        return [(number, html.escape(text)) for number, text in FORTUNES]

    async def not_written(self, new: Mapping[int, int]) -> Sequence[World]:
        return [{"id": key, "randomNumber": number} for key, number in new.items()]

    async def as_before(self, new: Mapping[int, int]) -> Sequence[World]:
        return await self.right.many(list(new))

    async def others_too(self, new: Mapping[int, int]) -> Sequence[World]:
        await self.db.execute("update world set randomnumber = randomnumber % 10000 + 1")
        return await self.right.update(new)


@pytest.mark.parametrize(
    ("test", "part", "way", "said"),
    [
        ("single", "one", "another", "number of row"),
        ("single", "one", "unnamed", "fields of /db"),
        ("many", "many", "too_few", "rows of /queries"),
        ("many", "many", "always_the_first", "different answers"),
        ("fortunes", "fortunes", "none", "fortunes"),
        ("fortunes", "fortunes", "escaped_twice", "fortunes"),
        ("updates", "update", "not_written", "the table after /updates"),
        ("updates", "update", "as_before", "new numbers of /updates"),
        ("updates", "update", "others_too", "the table after /updates"),
    ],
)
def test_a_wrong_answer_is_found(url: str, test: str, part: str, way: str, said: str) -> None:
    async def ask() -> None:
        with Database(url, connections=1) as db:
            async with opened(CONTENDERS["stretto"], url, 2) as right, AsyncDatabase(url, connections=1) as other:
                wrong = replace(right, **{part: getattr(Wrong(right, other), way)})
                async with served("starlette_", wrong) as base:
                    await asyncio.to_thread(check.CHECKS[test], base, db)

    with pytest.raises(WrongAnswer, match=said):
        asyncio.run(ask())


def test_a_page_that_does_not_escape_is_found() -> None:
    with pytest.raises(WrongAnswer, match="<script>"):
        check.Cells("<table><tr><td>1</td><td><script>alert('This is text')</script></td></tr></table>")


OUTPUT = """Running 1s test @ http://127.0.0.1:39431/db
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.43ms    7.91ms  96.17ms   91.30%
    Req/Sec    13.24k     4.49k   16.53k    80.00%
  Latency Distribution
     50%  870.00us
     75%    5.98ms
     90%   13.27ms
     99%    1.02s
  13261 requests in 1.01s, 2.18MB read{more}
Requests/sec:  13099.31
Transfer/sec:      2.15MB
"""


def test_what_wrk_prints_is_read() -> None:
    assert wrk.read(OUTPUT.format(more="")) == wrk.Load(13261, 13099.31, 0.87, 1020.0)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (OUTPUT.format(more="\n  Non-2xx or 3xx responses: 7"), "Non-2xx or 3xx responses: 7"),
        (OUTPUT.format(more="\n  Socket errors: connect 0, read 3, write 0, timeout 0"), "read 3"),
        ("", "counted nothing"),
        (OUTPUT.format(more="").replace("13261", "0"), "counted nothing"),
    ],
)
def test_requests_that_failed_fail_the_contender(output: str, said: str) -> None:
    with pytest.raises(wrk.LoadFailed, match=said):
        wrk.read(output)


def test_without_wrk_it_says_so(
    server_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrk, "NEEDS", "wrk (Debian: apt-get install wrk)")
    arguments = ["web", "--quick", "--no-pinning", "--url", server_url, "--json", str(tmp_path / "result.json")]
    assert main(arguments) == 0
    assert "## web\n\nNOT MEASURED: it takes wrk (Debian: apt-get install wrk)\n" in capsys.readouterr().out
