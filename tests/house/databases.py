"""A database of a test file's own, for what takes a URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import stretto


@contextmanager
def database_of_process(server_url: str, name: str) -> Iterator[str]:
    """The URL of a database that is there for the block; its name has this process's number."""
    name = f"{name}_{os.getpid()}"
    with stretto.Database(server_url) as admin:
        admin.execute(f"create database {name}")
        try:
            yield f"{server_url.rpartition('/')[0]}/{name}"
        finally:
            admin.execute(f"drop database {name} with (force)")
