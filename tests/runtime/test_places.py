"""Where a program called: its own places, without what runs its functions."""

from __future__ import annotations

import asyncio
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from stretto._places import caller, places

ALL = 1000


def look() -> list[str]:
    """All places of this call but those of pytest and its workers."""
    return [place for place in places(ALL) if "site-packages" not in place and "<string>" not in place]


def in_thread() -> list[str]:
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append(look()))
    thread.start()
    thread.join()
    return found[0]


def in_executor() -> list[str]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(look).result()


def in_task() -> list[str]:
    async def main() -> list[str]:
        return await asyncio.ensure_future(coroutine())

    async def coroutine() -> list[str]:
        return look()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        return runner.run(main())


def in_block() -> list[str]:
    @contextmanager
    def block() -> Iterator[list[str]]:
        yield look()

    with block() as found:
        return found


@pytest.mark.parametrize("call", [in_thread, in_executor, in_task, in_block])
def test_the_places_are_those_of_the_program(call: Callable[[], list[str]]) -> None:
    found = call()
    assert found
    assert all(Path(__file__).name in place for place in found), found
    assert found[0].endswith(" in look")


def test_only_the_innermost_are_wanted() -> None:
    assert len(places(1)) == 1
    assert f"{Path(__file__).name}:" in caller()


GREENLET = """
from gevent import monkey; monkey.patch_all()
import gevent, threading
from stretto._places import places
def look(): found.append(places(1000))
found = []
gevent.spawn(look).join()
thread = threading.Thread(target=look)
thread.start()
thread.join()
print(found)
"""


def test_nor_gevents() -> None:
    run = subprocess.run([sys.executable, "-c", GREENLET], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[('<string>:5 in look',), ('<string>:5 in look',)]"
