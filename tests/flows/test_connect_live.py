"""Connecting to real servers: PostgreSQL 18 (SCRAM, no TLS) and Debian's 15 (TLS), and what libpq does on the same."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from tests.flows.driver import config, run, run_and_keep
from tests.flows.servers import DEBIAN, HAS_DEBIAN, Server, own_certificate, postgresql, wheel, write_client

from stretto.config import Host
from stretto.errors import AuthenticationError, ConnectError, TLSError
from stretto.flows.cancel import cancel
from stretto.flows.connect import connect
from stretto.wire import startup

NAME = "db.example.com"
needs_debian = pytest.mark.skipif(not HAS_DEBIAN, reason="Debian's PostgreSQL 15 is not installed")

HBA = """
local all postgres trust
local all all scram-sha-256
hostssl all certified all cert
hostssl all tlsonly all scram-sha-256
hostnossl all plainonly all scram-sha-256
host all digest all md5
host all clear all password
host all trusted all trust
host all nobody all reject
host all all all scram-sha-256
"""
HBA_WITHOUT_TLS = "\n".join(line for line in HBA.splitlines() if not line.startswith("hostssl"))
USERS = ("ann", "certified", "tlsonly", "plainonly", "digest", "clear", "trusted", "nobody")
PASSWORD = "it's =a, pässword 😀"


def prepare(server: Server) -> None:
    quoted = PASSWORD.replace("'", "''")
    server.sql(
        *(f"CREATE ROLE {user} LOGIN PASSWORD '{quoted}'" for user in USERS),
        "SET password_encryption = 'md5'",
        f"ALTER ROLE digest PASSWORD '{quoted}'",
        *(f"CREATE DATABASE {user}" for user in USERS),
    )


@pytest.fixture(scope="module")
def server18() -> Iterator[Server]:
    with postgresql(wheel(), HBA_WITHOUT_TLS) as server:
        prepare(server)
        yield server


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server15(ca: trustme.CA) -> Iterator[Server]:
    leaf = ca.issue_cert(NAME)
    files = {
        "server.crt": b"".join(blob.bytes() for blob in leaf.cert_chain_pems),
        "server.key": leaf.private_key_pem.bytes(),
        "root.crt": ca.cert_pem.bytes(),
    }
    settings = {"ssl": "on", "ssl_ca_file": "root.crt"}
    with postgresql(DEBIAN, HBA, settings, files) as server:
        prepare(server)
        yield server


@pytest.fixture(scope="module")
def server_ed25519() -> Iterator[Server]:
    key, certificate = own_certificate(NAME, ed=True)
    files = {"server.crt": certificate, "server.key": key}
    with postgresql(DEBIAN, HBA, {"ssl": "on"}, files) as server:
        prepare(server)
        yield server


@pytest.fixture
def trust(ca: trustme.CA, tmp_path: Path) -> dict[str, str]:
    ca.cert_pem.write_to_path(str(tmp_path / "root.crt"))
    return {"sslrootcert": str(tmp_path / "root.crt")}


def settings_for(server: Server, user: str, host: str = NAME, **settings: Any) -> Any:
    settings = {"user": user, "password": PASSWORD} | settings
    return config(hosts=[Host(host, "127.0.0.1", server.port)], **settings)


def attempt(server: Server, user: str, **settings: Any) -> Any:
    return run(connect(settings_for(server, user, **settings)))


# --- PostgreSQL 18 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "secret"), [("3.0", 4), ("3.2", 32)])
def test_scram_and_a_cancel_key_as_long_as_the_version_s(server18: Server, version: str, secret: int) -> None:
    greeting = attempt(server18, "ann", max_protocol_version=version)
    assert greeting.protocol == (3, int(version[2]))
    assert len(greeting.secret) == secret
    assert greeting.parameters["server_version"].startswith("18")
    assert greeting.parameters["client_encoding"] == "UTF8"
    assert greeting.leftover == b""


@pytest.mark.parametrize("user", ["ann", "digest", "clear", "trusted"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_each_method_takes_the_right_password_and_no_other(server18: Server, user: str, password: str) -> None:
    if password == PASSWORD or user == "trusted":
        assert attempt(server18, user, password=password).pid
        return
    with pytest.raises(AuthenticationError, match="password authentication failed") as caught:
        attempt(server18, user, password=password)
    assert caught.value.sqlstate == "28P01"


def test_a_unix_socket_asks_for_scram_too(server18: Server) -> None:
    made = config(hosts=[Host(server18.sockets, None, server18.port)], user="ann", password=PASSWORD)
    assert run(connect(made)).tls is False


def test_requirepeer_is_checked_on_a_real_socket(server18: Server) -> None:
    hosts = [Host(server18.sockets, None, server18.port)]
    assert run(connect(config(hosts=hosts, user="postgres", requirepeer=_owner(server18))))
    with pytest.raises(AuthenticationError, match="requirepeer"):
        run(connect(config(hosts=hosts, user="postgres", requirepeer="somebody-else")))


def _owner(server: Server) -> str:
    return (server.directory / "data").owner()


def test_a_database_that_is_not_there_is_told(server18: Server) -> None:
    with pytest.raises(ConnectError, match='database "nowhere" does not exist') as caught:
        attempt(server18, "ann", database="nowhere")
    assert caught.value.sqlstate == "3D000"


@pytest.mark.parametrize(
    ("target", "suits"),
    [("any", True), ("read-write", True), ("primary", True), ("read-only", False), ("standby", False)],
)
def test_the_server_says_what_kind_it_is(server18: Server, target: str, suits: bool) -> None:
    if suits:
        assert attempt(server18, "ann", target_session_attrs=target).pid
        return
    with pytest.raises(ConnectError, match="target_session_attrs"):
        attempt(server18, "ann", target_session_attrs=target)


def test_server_settings_hold_in_the_session(server18: Server) -> None:
    greeting = attempt(server18, "ann", server_settings={"TimeZone": "Asia/Tokyo"}, application_name="täst")
    assert greeting.parameters["TimeZone"] == "Asia/Tokyo"
    assert greeting.parameters["application_name"] == "t\\xc3\\xa4st"  # the server shows it in ASCII


@pytest.mark.parametrize("sslmode", ["require", "verify-ca", "verify-full"])
def test_a_server_without_tls_gets_no_password(server18: Server, sslmode: str) -> None:
    with pytest.raises(TLSError, match="does not support TLS"):
        attempt(server18, "ann", sslmode=sslmode)


# --- cancelling -------------------------------------------------------------------------------------------------------


def cancel_a_sleep(settings: Any) -> bytes:
    """Run a long statement, cancel it, and return what the server said."""
    greeting, sock = run_and_keep(connect(settings))
    with sock:
        sock.sendall(startup.simple_query("select pg_sleep(60)"))
        seen = b""
        while b"57014" not in seen:  # a cancel that comes before the statement does is lost, so it is repeated
            run(cancel(settings, greeting))
            sock.settimeout(0.2)
            try:
                seen += sock.recv(10_000)
            except TimeoutError:
                continue
        return seen


@pytest.mark.parametrize("version", ["3.0", "3.2"])
def test_a_statement_is_cancelled(server18: Server, version: str) -> None:
    assert b"canceling statement" in cancel_a_sleep(settings_for(server18, "ann", max_protocol_version=version))


@needs_debian
@pytest.mark.tls
def test_a_statement_is_cancelled_over_tls(server15: Server, trust: dict[str, str]) -> None:
    settings = settings_for(server15, "ann", sslmode="verify-full", **trust)
    assert b"canceling statement" in cancel_a_sleep(settings)


# --- PostgreSQL 15 with TLS -------------------------------------------------------------------------------------------

MATRIX = [
    ("disable", "ann"),
    ("disable", "tlsonly"),
    ("allow", "ann"),
    ("allow", "tlsonly"),
    ("prefer", "ann"),
    ("prefer", "plainonly"),
    ("prefer", "digest"),
    ("prefer", "clear"),
    ("require", "ann"),
    ("require", "tlsonly"),
    ("verify-ca", "ann"),
    ("verify-full", "ann"),
    ("verify-full", "digest"),
    ("verify-full", "clear"),
    ("verify-full", "trusted"),
]


@needs_debian
@pytest.mark.tls
@pytest.mark.parametrize(("sslmode", "user"), MATRIX)
def test_what_a_mode_comes_to_is_what_libpq_comes_to(
    server15: Server, trust: dict[str, str], sslmode: str, user: str
) -> None:
    settings = {"sslmode": sslmode, **trust}
    assert outcome(server15, user, settings) == libpq_outcome(server15, user, settings)


def outcome(server: Server, user: str, settings: dict[str, Any]) -> str:
    try:
        greeting = attempt(server, user, **settings)
    except ConnectError:
        return "refused"
    return "TLS" if greeting.tls else "plain"


def libpq_outcome(server: Server, user: str, settings: dict[str, Any]) -> str:
    place = {"host": NAME, "hostaddr": "127.0.0.1", "port": server.port, "dbname": user}
    try:
        with psycopg.connect(user=user, password=PASSWORD, **place, **settings) as connection:
            return "TLS" if connection.pgconn.ssl_in_use else "plain"
    except psycopg.OperationalError:
        return "refused"


# Further settings, each against libpq: what is required of the server, and what is wrong with it.
DEMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "binding required": ("ann", {"channel_binding": "require"}),
    "binding required of md5": ("digest", {"channel_binding": "require"}),
    "binding required of clear text": ("clear", {"channel_binding": "require"}),
    "binding required of trust": ("trusted", {"channel_binding": "require"}),
    "binding required without TLS": ("ann", {"channel_binding": "require", "sslmode": "disable"}),
    "binding disabled": ("ann", {"channel_binding": "disable"}),
    "scram required": ("ann", {"require_auth": "scram-sha-256"}),
    "scram required of md5": ("digest", {"require_auth": "scram-sha-256"}),
    "scram required of trust": ("trusted", {"require_auth": "scram-sha-256"}),
    "scram required of a certificate": ("certified", {"require_auth": "scram-sha-256"}),
    "md5 required": ("digest", {"require_auth": "md5"}),
    "none required": ("trusted", {"require_auth": "none"}),
    "scram refused": ("ann", {"require_auth": "!scram-sha-256"}),
    "trust refused": ("trusted", {"require_auth": "!none"}),
    "TLS 1.2": ("ann", {"ssl_max_protocol_version": "TLSv1.2"}),
    "no name sent": ("ann", {"sslsni": "0"}),
    "no certificate": ("certified", {}),
    "rejected": ("nobody", {}),
    "wrong mode": ("plainonly", {}),
    "system's roots": ("ann", {"sslrootcert": "system"}),
}


@needs_debian
@pytest.mark.tls
@pytest.mark.parametrize("name", DEMANDS)
def test_what_a_demand_comes_to_is_what_libpq_comes_to(server15: Server, trust: dict[str, str], name: str) -> None:
    user, demand = DEMANDS[name]
    settings = {"sslmode": "verify-full", **trust, **demand}
    assert outcome(server15, user, settings) == libpq_outcome(server15, user, settings)


@needs_debian
@pytest.mark.tls
@pytest.mark.parametrize("mechanism", ["PLUS", "plain"])
def test_scram_binds_the_channel(
    server15: Server, trust: dict[str, str], mechanism: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    firsts: list[bytes] = []
    real = startup.sasl_initial_response
    monkeypatch.setattr(startup, "sasl_initial_response", lambda name, data: firsts.append(data) or real(name, data))
    binding = "require" if mechanism == "PLUS" else "disable"
    attempt(server15, "ann", sslmode="verify-full", channel_binding=binding, **trust)
    assert firsts[0].startswith(b"p=tls-server-end-point,," if mechanism == "PLUS" else b"n,,")


@needs_debian
@pytest.mark.tls
def test_a_man_in_the_middle_is_found_by_channel_binding(server15: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends our TLS and opens another to the server has another certificate than the server's."""
    monkeypatch.setattr(
        "stretto.flows.authenticate.end_point_hash", lambda certificate: b"another certificate".ljust(32)
    )
    with pytest.raises(AuthenticationError) as caught:
        attempt(server15, "ann", sslmode="require")
    assert caught.value.sqlstate in ("28P01", "28000", "08P01")


@needs_debian
@pytest.mark.tls
def test_a_certificate_that_cannot_be_hashed_leaves_scram_without_binding(server_ed25519: Server) -> None:
    assert attempt(server_ed25519, "ann", sslmode="require").tls
    with pytest.raises(AuthenticationError, match="Ed25519"):
        attempt(server_ed25519, "ann", sslmode="require", channel_binding="require")


@needs_debian
@pytest.mark.tls
def test_a_client_certificate_lets_in_whom_it_names(
    server15: Server, ca: trustme.CA, trust: dict[str, str], tmp_path: Path
) -> None:
    settings = write_client(tmp_path, ca.issue_cert(common_name="certified")) | trust
    assert attempt(server15, "certified", sslmode="verify-full", **settings).tls
    assert libpq_outcome(server15, "certified", {"sslmode": "verify-full", **settings}) == "TLS"
    with pytest.raises(AuthenticationError, match="certificate authentication failed"):
        attempt(
            server15,
            "certified",
            sslmode="verify-full",
            **write_client(tmp_path, ca.issue_cert(common_name="ann")),
            **trust,
        )
    with pytest.raises(ConnectError):
        attempt(server15, "certified", sslmode="verify-full", sslcertmode="disable", **settings)


@needs_debian
@pytest.mark.tls
def test_a_client_certificate_of_another_ca_is_refused(server15: Server, trust: dict[str, str], tmp_path: Path) -> None:
    stranger = write_client(tmp_path, trustme.CA().issue_cert(common_name="certified"))
    with pytest.raises(ConnectError):
        attempt(server15, "certified", sslmode="verify-full", **stranger, **trust)


@needs_debian
@pytest.mark.tls
def test_a_wrong_host_and_a_wrong_ca_are_refused(server15: Server, trust: dict[str, str], tmp_path: Path) -> None:
    assert attempt(server15, "ann", host="other.example.com", sslmode="verify-ca", **trust).tls
    with pytest.raises(TLSError, match=r"mismatch|not valid for"):
        attempt(server15, "ann", host="other.example.com", sslmode="verify-full", **trust)
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.crt"))
    with pytest.raises(TLSError, match="not accepted") as caught:
        attempt(server15, "ann", sslmode="verify-ca", sslrootcert=str(tmp_path / "other.crt"))
    assert isinstance(caught.value.__cause__, TLSError)
    assert isinstance(caught.value.__cause__.__cause__, ssl.SSLCertVerificationError)


@needs_debian
@pytest.mark.tls
def test_the_next_host_is_taken_when_the_first_has_the_wrong_certificate(
    server15: Server, server_ed25519: Server, trust: dict[str, str]
) -> None:
    hosts = [Host(NAME, "127.0.0.1", server_ed25519.port), Host(NAME, "127.0.0.1", server15.port)]
    made = config(hosts=hosts, user="ann", password=PASSWORD, sslmode="verify-full", **trust)
    assert run(connect(made)).host.port == server15.port
