"""A URL in parts, for libraries that take no URL with a Unix socket."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote

from stretto.cli import urls
from stretto.errors import ConfigError

_KNOWN = {"host", "port", "dbname"}


def parts(url: str) -> dict[str, Any]:
    """Host, port, user, database and password (where there is one), under the names of asyncpg.connect().

    Raises:
        ConfigError: the query says more than these libraries would be given, as sslmode.
    """
    split = urls.split(url)
    query = dict(parse_qsl(split.query))
    if unknown := sorted(query.keys() - _KNOWN):
        raise ConfigError(f"{', '.join(unknown)} in the URL's query can't be given to this library: only host and port")
    found = {
        "host": query.get("host") or unquote(split.hostname or "localhost"),
        "port": int(query.get("port") or split.port or 5432),
        "user": unquote(split.username or "postgres"),
        "database": query.get("dbname") or unquote(split.path[1:]),
    }
    return {**found, "password": unquote(split.password)} if split.password else found
