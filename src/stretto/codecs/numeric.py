"""Numbers: bool, int2, int4, int8, float4, float8, numeric, money.

What goes in: an integer type takes an int or what has ``__index__``; a float type what has ``__float__``, as the
nearest float; numeric a Decimal, an int, or a float by its shortest text (0.1 is 0.1). A bool is none of them, and they
are no bool.
``money`` is an int of the currency's smallest unit (cents): how many of them make one is the server's ``lc_monetary``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from stretto import capi
from stretto.codecs.base import Codec, wrong_type
from stretto.codecs.checks import as_float, as_int, bounded, is_bool, malformed, out_of_range
from stretto.wire.buffer import ReadBuffer, WriteBuffer

_MAX64 = 0x7FFFFFFFFFFFFFFF
_MIN64 = -_MAX64 - 1


class Bool(Codec):
    """bool and a bool; 0 and 1 are refused."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if value is True:
            buf.write_uint8(1)
        elif value is False:
            buf.write_uint8(0)
        elif is_bool(value):
            buf.write_uint8(1 if value else 0)
        else:
            raise wrong_type(self, "a bool", value)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_uint8() != 0


class Int2(Codec):
    """int2 and an int; a bool, a float or a Decimal is refused."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_int16(bounded(self, value, -0x8000, 0x7FFF))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_int16()


class Int4(Codec):
    """int4 and an int; a bool, a float or a Decimal is refused."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_int32(bounded(self, value, -0x80000000, 0x7FFFFFFF))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_int32()


class Int8(Codec):
    """int8 and an int (money too); a bool, a float or a Decimal is refused."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_int64(bounded(self, value, _MIN64, _MAX64))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_int64()


class Float4(Codec):
    """float4 and a float: the nearest float4, of which the exact float8 comes back."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_float4(value if type(value) is float else as_float(self, value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_float4()


class Float8(Codec):
    """float8 and a float."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        buf.write_float8(value if type(value) is float else as_float(self, value))

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        return buf.read_float8()


# The wire's numeric: uint16 count of base-10000 digits, int16 weight (the first digit counts 10000**weight), uint16
# sign, uint16 scale (decimal digits after the point), the digits as uint16.
_POSITIVE, _NEGATIVE, _NAN, _INFINITE, _MINUS_INFINITE = 0x0000, 0x4000, 0xC000, 0xD000, 0xF000

MAX_SCALE = 16383  # decimal digits after the point
MAX_WHOLE = 131072  # decimal digits before it

_Decimal = Decimal
_POWERS = tuple(10**i for i in range(19))
_SPECIAL = {_NAN: Decimal("NaN"), _INFINITE: Decimal("Infinity"), _MINUS_INFINITE: Decimal("-Infinity")}


class Numeric(Codec):
    """numeric and a Decimal of the same value and scale: 1.10 stays 1.10."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if type(value) is not _Decimal:
            value = as_decimal(self, value)
        if not self._encode_short(buf, str(value)):
            self._encode_long(buf, value)

    def _encode_short(self, buf: WriteBuffer, text: str) -> bool:
        """Encode up to 16 digits; False, and nothing written, for what is longer, has an exponent or is no number."""
        size = len(text)
        if size > 16:
            return False
        mantissa = 0
        scale = -1  # until the point
        negative = False
        for i in range(size):
            character = text[i]
            if "0" <= character <= "9":
                mantissa = mantissa * 10 + ord(character) - 48
                if scale >= 0:
                    scale += 1
            elif character == "." and scale < 0:
                scale = 0
            elif character == "-" and i == 0:
                negative = True
            else:
                return False
        if scale < 0:
            scale = 0
        if mantissa == 0:
            write_header(buf, 0, 0, _POSITIVE, scale)
            return True
        groups = (scale + 3) // 4  # base-10000 digits after the point
        mantissa *= _POWERS[4 * groups - scale]
        while mantissa % 10000 == 0:
            mantissa //= 10000
            groups -= 1
        unit = 1
        count = 1
        while mantissa // unit >= 10000:
            unit *= 10000
            count += 1
        write_header(buf, count, count - 1 - groups, _NEGATIVE if negative else _POSITIVE, scale)
        while unit > 0:
            digit = mantissa // unit
            buf.write_uint16(digit)
            mantissa -= digit * unit
            unit //= 10000
        return True

    def _encode_long(self, buf: WriteBuffer, value: Decimal) -> None:
        sign, digits, exponent = value.as_tuple()
        if isinstance(exponent, str):
            special = _NAN if exponent != "F" else _MINUS_INFINITE if sign else _INFINITE
            write_header(buf, 0, 0, special, 0)
        else:
            self._encode_digits(buf, sign, digits, exponent)

    def _encode_digits(self, buf: WriteBuffer, sign: int, digits: tuple[int, ...], exponent: int) -> None:
        size = len(digits)
        if exponent < -MAX_SCALE:
            raise out_of_range(self)
        scale = -exponent if exponent < 0 else 0
        if digits[0] == 0:  # as_tuple has no leading zeros: the value is zero
            write_header(buf, 0, 0, _POSITIVE, scale)
            return
        if exponent > MAX_WHOLE or size + exponent > MAX_WHOLE:
            raise out_of_range(self)
        whole = size + exponent  # decimal digits before the point; negative for zeros after it
        weight = (whole + 3) // 4 - 1
        lead = whole - 4 * weight  # decimal digits in the first base-10000 digit, 1 to 4
        write_header(
            buf, 1 + (size - lead + 3) // 4 if size > lead else 1, weight, _NEGATIVE if sign else _POSITIVE, scale
        )
        group = 0
        left = lead
        for i in range(size):
            group = group * 10 + digits[i]
            left -= 1
            if left == 0:
                buf.write_uint16(group)
                group = 0
                left = 4
        if left < 4:
            while left > 0:
                group *= 10
                left -= 1
            buf.write_uint16(group)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        size = buf.read_uint16()
        weight = buf.read_int16()
        sign = buf.read_uint16()
        scale = buf.read_uint16()
        if count != 8 + 2 * size or scale > 0x3FFF:
            raise malformed(self, f"{size} digits and a scale of {scale} in {count} bytes")
        # The digits as one whole number count units of 10**(4 * (weight - size + 1)); the mantissa, of 10**-scale.
        shift = scale + 4 * (weight - size + 1) if size else 0
        if size > 4 or shift < -3 or 4 * size + shift > 18 or scale > 18 or (sign != _POSITIVE and sign != _NEGATIVE):
            return self._decode_long(buf, size, sign, scale, shift)
        mantissa = 0
        for _ in range(size):
            mantissa = mantissa * 10000 + self._digit(buf)
        if shift >= 0:
            mantissa *= _POWERS[shift]
        else:
            unit = _POWERS[-shift]
            if mantissa % unit:
                raise malformed(self, "digits beyond its scale")
            mantissa //= unit
        return _Decimal(capi.scaled_text(-mantissa if sign == _NEGATIVE else mantissa, scale))

    def _decode_long(self, buf: ReadBuffer, size: int, sign: int, scale: int, shift: int) -> Any:
        groups = [f"{self._digit(buf):04}" for _ in range(size)]
        if sign in _SPECIAL:
            return _SPECIAL[sign]
        if sign not in (_POSITIVE, _NEGATIVE):
            raise malformed(self, f"a sign of {sign:#06x}")
        text = "".join(groups)
        if shift < 0:
            if text[shift:].strip("0"):
                raise malformed(self, "digits beyond its scale")
            text = text[:shift]
        elif shift > 0:
            text += "0" * shift
        return Decimal(f"{'-' if sign == _NEGATIVE else ''}{text or '0'}E-{scale}")

    def _digit(self, buf: ReadBuffer) -> int:
        digit = buf.read_uint16()
        if digit > 9999:
            raise malformed(self, f"a digit of {digit}")
        return digit


def write_header(buf: WriteBuffer, size: int, weight: int, sign: int, scale: int) -> None:
    buf.write_uint16(size)
    buf.write_int16(weight)
    buf.write_uint16(sign)
    buf.write_uint16(scale)


def as_decimal(codec: Codec, value: Any) -> Decimal:
    """Turn an int, a float (by its shortest text) or a Decimal's subclass into a Decimal; refuse bool and text."""
    if isinstance(value, Decimal):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(float.__repr__(value))
    if is_bool(value) or not hasattr(value, "__index__"):
        raise wrong_type(codec, "a Decimal, an int or a float", value)
    number = as_int(codec, value)
    if number.bit_length() > 435412:  # more than MAX_WHOLE digits
        raise out_of_range(codec)
    return Decimal(number)
