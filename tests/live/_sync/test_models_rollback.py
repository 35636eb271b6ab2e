# Generated from tests/live/_async/test_models_rollback.py by tools/make_sync.py: do not edit.
"""What a rollback undoes in the database, objects forget: so they can be written again."""

from __future__ import annotations

from typing import Any

import pytest

from stretto import Model, field


class Note(Model, table="note"):
    id: int = field(primary_key=True, generated=True)
    text: str
    version: int = field(version=True)


def stored(db: Any) -> list[tuple[str, int]]:
    return [tuple(row) for row in db.fetch("select text, version from note order by text")]


def test_a_transaction_that_is_tried_again_writes_again(db: Any) -> None:
    db.create_tables(Note)
    note = Note(text="a")
    tries = 0

    def write() -> None:
        nonlocal tries
        tries += 1
        db.save(note)
        if tries == 1:
            db.execute("do $$ begin raise exception using errcode = '40001'; end $$")

    db.transact(write)
    assert tries == 2
    assert stored(db) == [("a", 1)]
    note.text = "b"
    tries = 0

    db.transact(write)
    assert tries == 2
    assert stored(db) == [("b", 2)]
    assert note.version == 2


def test_what_was_inserted_in_vain_can_be_inserted(db: Any) -> None:
    db.create_tables(Note)
    one, several = Note(text="one"), [Note(text="x"), Note(text="y")]
    with pytest.raises(ZeroDivisionError):
        with db.transaction():
            db.insert(one)
            db.insert_many(several)
            one.text = "changed since"
            raise ZeroDivisionError
    assert not any(hasattr(note, "id") for note in [one, *several])
    assert one.text == "changed since"
    db.insert_many([one, *several])
    assert stored(db) == [("changed since", 1), ("x", 1), ("y", 1)]


def test_a_savepoint_undoes_its_own_part(db: Any) -> None:
    db.create_tables(Note)
    note, other = Note(text="a"), Note(text="other")
    with db.transaction():
        db.insert(note)
        note.text = "b"
        db.update(note)
        with pytest.raises(ZeroDivisionError):
            with db.transaction():
                note.text = "c"
                db.update_many([note])
                db.delete(note)
                db.insert(other)
                raise ZeroDivisionError
        assert (note.text, note.version) == ("c", 2)
        db.update(note)
        db.upsert(other)
    assert (stored(db), note.version) == ([("c", 3), ("other", 1)], 3)


def test_what_a_released_savepoint_wrote_goes_with_the_transaction(db: Any) -> None:
    db.create_tables(Note)
    note = db.insert(Note(text="a"))
    note.text = "b"
    with pytest.raises(ZeroDivisionError):
        with db.transaction():
            with db.transaction():
                db.update(note)
            raise ZeroDivisionError
    assert note.version == 1
    db.update(note)
    assert stored(db) == [("b", 2)]


def test_what_was_written_outside_stays_written(db: Any) -> None:
    db.create_tables(Note)
    with db.connection() as connection:
        note = Note(text="outside")
        with pytest.raises(ZeroDivisionError):
            with db.transaction():
                connection.insert(note)
                raise ZeroDivisionError
    assert note.id == 1
    assert stored(db) == [("outside", 1)]
