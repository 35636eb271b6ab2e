"""The errors of a transaction that has failed: for its statements, and for those that ran when it was left."""

from __future__ import annotations

from stretto.errors import ConnectionLost, Error, TransactionAborted, UsageError


def aborted(why: BaseException) -> Error:
    """Make the error for a statement of a transaction that has failed; nothing was sent, or the server has refused."""
    said = str(why).partition("\n")[0] or type(why).__name__
    if isinstance(why, TransactionAborted):
        return why
    error = TransactionAborted(f"the transaction has failed and can only be rolled back; the first error was: {said}")
    error.__cause__ = why
    return error


def left(why: BaseException | None) -> Error:
    """Make the error for a statement that still ran when its block was left by an exception."""
    error = TransactionAborted(
        f"this statement's block was left by {type(why).__name__} while it ran: it was cancelled, and is rolled back"
    )
    error.__cause__ = why
    return error


def rolled_back(error: ConnectionLost) -> ConnectionLost:
    """Nothing of the transaction is left: the connection was lost before COMMIT took place."""
    error.outcome = "rolled_back"
    return error


def only_aborted(error: BaseException) -> bool:
    """Tell whether an error, or all of a group, only repeats that the transaction has failed."""
    if isinstance(error, BaseExceptionGroup):
        return all(only_aborted(each) for each in error.exceptions)
    return isinstance(error, TransactionAborted)


def still_open(outer: str, inner: str) -> UsageError:
    """Make the error for whoever leaves a block and not the one that he has opened in it. The places are theirs."""
    return UsageError(
        f"the transaction opened at {outer} was left while the nested one opened at {inner} was still open, as in a "
        "generator that has not come to its end: it was rolled back. Close the generator before, or open the block in "
        "what consumes it"
    )
