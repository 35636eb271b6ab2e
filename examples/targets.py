"""What a row can become: ``into=`` takes the class, and the editor knows what comes back.

It prints:

    Row(id=1, name='Ada', status='active') Ada
    User(id=1, name='Ada', status=<Status.ACTIVE: 'active'>)
    Point(x=3, y=4)
    {'id': 1, 'name': 'Ada'}
    (1, 'Ada')
    2026-01-31
    Team(name='core', members=[Member(id=1, name='Ada'), Member(id=2, name='Bob')])
    User does not fit the columns 'id', 'nom', 'status'.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import NamedTuple, TypedDict

import stretto
import stretto.embedded
from stretto.errors import DecodeError


class Status(Enum):
    ACTIVE = "active"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str
    status: Status


class Point(NamedTuple):
    x: int
    y: int


class Named(TypedDict):
    id: int
    name: str


@dataclass(slots=True)
class Member:
    id: int
    name: str


@dataclass(slots=True)
class Team:
    name: str
    members: list[Member]


ADA = "select 1 as id, 'Ada' as name, 'active' as status"
TEAM = "select 'core' as name, array_agg(m order by id) as members from member m"


def main(url: str) -> None:
    with stretto.Database(url) as db:
        row = db.fetch(ADA)[0]
        print(row, row.name)
        print(db.fetchrow(ADA, into=User))
        print(db.fetchrow("select 4 as y, 3 as x", into=Point))
        print(db.fetchrow("select 1 as id, 'Ada' as name", into=Named))
        print(db.fetchrow("select 1 as id, 'Ada' as name", into=tuple[int, str]))
        print(db.fetch("select date '2026-01-31'", into=date)[0])

        db.execute("create table member (id integer, name text); insert into member values (1, 'Ada'), (2, 'Bob')")
        print(db.fetchrow(TEAM, into=Team))

        try:
            db.fetch("select 1 as id, 'Ada' as nom, 'active' as status", into=User)
        except DecodeError as error:
            print(str(error).partition(" Missing")[0])


if __name__ == "__main__":
    with stretto.embedded.server() as server_url:
        main(server_url)
