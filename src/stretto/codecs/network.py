"""Network addresses: inet, cidr, macaddr, macaddr8.

An inet is an IPv4Address or IPv6Address when its prefix covers all bits, else an IPv4Interface or IPv6Interface (which
are addresses too); a cidr is an IPv4Network or IPv6Network. A str that the ``ipaddress`` module reads is taken.
MAC addresses are a str of lower-case pairs, ``08:00:2b:01:02:03``; the other notations of PostgreSQL are taken.

The wire's inet: the bytes family (2 or 3), prefix, 1 for cidr, count of address bytes; the address.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)
from typing import Any

from stretto.codecs.base import BINARY_FORMAT, Codec, wrong_type
from stretto.codecs.checks import malformed
from stretto.errors import DecodeError, EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

_FAMILY = {4: 2, 6: 3}


class Inet(Codec):
    """inet and an address, with its network (an interface) or without."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if isinstance(value, str):
            value = parse(self, ip_interface, value)
        if isinstance(value, (IPv4Interface, IPv6Interface)):
            no_scope(self, value)  # its ip has none any more
            write_address(self, buf, value.ip, value.network.prefixlen, 0)
        elif isinstance(value, (IPv4Address, IPv6Address)):
            no_scope(self, value)
            write_address(self, buf, value, value.max_prefixlen, 0)
        else:
            raise wrong_type(self, "an ipaddress address or interface, or a str", value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        family = buf.read_uint8()
        prefix = buf.read_uint8()
        address = read_address(self, buf, family, prefix, count)
        if family == 2:
            return IPv4Address(address) if prefix == 32 else IPv4Interface((address, prefix))
        return IPv6Address(address) if prefix == 128 else IPv6Interface((address, prefix))


class Cidr(Codec):
    """cidr and a network."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if isinstance(value, str):
            value = parse(self, ip_network, value)
        if isinstance(value, (IPv4Network, IPv6Network)):
            no_scope(self, value.network_address)
            write_address(self, buf, value.network_address, value.prefixlen, 1)
        else:
            raise wrong_type(self, "an ipaddress network, or a str", value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        family = buf.read_uint8()
        prefix = buf.read_uint8()
        address = read_address(self, buf, family, prefix, count)
        try:
            return IPv4Network((address, prefix)) if family == 2 else IPv6Network((address, prefix))
        except ValueError:
            raise DecodeError(f"{self.name} with bits to the right of its prefix is no network") from None


class MacAddress(Codec):
    """macaddr (6 bytes), macaddr8 (8 bytes) and a str."""

    def __init__(self, name: str, oid: int = 0, format: int = BINARY_FORMAT, size: int = 6) -> None:
        super().__init__(name, oid, format)
        self.size = size

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if not isinstance(value, str):
            raise wrong_type(self, "a str", value)
        data = mac_bytes(value)
        if len(data) != self.size:
            raise EncodeError(f"{self.name} takes {2 * self.size} hexadecimal digits, in groups of one size")
        buf.write_bytes(data)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_bytes(self.size).hex(":")


def parse(codec: Codec, read: Any, text: str) -> Any:
    """Read an address or network; the error does not quote it."""
    try:
        return read(text)
    except ValueError:
        raise EncodeError(f"{codec.name} takes an address like 192.168.0.1 or ::1/64, and this str is none") from None


def read_address(codec: Codec, buf: ReadBuffer, family: int, prefix: int, count: int) -> bytes:
    """Read what follows the family and the prefix."""
    buf.read_uint8()  # 1 for cidr; the type says it already
    size = buf.read_uint8()
    if family not in (2, 3) or size != (4 if family == 2 else 16) or prefix > 8 * size or count != 4 + size:
        raise malformed(codec, f"family {family}, prefix {prefix}, {size} address bytes in {count}")
    return buf.read_bytes(size)


def no_scope(codec: Codec, address: Any) -> None:
    """Refuse what PostgreSQL has no place for, rather than drop it."""
    if getattr(address, "scope_id", None) is not None:
        raise EncodeError(f"{codec.name} takes no scope (%eth0)")


def write_address(codec: Codec, buf: WriteBuffer, address: Any, prefix: int, is_cidr: int) -> None:
    data = address.packed
    buf.write_uint8(_FAMILY[address.version])
    buf.write_uint8(prefix)
    buf.write_uint8(is_cidr)
    buf.write_uint8(len(data))
    buf.write_bytes(data)


def mac_bytes(text: str) -> bytes:
    """Read hexadecimal digits in groups of one size, separated by one of ``: - .``; what is no such gives no bytes."""
    groups = [text]
    for separator in ":-.":
        if separator in text:
            groups = text.split(separator)
            break
    digits = "".join(groups)
    if len({len(group) for group in groups}) != 1 or digits.strip("0123456789abcdefABCDEF") or len(digits) % 2:
        return b""
    return bytes.fromhex(digits)
