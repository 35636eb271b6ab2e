"""SCRAM: against scramp's server, hostile servers, and the certificates that channel binding hashes."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from scramp import ScramMechanism

from stretto.errors import AuthenticationError
from stretto.wire import scram
from stretto.wire.scram import ScramExchange, Secret, end_point_hash

NONCE = "fyko+d2lbbFgONRv9qkxdawL"
SALT = base64.b64encode(b"0123456789abcdef").decode()

PASSWORDS = {
    "ASCII": "secret, =and= more",
    "changed by SASLprep": "ﬁrst\u00a0word\u00adⅣ",
    "right to left": "\u0627\u0628",
}


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("binding", [None, b"h" * 32], ids=["plain", "bound"])
@pytest.mark.parametrize("could_bind", [False, True])
def test_scramp_s_server_lets_us_in_and_we_believe_it(password: str, binding: bytes | None, could_bind: bool) -> None:
    mechanism = ScramMechanism("SCRAM-SHA-256" if binding is None else "SCRAM-SHA-256-PLUS")
    known = mechanism.make_auth_info(password)
    server = mechanism.make_server(lambda user: known, None if binding is None else ("tls-server-end-point", binding))
    client = ScramExchange(Secret(password), binding, could_bind)
    assert client.mechanism == mechanism.name
    server.set_client_first(client.first().decode())
    client.challenge(server.get_server_first().encode())
    server.set_client_final(client.proof().decode())
    client.verify(server.get_server_final().encode())


def _secrets_of(password: str, iterations: int, salt: bytes) -> bytes:
    client = ScramExchange(Secret(password), nonce=NONCE)
    client.challenge(f"r={NONCE}x,s={base64.b64encode(salt).decode()},i={iterations}".encode())
    return client.proof()


@pytest.mark.parametrize(
    ("iterations", "salt"), [(1, b"0123456789abcdef"), (4095, b"0123456789abcdef"), (4096, b"s"), (5, b"s" * 1024)]
)
def test_a_challenge_that_scramp_refuses_and_postgresql_gives_is_answered(iterations: int, salt: bytes) -> None:
    salted = hashlib.pbkdf2_hmac("sha256", b"pw", salt, iterations)
    final = _secrets_of("pw", iterations, salt).decode()
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    without, _, proof = final.rpartition(",p=")
    signed = f"n=*,r={NONCE},r={NONCE}x,s={base64.b64encode(salt).decode()},i={iterations},{without}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    assert base64.b64decode(proof) == bytes(a ^ b for a, b in zip(client_key, signature, strict=True))


@pytest.mark.parametrize("password", ["a\u0007b", "smile \U0001f600", "\u0627a", "\u00ad"])
def test_a_password_that_saslprep_forbids_is_taken_as_it_is(password: str) -> None:
    assert scram._prepare(Secret(password)) == password.encode()


def test_the_keys_do_as_well_as_the_password() -> None:
    salted = hashlib.pbkdf2_hmac("sha256", b"pw", b"0123456789abcdef", 4096)
    keys = hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")
    client = ScramExchange(keys, nonce=NONCE)
    client.challenge(f"r={NONCE}x,s={SALT},i=4096".encode())
    assert client.proof() == _secrets_of("pw", 4096, b"0123456789abcdef")


HEADERS = [(None, False, b"n,,"), (None, True, b"y,,"), (b"hash", False, b"p=tls-server-end-point,,")]


@pytest.mark.parametrize(("binding", "could_bind", "header"), HEADERS)
def test_the_header_says_what_we_can_do_about_the_channel(
    binding: bytes | None, could_bind: bool, header: bytes
) -> None:
    client = ScramExchange(Secret("pw"), binding, could_bind, NONCE)
    assert client.first() == header + f"n=*,r={NONCE}".encode()
    client.challenge(f"r={NONCE}x,s={SALT},i=1".encode())
    channel = base64.b64encode(header + (binding or b"")).decode()
    assert client.proof().decode().startswith(f"c={channel},r={NONCE}x,p=")


HOSTILE_FIRST = {
    "iterations 2^31": f"r={NONCE}x,s={SALT},i=2147483648",
    "iterations above the cap": f"r={NONCE}x,s={SALT},i=1000001",
    "iterations of a thousand digits": f"r={NONCE}x,s={SALT},i={'9' * 1000}",
    "iterations 0": f"r={NONCE}x,s={SALT},i=0",
    "iterations negative": f"r={NONCE}x,s={SALT},i=-1",
    "iterations empty": f"r={NONCE}x,s={SALT},i=",
    "iterations not a number": f"r={NONCE}x,s={SALT},i=1e3",
    "salt empty": f"r={NONCE}x,s=,i=4096",
    "salt of 1 MB": f"r={NONCE}x,s={'A' * 1_400_000},i=4096",
    "salt of 1025 bytes": f"r={NONCE}x,s={base64.b64encode(b's' * 1025).decode()},i=4096",
    "salt not base64": f"r={NONCE}x,s=!!!!,i=4096",
    "nonce ours alone": f"r={NONCE},s={SALT},i=4096",
    "nonce not ours": f"r=x{NONCE}x,s={SALT},i=4096",
    "nonce cut": f"r={NONCE[:-1]},s={SALT},i=4096",
    "nonce huge": f"r={NONCE}{'x' * 10_000},s={SALT},i=4096",
    "nonce empty": f"r=,s={SALT},i=4096",
    "no iterations": f"r={NONCE}x,s={SALT}",
    "other order": f"s={SALT},r={NONCE}x,i=4096",
    "repeated attribute": f"r={NONCE}x,s={SALT},i=4096,i=1",
    "mandatory extension": f"m=ext,r={NONCE}x,s={SALT},i=4096",
    "malformed extension": f"r={NONCE}x,s={SALT},i=4096,,",
    "error": "e=other-error",
    "empty": "",
    "not ASCII": f"r={NONCE}ü,s={SALT},i=4096",
}


@pytest.mark.parametrize("name", HOSTILE_FIRST)
def test_a_hostile_challenge_is_refused_before_any_derivation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", None)
    client = ScramExchange(Secret("hunter2"), nonce=NONCE)
    with pytest.raises(AuthenticationError) as caught:
        client.challenge(HOSTILE_FIRST[name].encode())
    assert len(str(caught.value)) < 200


def test_an_extension_behind_a_challenge_is_ignored_but_signed() -> None:
    client = ScramExchange(Secret("pw"), nonce=NONCE)
    client.challenge(f"r={NONCE}x,s={SALT},i=1,x=more".encode())
    assert client.proof()


HOSTILE_FINAL = {
    "wrong signature": "v=" + base64.b64encode(b"s" * 32).decode(),
    "short signature": "v=" + base64.b64encode(b"").decode(),
    "not base64": "v=%%%%",
    "no signature": "x=y",
    "error": "e=invalid-proof",
    "empty": "",
    "not ASCII": "v=ü",
}


@pytest.mark.parametrize("name", HOSTILE_FINAL)
def test_a_hostile_final_message_is_refused(name: str) -> None:
    client = ScramExchange(Secret("pw"), nonce=NONCE)
    client.challenge(f"r={NONCE}x,s={SALT},i=1".encode())
    client.proof()
    with pytest.raises(AuthenticationError):
        client.verify(HOSTILE_FINAL[name].encode())


def test_a_final_message_before_our_proof_is_refused() -> None:
    with pytest.raises(AuthenticationError):
        ScramExchange(Secret("pw"), nonce=NONCE).verify(b"v=")


def test_two_exchanges_have_different_nonces() -> None:
    assert ScramExchange(Secret("pw")).first() != ScramExchange(Secret("pw")).first()


def test_a_secret_shows_nothing() -> None:
    assert "hunter2" not in repr(Secret("hunter2")) + str(Secret("hunter2"))


def _certificate(key: object, algorithm: hashes.HashAlgorithm | None, pss: padding.PSS | None = None) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "db")])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())  # type: ignore[attr-defined]
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9))
    return builder.sign(key, algorithm, rsa_padding=pss).public_bytes(serialization.Encoding.DER)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _pss() -> padding.PSS:
    return padding.PSS(padding.MGF1(hashes.SHA384()), 48)


SIGNATURES: dict[str, tuple[Callable[[rsa.RSAPrivateKey], bytes], str | None]] = {
    "RSA SHA-256": (lambda key: _certificate(key, hashes.SHA256()), "sha256"),
    "RSA SHA-384": (lambda key: _certificate(key, hashes.SHA384()), "sha384"),
    "RSA SHA-512": (lambda key: _certificate(key, hashes.SHA512()), "sha512"),
    "RSA-PSS SHA-384": (lambda key: _certificate(key, hashes.SHA384(), _pss()), "sha384"),
    "ECDSA SHA-256": (lambda _: _certificate(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()), "sha256"),
    "ECDSA SHA-384": (lambda _: _certificate(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()), "sha384"),
    "Ed25519": (lambda _: _certificate(ed25519.Ed25519PrivateKey.generate(), None), None),
    "garbage": (lambda _: b"\x30\x03\x02\x01\x01", None),
    "nothing": (lambda _: b"", None),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_certificate_is_hashed_by_the_hash_of_its_signature(name: str, rsa_key: rsa.RSAPrivateKey) -> None:
    make, algorithm = SIGNATURES[name]
    certificate = make(rsa_key)
    expected = None if algorithm is None else hashlib.new(algorithm, certificate).digest()
    assert end_point_hash(certificate) == expected


@pytest.mark.parametrize("oid", ["2a864886f70d010104", "2a864886f70d010105"], ids=["md5", "sha1"])
def test_md5_and_sha1_give_way_to_sha256(oid: str, rsa_key: rsa.RSAPrivateKey) -> None:
    sha256 = bytes.fromhex("2a864886f70d01010b")
    certificate = _certificate(rsa_key, hashes.SHA256()).replace(sha256, bytes.fromhex(oid))
    assert end_point_hash(certificate) == hashlib.sha256(certificate).digest()
