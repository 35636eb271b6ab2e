"""What a rollback undoes in the database, objects forget: so they can be written again."""

from __future__ import annotations

from typing import Any

import pytest

from stretto import Model, field


class Note(Model, table="note"):
    id: int = field(primary_key=True, generated=True)
    text: str
    version: int = field(version=True)


async def stored(db: Any) -> list[tuple[str, int]]:
    return [tuple(row) for row in await db.fetch("select text, version from note order by text")]


async def test_a_transaction_that_is_tried_again_writes_again(db: Any) -> None:
    await db.create_tables(Note)
    note = Note(text="a")
    tries = 0

    async def write() -> None:
        nonlocal tries
        tries += 1
        await db.save(note)
        if tries == 1:
            await db.execute("do $$ begin raise exception using errcode = '40001'; end $$")

    await db.transact(write)
    assert tries == 2
    assert await stored(db) == [("a", 1)]
    note.text = "b"
    tries = 0

    await db.transact(write)
    assert tries == 2
    assert await stored(db) == [("b", 2)]
    assert note.version == 2


async def test_what_was_inserted_in_vain_can_be_inserted(db: Any) -> None:
    await db.create_tables(Note)
    one, several = Note(text="one"), [Note(text="x"), Note(text="y")]
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await db.insert(one)
            await db.insert_many(several)
            one.text = "changed since"
            raise ZeroDivisionError
    assert not any(hasattr(note, "id") for note in [one, *several])
    assert one.text == "changed since"
    await db.insert_many([one, *several])
    assert await stored(db) == [("changed since", 1), ("x", 1), ("y", 1)]


async def test_a_savepoint_undoes_its_own_part(db: Any) -> None:
    await db.create_tables(Note)
    note, other = Note(text="a"), Note(text="other")
    async with db.transaction():
        await db.insert(note)
        note.text = "b"
        await db.update(note)
        with pytest.raises(ZeroDivisionError):
            async with db.transaction():
                note.text = "c"
                await db.update_many([note])
                await db.delete(note)
                await db.insert(other)
                raise ZeroDivisionError
        assert (note.text, note.version) == ("c", 2)
        await db.update(note)
        await db.upsert(other)
    assert (await stored(db), note.version) == ([("c", 3), ("other", 1)], 3)


async def test_what_a_released_savepoint_wrote_goes_with_the_transaction(db: Any) -> None:
    await db.create_tables(Note)
    note = await db.insert(Note(text="a"))
    note.text = "b"
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            async with db.transaction():
                await db.update(note)
            raise ZeroDivisionError
    assert note.version == 1
    await db.update(note)
    assert await stored(db) == [("b", 2)]


async def test_what_was_written_outside_stays_written(db: Any) -> None:
    await db.create_tables(Note)
    async with db.connection() as connection:
        note = Note(text="outside")
        with pytest.raises(ZeroDivisionError):
            async with db.transaction():
                await connection.insert(note)
                raise ZeroDivisionError
    assert note.id == 1
    assert await stored(db) == [("outside", 1)]
