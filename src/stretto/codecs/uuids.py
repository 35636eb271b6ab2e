"""uuid and uuid.UUID; a str in any form that UUID reads is taken too."""

from __future__ import annotations

from typing import Any
from uuid import UUID, SafeUUID

from stretto import capi
from stretto.codecs.base import Codec, wrong_type
from stretto.errors import EncodeError
from stretto.wire.buffer import ReadBuffer, WriteBuffer

# UUID is immutable and checks its arguments at length, so that its two slots are filled in directly.
_UUID = UUID
_int = capi.slot_of(UUID.__dict__["int"])
_is_safe = capi.slot_of(UUID.__dict__["is_safe"])
_unknown = SafeUUID.unknown


class Uuid(Codec):
    """uuid and a UUID."""

    def encode(self, buf: WriteBuffer, value: Any) -> None:
        if not isinstance(value, UUID):
            value = as_uuid(self, value)
        buf.write_bytes(value.bytes)

    def decode(self, buf: ReadBuffer, count: int) -> Any:
        value = capi.new_object(_UUID)
        capi.set_slot(value, _int, capi.unsigned_from_bytes(buf.read_bytes(16)))
        capi.set_slot(value, _is_safe, _unknown)
        return value


def as_uuid(codec: Codec, value: Any) -> UUID:
    """Turn a str into a UUID."""
    if not isinstance(value, str):
        raise wrong_type(codec, "a UUID or a str", value)
    try:
        return UUID(value)
    except ValueError:
        raise EncodeError(f"{codec.name} takes 32 hexadecimal digits, and this str is something else") from None
