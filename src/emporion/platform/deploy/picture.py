"""The picture of a flash sale: orders, tasks and waiting, as SVG without any library."""

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from emporion.platform.deploy.flash_sale import Policy, Second

WIDTH: Final = 960
PANEL: Final = 150
GAP: Final = 58
LEFT: Final = 74
RIGHT: Final = 16
TOP: Final = 64
STEP_S: Final = 5
"""One point of a curve."""
COLOURS: Final = ("#b3261e", "#0b57d0", "#146c2e")
GREY: Final = "#5f6368"
Curve = Sequence[float]


def picture(title: str, runs: Sequence[tuple[Policy, Sequence[Second]]]) -> str:
    """Three panels over the same seconds: orders taken, tasks, and how long orders wait."""
    seconds = runs[0][1]
    arriving = [second.arriving for second in seconds]
    panels = [
        ("orders taken a second (grey: what comes)", [[s.taken for s in run] for _, run in runs]),
        ("tasks", [[float(s.tasks) for s in run] for _, run in runs]),
        (
            "seconds an order waits; at 10 it is refused",
            [[s.wait_s for s in run] for _, run in runs],
        ),
    ]
    height = TOP + len(panels) * (PANEL + GAP) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        f'font-family="sans-serif" font-size="13" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(LEFT, 22, title, size=16),
        *_legend([policy for policy, _ in runs]),
    ]
    for number, (name, curves) in enumerate(panels):
        top = TOP + number * (PANEL + GAP)
        behind = arriving if number == 0 else None
        parts += _panel(top, name, curves, behind=behind)
    parts.append("</svg>\n")
    return "\n".join(parts)


def _legend(policies: Sequence[Policy]) -> list[str]:
    parts = []
    for number, policy in enumerate(policies):
        x = LEFT + number * 290
        parts.append(f'<rect x="{x}" y="34" width="14" height="4" fill="{COLOURS[number]}"/>')
        parts.append(_text(x + 20, 40, policy.name, size=12))
    return parts


def _panel(top: int, name: str, curves: Sequence[Curve], *, behind: Curve | None) -> list[str]:
    drawn = [*curves, behind] if behind is not None else [*curves]
    highest = max(max(curve) for curve in drawn) or 1.0
    parts = [
        _text(LEFT, top + 12, name, size=13),
        f'<path d="M{LEFT} {top + 20}V{top + PANEL}H{WIDTH - RIGHT}" fill="none" stroke="{GREY}"/>',
        _text(LEFT - 8, top + 30, f"{highest:,.0f}", anchor="end"),
        _text(LEFT - 8, top + PANEL, "0", anchor="end"),
    ]
    seconds = len(drawn[0])
    for minute in range(0, seconds // 60 + 1, 5):
        x = _x(minute * 60, seconds)
        parts.append(_text(x, top + PANEL + 18, f"{minute} min", anchor="middle"))
    if behind is not None:
        parts.append(_line(top, behind, highest, colour=GREY, width=4, opacity=0.35))
    parts += [
        _line(top, curve, highest, colour=COLOURS[number], width=1.8, opacity=0.9)
        for number, curve in enumerate(curves)
    ]
    return parts


def _line(  # noqa: PLR0913 - a line has these
    top: int, curve: Curve, highest: float, *, colour: str, width: float, opacity: float
) -> str:
    points = " ".join(
        f"{_x(second, len(curve)):.1f},{_y(top, curve[second] / highest):.1f}"
        for second in range(0, len(curve), STEP_S)
    )
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'opacity="{opacity}"/>'
    )


def _x(second: int, seconds: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * second / seconds


def _y(top: int, share: float) -> float:
    return top + PANEL - (PANEL - 22) * share


def _text(x: float, y: float, text: str, *, size: int = 11, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="#202124">{escape(text)}</text>'
    )
