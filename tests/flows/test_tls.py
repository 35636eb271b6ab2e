"""TLS: which settings make which context, what a certificate is for, and handshakes with a scripted server."""

from __future__ import annotations

import datetime
import os
import ssl
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.flows.driver import Stage, config, run
from tests.flows.servers import TLSServer, own_certificate, revocation_list, server_context, write_client

from stretto.config import Host
from stretto.errors import TLSError
from stretto.flows.connect import connect
from stretto.flows.steps import StartTLS
from stretto.flows.tls import check_name, client_context, is_address, is_private

NAME = "db.example.com"
PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def roots(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("roots") / "root.crt"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


# --- the context ------------------------------------------------------------------------------------------------------

# sslmode, whether there is a root certificate; whether the certificate is checked, and the name.
CONTEXTS = [
    ("prefer", False, False, False),
    ("prefer", True, True, False),
    ("require", False, False, False),
    ("require", True, True, False),
    ("verify-ca", True, True, False),
    ("verify-full", True, True, True),
]


@pytest.mark.parametrize(("sslmode", "rooted", "chain", "name"), CONTEXTS)
def test_the_server_is_verified_where_the_mode_or_a_root_certificate_says_so(
    sslmode: str, rooted: bool, chain: bool, name: bool, roots: str
) -> None:
    context = client_context(config(sslmode=sslmode, sslrootcert=roots if rooted else "/nonexistent/root.crt"))
    assert context.verify_mode == (ssl.CERT_REQUIRED if chain else ssl.CERT_NONE)
    assert context.check_hostname is name
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_system_s_roots_are_trusted_on_request() -> None:
    context = client_context(config(sslmode="verify-full", sslrootcert="system"))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_versions_are_limited() -> None:
    context = client_context(config(ssl_min_protocol_version="TLSv1.3", ssl_max_protocol_version="TLSv1.3"))
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)


@pytest.mark.parametrize("sslmode", ["verify-ca", "verify-full"])
def test_a_missing_root_certificate_is_named(sslmode: str) -> None:
    with pytest.raises(TLSError, match=r"/nonexistent/\.postgresql/root\.crt' does not exist.*sslrootcert=system"):
        client_context(config(sslmode=sslmode))


@pytest.mark.parametrize("keyword", ["sslrootcert", "sslcrl"])
def test_a_file_that_is_no_certificate_is_named(keyword: str, roots: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("not a certificate")
    with pytest.raises(TLSError, match=r"bad\.pem' could not be read"):
        client_context(config(**{"sslmode": "require", "sslrootcert": roots, keyword: str(bad)}))


def test_a_revocation_list_that_is_named_and_missing_is_an_error(roots: str) -> None:
    with pytest.raises(TLSError, match="no/such"):
        client_context(config(sslmode="verify-ca", sslrootcert=roots, sslcrl="/no/such/root.crl"))


def test_a_client_certificate_that_is_missing_is_not_sent() -> None:
    client_context(config(sslmode="require", sslcert="/no/such.crt"))
    with pytest.raises(TLSError, match=r"sslcertmode=require.*no/such\.crt"):
        client_context(config(sslmode="require", sslcert="/no/such.crt", sslcertmode="require"))


def test_a_client_certificate_needs_its_key(ca: trustme.CA, tmp_path: Path) -> None:
    settings = write_client(tmp_path, ca.issue_cert("client.example.com"))
    client_context(config(sslmode="require", **settings))
    with pytest.raises(TLSError, match=r"no private key file '/no/such\.key'"):
        client_context(config(sslmode="require", sslcert=settings["sslcert"], sslkey="/no/such.key"))
    with pytest.raises(TLSError, match="not a regular file"):
        client_context(config(sslmode="require", sslcert=settings["sslcert"], sslkey=str(tmp_path)))
    client_context(config(sslmode="require", sslcertmode="disable", sslcert=settings["sslcert"], sslkey="/no/such.key"))
    other = tmp_path / "other"
    other.mkdir()
    stranger = write_client(other, ca.issue_cert("other.example.com"))
    with pytest.raises(TLSError, match="could not be loaded: KEY_VALUES_MISMATCH"):
        client_context(config(sslmode="require", sslcert=settings["sslcert"], sslkey=stranger["sslkey"]))


# Whose a key is (root's, another's), its mode, and whether libpq takes it.
MODES = [
    (0, 0o600, True),
    (0, 0o640, True),
    (0, 0o400, True),
    (0, 0o660, False),
    (0, 0o604, False),
    (0, 0o650, False),
    (1000, 0o600, True),
    (1000, 0o400, True),
    (1000, 0o640, False),
    (1000, 0o644, False),
]


@pytest.mark.parametrize(("owner", "mode", "taken"), MODES)
def test_a_key_is_private_by_libpq_s_rule(owner: int, mode: int, taken: bool) -> None:
    assert is_private(os.stat_result((stat.S_IFREG | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))) is taken


def test_a_key_that_others_can_read_is_refused(ca: trustme.CA, tmp_path: Path) -> None:
    settings = write_client(tmp_path, ca.issue_cert("client.example.com"))
    (tmp_path / "client.key").chmod(0o644)
    with pytest.raises(TLSError, match=r"client\.key' can be read by others: chmod 0600"):
        client_context(config(sslmode="require", **settings))


@pytest.mark.parametrize("password", ["open sesame", "wrong one", None])
def test_an_encrypted_key_needs_its_password(password: str | None, ca: trustme.CA, tmp_path: Path) -> None:
    settings = write_client(tmp_path, ca.issue_cert("client.example.com"), b"open sesame")
    made = config(sslmode="require", sslpassword=password, **settings)
    if password == "open sesame":
        client_context(made)
        return
    with pytest.raises(TLSError, match="an encrypted key needs sslpassword") as caught:
        client_context(made)
    assert "wrong one" not in str(caught.value)


# --- the name ---------------------------------------------------------------------------------------------------------


def certificate(*alternatives: tuple[str, str], common: str | None = None) -> dict[str, Any]:
    return {"subjectAltName": alternatives, "subject": ((("commonName", common),),) if common else ()}


NAMES: list[tuple[dict[str, Any], str, bool]] = [
    (certificate(("DNS", NAME)), NAME, True),
    (certificate(("DNS", "DB.Example.COM")), NAME, True),
    (certificate(("DNS", "other.example.com"), ("DNS", NAME)), NAME, True),
    (certificate(("DNS", "other.example.com")), NAME, False),
    (certificate(("DNS", "other.example.com"), common=NAME), NAME, False),
    (certificate(common=NAME), NAME, True),
    (certificate(("IP Address", "10.0.0.1"), common=NAME), NAME, True),
    (certificate(), NAME, False),
    (certificate(("DNS", "*.example.com")), NAME, True),
    (certificate(("DNS", "*.example.com")), "a.db.example.com", False),
    (certificate(("DNS", "*.example.com")), "example.com", False),
    (certificate(("DNS", "*.example.com")), ".example.com", False),
    (certificate(("DNS", "*.com")), "example.com", False),
    (certificate(("DNS", "*")), "localhost", False),
    (certificate(("DNS", "d*.example.com")), NAME, False),
    (certificate(("DNS", "db.*.com")), NAME, False),
    (certificate(("DNS", "evil.com\0.example.com")), "evil.com", False),
    (certificate(("IP Address", "10.0.0.1")), "10.0.0.1", True),
    (certificate(("IP Address", "10.0.0.2")), "10.0.0.1", False),
    (certificate(("DNS", "10.0.0.1")), "10.0.0.1", False),
    (certificate(("DNS", "*.0.0.1")), "10.0.0.1", False),
    (certificate(("IP Address", "2001:DB8:0:0:0:0:0:1")), "2001:db8::1", True),
    (certificate(common="10.0.0.1"), "10.0.0.1", True),
]


@pytest.mark.parametrize(("given", "name", "fits"), NAMES)
def test_a_certificate_is_for_a_name(given: dict[str, Any], name: str, fits: bool) -> None:
    if fits:
        check_name(given, name)
        return
    with pytest.raises(TLSError, match="not for"):
        check_name(given, name)


@pytest.mark.parametrize(
    ("name", "expected"), [("10.0.0.1", True), ("::1", True), ("fe80::1%eth0", True), (NAME, False), ("", False)]
)
def test_an_address_is_told_from_a_name(name: str, expected: bool) -> None:
    assert is_address(name) is expected


def test_verify_full_needs_a_name(roots: str) -> None:
    stage = Stage([[b"S"]])
    with pytest.raises(TLSError, match="only hostaddr is given"):
        stage.play(connect(config(hosts=[Host("", "10.0.0.1")], sslmode="verify-full", sslrootcert=roots)))


# --- handshakes -------------------------------------------------------------------------------------------------------


def attempt(server: TLSServer, host: str = NAME, **settings: Any) -> Any:
    return run(connect(config(hosts=[Host(host, "127.0.0.1", server.port)], **settings)))


# What the server's certificate is; what is wrong with it under each mode that checks.
CHAIN = ("verify-ca", "verify-full")
CERTIFICATES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "good": (lambda ca: ca.issue_cert(NAME), ()),
    "wildcard": (lambda ca: ca.issue_cert("*.example.com"), ()),
    "another name": (lambda ca: ca.issue_cert("other.example.com"), ("verify-full",)),
    "an address": (lambda ca: ca.issue_cert("127.0.0.1"), ("verify-full",)),
    "expired": (lambda ca: ca.issue_cert(NAME, not_before=PAST, not_after=PAST + datetime.timedelta(1)), CHAIN),
    "another CA": (lambda ca: trustme.CA().issue_cert(NAME), CHAIN),
    "self-signed": (lambda ca: own_certificate(NAME), CHAIN),
    "Ed25519, self-signed": (lambda ca: own_certificate(NAME, ed=True), CHAIN),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_is_accepted_or_refused_before_anything_is_sent(
    name: str, ca: trustme.CA, roots: str, tmp_path: Path
) -> None:
    make, refused = CERTIFICATES[name]
    with TLSServer(server_context(make(ca), tmp_path)).serve() as server:
        assert attempt(server, sslmode="require").tls
        assert len(server.startups) == 1
        for sslmode in CHAIN:
            for sslsni in (1, 0):
                settings = {"sslmode": sslmode, "sslrootcert": roots, "sslsni": sslsni}
                server.startups.clear()
                if sslmode not in refused:
                    assert attempt(server, **settings).tls
                    continue
                with pytest.raises(TLSError) as caught:
                    attempt(server, **settings)
                assert type(caught.value) is TLSError
                assert NAME in str(caught.value)
                assert server.startups in ([], [b""])


def test_require_checks_the_chain_where_there_is_a_root_certificate(roots: str, tmp_path: Path) -> None:
    with TLSServer(server_context(trustme.CA().issue_cert(NAME), tmp_path)).serve() as server:
        with pytest.raises(TLSError, match="not accepted"):
            attempt(server, sslmode="require", sslrootcert=roots)
        assert server.startups in ([], [b""])


# The host, sslsni and sslmode; the name that the server is told.
SNI = [
    (NAME, 1, "require", NAME),
    (NAME, 1, "verify-full", NAME),
    (NAME, 0, "require", None),
    (NAME, 0, "verify-full", None),
    ("127.0.0.1", 1, "require", None),
    ("127.0.0.1", 1, "verify-full", None),
    ("127.0.0.1", 0, "verify-full", None),
]


@pytest.mark.parametrize(("host", "sslsni", "sslmode", "told"), SNI)
def test_a_name_is_sent_and_never_an_address(
    host: str, sslsni: int, sslmode: str, told: str | None, ca: trustme.CA, roots: str, tmp_path: Path
) -> None:
    with TLSServer(server_context(ca.issue_cert(NAME, "127.0.0.1"), tmp_path)).serve() as server:
        assert attempt(server, host, sslmode=sslmode, sslrootcert=roots, sslsni=sslsni).tls
        assert server.names == [told]


@pytest.mark.parametrize("alpn", [["postgresql"], ["h2", "postgresql"], []])
def test_direct_tls(alpn: list[str], ca: trustme.CA, roots: str, tmp_path: Path) -> None:
    context = server_context(ca.issue_cert(NAME), tmp_path)
    context.set_alpn_protocols(alpn)
    with TLSServer(context, direct=True).serve() as server:
        settings = {"sslmode": "verify-full", "sslrootcert": roots, "sslnegotiation": "direct"}
        if alpn:
            assert attempt(server, **settings).tls
            return
        with pytest.raises(TLSError, match="did not confirm by ALPN"):
            attempt(server, **settings)
        assert server.startups in ([], [b""])


@pytest.mark.parametrize("revoked", [False, True])
def test_a_revoked_certificate_is_refused(revoked: bool, ca: trustme.CA, roots: str, tmp_path: Path) -> None:
    good, bad = ca.issue_cert(NAME), ca.issue_cert(NAME)
    crl = tmp_path / "root.crl"
    crl.write_bytes(revocation_list(ca, bad))
    settings = {"sslmode": "verify-ca", "sslrootcert": roots, "sslcrl": str(crl)}
    with TLSServer(server_context(bad if revoked else good, tmp_path)).serve() as server:
        if not revoked:
            assert attempt(server, **settings).tls
            return
        with pytest.raises(TLSError, match="revoked"):
            attempt(server, **settings)


@pytest.mark.parametrize("revoked", [False, True])
def test_revocation_lists_are_found_in_their_directory(
    revoked: bool, ca: trustme.CA, roots: str, tmp_path: Path
) -> None:
    good, bad = ca.issue_cert(NAME), ca.issue_cert(NAME)
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "root.crl").write_bytes(revocation_list(ca, bad))
    command = ["openssl", "crl", "-hash", "-noout", "-in", str(lists / "root.crl")]
    issuer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (lists / "root.crl").rename(lists / f"{issuer}.r0")  # as openssl rehash names it
    settings = {"sslmode": "verify-ca", "sslrootcert": roots, "sslcrldir": str(lists)}
    with TLSServer(server_context(bad if revoked else good, tmp_path)).serve() as server:
        if not revoked:
            assert attempt(server, **settings).tls
            return
        with pytest.raises(TLSError, match="revoked"):
            attempt(server, **settings)


def test_a_directory_without_the_issuer_s_list_accepts_nothing(ca: trustme.CA, roots: str, tmp_path: Path) -> None:
    settings = {"sslmode": "verify-ca", "sslrootcert": roots, "sslcrldir": str(tmp_path)}
    with (
        TLSServer(server_context(ca.issue_cert(NAME), tmp_path)).serve() as server,
        pytest.raises(TLSError, match="unable to get certificate CRL"),
    ):
        attempt(server, **settings)


IDN, IDN_ON_THE_WIRE = "bücher.example.com", "xn--bcher-kva.example.com"


@pytest.mark.parametrize("sslsni", [1, 0])
@pytest.mark.parametrize("host", [IDN, IDN_ON_THE_WIRE])
def test_an_international_name_is_sent_and_checked_as_certificates_have_it(
    host: str, sslsni: int, ca: trustme.CA, roots: str, tmp_path: Path
) -> None:
    settings = {"sslmode": "verify-full", "sslrootcert": roots, "sslsni": sslsni}
    with TLSServer(server_context(ca.issue_cert(IDN), tmp_path)).serve() as server:
        assert attempt(server, host, **settings).tls
        assert server.names == [IDN_ON_THE_WIRE if sslsni else None]
        with pytest.raises(TLSError):
            attempt(server, "bucher.example.com", **settings)


def test_a_server_that_speaks_only_old_tls_is_refused(ca: trustme.CA, tmp_path: Path) -> None:
    context = server_context(ca.issue_cert(NAME), tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with TLSServer(context).serve() as server:
        with pytest.raises(TLSError):
            attempt(server, sslmode="require", ssl_min_protocol_version="TLSv1.3")
        assert attempt(server, sslmode="require").tls


@pytest.mark.parametrize("name", ["x" * 64 + ".example.com", "a..example.com"])
def test_a_name_that_no_certificate_can_have_is_a_tls_error(name: str) -> None:
    stage = Stage([[b"S"]])
    with pytest.raises(TLSError, match="not a name that a certificate can have"):
        stage.play(connect(config(hosts=[Host(name)], sslmode="require")))
    assert not any(isinstance(step, StartTLS) for step in stage.taken)


def test_the_keys_of_a_session_are_logged_on_request(ca: trustme.CA, tmp_path: Path) -> None:
    with TLSServer(server_context(ca.issue_cert(NAME), tmp_path)).serve() as server:
        attempt(server, sslmode="require", sslkeylogfile=str(tmp_path / "keys"))
    assert "CLIENT_TRAFFIC_SECRET" in (tmp_path / "keys").read_text()
