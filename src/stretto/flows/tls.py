"""TLS as libpq does it: which context the settings make, how it is asked for, what is checked after the handshake.

For ``flows.connect`` and ``cancel``. By libpq's rules (PostgreSQL manual, "SSL Support" of libpq) the server's
certificate is checked under verify-ca and verify-full, and in every other mode where a root certificate file exists;
Stricter than libpq: a revocation list that is named and can't be read is an error, and a
client's key or certificate that can't be used is one under every ``sslmode``. Looser: ``sslcertmode=require`` checks
that there is a certificate to send, not that the server asked for it, which Python's ssl does not tell.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import stat
from collections.abc import Generator
from functools import partial
from typing import Any

from stretto.config import Config, Host
from stretto.errors import ConnectError, ProtocolError, TLSError
from stretto.flows.conversation import TLS, Conversation, name_of
from stretto.flows.steps import Compute, Read, StartTLS, Step, Write
from stretto.wire import startup
from stretto.wire.buffer import ReadBuffer

ALPN = "postgresql"
SYSTEM = "system"
_DEFAULT_CRL = "/.postgresql/root.crl"  # the one list that may be missing
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def request_tls(talk: Conversation) -> Generator[Step, Any, bool]:
    """Ask the server for TLS; return whether it agreed.

    Raises TLSError for an ErrorResponse, whose text nobody vouches for and nobody sees, and for bytes that came in
    clear text behind the agreement; ProtocolError for any other answer.
    """
    yield Write(startup.ssl_request())
    answer: bytes = yield Read()  # more than the one byte, to see what was slipped in behind it
    if not answer:
        talk.closed = True
        raise ConnectError("the server closed the connection when it was asked for TLS")
    buf = ReadBuffer(answer)
    kind = buf.read_uint8()
    if kind == startup.ERROR_RESPONSE:
        raise TLSError("the server answered with an error when it was asked for TLS")
    if kind not in (startup.SSL_ACCEPTED, startup.SSL_REFUSED):
        raise ProtocolError(f"the server answered {chr(kind)!r} when it was asked for TLS: is it PostgreSQL?")
    if buf.remaining():
        raise TLSError(
            "unencrypted bytes came behind the answer about TLS: somebody in between may have put them there"
        )
    return kind == startup.SSL_ACCEPTED


def handshake(config: Config, talk: Conversation) -> Generator[Step, Any, None]:
    """Encrypt the conversation; raises TLSError when that fails or the certificate is not what the settings demand."""
    host = talk.site.host
    context: ssl.SSLContext = yield Compute(partial(client_context, config))
    name = server_name(config, host, context)
    talk.stage = "handshake"
    try:
        tls: TLS = yield StartTLS(context, name)
    except TimeoutError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise TLSError(f"the server's certificate was not accepted: {error.verify_message}") from error
    except (OSError, ValueError) as error:
        raise TLSError(f"the TLS handshake failed: {error}") from error
    check_alpn(tls, required=config.sslnegotiation == "direct")
    if config.sslmode == "verify-full" and not context.check_hostname:
        check_name(tls.getpeercert() or {}, name_of(host))
    talk.tls = tls
    talk.verified = context.verify_mode == ssl.CERT_REQUIRED


def server_name(config: Config, host: Host, context: ssl.SSLContext) -> str | None:
    """Choose what the handshake is told: the name to send (never an address) or to check; None for neither."""
    if config.sslmode == "verify-full" and not host.host:
        raise TLSError("sslmode=verify-full checks the host's name, and only hostaddr is given: add host=")
    sends_name = config.sslsni and bool(host.host) and not is_address(host.host)
    if not (sends_name or context.check_hostname):
        return None
    try:
        host.host.encode("idna")  # as Python's ssl does, too late to leave the socket in order
    except UnicodeError:
        raise TLSError(f"{host.host!r} is not a name that a certificate can have") from None
    return host.host


def client_context(config: Config) -> ssl.SSLContext:
    """Make the TLS context for the settings; it reads files. Raises TLSError naming the file that is amiss."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _limit_versions(context, config)
    context.set_alpn_protocols([ALPN])
    if _trust(context, config):
        context.verify_mode = ssl.CERT_REQUIRED
        # OpenSSL checks the name it is given, and Python sends that name too: without SNI we check it ourselves.
        context.check_hostname = config.sslmode == "verify-full" and config.sslsni
        _revoke(context, config)
    _identify(context, config)
    if config.sslkeylogfile:
        context.keylog_filename = config.sslkeylogfile
    return context


def check_alpn(tls: TLS, required: bool) -> None:
    """Raise TLSError for a server that speaks another protocol than PostgreSQL's, or, if ``required``, says none."""
    chosen = tls.selected_alpn_protocol()
    if chosen is None and required:
        raise TLSError("the server did not confirm by ALPN that it speaks PostgreSQL's protocol: sslnegotiation=direct "
                       "needs PostgreSQL 17 or later")  # fmt: skip
    if chosen not in (None, ALPN):
        raise TLSError(f"the server chose the protocol {chosen!r} by ALPN, not {ALPN!r}")


def check_name(certificate: dict[str, Any], name: str) -> None:
    """Raise TLSError unless a verified certificate (``getpeercert()``'s form) is for ``name``, by libpq's rules.

    Subject alternative names decide where there are any of the name's kind, else the common name. A wildcard stands for
    one whole leftmost label.
    """
    alternatives = certificate.get("subjectAltName", ())
    kind = "IP Address" if is_address(name) else "DNS"
    names = [value for key, value in alternatives if key == kind]
    if not names:
        names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    if not any(_same(pattern, name) for pattern in names):
        raise TLSError(f"the server's certificate is for {', '.join(map(repr, names)) or 'no name'}, not for {name!r}")


def is_address(name: str) -> bool:
    """Tell whether a host's name is an IP address."""
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _ascii(name: str) -> str:
    """Write an international name as certificates have it; what is no such name is left as it is."""
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name


def _same(pattern: str, name: str) -> bool:
    if is_address(name):
        return is_address(pattern) and ipaddress.ip_address(pattern) == ipaddress.ip_address(name)
    pattern, name = pattern.lower(), _ascii(name).lower()
    label, _, rest = pattern.partition(".")
    if label == "*":
        return "." in rest and name.partition(".")[2] == rest and not name.startswith(".")
    return pattern == name


def _limit_versions(context: ssl.SSLContext, config: Config) -> None:
    try:
        context.minimum_version = _VERSIONS[config.ssl_min_protocol_version or "TLSv1.2"]
        if config.ssl_max_protocol_version:
            context.maximum_version = _VERSIONS[config.ssl_max_protocol_version]
    except (KeyError, ValueError):
        raise TLSError(
            f"no such TLS versions: ssl_min_protocol_version={config.ssl_min_protocol_version}, "
            f"ssl_max_protocol_version={config.ssl_max_protocol_version}; known are {', '.join(_VERSIONS)}"
        ) from None


def _trust(context: ssl.SSLContext, config: Config) -> bool:
    """Load the root certificates; return whether the server's certificate is to be checked."""
    if config.sslrootcert == SYSTEM:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return True
    path = config.sslrootcert
    if path is None or not os.path.exists(path):
        if config.sslmode.startswith("verify-"):
            raise TLSError(
                f"the root certificate file {path!r} does not exist: provide it, use sslrootcert=system for the "
                "roots this machine trusts, or choose an sslmode that does not check the server's certificate"
            )
        return False
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:
        raise TLSError(f"the root certificate file {path!r} could not be read: {error}") from error
    return True


def _revoke(context: ssl.SSLContext, config: Config) -> None:
    """Load the certificate revocation lists."""
    file, folder = config.sslcrl, config.sslcrldir
    if file is not None and file.endswith(_DEFAULT_CRL) and not os.path.exists(file):
        file = None
    if file is None and folder is None:
        return
    try:
        context.load_verify_locations(cafile=file, capath=folder)
    except OSError as error:
        raise TLSError(f"the revocation list {file or folder!r} could not be read: {error}") from error
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def _identify(context: ssl.SSLContext, config: Config) -> None:
    """Load the client's certificate and key where there are any."""
    certificate, key = config.sslcert, config.sslkey
    if config.sslcertmode == "disable":
        return
    if certificate is None or not os.path.exists(certificate):
        if config.sslcertmode == "require":
            raise TLSError(f"sslcertmode=require, and there is no client certificate file {certificate!r}")
        return
    if key is None:
        raise TLSError(f"there is a client certificate {certificate!r} and no private key file: name it by sslkey")
    _check_key_file(certificate, key)
    password = config.sslpassword or ""
    try:
        context.load_cert_chain(certificate, key, password=lambda: password)  # a callable: else OpenSSL would prompt
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or "not a certificate and its key"
        raise TLSError(
            f"the client certificate {certificate!r} with the key {key!r} could not be loaded: {reason} "
            "(an encrypted key needs sslpassword)"
        ) from None


def _check_key_file(certificate: str, key: str) -> None:
    """Raise TLSError for a key file that is missing, none, or not private."""
    try:
        status = os.stat(key)
    except OSError:
        raise TLSError(
            f"there is a client certificate {certificate!r} and no private key file {key!r}: name it by sslkey"
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise TLSError(f"the private key file {key!r} is not a regular file")
    if not is_private(status):
        raise TLSError(f"the private key file {key!r} can be read by others: chmod 0600, or 0640 where root owns it")


def is_private(status: os.stat_result) -> bool:
    """Tell whether a key file is its owner's alone; root's may be readable by its group."""
    forbidden = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO if status.st_uid == 0 else stat.S_IRWXG | stat.S_IRWXO
    return not status.st_mode & forbidden
