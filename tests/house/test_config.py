"""Config: what is resolved from where, what is refused and how, and that no secret gets out."""

from __future__ import annotations

import copy
import dataclasses
import getpass
import logging
import os
import pickle
import pwd
import socket
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stretto import config as config_module
from stretto._conninfo import OPTIONS
from stretto.config import PROTOCOL_3_0, PROTOCOL_3_2, Config, Host, RequireAuth, parse_dsn
from stretto.errors import ConfigError, UsageError

OS_USER = pwd.getpwuid(os.geteuid()).pw_name
EMPTY: dict[str, str] = {"HOME": "/nowhere", "PGSYSCONFDIR": "/nowhere"}


def parse(dsn: str | None = None, environ: Mapping[str, str] | None = None, **keywords: Any) -> Config:
    """Config.parse without the environment, home and services of whoever runs the tests."""
    return Config.parse(dsn, environ=EMPTY | dict(environ or {}), **keywords)


# --- what is read -------------------------------------------------------------------------------------------------

READ_CASES: list[tuple[str, dict[str, Any]]] = [
    ("postgresql://", {"user": OS_USER, "dbname": OS_USER, "password": None}),
    ("postgresql://localhost", {"hosts": (Host("localhost"),)}),
    ("postgres://u:p@h:1/d", {"user": "u", "password": "p", "hosts": (Host("h", None, 1),), "dbname": "d"}),
    ("postgresql://u@h", {"user": "u", "dbname": "u"}),
    ("postgresql://h/d?user=u&password=p", {"user": "u", "password": "p", "dbname": "d"}),
    ("postgresql://a:1,b:2/", {"hosts": (Host("a", None, 1), Host("b", None, 2))}),
    ("postgresql://a,b/?port=7", {"hosts": (Host("a", None, 7), Host("b", None, 7))}),
    ("postgresql://[::1]:1,[fe80::1%25lo]/", {"hosts": (Host("::1", None, 1), Host("fe80::1%lo", None, 5432))}),
    ("postgresql://%2Frun%2Fpg/d", {"hosts": (Host("/run/pg"),), "dbname": "d"}),
    ("postgresql:///d?host=/run/pg", {"hosts": (Host("/run/pg"),), "dbname": "d"}),
    ("postgresql:///d?hostaddr=127.0.0.1,::1", {"hosts": (Host("", "127.0.0.1"), Host("", "::1"))}),
    ("postgresql://a,b?hostaddr=127.0.0.1,::1", {"hosts": (Host("a", "127.0.0.1"), Host("b", "::1"))}),
    ("postgresql://%C3%A9:%40%2F%3A@h/%20", {"user": "é", "password": "@/:", "dbname": " "}),
    ("host=h port=1 user=u password='p \\' q' dbname=d", {"password": "p ' q", "hosts": (Host("h", None, 1),)}),
    ("host = h user = u", {"hosts": (Host("h"),), "user": "u"}),
    ("host=@abstract", {"hosts": (Host("@abstract"),)}),
    ("host=h port=", {"hosts": (Host("h", None, 5432),)}),
    ("host=a,b port=1,", {"hosts": (Host("a", None, 1), Host("b", None, 5432))}),
    ("host=h ssl_min_protocol_version=tlsv1.3", {"ssl_min_protocol_version": "TLSv1.3"}),
    ("host=h ssl_min_protocol_version=''", {"ssl_min_protocol_version": None}),
    ("host=h requiressl=1", {"sslmode": "require"}),
    ("postgresql://h?ssl=true", {"sslmode": "require"}),
    ("host=h sslrootcert=system", {"sslmode": "verify-full", "sslrootcert": "system"}),
    ("host=h sslcrldir=/crl", {"sslcrl": None, "sslcrldir": "/crl"}),
    ("host=h fallback_application_name=f", {"application_name": "f"}),
    ("host=h fallback_application_name=f application_name=a", {"application_name": "a"}),
    ("host=h connect_timeout=0", {"connect_timeout": None}),
    ("host=h connect_timeout=-1", {"connect_timeout": None}),
    ("host=h connect_timeout=' 10 '", {"connect_timeout": 10}),
    ("host=h keepalives=0 keepalives_idle=30 keepalives_count=", {"keepalives": False, "keepalives_idle": 30}),
    ("host=h keepalives_interval=0 tcp_user_timeout=-1", {"keepalives_interval": 0, "tcp_user_timeout": 0}),
    ("host=h tcp_user_timeout=1000", {"tcp_user_timeout": 1000}),
    ("host=h min_protocol_version=3.2", {"min_protocol_version": PROTOCOL_3_2, "max_protocol_version": PROTOCOL_3_2}),
    (
        "host=h max_protocol_version=latest",
        {"min_protocol_version": PROTOCOL_3_0, "max_protocol_version": PROTOCOL_3_2},
    ),
    ("host=h require_auth=md5,none", {"require_auth": RequireAuth(frozenset(("md5", "none")))}),
    ("host=h require_auth=!md5,!none", {"require_auth": RequireAuth(frozenset(("md5", "none")), negated=True)}),
    ("host=h client_encoding=utf-8", {}),
    ("host=h client_encoding=auto gssencmode=prefer sslcompression=1 krbsrvname=x gsslib=gssapi", {}),
    ("host=h oauth_issuer=i oauth_client_id=c oauth_client_secret=s oauth_scope=x", {}),
    (f"host=h scram_client_key={'A' * 43}=", {"scram_client_key": bytes(32)}),
    ("host=h replication=database", {"replication": "database"}),
    ("host=h sslsni=0 sslkeylogfile=/k", {"sslsni": False, "sslkeylogfile": "/k"}),
]


@pytest.mark.parametrize(("dsn", "expected"), READ_CASES, ids=[dsn for dsn, _ in READ_CASES])
def test_a_connection_string_is_read(dsn: str, expected: dict[str, Any]) -> None:
    config = parse(dsn)
    assert {name: getattr(config, name) for name in expected} == expected


def test_without_anything_the_defaults_are_libpq_s() -> None:
    assert parse(host="h") == Config(
        hosts=(Host("h", None, 5432),),
        user=OS_USER,
        dbname=OS_USER,
        passfile="/nowhere/.pgpass",
        sslcert="/nowhere/.postgresql/postgresql.crt",
        sslkey="/nowhere/.postgresql/postgresql.key",
        sslrootcert="/nowhere/.postgresql/root.crt",
        sslcrl="/nowhere/.postgresql/root.crl",
        sslmode="prefer",
        sslnegotiation="postgres",
        sslcertmode="allow",
        channel_binding="prefer",
        target_session_attrs="any",
        load_balance_hosts="disable",
        ssl_min_protocol_version="TLSv1.2",
    )


ARGUMENT_CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"port": 1}, {"hosts": (Host("h", None, 1),)}),
    ({"dbname": "d"}, {"dbname": "d"}),
    ({"database": "d"}, {"dbname": "d"}),
    ({"keepalives": False, "sslsni": False}, {"keepalives": False, "sslsni": False}),
    ({"passfile": Path("/p")}, {"passfile": "/p"}),
    ({"sslmode": None}, {"sslmode": "prefer"}),
    ({"connect_timeout": 3}, {"connect_timeout": 3}),
]


@pytest.mark.parametrize(("keywords", "expected"), ARGUMENT_CASES)
def test_arguments_may_be_python_s_own_types(keywords: dict[str, Any], expected: dict[str, Any]) -> None:
    config = parse("host=h", **keywords)
    assert {name: getattr(config, name) for name in expected} == expected


def test_arguments_stand_over_dsn_over_service_over_environment_over_defaults(tmp_path: Path) -> None:
    (tmp_path / ".pg_service.conf").write_text(
        "[s]\nuser=service\ndbname=service\nhost=service\noptions=service\nuser=again\n"
    )
    names = ("PGUSER", "PGDATABASE", "PGHOST", "PGOPTIONS", "PGAPPNAME")
    environ = dict.fromkeys(names, "environment") | {"HOME": str(tmp_path), "PGSERVICE": "s", "PGPORT": ""}
    config = parse("postgresql://dsn@dsn/", environ, host="argument")
    assert (config.hosts[0].host, config.user, config.dbname) == ("argument", "dsn", "service")
    assert (config.options, config.application_name) == ("service", "environment")
    assert (config.hosts[0].port, config.sslmode) == (5432, "prefer")


ENVIRONMENT_CASES: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({"PGPASSWORD": "p", "PGHOSTADDR": "::1"}, {"password": "p", "hosts": (Host("h", "::1"),)}),
    ({"PGREQUIRESSL": "1"}, {"sslmode": "require"}),
    ({"PGREQUIRESSL": "0"}, {"sslmode": "prefer"}),
    ({"PGREQUIRESSL": "1", "PGSSLMODE": "allow"}, {"sslmode": "allow"}),
    ({"PGSSLROOTCERT": "system"}, {"sslmode": "verify-full"}),
    ({"PGTARGETSESSIONATTRS": "primary"}, {"target_session_attrs": "primary"}),
    (
        {"PGTZ": "UTC", "PGDATESTYLE": "Default", "PGGEQO": "off"},
        {"server_settings": {"timezone": "UTC", "geqo": "off"}},
    ),
    ({"PGSSLCERTMODE": "disable"}, {"sslcertmode": "disable"}),
    ({"PGUSER": ""}, {"user": OS_USER}),
]


@pytest.mark.parametrize(("environ", "expected"), ENVIRONMENT_CASES)
def test_environment_variables_fill_what_was_not_said(environ: dict[str, str], expected: dict[str, Any]) -> None:
    config = parse("host=h", environ)
    assert {name: getattr(config, name) for name in expected} == expected


def test_the_process_s_environment_is_taken_when_no_other_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", "from_environ")
    assert Config.parse("host=h").user == "from_environ"


def test_the_socket_of_the_port_is_the_default_host_where_there_is_one() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        port = next(port for port in range(61000, 65000) if not os.path.exists(f"/tmp/.s.PGSQL.{port}"))
        path = f"/tmp/.s.PGSQL.{port}"
        assert parse(port=port).hosts == (Host("localhost", None, port),)
        listener.bind(path)
        try:
            assert parse(port=port).hosts == (Host("/tmp", None, port),)
            assert parse(host="h,", port=port).hosts == (Host("h", None, port), Host("/tmp", None, port))
        finally:
            os.unlink(path)


def test_a_user_without_a_name_is_asked_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "user_name", lambda: None)
    assert parse("user=u").user == "u"
    with pytest.raises(ConfigError, match="PGUSER"):
        parse()


# --- what is refused ------------------------------------------------------------------------------------------------

REFUSED_CASES: list[tuple[str, str]] = [
    ("host=a,b hostaddr=::1", "host (connection string) has 2 hosts, but hostaddr has 1 addresses"),
    ("host=a hostaddr=::1,127.0.0.1", "host (connection string) has 1 hosts, but hostaddr has 2 addresses"),
    ("host=a,b port=1,2,3", "port (connection string) has 3 ports for 2 hosts"),
    ("port=0", "port (connection string) must be a number from 1 to 65535"),
    ("host=a,b port=1,65536", "port (connection string) must be a number from 1 to 65535"),
    ("port=5432x", "port (connection string) must be a number"),
    ("hostaddr=localhost", "hostaddr (connection string) must be an IPv4 or IPv6 address"),
    (f"host=/{'x' * 120}", "host (connection string) is too long for a Unix socket (at most 107 bytes of path)"),
    ("postgresql://u:a@b@h", 'host (connection string) has an "@"'),
    (
        "sslmode=requre",
        "must be one of disable, allow, prefer, require, verify-ca, verify-full; did you mean require?",
    ),
    ("sslmode=''", "sslmode (connection string) must be one of disable"),
    ("sslmode=require sslrootcert=system", "too weak for sslrootcert=system"),
    ("sslnegotiation=direct", "sslmode (default) is too weak for sslnegotiation=direct"),
    ("sslnegotiation=x", "sslnegotiation (connection string) must be one of postgres, direct"),
    ("sslcertmode=x", "sslcertmode (connection string) must be one of"),
    ("sslsni=2", "sslsni (connection string) must be one of 0, 1"),
    ("channel_binding=x", "channel_binding (connection string) must be one of"),
    ("target_session_attrs=x", "target_session_attrs (connection string) must be one of"),
    ("load_balance_hosts=x", "load_balance_hosts (connection string) must be one of"),
    ("require_auth=md5,!none", 'require_auth (connection string) must have a "!" before all'),
    ("require_auth=md5,md5", "require_auth (connection string) has a method twice"),
    ("require_auth=scram-sha256", "did you mean scram-sha-256?"),
    ("require_auth=md5,", "require_auth (connection string) must be a list of"),
    ("min_protocol_version=3.1", "min_protocol_version (connection string) must be one of 3.0, 3.2, latest"),
    ("min_protocol_version=3.2 max_protocol_version=3.0", "min_protocol_version (connection string) is above"),
    ("ssl_min_protocol_version=TLSv1.4", "ssl_min_protocol_version (connection string) must be one of"),
    ("ssl_max_protocol_version=TLSv1.1", "ssl_max_protocol_version (connection string) is below"),
    ("connect_timeout=1.5", "connect_timeout (connection string) must be an integer"),
    ("connect_timeout=2147483648", "connect_timeout (connection string) must be an integer"),
    ("keepalives=x", "keepalives (connection string) must be an integer"),
    ("client_encoding=LATIN1", "stretto always speaks UTF-8"),
    ("gssencmode=require", "gssencmode (connection string) can't be require"),
    ("scram_client_key=AAAA", "scram_client_key (connection string) must be 32 bytes in base64"),
    ("scram_server_key=é", "scram_server_key (connection string) must be 32 bytes in base64"),
    ("sslmod=require", 'unknown keyword "sslmod" in the connection string; did you mean sslmode'),
    ("postgresql://h?pool_size=5", 'unknown keyword "pool_size" in the URL'),
    ("postgresql+asyncpg://u:p@h/d", "a URL must begin with postgresql:// or postgres://"),
    ("host=a b", 'a word without "="'),
    ("host='a", "no closing quote"),
    ("host=a\0b", "NUL"),
    ("host=\ud800", "not valid Unicode"),
    ("postgresql://%00@h", "%00"),
    ("postgresql://%ff@h", "not UTF-8"),
    ("postgresql://a b@h", "write %20"),
    ("postgresql://h?a", 'no "="'),
    ("postgresql://[::1/", 'no closing "]"'),
    ("postgresql://[]/", "is empty"),
    ("postgresql://[::1]x/", 'after the "]"'),
    ("service=x", "the service is in none of these files: /nowhere/.pg_service.conf, /nowhere/pg_service.conf"),
]


@pytest.mark.parametrize(("dsn", "text"), REFUSED_CASES, ids=[repr(dsn)[:60] for dsn, _ in REFUSED_CASES])
def test_what_is_wrong_is_refused_and_named(dsn: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(dsn)
    assert text in str(caught.value)


REFUSED_ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"hots": "h"}, 'unknown keyword "hots" in the arguments; did you mean host'),
    ({"dbname": "a", "database": "b"}, "the same keyword"),
    ({"host": ["a", "b"]}, "host (argument) must be str, int, bool or a path, not list"),
    ({"password": b"x"}, "password (argument) must be str"),
    ({"user": "a\0b"}, "user (argument) has a NUL character"),
    ({"user": "\udc80"}, "user (argument) is not UTF-8"),
    ({"server_settings": ["a"]}, "server_settings must be a mapping, not list"),
    ({"server_settings": {"a": 1}}, "server_settings must map names (str) to values (str)"),
    ({"server_settings": {"": "x"}}, "server_settings has an empty name"),
    ({"server_settings": {"a": "x\0"}}, "NUL character"),
    ({"server_settings": {"a\0user": "x"}}, "NUL character"),
    ({"server_settings": {"User": "x"}}, "server_settings can't have User"),
    ({"server_settings": {"client_encoding": "x"}}, "server_settings can't have client_encoding"),
    ({"server_settings": {"_pq_.x": "x"}}, "server_settings can't have _pq_.x"),
]


@pytest.mark.parametrize(("keywords", "text"), REFUSED_ARGUMENTS)
def test_a_wrong_argument_is_refused_and_named(keywords: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse("host=h", **keywords)
    assert text in str(caught.value)


def test_a_connection_string_that_is_no_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be str, not bytes"):
        Config.parse(b"host=h")  # type: ignore[arg-type]  # what is tested


def test_the_error_says_which_variable_the_value_is_from() -> None:
    with pytest.raises(ConfigError, match=r"^sslmode \(PGSSLMODE\) must be one of"):
        parse(None, {"PGSSLMODE": "yes"})


# --- secrets ------------------------------------------------------------------------------------------------------

CANARY = "c4n4ry"

LEAKY_DSNS = [
    "postgresql://u:{}/@h/db",  # the password has a "/": it is read as a port
    "postgresql://u:x/{}@h/db?sslmod=1",
    "postgresql://u:x/{}?sslmode=@h",
    "postgresql://u:x/y?{}@h",
    "postgresql://u:x/y?{}=1@h",
    "postgresql://u:x/y?sslmod={}@h",
    "postgresql://u:x/y?sslmode={}@h",
    "postgresql://u:x/y?a=b&{}=1@h",
    "postgresql://u:x/y?port={}@h",
    "postgresql://u:x/y?hostaddr={}@h",
    "postgresql://u:x@{}@h/db",
    "postgresql://u:@@{}@h/db",
    "postgresql://u:{}@h:x/db",
    "postgresql://u:{}@h:99999/db",
    "postgresql://u:{}@h:1,2/db?port=1,2,3",
    "postgresql://u:{}%@h",
    "postgresql://u:{}%zz@h",
    "postgresql://u:{}%00@h",
    "postgresql://u:{}%ff@h",
    "postgresql://u:%ff{}@h",
    "postgresql://u:a {}@h",
    "postgresql://u:{}\0@h",
    "postgresql://u:{}\ud800@h",
    "postgresql://u:{}@[::1",
    "postgresql://u:{}@[]",
    "postgresql://u:{}@[::1]x",
    "postgresql://u:[{}/@h",
    "postgresql://[{}",
    "postgresql://u:{}@h?sslmode",
    "postgresql://u:{}@h?sslmode=a=b",
    "postgresql://u:{}@h?sslmode=bogus",
    "postgresql://h?pass%77ord={}&x",
    "postgresql://h?pass%77ord={}&sslmode=bogus",
    "postgresql://h?pass%77ord={}%zz",
    "postgresql://h?pass%77ordd={}",
    "postgresql://h?passwrod={}",
    "postgresql://h?sslpassword={}&port=x",
    "postgresql://h?password=a={}",
    "postgresql:/u:{}@h",
    "Postgresql://u:{}@h",
    "mysql://u:{}@h/db",
    "mysql://u:{}@h/db?x=1",
    "mysql://u:{} =x",
    "u:{}@h/db",
    "u:{}@h/db?sslmode=require",
    "u:a {}=1@h",
    "u=a {}=1@h",
    "{}",
    "password={} sslmode=bogus",
    "password={} port=x",
    "password={} hostaddr=x",
    "password={} client_encoding=latin1",
    "password={} service=nowhere",
    "password={} x",
    "password='{}",
    "password=a {}",
    "password=a {}=b",
    "password=a user={} host=a@b port=x",
    "password=a b={}",
    "password={}\0",
    "passwrod={}",
    "sslpassword={} sslmode=bogus",
    "sslpassword=a {}=b",
    "oauth_client_secret=a {}=b",
    "scram_client_key={}",
    "scram_server_key={}",
]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def assert_no_local_has_the_canary(error: BaseException) -> None:
    """Look at the variables of stretto's own frames, as tools that report errors do."""
    frames = [frame for link in chain(error) for frame, _ in traceback.walk_tb(link.__traceback__)]
    mine = [frame for frame in frames if "/src/stretto/" in frame.f_code.co_filename]
    assert mine
    assert [frame for frame in mine if any(CANARY in repr(value) for value in frame.f_locals.values())] == []


@pytest.mark.parametrize("template", LEAKY_DSNS)
def test_no_error_shows_a_password_that_a_broken_dsn_has(template: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for read in (parse, parse_dsn):
        try:
            read(template.format(CANARY))
        except ConfigError as error:
            for link in chain(error):
                shown = [str(link), repr(link), repr(link.args), repr(vars(link)), *map(str, link.args)]
                assert [text for text in shown if CANARY in text] == []
        else:
            assert read is parse_dsn, "the case is not broken"
    assert CANARY not in caplog.text


@pytest.mark.parametrize("template", LEAKY_DSNS)
def test_no_variable_of_the_traceback_has_the_password(template: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(template.format(CANARY), {"PGPASSWORD": CANARY}, sslpassword=CANARY)
    assert_no_local_has_the_canary(caught.value)


@pytest.mark.parametrize(
    ("keywords", "environ"),
    [
        ({"password": CANARY, "sslmode": "bogus"}, {}),
        ({"password": f"{CANARY}\0"}, {}),
        ({"password": [CANARY]}, {}),
        ({"sslpassword": f"{CANARY}\ud800"}, {}),
        ({"port": CANARY}, {}),
        ({"sslmode": CANARY}, {}),
        ({}, {"PGPASSWORD": f"{CANARY}\udc80"}),
        ({"host": "a@b"}, {"PGPASSWORD": CANARY}),
        ({}, {"PGSSLMODE": CANARY}),
    ],
)
def test_no_error_shows_a_value_of_an_argument_or_variable(keywords: dict[str, Any], environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(None, environ, **keywords)
    assert [link for link in chain(caught.value) if CANARY in f"{link!r} {link}"] == []
    assert_no_local_has_the_canary(caught.value)


def test_repr_shows_where_to_and_no_secret() -> None:
    secrets: dict[str, Any] = dict.fromkeys(
        ("password", "sslpassword", "oauth_client_secret", "options", "application_name"), CANARY
    )
    config = parse("postgresql://u@h:1,[::1]:2/d", **secrets, server_settings={"a.b": CANARY})
    assert repr(config) == str(config) == "Config(user='u', dbname='d', hosts='h:1,[::1]:2', sslmode='prefer')"


# --- the value ----------------------------------------------------------------------------------------------------


def test_a_config_is_a_frozen_value() -> None:
    config = parse("host=h password=p", server_settings={"a": "b"})
    assert hash(config) == hash(parse("host=h password=p", server_settings={"a": "b"}))
    for twin in (copy.copy(config), copy.deepcopy(config)):
        assert twin == config
    assert twin.server_settings is not config.server_settings
    assert dataclasses.replace(config, dbname="d").dbname == "d"
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.user = "x"  # type: ignore[misc]  # what is tested
    assert not hasattr(config, "__dict__")


def test_a_config_without_a_secret_is_pickled_as_it_is() -> None:
    config = parse("host=h,i passfile=/p", password=getpass.getpass, server_settings={"a": "b"})
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(config, protocol)) == config


@pytest.mark.parametrize("secret", ["password", "sslpassword", "scram_client_key", "scram_server_key"])
def test_a_config_that_holds_a_secret_is_not_pickled(secret: str) -> None:
    config = parse(host="h", **{secret: f"{'A' * 43}="})
    with pytest.raises(UsageError, match=f"holds a secret \\({secret}\\)") as caught:
        pickle.dumps(config)
    assert "AAAA" not in str(caught.value)


HOST_CASES = [
    (Host("h", None, 1), None, "h", "h:1"),
    (Host("h", "::1", 1), None, "::1", "h:1"),
    (Host("", "::1", 1), None, "::1", "[::1]:1"),
    (Host("/tmp", None, 1), "/tmp/.s.PGSQL.1", "/tmp", "/tmp/.s.PGSQL.1"),
    (Host("@x", None, 1), "\0x/.s.PGSQL.1", "@x", "@x/.s.PGSQL.1"),
    (Host("/tmp", "::1", 1), None, "::1", "/tmp:1"),
    (Host("a\nb", None, 1), None, "a\nb", "a\\nb:1"),
]


@pytest.mark.parametrize(("host", "socket_path", "address", "text"), HOST_CASES)
def test_a_host_knows_its_socket_and_address(host: Host, socket_path: str | None, address: str, text: str) -> None:
    assert (host.socket_path, host.address, str(host)) == (socket_path, address, text)


AUTH_CASES = [
    (RequireAuth(frozenset(("scram-sha-256",))), "scram-sha-256", True, True),
    (RequireAuth(frozenset(("scram-sha-256",))), "md5", False, False),
    (RequireAuth(frozenset(("password",)), negated=True), "password", False, False),
    (RequireAuth(frozenset(("password",)), negated=True), "md5", True, False),
]


@pytest.mark.parametrize(("auth", "method", "allowed", "named"), AUTH_CASES)
def test_require_auth_allows_what_it_names_or_what_it_does_not(
    auth: RequireAuth, method: str, allowed: bool, named: bool
) -> None:
    assert (auth.allows(method), auth.names(method)) == (allowed, named)


def test_the_startup_message_has_what_was_said_and_utf8() -> None:
    config = parse(
        "host=h user=u dbname=d options='-c a=b' fallback_application_name=app replication=true",
        {"PGTZ": "UTC", "PGDATESTYLE": "ISO"},
        server_settings={"TimeZone": "Europe/Berlin", "search_path": "x"},
    )
    assert config.startup_parameters() == {
        "user": "u",
        "database": "d",
        "replication": "true",
        "options": "-c a=b",
        "application_name": "app",
        "client_encoding": "UTF8",
        "datestyle": "ISO",
        "TimeZone": "Europe/Berlin",
        "search_path": "x",
    }
    assert list(parse("host=h user=u").startup_parameters()) == ["user", "database", "client_encoding"]


# --- passwords ----------------------------------------------------------------------------------------------------


async def ask_vault() -> str:
    return "p"


@pytest.mark.parametrize("function", [lambda: "p", ask_vault])
def test_a_password_may_be_a_function(function: Any) -> None:
    config = parse("postgresql://u:dsn@h", {"PGPASSWORD": "environment"}, password=function)
    assert config.password_for(config.hosts[0]) is function


def passfile(tmp_path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = tmp_path / ".pgpass"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


# The file is looked up for h:5432, database d, user u unless the DSN says otherwise.
PASSFILE_CASES: list[tuple[str, str, str | None]] = [
    ("h:5432:d:u:p", "", "p"),
    ("*:*:*:*:p", "", "p"),
    ("x:5432:d:u:no\nh:5432:d:u:p\nh:5432:d:u:later", "", "p"),
    ("h:5433:d:u:no", "", None),
    ("h:5432:x:u:no", "", None),
    ("h:5432:d:x:no", "", None),
    ("#h:5432:d:u:no\n\nh:5432:d:u:p\r\n", "", "p"),
    (r"h:5432:d:u:a\:b\\c\d", "", "a:b\\cd"),
    ("h:5432:d:u:p:rest", "", "p"),
    ("h:5432:d:u:p\\", "", "p\\"),
    ("h:5432:d:u:", "", None),
    ("h:5432:d:u", "", None),
    ("h:5432:d:u:é", "", "é"),
    (r"\h:5432:d:u:p", "", "p"),
    (r"h:5432:d:a\:b\\c:p", "user=a:b\\\\c", "p"),
    ("h:5432:d:a:b:p", "user=a:b", "p"),
    ("h:5432:d:*x:no", "", None),
    ("h:5432:d:*:p", "user=*", "p"),
    (r"\:\:1:5432:d:u:p", "host=::1", "p"),
    ("::1:5432:d:u:p", "host=::1", "p"),
    ("h:5432:d:u:p", "hostaddr=::1", "p"),
    ("::1:5432:d:u:p", "host='' hostaddr=::1", "p"),
    ("localhost:5432:d:u:p", "host=/var/run/postgresql", "p"),
    ("localhost:5432:d:u:p", "host=/tmp", "p"),
    ("/tmp:5432:d:u:p", "host=/tmp", "p"),
    ("/other:5432:d:u:p", "host=/other", "p"),
    ("localhost:5432:d:u:no", "host=/other", None),
    ("h:5432:d:u:no", "password=given", "given"),
    ("h:5432:d:u:p", "password=''", "p"),
]


@pytest.mark.parametrize(("text", "dsn", "password"), PASSFILE_CASES)
def test_the_password_file_is_searched_for_host_port_database_and_user(
    tmp_path: Path, text: str, dsn: str, password: str | None
) -> None:
    settings: dict[str, Any] = {"host": "h", "dbname": "d", "user": "u"} | parse_dsn(dsn)
    config = parse(None, **settings, passfile=passfile(tmp_path, text))
    assert config.password_for(config.hosts[0]) == password


def test_each_host_has_its_own_line_and_the_file_is_read_each_time(tmp_path: Path) -> None:
    path = passfile(tmp_path, "a:1:*:*:one\nb:2:*:*:two\n")
    config = parse("postgresql://a:1,b:2,c:3/", {"PGPASSFILE": str(path)})
    assert [config.password_for(host) for host in config.hosts] == ["one", "two", None]
    path.write_text("*:*:*:*:new")
    assert [config.password_for(host) for host in config.hosts] == ["new"] * 3


def test_the_password_file_is_in_the_home_directory(tmp_path: Path) -> None:
    passfile(tmp_path, "*:*:*:*:p")
    config = parse("host=h", {"HOME": str(tmp_path)})
    assert config.password_for(config.hosts[0]) == "p"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o601, 0o660])
def test_a_password_file_that_others_may_use_is_passed_over_with_a_warning(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    config = parse("host=h", passfile=passfile(tmp_path, f"*:*:*:*:{CANARY}", mode))
    assert config.password_for(config.hosts[0]) is None
    assert "others have access" in caplog.text
    assert CANARY not in caplog.text


def test_a_password_file_that_is_none_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "missing", tmp_path, tmp_path / "fifo"):
        config = parse("host=h", passfile=path)
        assert config.password_for(config.hosts[0]) is None
    assert caplog.text.count("not a plain file") == 2


def test_a_password_that_is_not_utf8_is_refused_without_showing_it(tmp_path: Path) -> None:
    config = parse("host=h", passfile=passfile(tmp_path, CANARY.join(["# \n*:*:*:*:", "\xff"]).encode("latin-1")))
    with pytest.raises(ConfigError, match=r"line 2 of the password file .* is not UTF-8") as caught:
        config.password_for(config.hosts[0])
    assert [link for link in chain(caught.value) if CANARY in repr(link)] == []
    assert_no_local_has_the_canary(caught.value)


# --- services -----------------------------------------------------------------------------------------------------

SERVICE_CASES: list[tuple[bytes, str]] = [
    (b"[s]\nuser=found", "found"),
    (b"# [s]\n[t]\nuser=no\n[s] anything\n  user=found  \r\n\n# x\n[s]\nuser=no\n", "found"),
    (b"[t]\nnonsense\n[s]\nuser=found=x", "found=x"),
    ("[s]\nuser=é".encode(), "é"),
]


@pytest.mark.parametrize(("text", "user"), SERVICE_CASES)
def test_a_service_is_found_by_name(tmp_path: Path, text: bytes, user: str) -> None:
    path = tmp_path / "services"
    path.write_bytes(text)
    assert parse("service=s", {"PGSERVICEFILE": str(path)}).user == user
    assert parse(service="s", servicefile=path).user == user
    assert parse(f"service=s servicefile={path}").user == user


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
def test_a_service_file_is_read_whoever_may_write_it(tmp_path: Path, mode: int) -> None:
    """As libpq does; a password file is not (see docs/design/connecting.md)."""
    path = tmp_path / "services"
    path.write_text("[s]\nuser=found\npassword=hunter2\n")
    path.chmod(mode)
    read = parse(service="s", servicefile=path)
    assert (read.user, read.password) == ("found", "hunter2")
    assert "hunter2" not in repr(read)


def test_the_system_s_service_file_comes_after_the_user_s(tmp_path: Path) -> None:
    mine, system = tmp_path / "home", tmp_path / "etc"
    mine.mkdir()
    system.mkdir()
    (mine / ".pg_service.conf").write_text("[a]\nuser=mine\n")
    (system / "pg_service.conf").write_text("[a]\nuser=system\n[b]\nuser=system\n")
    environ = {"HOME": str(mine), "PGSYSCONFDIR": str(system)}
    assert [parse(f"service={name}", environ).user for name in "ab"] == ["mine", "system"]
    with pytest.raises(ConfigError, match="in none of these files"):
        parse("service=c", environ)


BROKEN_SERVICES: list[tuple[bytes, str]] = [
    (b"[s]\nnonsense", "line 2 of the service file .* is not of the form keyword=value"),
    (b"[s]\n\nuser = x", "unknown keyword in line 3 of the service file"),
    (b"[s]\nusr=x", 'unknown keyword "usr" in line 2 of the service file .*; did you mean user'),
    (b"[s]\nservice=t", "a service can't name another one"),
    (b"[s]\nuser=\xff", "line 2 of the service file .* is not UTF-8"),
    (b"[s]\nsslmode=x", r"sslmode \(line 2 of the service file .*\) must be one of"),
    (b"[t]\nuser=x", "in none of these files"),
    (b"[s]\nuser=a\0b", r"user \(line 2 of the service file .*\) has a NUL"),
    (b"[s]\nldap://h/x?y", "is not of the form keyword=value"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN_SERVICES)
def test_a_broken_service_is_refused_with_its_line(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "services"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=message):
        parse(service="s", servicefile=path)


def test_a_service_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing can't be read: No such file"):
        parse("service=s", {"PGSERVICEFILE": str(tmp_path / "missing")})


def test_no_option_names_code_to_load() -> None:
    words = ("class", "module", "plugin", "factory", "import", "python", "callback", "hook", "exec", "command")
    assert [name for name in OPTIONS if any(word in name for word in words)] == []
