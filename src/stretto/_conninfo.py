"""libpq's configuration texts: its keywords, connection strings, service file and password file.

The rules are those of PostgreSQL 18's libpq (manual: "Database Connection Control Functions", "The Password File",
"The Connection Service File"); the tests hold both parsers against libpq itself. Two things are stretto's own: text
that is not UTF-8 is refused, and no error shows any part of a text that could belong to a password. What an error may
show is a keyword that stands where no piece of a password can stand.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, ParamSpec, TypeVar
from urllib.parse import unquote_to_bytes

from stretto._habits import remedy_for
from stretto.errors import ConfigError

_log = logging.getLogger("stretto.config")


class Option(NamedTuple):
    """A keyword: the environment variable that stands for it, its default, and what it may be."""

    env: str | None = None
    default: str | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False


_SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSIONS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
_PROTOCOLS = ("3.0", "3.2", "latest")
_TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_LEVELS = ("disable", "prefer", "require")
_FLAG = ("0", "1")

# Every keyword of libpq 18, and servicefile, which libpq 19 adds.
OPTIONS: dict[str, Option] = {
    "service": Option("PGSERVICE"),
    "servicefile": Option("PGSERVICEFILE"),
    "user": Option("PGUSER"),
    "password": Option("PGPASSWORD", secret=True),
    "passfile": Option("PGPASSFILE"),
    "channel_binding": Option("PGCHANNELBINDING", "prefer", _LEVELS),
    "connect_timeout": Option("PGCONNECT_TIMEOUT"),
    "dbname": Option("PGDATABASE"),
    "host": Option("PGHOST"),
    "hostaddr": Option("PGHOSTADDR"),
    "port": Option("PGPORT", "5432"),
    "client_encoding": Option("PGCLIENTENCODING"),
    "options": Option("PGOPTIONS"),
    "application_name": Option("PGAPPNAME"),
    "fallback_application_name": Option(),
    "keepalives": Option(),
    "keepalives_idle": Option(),
    "keepalives_interval": Option(),
    "keepalives_count": Option(),
    "tcp_user_timeout": Option(),
    "sslmode": Option("PGSSLMODE", "prefer", _SSLMODES),
    "sslnegotiation": Option("PGSSLNEGOTIATION", "postgres", ("postgres", "direct")),
    "sslcompression": Option("PGSSLCOMPRESSION", "0", _FLAG),
    "sslcert": Option("PGSSLCERT"),
    "sslkey": Option("PGSSLKEY"),
    "sslcertmode": Option("PGSSLCERTMODE", "allow", ("disable", "allow", "require")),
    "sslpassword": Option(secret=True),
    "sslrootcert": Option("PGSSLROOTCERT"),
    "sslcrl": Option("PGSSLCRL"),
    "sslcrldir": Option("PGSSLCRLDIR"),
    "sslsni": Option("PGSSLSNI", "1", _FLAG),
    "requirepeer": Option("PGREQUIREPEER"),
    "require_auth": Option("PGREQUIREAUTH"),
    "min_protocol_version": Option("PGMINPROTOCOLVERSION", None, _PROTOCOLS),
    "max_protocol_version": Option("PGMAXPROTOCOLVERSION", None, _PROTOCOLS),
    "ssl_min_protocol_version": Option("PGSSLMINPROTOCOLVERSION", "TLSv1.2", _TLS_VERSIONS),
    "ssl_max_protocol_version": Option("PGSSLMAXPROTOCOLVERSION", None, _TLS_VERSIONS),
    "gssencmode": Option("PGGSSENCMODE", "disable", _LEVELS),
    "krbsrvname": Option("PGKRBSRVNAME"),
    "gsslib": Option("PGGSSLIB"),
    "gssdelegation": Option("PGGSSDELEGATION", "0", _FLAG),
    "replication": Option(),
    "target_session_attrs": Option("PGTARGETSESSIONATTRS", "any", _SESSIONS),
    "load_balance_hosts": Option("PGLOADBALANCEHOSTS", "disable", ("disable", "random")),
    "scram_client_key": Option(secret=True),
    "scram_server_key": Option(secret=True),
    "oauth_issuer": Option(),
    "oauth_client_id": Option(),
    "oauth_client_secret": Option(secret=True),
    "oauth_scope": Option(),
    "sslkeylogfile": Option(),
}
SECRETS = frozenset(keyword for keyword, option in OPTIONS.items() if option.secret)


P = ParamSpec("P")
R = TypeVar("R")


def without_locals(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function's ConfigErrors leave without its frames: tools print the variables of a traceback's frames."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except ConfigError as error:
            failure = error.with_traceback(None)
        del args, kwargs
        raise failure

    return wrapper


_IDENTIFIER = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Make the end of an error's sentence: the known words that are like ``word``, or nothing."""
    import difflib  # only for a mistake

    near = difflib.get_close_matches(word, list(known), n=2)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def unknown_keyword(keyword: str, where: str, *, show: bool) -> ConfigError:
    """Make the error for a keyword that libpq has not. ``show`` says that it can't be a piece of a password."""
    if show and _IDENTIFIER.fullmatch(keyword):
        return ConfigError(
            f'unknown keyword "{keyword}" in {where}{remedy_for(keyword) or suggestion(keyword, OPTIONS)}'
        )
    return ConfigError(f"unknown keyword in {where} (not shown, as it may be a piece of a password that needs quoting)")


# --- connection strings ------------------------------------------------------------------------------------------

_SCHEME = re.compile("postgres(?:ql)?://")
_OTHER_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:/")
_CREDENTIALS = re.compile("([^@/]*)@")
_HOST_NAME = re.compile("[^:/?,]*")
_PORT = re.compile(":([^/?,]*)")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})|%00")
_KEYWORD = re.compile(r"[ \t\n\v\f\r]*([^= \t\n\v\f\r]+)[ \t\n\v\f\r]*=[ \t\n\v\f\r]*")
_QUOTED = re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)
_BARE = re.compile(r"((?:[^\\ \t\n\v\f\r]|\\.)*)(?:\\\Z)?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPACES = " \t\n\v\f\r"


@without_locals
def parse_dsn(dsn: str) -> dict[str, str]:
    """Read a connection string, a URL or ``keyword=value`` pairs, as libpq does: what it says and nothing else.

    Returns libpq's keywords and their values, before any default. Raises ConfigError.
    """
    if "\0" in dsn:
        raise ConfigError("the connection string has a NUL character")
    if not _is_unicode(dsn):
        raise ConfigError("the connection string is not valid Unicode")
    scheme = _SCHEME.match(dsn)
    if scheme:
        return _parse_url(dsn, scheme.end())
    if _OTHER_SCHEME.match(dsn):
        raise ConfigError("a URL must begin with postgresql:// or postgres://")
    return _parse_pairs(dsn)


def _parse_pairs(dsn: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    place = 0
    end = len(dsn.rstrip(_SPACES))
    show = "@" not in dsn  # else it may be a broken URL
    while place < end:
        head = _KEYWORD.match(dsn, place)
        if head is None:
            raise ConfigError('the connection string has a word without "=" (quote a value that has spaces)')
        quoted = dsn.startswith("'", head.end())
        body = (_QUOTED if quoted else _BARE).match(dsn, head.end())
        if body is None:
            raise ConfigError("the connection string has a value with no closing quote")
        _store(settings, head[1], _ESCAPED.sub(r"\1", body[1]), "the connection string", show=show)
        show = show and head[1] not in SECRETS
        place = body.end()
    return settings


def _parse_url(url: str, place: int) -> dict[str, str]:
    settings: dict[str, str] = {}
    credentials = _CREDENTIALS.match(url, place)
    if credentials:
        user, _, password = credentials[1].partition(":")
        place = credentials.end()
        _store_part(settings, "user", user)
        _store_part(settings, "password", password)
    hosts, ports, place = _parse_hosts(url, place)
    _store_part(settings, "host", ",".join(hosts))
    _store_part(settings, "port", ",".join(ports))
    path, _, query = url[place:].partition("?")
    _store_part(settings, "dbname", path[1:])
    parameters = query.split("&")
    if not parameters[-1]:
        parameters.pop()
    for parameter in parameters:
        if parameter.count("=") != 1:
            raise ConfigError('a parameter in the URL\'s query has no "=" or more than one (write %3D in a value)')
        keyword, value = (_decode(text) for text in parameter.split("="))
        if (keyword, value) == ("ssl", "true"):  # as JDBC has it
            keyword, value = "sslmode", "require"
        # With an "@" behind the "?" this may be the middle of a password that has a "/" and a "?" in it.
        _store(settings, keyword, value, "the URL", show="@" not in query)
    return settings


def _parse_hosts(url: str, place: int) -> tuple[list[str], list[str], int]:
    """Read ``host:port,host:port``; return the hosts, the ports (as many) and the place behind them."""
    hosts: list[str] = []
    ports: list[str] = []
    while True:
        if url.startswith("[", place):
            host, place = _parse_ipv6(url, place)
        else:
            name = _HOST_NAME.match(url, place)
            assert name is not None
            host, place = name[0], name.end()
        port = _PORT.match(url, place)
        if port:
            place = port.end()
        hosts.append(host)
        ports.append(port[1] if port else "")
        if not url.startswith(",", place):
            return hosts, ports, place
        place += 1


def _parse_ipv6(url: str, place: int) -> tuple[str, int]:
    end = url.find("]", place)
    if end < 0:
        raise ConfigError('an IPv6 address in the URL has no closing "]"')
    if end == place + 1:
        raise ConfigError("an IPv6 address in the URL is empty")
    if end + 1 < len(url) and url[end + 1] not in ":/?,":
        raise ConfigError('after the "]" of an IPv6 address in the URL comes ":", "/", "?" or ","')
    return url[place + 1 : end], end + 1


def _store_part(settings: dict[str, str], keyword: str, text: str) -> None:
    if text:
        settings[keyword] = _decode(text)


def _store(settings: dict[str, str], keyword: str, value: str, where: str, *, show: bool) -> None:
    if keyword == "requiressl":  # what sslmode was called before PostgreSQL 7.4
        keyword, value = "sslmode", "require" if value.startswith("1") else "prefer"
    if keyword not in OPTIONS:
        raise unknown_keyword(keyword, where, show=show)
    settings[keyword] = value


def _decode(text: str) -> str:
    """Undo percent-encoding. Spaces around are dropped, one within is an error, as in libpq 18."""
    text = text.strip(" ")
    if " " in text:
        raise ConfigError("the URL has a space within a part: write %20")
    if _BAD_ESCAPE.search(text):
        raise ConfigError('the URL has a "%" that is not followed by two hexadecimal digits (write %25), or %00')
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        pass  # raised outside of the except clause: that error's context would hold the text
    raise ConfigError("the URL has percent-encoded bytes that are not UTF-8")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


# --- the service file --------------------------------------------------------------------------------------------


class ServiceSetting(NamedTuple):
    keyword: str
    value: str
    source: str


def read_service(path: str, service: str) -> list[ServiceSetting] | None:
    """Read the section of a service from a file; None when it has no such section.

    Raises ConfigError, with the line's number, for what libpq refuses too; OSError when the file can't be read.
    """
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    found: list[ServiceSetting] | None = None
    for number, raw in enumerate(lines, 1):
        line = raw.strip(_SPACES.encode())
        if not line or line.startswith(b"#"):
            continue
        if line.startswith(b"["):
            if found is not None:
                return found
            if line.startswith(f"[{service}]".encode()):
                found = []
        elif found is not None:
            found.append(_service_setting(line, f"line {number} of the service file {path}"))
    return found


def _service_setting(line: bytes, source: str) -> ServiceSetting:
    keyword, equals, value = line.partition(b"=")
    if not equals:
        raise ConfigError(f"{source} is not of the form keyword=value")
    try:
        setting = ServiceSetting(keyword.decode(), value.decode(), source)
    except UnicodeDecodeError:
        setting = None
    if setting is None:
        raise ConfigError(f"{source} is not UTF-8")
    if setting.keyword in ("service", "servicefile"):
        raise ConfigError(f"{source}: a service can't name another one")
    if setting.keyword not in OPTIONS:
        raise unknown_keyword(setting.keyword, source, show=True)
    return setting


def find_service(service: str, servicefile: str | None, environ: Mapping[str, str]) -> list[ServiceSetting]:
    """Find a service where libpq looks: ``servicefile``, else ~/.pg_service.conf; then the system's file.

    Raises ConfigError when there is no such service, or when a file that was named is not there.
    """
    tried = []
    home = home_directory(environ)
    personal = servicefile or (home and f"{home}/.pg_service.conf")
    directories = [environ["PGSYSCONFDIR"]] if "PGSYSCONFDIR" in environ else _SYSTEM_DIRECTORIES
    for path in (personal, *(f"{directory}/pg_service.conf" for directory in directories)):
        if not path:
            continue
        tried.append(path)
        try:
            settings = read_service(path, service)
        except OSError as error:
            if path == servicefile or not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise ConfigError(f"the service file {path} can't be read: {error.strerror}") from None
            continue
        if settings is not None:
            return settings
    raise ConfigError(f"the service is in none of these files: {', '.join(tried)}")


# Where Debian's and Red Hat's libpq look when PGSYSCONFDIR does not say.
_SYSTEM_DIRECTORIES = ["/etc/postgresql-common", "/etc/sysconfig/pgsql"]


# --- the password file -------------------------------------------------------------------------------------------

_PASSWORD = re.compile(rb"[^:\\]*(?:\\.[^:\\]*)*\\?", re.DOTALL)
_ESCAPED_BYTE = re.compile(rb"\\(.)", re.DOTALL)


def find_password(path: str, hosts: tuple[str, ...], port: int, dbname: str, user: str) -> str | None:
    """Find the first line of a password file that fits one of ``hosts`` and the rest; return its password or None.

    A file that is not there is no error. One that others may read, or that is no plain file, is passed over with a
    warning in the log, as libpq does. Raises ConfigError when the password is not UTF-8.
    """
    try:
        mode = os.stat(path).st_mode
        if not _is_private(path, mode):
            return None
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return None
    host = b"|".join(_field_pattern(host) for host in hosts)
    rest = b"".join(rb"(?:\*|%b):" % _field_pattern(text) for text in (str(port), dbname, user))
    wanted = re.compile(rb"(?:\*|%b):" % host + rest)
    for number, line in enumerate(lines, 1):
        match = None if line.startswith(b"#") else wanted.match(line)
        if match:
            return _password_of(line.rstrip(b"\r"), match.end(), f"line {number} of the password file {path}")
    return None


def _is_private(path: str, mode: int) -> bool:
    if not stat.S_ISREG(mode):
        _log.warning("the password file %s is not used: it is not a plain file", path)
    elif mode & (stat.S_IRWXG | stat.S_IRWXO):
        _log.warning("the password file %s is not used: others have access to it; its mode must be 0600 or less", path)
    else:
        return True
    return False


def _field_pattern(text: str) -> bytes:
    r"""Match a field that says ``text``: any character may have a backslash before it, a backslash must have one."""
    return b"".join(rb"\\\\" if byte == b"\\" else rb"\\?" + re.escape(byte) for byte in _split_bytes(text))


def _split_bytes(text: str) -> list[bytes]:
    encoded = text.encode()
    return [encoded[i : i + 1] for i in range(len(encoded))]


def _password_of(line: bytes, place: int, source: str) -> str | None:
    match = _PASSWORD.match(line, place)
    assert match is not None
    try:
        return _ESCAPED_BYTE.sub(rb"\1", match[0]).decode() or None
    except UnicodeDecodeError:
        pass  # as in _decode
    raise ConfigError(f"the password in {source} is not UTF-8")


# --- whose process this is ---------------------------------------------------------------------------------------


def home_directory(environ: Mapping[str, str]) -> str | None:
    """HOME, else what the operating system has for the effective user; None when it has nothing."""
    return environ.get("HOME") or _passwd_field("pw_dir")


def user_name() -> str | None:
    """The operating system's name of the effective user; None when it has none."""
    return _passwd_field("pw_name")


def _passwd_field(name: str) -> str | None:
    try:
        import pwd

        value: str = getattr(pwd.getpwuid(os.geteuid()), name)
    except (ImportError, KeyError):
        return None
    return value or None
