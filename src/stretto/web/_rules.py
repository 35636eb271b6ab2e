"""Which requests get a transaction, what kind of, and which responses roll it back. The same for ASGI and WSGI."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stretto.errors import TransactionAborted, TransactionClosed, UsageError

Safe = Literal["readonly", "outside"]
Skip = Collection[str] | Callable[[Mapping[str, Any]], bool]
SAFE_METHODS = frozenset(["GET", "HEAD", "OPTIONS", "TRACE"])


class Refused(TransactionAborted):
    """What a block is left with that is to be rolled back. The first error of the server, if any, comes out instead."""


def explain(error: BaseException) -> None:
    """Say in a TransactionClosed behind the start of a response what that means in a web application."""
    if isinstance(error, TransactionClosed):
        error.add_note(
            "the request's transaction has ended with the start of the response, and this began before: a body that "
            "reads as it is sent does so inside stretto.detached(), or its path is one of skip="
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """What a middleware was told. Raises UsageError for what there is not."""

    isolation: str | None
    safe: Safe | None
    skip: Skip
    rollback_from: int
    attempts: int
    replay: int
    timeout: float | None

    def __post_init__(self) -> None:
        if self.safe not in (None, "readonly", "outside"):
            raise UsageError(f"safe={self.safe!r}: there are 'readonly', 'outside' and None")
        if isinstance(self.skip, str):
            raise UsageError(f"skip={self.skip!r}: a collection of paths, as [{self.skip!r}], or a function")
        if self.attempts < 1:
            raise UsageError(f"attempts={self.attempts}: at least one")

    def options(self, method: str, path: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """The keywords for ``transaction()``; None for a request that runs outside."""
        is_safe = method in SAFE_METHODS
        if (is_safe and self.safe == "outside") or self._skips(path, request):
            return None
        readonly = is_safe and self.safe == "readonly"
        return {"isolation": self.isolation, "readonly": readonly, "timeout": self.timeout}

    def _skips(self, path: str, request: Mapping[str, Any]) -> bool:
        if callable(self.skip):
            return self.skip(request)
        return any(path == prefix or path.startswith(f"{prefix.rstrip('/')}/") for prefix in self.skip)
