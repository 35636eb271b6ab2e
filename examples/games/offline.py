"""The same models and service with no server and no loop: a script that fills the shelf and prints it.

    python examples/games/offline.py [URL]

It prints, on an empty database:

    Catan is there now
    refused: There is a game called “Catan” already.
    refused: Someone changed this game meanwhile.
    Azul (2017)
    Carcassonne (2000)
    Catan (1995)
    Chess (1475)
    Go
    Hanabi (2010)
    Mensch ärgere Dich nicht (1914)
    Nine Men's Morris (-1400)
    Pandemic (2008)
"""

from __future__ import annotations

import sys

import service
from models import Game

import stretto
import stretto.embedded

GAMES = [
    ("Azul", "2017", "Tiles for the palace of Evora. Two to four, half an hour."),
    ("Carcassonne", "2000", "Streets, towns and cloisters, and never enough meeples."),
    ("Chess", "1475", "With the queen as she moves today."),
    ("Go", "", "Older than anybody remembers.\nThe board on the second floor has all its stones."),
    ("Hanabi", "2010", "Everybody sees your cards but you."),
    ("Mensch ärgere Dich nicht", "1914", ""),
    ("Nine Men's Morris", "-1400", "Cut into the roof of the temple of Kurna."),
    ("Pandemic", "2008", "All win, or all lose."),
]


def fill(db: stretto.Database) -> None:
    """Put some games on the shelf."""
    for name, year, notes in GAMES:
        service.add(db, {"name": name, "year": year, "notes": notes})


def main(url: str) -> None:
    with stretto.Database(url) as db:
        db.create_tables(Game)
        fill(db)
        catan = service.add(db, {"name": "Catan", "year": "1995", "notes": "Wood for sheep?"})
        print(catan.name, "is there now")
        try:
            service.add(db, {"name": "Catan"})
        except service.Invalid as refusal:
            print("refused:", refusal)
        service.change(db, catan.id, catan.version, {"name": "Catan", "year": "1995", "notes": "Sheep for wood?"})
        try:
            service.change(db, catan.id, catan.version, {"name": "The Settlers of Catan"})
        except service.Changed as refusal:
            print("refused:", refusal)
        for game in service.games(db).games:
            print(game.name if game.year is None else f"{game.name} ({game.year})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with stretto.embedded.server() as server_url:
            main(server_url)
