"""How a transaction runs: what transaction() and transact() are told, and the BEGIN that says it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from stretto.errors import UsageError

ISOLATION = ("read committed", "repeatable read", "serializable")


class Options(NamedTuple):
    """How a transaction runs. Raises UsageError for an isolation that there is not."""

    isolation: str | None = None
    readonly: bool = False
    deferrable: bool = False

    @classmethod
    def of(cls, isolation: str | None, readonly: bool, deferrable: bool) -> Options:
        """Read what a caller gave: ``repeatable_read`` or ``REPEATABLE READ`` alike."""
        if isolation is not None:
            known = isolation.replace("_", " ").lower() if isinstance(isolation, str) else isolation
            if known not in ISOLATION:
                names = ", ".join(repr(name.replace(" ", "_")) for name in ISOLATION)
                raise UsageError(f"isolation={isolation!r}: there are {names}")
            isolation = known
        if deferrable and not (readonly and isolation == "serializable"):
            raise UsageError("deferrable=True needs isolation='serializable' and readonly=True: else it has no effect")
        return _options(isolation, readonly, deferrable)

    def begin(self) -> str:
        """The text of BEGIN."""
        level = "" if self.isolation is None else f" ISOLATION LEVEL {self.isolation.upper()}"
        return f"BEGIN{level}{' READ ONLY' * self.readonly}{' DEFERRABLE' * self.deferrable}"

    def check_inside(self, outer: Options) -> None:
        """Raise UsageError where a nested block asks for what the transaction around it is not."""
        for name in ("isolation", "readonly", "deferrable"):
            wanted, there = getattr(self, name), getattr(outer, name)
            if wanted and wanted != there:
                raise UsageError(
                    f"{name}={wanted!r} in a nested transaction(), but the one around it has {name}={there!r}: only "
                    "the outermost block decides; stretto.detached() starts a transaction of its own"
                )


_options = lru_cache(maxsize=32)(Options)
