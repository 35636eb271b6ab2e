"""What the commands do with a server's URL before they give it to others: another database in it, no password shown."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

from stretto.errors import ConfigError

_SECRET = ("password", "sslpassword")
_CREDENTIALS = re.compile("[^:@/]*:([^@/]*)@")  # libpq's rule: a password may have anything but these
_PROBLEM = "the server is named by a URL (postgresql://user@host:port/database), as all drivers read it"


def split(url: str) -> SplitResult:
    """The parts of a URL that all drivers read alike.

    Raises:
        ConfigError: it is none; the message has no part of it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may have the password
        parts = None
    if parts is None:
        raise ConfigError(f"{_PROBLEM}; in a password [ is %5B, ] is %5D")
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigError(_PROBLEM)
    if parts.fragment:
        raise ConfigError(f"{_PROBLEM}; # is %23 in it")
    return parts


def in_database(url: str, database: str) -> str:
    """The URL of another database on the same server: in the path alone, as a `dbname` in the query would win.

    Raises:
        ConfigError: as `split`.
    """
    parts = split(url)
    return _joined(parts, parts.netloc, database, _without(parts.query, ("dbname",)))


def password_apart(url: str) -> tuple[str, str | None]:
    """The URL without its password, for a command line, which everybody on the machine can read; and the password.

    Raises:
        ConfigError: as `split`.
    """
    parts = split(url)
    credentials, at, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    given = [value for key, _, value in map(_halves, parts.query.split("&")) if unquote(key) == "password"]
    secret = unquote((given or [password])[-1]) or None  # the query's wins, as for libpq
    return _joined(parts, f"{user}{at}{hosts}", parts.path[1:], _without(parts.query, ("password",))), secret


def without_password(text: str, url: str) -> str:
    """A text in which *** stands for the password of a URL, in all forms in which a driver may show it."""
    for form in sorted(_forms(url), key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _forms(url: str) -> set[str]:
    """The passwords as they stand in the URL, decoded, and as repr() shows them."""
    rest = url.partition("://")[2]
    head, _, query = rest.partition("?")
    written = [head.rpartition("@")[0].partition(":")[2]]
    if found := _CREDENTIALS.match(rest):
        written.append(found[1])
    written += [value for key, _, value in map(_halves, query.split("&")) if unquote(key) in _SECRET]
    forms = {form for text in written for form in (text, unquote(text), unquote(text.replace("+", " ")))}
    return {form for each in forms for form in (each, repr(each)[1:-1]) if form}


def _halves(parameter: str) -> tuple[str, str, str]:
    return parameter.partition("=")


def _without(query: str, keys: tuple[str, ...]) -> str:
    return "&".join(each for each in query.split("&") if unquote(_halves(each)[0]) not in keys)


def _joined(parts: SplitResult, netloc: str, database: str, query: str) -> str:
    # Not by urlunsplit, which drops the // where no host is named.
    return f"{parts.scheme}://{netloc}/{database}{'?' if query else ''}{query}"
