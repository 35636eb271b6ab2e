"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the client's side, distrusting the server at every step.

For ``flows.authenticate``. RFC 5802 and 7677, and PostgreSQL manual, "SASL Authentication". The four messages::

    client first   n,,n=*,r=NONCE                       the user's name is the start-up packet's: PostgreSQL ignores n=
    server first   r=NONCE+MORE,s=SALT,i=ITERATIONS
    client final   c=CHANNEL,r=NONCE+MORE,p=PROOF       PROOF shows that we know the password
    server final   v=SIGNATURE                          SIGNATURE shows that the server knows it too

The derivation is the standard library's, SASLprep is the library scramp's. scramp's own client is not used: it refuses
fewer than 4,096 iterations, salts below 12 bytes and passwords that SASLprep forbids, all of which PostgreSQL takes.
The tests hold this client against scramp's server.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from stretto.errors import AuthenticationError

SCRAM = "SCRAM-SHA-256"
SCRAM_PLUS = "SCRAM-SHA-256-PLUS"
CHANNEL_BINDING = "tls-server-end-point"

# A server that asks for more wants to keep our processor busy: 1,000,000 take about half a second, 4,096 are usual.
MAX_ITERATIONS = 1_000_000
MAX_SALT = 1024
MAX_NONCE = 1024


class Secret:
    """A text that no repr, log or traceback shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "<secret>"


class ScramExchange:
    """One authentication: ``first``, ``challenge``, ``proof`` (slow: it derives the key), ``verify``, in this order.

    ``binding`` is the hash of the server's certificate for SCRAM_PLUS, else None. ``could_bind`` says that we would
    have bound the channel had the server offered it, so that a server which did offer it notices the man in between.
    ``password`` may be the pair of ClientKey and ServerKey instead, as a server that passes a login on has them.
    """

    def __init__(
        self,
        password: Secret | tuple[bytes, bytes],
        binding: bytes | None = None,
        could_bind: bool = False,
        nonce: str | None = None,
    ) -> None:
        self.mechanism = SCRAM if binding is None else SCRAM_PLUS
        self._password = password
        self._header = f"p={CHANNEL_BINDING},," if binding is not None else "y,," if could_bind else "n,,"
        self._binding = binding or b""
        self._nonce = nonce or base64.b64encode(secrets.token_bytes(18)).decode("ascii")
        self._first = f"n=*,r={self._nonce}"
        self._challenge = ""
        self._salt = b""
        self._iterations = 0
        self._signature = b""

    def first(self) -> bytes:
        """Return the client's first message."""
        return (self._header + self._first).encode("ascii")

    def challenge(self, message: bytes) -> None:
        """Take the server's first message; raises AuthenticationError for one that no honest server sends."""
        text = _ascii(message)
        nonce, salt, iterations = _attributes(text, "rsi")
        if not nonce.startswith(self._nonce) or not len(self._nonce) < len(nonce) <= MAX_NONCE:
            raise AuthenticationError("the server's SCRAM nonce does not extend ours: somebody may be replaying")
        self._nonce = nonce
        self._salt = _base64(salt)
        if not 1 <= len(self._salt) <= MAX_SALT:
            raise AuthenticationError(f"the server's SCRAM salt has {len(self._salt)} bytes, not 1 to {MAX_SALT}")
        self._iterations = _iterations(iterations)
        self._challenge = text

    def proof(self) -> bytes:
        """Return the client's final message. It derives the key: up to half a second of processor time."""
        client_key, server_key = self._keys()
        stored_key = hashlib.sha256(client_key).digest()
        channel = base64.b64encode(self._header.encode("ascii") + self._binding).decode("ascii")
        final = f"c={channel},r={self._nonce}"
        signed = ",".join((self._first, self._challenge, final)).encode("ascii")
        self._signature = hmac.digest(server_key, signed, "sha256")
        proof = bytes(map(int.__xor__, client_key, hmac.digest(stored_key, signed, "sha256")))
        return f"{final},p={base64.b64encode(proof).decode('ascii')}".encode("ascii")

    def _keys(self) -> tuple[bytes, bytes]:
        if isinstance(self._password, tuple):
            return self._password
        salted = hashlib.pbkdf2_hmac("sha256", _prepare(self._password), self._salt, self._iterations)
        return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")

    def verify(self, message: bytes) -> None:
        """Take the server's final message; raises AuthenticationError unless it proves knowledge of the password."""
        (signature,) = _attributes(_ascii(message), "v")
        if not self._signature or not hmac.compare_digest(_base64(signature), self._signature):
            raise AuthenticationError("the server's SCRAM signature is wrong: it does not know the password")


def end_point_hash(certificate: bytes) -> bytes | None:
    """Hash a DER certificate for tls-server-end-point (RFC 5929), by the hash function of its signature.

    md5 and sha1 give way to sha256. None where the signature names no such function (Ed25519, unknown algorithms).
    """
    # Imported here: it takes 20 ms, and only TLS with SCRAM needs it.
    from asn1crypto.x509 import Certificate  # type: ignore[import-untyped]  # it has no types

    try:
        parsed = Certificate.load(certificate)
        if parsed.signature_algo in ("ed25519", "ed448"):
            return None
        name = parsed.hash_algo
        return hashlib.new("sha256" if name in ("md5", "sha1") else name, certificate).digest()
    except (ValueError, TypeError, KeyError):
        return None


def _prepare(password: Secret) -> bytes:
    """Prepare a password as PostgreSQL does: by SASLprep, and as it is where SASLprep forbids it."""
    text = password.reveal()
    if text.isascii():
        return text.encode("ascii")  # SASLprep changes no ASCII
    from scramp import ScramException  # type: ignore[import-untyped]  # it has no types
    from scramp.utils import saslprep  # type: ignore[import-untyped]  # it has no types

    try:
        prepared: str = saslprep(text)
    except ScramException:
        prepared = ""
    return (prepared or text).encode("utf-8")


def _ascii(message: bytes) -> str:
    try:
        return message.decode("ascii")
    except UnicodeDecodeError:
        raise AuthenticationError("the server's SCRAM message is not ASCII") from None


def _attributes(text: str, names: str) -> list[str]:
    """Read the values of ``name=value,...``, which must begin with ``names`` in this order; extensions may follow."""
    parts = [part.partition("=") for part in text.split(",")]
    if parts[0][0] == "e":
        raise AuthenticationError(f"the server refused the SCRAM exchange: {parts[0][2]!r}")
    if [name for name, _, _ in parts[: len(names)]] != list(names):
        raise AuthenticationError(f"the server's SCRAM message does not have the attributes {', '.join(names)}")
    if len({name for name, _, _ in parts}) != len(parts) or any(len(name) != 1 for name, _, _ in parts):
        raise AuthenticationError("the server's SCRAM message has attributes that are repeated or malformed")
    return [value for _, _, value in parts[: len(names)]]


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise AuthenticationError("the server's SCRAM message has a value that is not base64") from None


def _iterations(text: str) -> int:
    if not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= MAX_ITERATIONS:
        raise AuthenticationError(
            f"the server asks for {text[:20]} SCRAM iterations: 1 to {MAX_ITERATIONS:,} are taken"
        )
    return int(text)
