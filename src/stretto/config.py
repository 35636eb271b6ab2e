"""Config: everything that is known before connecting, resolved as PostgreSQL 18's libpq resolves it.

What is said first stands: keyword arguments, the connection string, the service file, ``PG*`` environment variables,
libpq's defaults. Nothing here connects; the password file is read when a password is asked for. Deliberately not
libpq's:

- The encoding is always UTF-8; another ``client_encoding`` is refused.
- ``gssencmode=require`` is refused: stretto has no GSS. Its other values, ``krbsrvname``, ``gsslib``,
  ``gssdelegation``, ``sslcompression`` and ``oauth_*`` are read, checked and then of no effect.
- Without a host, the Unix socket of the port in /var/run/postgresql or /tmp is taken if there is one, else localhost.
- Protocol 3.2 is asked for, and 3.0 spoken where the server or a pooler knows no better; libpq asks for 3.0.
- Numbers and flags are checked here; libpq checks some of them late and some never.
- ``servicefile`` is a keyword, as in libpq 19. Defaults come from ``environ`` alone if it is given.

No error shows a value, for it may be a password in the wrong place; it names the keyword and where the value is from.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from stretto._conninfo import OPTIONS, find_password, home_directory, parse_dsn, suggestion, user_name, without_locals
from stretto._settings import Settings, collect, integer_of
from stretto.errors import ConfigError, UsageError, printable

__all__ = ["Config", "Host", "PasswordFunction", "RequireAuth", "parse_dsn"]

PasswordFunction = Callable[[], str | Awaitable[str]]
KeywordValue = str | int | os.PathLike[str] | PasswordFunction | Mapping[str, str] | None

PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = 3 << 16 | 2

_PROTOCOLS = {"3.0": PROTOCOL_3_0, "3.2": PROTOCOL_3_2, "latest": PROTOCOL_3_2}
_SOCKET_DIRECTORIES = ("/var/run/postgresql", "/tmp")  # noqa: S108  # where PostgreSQL puts its sockets
_LONGEST_SOCKET_PATH = 107
_AUTH_METHODS = ("password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none")
_SECRETS = ("password", "sslpassword", "scram_client_key", "scram_server_key")
# Startup parameters that a keyword is for, or that would change the language that is spoken.
_RESERVED_SETTINGS = frozenset(("user", "database", "replication", "options", "client_encoding"))
_ENVIRONMENT_SETTINGS = {"PGDATESTYLE": "datestyle", "PGTZ": "timezone", "PGGEQO": "geqo"}


@dataclass(frozen=True, slots=True)
class Host:
    """One place to connect to. ``host`` is a name, an address or a socket's directory; it may be empty when
    ``hostaddr``, an address that needs no looking up, is given."""

    host: str
    hostaddr: str | None = None
    port: int = 5432

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket; None when the connection is TCP. It starts with NUL for an abstract one."""
        if self.hostaddr or not self.host.startswith(("/", "@")):
            return None
        path = f"{self.host}/.s.PGSQL.{self.port}"
        return "\0" + path[1:] if path.startswith("@") else path

    @property
    def address(self) -> str:
        """What to look up or connect to by TCP."""
        return self.hostaddr or self.host

    def __str__(self) -> str:
        if self.socket_path is not None:
            return printable(f"{self.host}/.s.PGSQL.{self.port}")
        name = self.host or self.address
        return printable(f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}")


@dataclass(frozen=True, slots=True)
class RequireAuth:
    """The methods of authentication that ``require_auth`` lists, or (``negated``) all but those."""

    methods: frozenset[str]
    negated: bool = False

    def allows(self, method: str) -> bool:
        """Tell whether the server may use a method; ``none`` stands for asking nothing."""
        return (method in self.methods) is not self.negated

    def names(self, method: str) -> bool:
        """Tell whether the method is asked for by its name, and not merely left over."""
        return method in self.methods and not self.negated


@dataclass(frozen=True, slots=True, repr=False)
class Config:
    """A connection's configuration; make one with ``Config.parse``. Names are libpq's; None means not set.

    ``hosts`` are to be tried in this order (unless ``load_balance_hosts``). Times are in seconds, ``tcp_user_timeout``
    in milliseconds; 0 there and of keep-alives: the system's own. Paths of certificates are libpq's defaults where none
    was given, existing or not; ``sslrootcert`` may be ``system``. Protocol versions are as on the wire (3.2: 196610).
    """

    hosts: tuple[Host, ...]
    user: str
    dbname: str
    password: str | PasswordFunction | None = None
    passfile: str | None = None
    connect_timeout: int | None = None
    target_session_attrs: str = "any"
    load_balance_hosts: str = "disable"
    application_name: str | None = None
    options: str | None = None
    replication: str | None = None
    server_settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    require_auth: RequireAuth | None = None
    channel_binding: str = "prefer"
    requirepeer: str | None = None
    scram_client_key: bytes | None = None
    scram_server_key: bytes | None = None
    min_protocol_version: int = PROTOCOL_3_0
    max_protocol_version: int = PROTOCOL_3_2
    sslmode: str = "prefer"
    sslnegotiation: str = "postgres"
    sslcert: str | None = None
    sslkey: str | None = None
    sslpassword: str | None = None
    sslcertmode: str = "allow"
    sslrootcert: str | None = None
    sslcrl: str | None = None
    sslcrldir: str | None = None
    sslsni: bool = True
    ssl_min_protocol_version: str | None = "TLSv1.2"
    ssl_max_protocol_version: str | None = None
    sslkeylogfile: str | None = None
    keepalives: bool = True
    keepalives_idle: int | None = None
    keepalives_interval: int | None = None
    keepalives_count: int | None = None
    tcp_user_timeout: int | None = None

    def __reduce__(self) -> tuple[type[Config], tuple[Any, ...]]:
        """Be pickled; raises UsageError for a Config that holds a secret."""
        if secret := next((name for name in _SECRETS if isinstance(getattr(self, name), str | bytes)), None):
            raise UsageError(
                f"this Config holds a secret ({secret}), which a pickle would have in clear: give password= as a "
                "function, which is pickled by its name, or let the other process find it where this one did"
            )
        return Config, tuple(getattr(self, field.name) for field in fields(self))

    def __copy__(self) -> Config:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Config:
        return replace(self, server_settings=dict(self.server_settings))

    @classmethod
    @without_locals
    def parse(
        cls, dsn: str | None = None, /, *, environ: Mapping[str, str] | None = None, **keywords: KeywordValue
    ) -> Config:
        """Resolve a connection string (a URL or ``keyword=value`` pairs) and keyword arguments.

        The keywords are libpq's, and ``database`` for ``dbname``; ``password`` may be a function, also an async one,
        that is asked each time; ``server_settings`` is a mapping of further startup parameters. A keyword that is None
        counts as not given. ``environ`` stands for ``os.environ``. Raises ConfigError.
        """
        return _resolve(dsn, keywords, os.environ if environ is None else environ)

    @without_locals
    def password_for(self, host: Host) -> str | PasswordFunction | None:
        """Find the password for a host: the one that was given, else the password file's, which is read now."""
        if self.password is not None or self.passfile is None:
            return self.password
        name = host.host or host.address
        names = ("localhost", name) if name in _SOCKET_DIRECTORIES else (name,)
        return find_password(self.passfile, names, host.port, self.dbname, self.user)

    def startup_parameters(self) -> dict[str, str]:
        """Make the parameters of the StartupMessage."""
        parameters = {
            "user": self.user,
            "database": self.dbname,
            "replication": self.replication,
            "options": self.options,
            "application_name": self.application_name,
            "client_encoding": "UTF8",
        }
        return {name: value for name, value in parameters.items() if value is not None} | dict(self.server_settings)

    def __repr__(self) -> str:
        hosts = ",".join(str(host) for host in self.hosts)
        return f"Config(user={self.user!r}, dbname={self.dbname!r}, hosts={hosts!r}, sslmode={self.sslmode!r})"


def _resolve(dsn: str | None, keywords: Mapping[str, KeywordValue], environ: Mapping[str, str]) -> Config:
    given = {"dbname" if keyword == "database" else keyword: value for keyword, value in keywords.items()}
    if len(given) < len(keywords):
        raise ConfigError("database and dbname are the same keyword: give one of them")
    password = given.pop("password", None)
    server_settings = _server_settings(given.pop("server_settings", None), environ)
    if callable(password):
        return _build(collect(dsn, given, environ), password, server_settings, home_directory(environ))
    settings = collect(dsn, given | {"password": password}, environ)
    return _build(settings, settings.text("password"), server_settings, home_directory(environ))


def _build(
    settings: Settings,
    password: str | PasswordFunction | None,
    server_settings: dict[str, str],
    home: str | None,
) -> Config:
    _check_unsupported(settings)
    user = settings.text("user") or user_name()
    if user is None:
        raise ConfigError("the operating system has no name for this user: pass user= or set PGUSER")
    oldest, newest = _protocol_versions(settings)
    certificates = f"{home}/.postgresql" if home else None
    return Config(
        hosts=_hosts(settings),
        user=user,
        dbname=settings.text("dbname") or user,
        password=password,
        passfile=settings.text("passfile") or (f"{home}/.pgpass" if home else None),
        connect_timeout=settings.positive("connect_timeout"),
        target_session_attrs=settings.choice("target_session_attrs"),
        load_balance_hosts=settings.choice("load_balance_hosts"),
        application_name=settings.text("application_name") or settings.text("fallback_application_name"),
        options=settings.text("options"),
        replication=settings.text("replication"),
        server_settings=server_settings,
        require_auth=_require_auth(settings),
        channel_binding=settings.choice("channel_binding"),
        requirepeer=settings.text("requirepeer"),
        scram_client_key=settings.key("scram_client_key"),
        scram_server_key=settings.key("scram_server_key"),
        min_protocol_version=oldest,
        max_protocol_version=newest,
        sslmode=_sslmode(settings),
        sslnegotiation=settings.choice("sslnegotiation"),
        sslcert=settings.text("sslcert") or (certificates and f"{certificates}/postgresql.crt"),
        sslkey=settings.text("sslkey") or (certificates and f"{certificates}/postgresql.key"),
        sslpassword=settings.text("sslpassword"),
        sslcertmode=settings.choice("sslcertmode"),
        sslrootcert=settings.text("sslrootcert") or (certificates and f"{certificates}/root.crt"),
        sslcrl=_sslcrl(settings, certificates),
        sslcrldir=settings.text("sslcrldir"),
        sslsni=settings.flag("sslsni"),
        **_tls_versions(settings),
        sslkeylogfile=settings.text("sslkeylogfile"),
        keepalives=settings.integer("keepalives") != 0,
        keepalives_idle=settings.natural("keepalives_idle"),
        keepalives_interval=settings.natural("keepalives_interval"),
        keepalives_count=settings.natural("keepalives_count"),
        tcp_user_timeout=settings.natural("tcp_user_timeout"),
    )


# --- one keyword or two at a time --------------------------------------------------------------------------------


def _check_unsupported(settings: Settings) -> None:
    encoding = re.sub("[^a-z0-9]", "", settings.values.get("client_encoding", "").lower())
    if encoding not in ("", "auto", "utf8", "unicode"):
        raise settings.fail("client_encoding", "must be UTF8 or auto: stretto always speaks UTF-8")
    if settings.choice("gssencmode") == "require":
        raise settings.fail("gssencmode", "can't be require: stretto has no GSS encryption")
    settings.flag("sslcompression")
    settings.flag("gssdelegation")


def _hosts(settings: Settings) -> tuple[Host, ...]:
    names, addresses, ports = (settings.elements(keyword) for keyword in ("host", "hostaddr", "port"))
    count = len(addresses or names) or 1
    if names and len(names) != count:
        raise settings.fail("host", f"has {len(names)} hosts, but hostaddr has {count} addresses")
    if len(ports) > 1 and len(ports) != count:
        raise settings.fail("port", f"has {len(ports)} ports for {count} hosts")
    ports = ports * count if len(ports) == 1 else ports or [""] * count
    names = names or [""] * count
    addresses = addresses or [""] * count
    return tuple(_host(settings, *parts) for parts in zip(names, addresses, ports, strict=True))


def _host(settings: Settings, name: str, address: str, port_text: str) -> Host:
    port = integer_of(port_text) if port_text else 5432
    if port is None or not 1 <= port <= 65535:
        raise settings.fail("port", "must be a number from 1 to 65535")
    if address and not _is_numeric(address):
        raise settings.fail("hostaddr", "must be an IPv4 or IPv6 address; names go into host")
    if "@" in name[1:] and not name.startswith("/"):
        raise settings.fail("host", "has an \"@\" in a host's name: in the URL's password write it as %40")
    host = Host(name if name or address else _default_host(port), address or None, port)
    if len(os.fsencode(host.socket_path or "")) > _LONGEST_SOCKET_PATH:
        raise settings.fail("host", f"is too long for a Unix socket (at most {_LONGEST_SOCKET_PATH} bytes of path)")
    return host


def _default_host(port: int) -> str:
    for directory in _SOCKET_DIRECTORIES:
        try:
            if stat.S_ISSOCK(os.stat(f"{directory}/.s.PGSQL.{port}").st_mode):
                return directory
        except OSError:
            continue
    return "localhost"


def _is_numeric(address: str) -> bool:
    try:
        return bool(socket.getaddrinfo(address, None, flags=socket.AI_NUMERICHOST))
    except (OSError, UnicodeError):
        return False


def _sslmode(settings: Settings) -> str:
    mode = settings.choice("sslmode")
    if settings.text("sslrootcert") == "system" and mode != "verify-full":
        raise settings.fail("sslmode", "is too weak for sslrootcert=system, which needs verify-full")
    if settings.choice("sslnegotiation") == "direct" and mode in ("disable", "allow", "prefer"):
        raise settings.fail(
            "sslmode", "is too weak for sslnegotiation=direct, which needs require, verify-ca or verify-full"
        )
    return mode


def _sslcrl(settings: Settings, certificates: str | None) -> str | None:
    given = settings.text("sslcrl")
    if given or settings.text("sslcrldir") or certificates is None:
        return given
    return f"{certificates}/root.crl"


def _tls_versions(settings: Settings) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for keyword in ("ssl_min_protocol_version", "ssl_max_protocol_version"):
        text = settings.text(keyword)
        choices = OPTIONS[keyword].choices
        found[keyword] = next((version for version in choices if text and version.lower() == text.lower()), None)
        if text and found[keyword] is None:
            raise settings.fail(keyword, f"must be one of {', '.join(choices)}")
    oldest, newest = found.values()
    if oldest and newest and oldest > newest:
        raise settings.fail("ssl_max_protocol_version", "is below ssl_min_protocol_version")
    return found


def _protocol_versions(settings: Settings) -> tuple[int, int]:
    """Find the oldest and the newest version; without a word all that there are, for connecting falls back to 3.0."""
    given = {
        keyword: _PROTOCOLS[settings.choice(keyword)]
        for keyword in ("min_protocol_version", "max_protocol_version")
        if keyword in settings.values
    }
    oldest = given.get("min_protocol_version", PROTOCOL_3_0)
    newest = given.get("max_protocol_version", PROTOCOL_3_2)
    if oldest > newest:
        raise settings.fail("min_protocol_version", "is above max_protocol_version")
    return oldest, newest


def _require_auth(settings: Settings) -> RequireAuth | None:
    words = settings.elements("require_auth")
    if not words:
        return None
    methods = [word.removeprefix("!") for word in words]
    negated = words[0].startswith("!")
    for word, method in zip(words, methods, strict=True):
        if method not in _AUTH_METHODS:
            known = ", ".join(_AUTH_METHODS)
            raise settings.fail("require_auth", f"must be a list of {known}{suggestion(method, _AUTH_METHODS)}")
        if word.startswith("!") is not negated:
            raise settings.fail("require_auth", 'must have a "!" before all of its methods or before none')
    if len(set(methods)) < len(methods):
        raise settings.fail("require_auth", "has a method twice")
    return RequireAuth(frozenset(methods), negated)


def _server_settings(given: object, environ: Mapping[str, str]) -> dict[str, str]:
    """Check ``server_settings`` and add those that libpq takes from the environment."""
    settings = {
        name: environ[variable]
        for variable, name in _ENVIRONMENT_SETTINGS.items()
        if environ.get(variable, "default").lower() != "default"
    }
    if given is None:
        return settings
    if not isinstance(given, Mapping):
        raise ConfigError(f"server_settings must be a mapping, not {type(given).__name__}")
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigError("server_settings must map names (str) to values (str)")
        if not name or "\0" in name + value:
            raise ConfigError("server_settings has an empty name or a NUL character")
        if name.lower() in _RESERVED_SETTINGS or name.startswith("_pq_."):
            raise ConfigError(f"server_settings can't have {printable(name)}: it has a keyword of its own or none")
        settings.pop(name.lower(), None)
        settings[name] = value
    return settings
