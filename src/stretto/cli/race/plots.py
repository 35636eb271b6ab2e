"""Plots in HTML and SVG, to be put into a page with ``race.css``: bars, and the curve of the connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from stretto.cli.race.result import Result, Standing

_HEIGHT = 100.0  # of the curve's own coordinates; its width is the seconds
_NARROW, _SMALL = 0.022, 0.055  # parts of the width below which a band has no number, and none on a phone


def bars(
    standings: Sequence[Standing], key: str, shown: Callable[[float], str], numbered: Sequence[Standing] = ()
) -> str:
    """A bar for each, from zero, as long as its figure of that key is great.

    `numbered`: where these are, each has its whole name, with its number among them; else its library's.
    """
    numbers = {id(each): number for number, each in enumerate(numbered, 1)}
    figures = [(each, (each.figures or {})[key]) for each in standings]
    longest = max((figure for _, figure in figures), default=1.0) or 1.0
    lines = [
        f'<li class="{_whose(each)}"><span class="name">{_name(each, numbers)}</span>'
        f'<span class="track"><span class="bar" style="width:{100 * figure / longest:.1f}%"></span></span>'
        f'<span class="value">{escape(shown(figure))}</span></li>'
        for each, figure in figures
    ]
    return f'<ol class="bars">{"".join(lines)}</ol>'


def _name(standing: Standing, numbers: dict[int, int]) -> str:
    if not numbers:
        return escape(standing.library)
    return f"<i>{numbers[id(standing)]}</i> {escape(standing.title)}"


def curve(result: Result, standings: Sequence[Standing]) -> str:
    """The connections that were open while these ran, one after the other, each in a band with its number."""
    ran = [each for each in standings if each.begun is not None and each.ended is not None]
    if not ran:
        return ""
    begin, end = ran[0].begun or 0.0, ran[-1].ended or 0.0
    width = max(end - begin, 0.001)
    steps = _between(result.connections, begin, end)
    most = max(1, *(number for _, number in steps))
    bands, marks = [], []
    for number, each in enumerate(standings, 1):
        if each.begun is None or each.ended is None:
            continue
        left, wide = (each.begun - begin) / width, (each.ended - each.begun) / width
        even = "" if number % 2 and not each.ours else f'class="band {_whose(each)}"'
        hidden = "" if even else 'fill="none"'
        bands.append(
            f'<rect {even}{hidden} x="{left * width:.3f}" y="0" width="{wide * width:.3f}" height="{_HEIGHT:.0f}">'
            f"<title>{number}: {escape(each.title)}</title></rect>"
        )
        if wide > _NARROW:
            place = f"left:{100 * (left + wide / 2):.2f}%"
            small = " small" if wide < _SMALL else ""
            marks.append(f'<span class="{_whose(each)}{small}" style="{place}">{number}</span>')
    levels = sorted({0, most, *([most // 2] if most > 3 else [])})
    rules = "".join(
        f'<line class="rule" x1="0" x2="{width:.3f}" y1="{_y(level, most):.1f}" y2="{_y(level, most):.1f}"/>'
        for level in levels
    )
    names = "".join(
        f'<span class="level" style="top:{_y(level, most) * 9 / _HEIGHT:.2f}rem">{level}</span>' for level in levels
    )
    times = "".join(
        f'<span style="left:{100 * part:.0f}%">{part * width:.0f} s</span>' for part in (0, 0.25, 0.5, 0.75, 1)
    )
    path = _path(steps, begin, end, most)
    return (
        f'<div class="curve">{names}'
        f'<svg viewBox="0 0 {width:.3f} {_HEIGHT:.0f}" preserveAspectRatio="none" role="img" '
        f'aria-label="connections over time, at most {most}">'
        f'{"".join(bands)}{rules}<path class="area" d="{path}V{_HEIGHT:.0f}H0Z"/><path class="line" d="{path}"/></svg>'
        f'<div class="marks">{"".join(marks)}</div><div class="times">{times}</div></div>'
    )


def _between(steps: Sequence[tuple[float, int]], begin: float, end: float) -> list[tuple[float, int]]:
    """The steps of that time, the first of them at its begin."""
    before = [number for at, number in steps if at <= begin]
    inside = [(at, number) for at, number in steps if begin < at <= end]
    return [(begin, before[-1] if before else 0), *inside]


def _path(steps: Sequence[tuple[float, int]], begin: float, end: float, most: int) -> str:
    parts = [f"M0 {_y(steps[0][1], most):.1f}"]
    parts += [f"H{at - begin:.3f}V{_y(number, most):.1f}" for at, number in steps[1:]]
    return "".join(parts) + f"H{end - begin:.3f}"


def _y(number: int, most: int) -> float:
    return _HEIGHT * (1 - number / most)


def _whose(standing: Standing) -> str:
    return "ours" if standing.ours else "peer"
