"""``stretto race``: from the options to the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stretto.cli.race import ground, pictures, report
from stretto.cli.race.course import Course, chosen
from stretto.cli.race.live import Screen
from stretto.cli.race.result import Result
from stretto.cli.race.workloads import Sizes


class Command:
    """One run of the command.

    Args:
        names: of the workloads; none for all.
        only: who takes part, as parts of names with a | between them; None for all.
        sizes: how much is run.
        url: of a server that runs already; None for one of our own.
        output: the directory of the report, made where it is missing.
    """

    def __init__(self, names: Sequence[str], only: str | None, sizes: Sizes, url: str | None, output: Path) -> None:
        self._races = chosen(names, only)
        self._sizes = sizes
        self._url = url
        self._output = output

    def run(self) -> bool:
        """Race, show it, write the report; tell whether all of stretto's own gave figures.

        Raises:
            Error, OSError: the server, the database or the directory refuses.
        """
        self._output.mkdir(parents=True, exist_ok=True)
        screen = Screen()
        with self._ground() as place:
            result = watch(place, Course(place, self._races, self._sizes), screen)
        for path in report.write(result, self._output):
            screen.say(f"written: {path}")
        if pictures.chromium() is None:
            screen.say(pictures.NONE)
        return not any(each.ours and each.state == "failed" for each in result.standings)

    @contextmanager
    def _ground(self) -> Iterator[ground.Ground]:
        with ground.existing(self._url) if self._url else ground.of_our_own() as place:
            yield place


def watch(place: ground.Ground, course: Course, screen: Screen) -> Result:
    """Run a race, show it while it runs, and say what it was run on."""
    with screen.watching(course.result):
        result = course.run(screen.heat)
    screen.console.print()
    screen.say(result.conditions(), style="dim")
    screen.say(
        "A short race and no benchmark: each contender once, in a process of its own, client and server on the same "
        f"cores, {place.settings['max_connections']} connections allowed. p99: 99 of 100 waited no longer than "
        "this; CPU: the client's for one.",
        style="dim",
    )
    if "beware" in result.machine:
        screen.say(f"Beware: {result.machine['beware']}.", style="yellow")
    screen.console.print()
    return result
