"""What a heat's figures say in words: how stretto compares, where a peer was quicker, who gave none."""

from __future__ import annotations

from collections.abc import Iterator

from stretto.cli.race.result import Heat, Standing

_EVEN = 1.03  # less than this apart counts as equal in so short a run
_MUCH = 2.0


def rate(standing: Standing) -> float:
    """Operations a second of one that has figures."""
    return (standing.figures or {})["rate"]


def findings(heat: Heat) -> Iterator[str]:
    """The sentences below a heat."""
    ranked = heat.ranked()
    ours = next((each for each in ranked if each.ours), None)
    peers = [each for each in ranked if not each.ours]
    if ours and peers:
        yield _comparison(heat, ours, peers)
        losses = "; ".join(_losses(ranked)) or "nobody (by more than 3 %)"
        yield f"Quicker than stretto in the same place: {losses}."
    for standing in heat.standings:
        if standing.state == "failed":
            yield f"{standing.title} gave no figures: {standing.reason}"
    missing = sorted({each.reason for each in heat.standings if each.state == "missing"})
    if missing:
        yield f"Not installed, so those who need it did not take part: {', '.join(missing)}."


def _comparison(heat: Heat, ours: Standing, peers: list[Standing]) -> str:
    best = {each.library: each for each in reversed(peers)}
    by = sorted(best.values(), key=lambda each: -rate(each))
    times = ", ".join(f"{rate(ours) / rate(each):.1f} x {each.library}" for each in by)
    return (
        f"stretto at its best ({_where(ours)}) did {rate(ours):,.0f} {heat.unit} a second: {times}, each at its best."
    )


def _losses(ranked: list[Standing]) -> Iterator[str]:
    """The peers that were quicker than stretto's best in their place."""
    best: dict[str, float] = {}
    for each in ranked:
        if each.ours:
            best.setdefault(each.place, rate(each))
    for each in ranked:
        lead = rate(each) / best.get(each.place, rate(each))
        if not each.ours and lead > _EVEN:
            yield f"{each.title}, {f'{lead:.1f} times' if lead > _MUCH else f'by {100 * (lead - 1):.0f} %'}"


def _where(standing: Standing) -> str:
    return ", ".join(filter(None, [standing.place, standing.way]))
