"""A URL in parts, for libraries that take no URL with a Unix socket."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def parts(url: str) -> dict[str, Any]:
    """Host, port, user, database and password (where there is one), under the names of asyncpg.connect()."""
    split = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(split.query).items()}
    found = {
        "host": query.get("host") or unquote(split.hostname or "localhost"),
        "port": int(query.get("port") or split.port or 5432),
        "user": unquote(split.username or "postgres"),
        "database": unquote(split.path[1:]),
    }
    return {**found, "password": unquote(split.password)} if split.password else found
