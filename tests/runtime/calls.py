"""The same calls on both front doors, with what must hold after any of them: nothing hangs, nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from stretto._async.database import AsyncDatabase
from stretto._sync.database import Database

PATIENCE = 45.0  # seconds; whoever takes longer has been hung (a server that ignores a cancel costs 3)
RUNTIMES = ("blocking", "asyncio")
WAITS = ("wait", "block")

# A verb's name, its arguments and at the end perhaps a dict of keywords; or "wait" and what to wait for, "block" if the
# event loop stands still meanwhile.
Call = tuple[Any, ...]


def outcomes(runtime: str, url: str, calls: Sequence[Call], until_error: bool = False, **options: Any) -> list[Any]:
    """Make the calls one after another, all or those until the first error; return what each gave or raised."""
    run = _blocking if runtime == "blocking" else _asyncio
    return run(url, calls, options, until_error)


def _split(call: Call) -> tuple[str, Sequence[Any], dict[str, Any]]:
    verb, *args = call
    keywords = args.pop() if args and isinstance(args[-1], dict) else {}
    return verb, args, keywords


def _blocking(url: str, calls: Sequence[Call], options: dict[str, Any], until_error: bool) -> list[Any]:
    found: list[Any] = []

    def work() -> None:
        with Database(url, connections=1, **options) as db:
            for call in calls:
                verb, args, keywords = _split(call)
                try:
                    found.append(args[0]() if verb in WAITS else getattr(db, verb)(*args, **keywords))
                except Exception as error:
                    found.append(error)
                    if until_error:
                        break

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), f"hung after {found}"
    return found


def _asyncio(url: str, calls: Sequence[Call], options: dict[str, Any], until_error: bool) -> list[Any]:
    found: list[Any] = []

    async def work() -> None:
        async with asyncio.timeout(PATIENCE):
            async with AsyncDatabase(url, connections=1, **options) as db:
                for call in calls:
                    verb, args, keywords = _split(call)
                    try:
                        if verb == "block":
                            found.append(args[0]())
                            threading.Event().wait(0.01)  # a connection that was just used is not looked at
                            continue
                        made = asyncio.to_thread(args[0]) if verb == "wait" else getattr(db, verb)(*args, **keywords)
                        found.append(await made)
                    except Exception as error:
                        found.append(error)
                        if until_error:
                            break
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"

    asyncio.run(work())
    return found
