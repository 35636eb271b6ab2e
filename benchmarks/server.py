"""The server of a run: an embedded one on a core of its own, or one that is named; and what it says of itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from stretto.cli.race import ground


@dataclass(frozen=True)
class Target:
    """Where the contenders connect to; `pid` is the postmaster's, where it is ours."""

    url: str
    pid: int | None
    settings: dict[str, str]


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Hold this process to one core: what it starts meanwhile stays there."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def embedded(core: int | None, shared_buffers: str) -> Iterator[Target]:
    """A new durable server over its Unix socket, with a database for this run."""
    import stretto.embedded

    settings = {"shared_buffers": shared_buffers, "max_connections": "400", "max_wal_size": "8GB", "timezone": "UTC"}
    with on_core(core):
        server = stretto.embedded.start(durable=True, settings=settings)
    with server:
        url = f"postgresql://postgres@/postgres?host={quote(str(server.socket_directory), safe='')}&port={server.port}"
        with existing(url) as target:
            yield Target(target.url, server.pid, target.settings)


@contextmanager
def existing(url: str) -> Iterator[Target]:
    """A server that runs already, with a database for this run, which is dropped at the end."""
    with ground.existing(url, "stretto_bench") as found:
        yield Target(found.url, None, found.settings)
