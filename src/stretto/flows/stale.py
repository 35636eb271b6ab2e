"""What tells that our description of a statement does not fit: the server's catalogue, or another session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stretto.errors import DatabaseError
from stretto.protocol.request import Request
from stretto.protocol.statement import Statement

UNREADABLE = (
    "the statement has run, but its columns are others on this connection than where it was described, and came in a "
    "format that cannot be read; the next time it is described anew"
)
FIRST_OWN_OID = 16384  # FirstNormalObjectId: the types below are the server's own


def own_types(codecs: list[Any]) -> set[int]:
    """The OIDs of the types that are not built in, and of those that they are made of."""
    found: set[int] = set()
    todo = list(codecs)
    while todo:
        codec = todo.pop()
        if codec.oid >= FIRST_OWN_OID and codec.oid not in found:
            found.add(codec.oid)
            todo += getattr(codec, "codecs", None) or []
            todo += [codec.element] if hasattr(codec, "element") else []
    return found


def is_stale(error: DatabaseError) -> bool:
    """Tell whether our description of a statement, or its plan, no longer fits the server's catalogue.

    26000 and 42P05 are of names that are gone or there already; 0A000 from RevalidateCachedQuery is "cached plan must
    not change result type"; 42804 from record_recv tells of a composite that we wrote by what it was before; XX000 of a
    type that was dropped (the text of an internal error is never translated).
    """
    routine = error.fields.get("R")
    return (
        error.sqlstate in ("26000", "42P05")
        or (error.sqlstate == "0A000" and routine in (None, "RevalidateCachedQuery"))
        or (error.sqlstate == "42804" and routine == "record_recv")
        or (error.sqlstate == "XX000" and error.message.startswith("cache lookup failed for type "))
    )


def is_misfit(request: Request, error: DatabaseError, statements: Iterable[Statement]) -> bool:
    """Tell whether a request may have failed because its statements are others on its connection than where described.

    Their Parse, which names the parameters' types, was refused; or (08P01) they have another number of columns.
    """
    if request.refused:
        return error.sqlstate is not None and error.sqlstate.startswith("42") and any(one.oids for one in statements)
    return request.described is not None and error.sqlstate == "08P01"
