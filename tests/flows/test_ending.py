"""What a transaction's end makes of the answer to COMMIT."""

from __future__ import annotations

import pytest

from stretto.errors import CommitUnknown, Error, TransactionAborted
from stretto.flows.ending import committed
from stretto.flows.options import Options
from stretto.flows.simple import simple
from stretto.flows.transaction import Scope, Trunk
from stretto.sqlstate import DivisionByZero


def ended_by(tag: bytes, failure: Error | None = None, root: Error | None = None) -> Scope:
    """A block whose COMMIT was answered so."""
    trunk = Trunk(Options(), track=False)
    trunk.committing = request = simple("COMMIT")
    request.tag, request.failure, request.done = tag, failure, True
    scope = Scope(None, trunk, "here", None, None)
    scope.root = root
    return scope


def test_commit_is_commit() -> None:
    committed(ended_by(b"COMMIT\0"))


def test_a_commit_that_is_answered_by_rollback_is_no_success() -> None:
    with pytest.raises(TransactionAborted, match="answered by ROLLBACK"):
        committed(ended_by(b"ROLLBACK\0"))


def test_the_first_error_says_why_there_was_a_rollback() -> None:
    with pytest.raises(DivisionByZero):
        committed(ended_by(b"ROLLBACK\0", root=DivisionByZero("division by zero")))


def test_a_commit_that_no_standby_has_is_told_although_it_was_answered() -> None:
    with pytest.raises(CommitUnknown):
        committed(ended_by(b"COMMIT\0", CommitUnknown("not replicated")))


def test_an_error_fails_a_block_and_a_servers_last_words_are_left_to_the_lost_connection() -> None:
    scope = ended_by(b"COMMIT\0")
    gone, wrong = simple("select 1"), simple("select 1")
    gone.error = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
    wrong.error = b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0"
    scope.heard(gone)
    assert scope.root is None
    scope.heard(wrong)
    assert isinstance(scope.root, DivisionByZero)
    scope.heard(gone)
    assert isinstance(scope.root, DivisionByZero)
