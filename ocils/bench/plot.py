"""The picture of a measurement: green over candidates and over seconds, as SVG written by hand.

One line an arm; the band of a single arm is its 95 % interval. It reads in light and in dark.

Not covered: other formats; a browser or an editor shows this one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias
from xml.sax.saxutils import escape

from ocils.bench.report import Report
from ocils.bench.score import share

_WIDTH, _HEIGHT = 860, 400
_TOP, _BOTTOM, _LEFT, _GAP, _RIGHT = 54, 84, 60, 66, 20
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "5 5", "1 4")
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_STYLE = (
    "svg{font:13px system-ui,sans-serif;color:#222;background:#fff}"
    "text{fill:currentColor}.grid{stroke:#8884;stroke-width:1}"
    "@media(prefers-color-scheme:dark){svg{color:#ddd;background:#181818}}"
)

_Point: TypeAlias = tuple[float, float]


class _Panel(NamedTuple):
    """One of the two plots: where it is, its axis, and what an outcome's place on it is."""

    left: float
    width: float
    title: str
    low: float
    high: float
    ticks: Sequence[float]

    def x(self, value: float) -> float:
        span = math.log(self.high / self.low)
        return self.left + self.width * math.log(max(value, self.low) / self.low) / span

    @staticmethod
    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value)


def svg(reports: Sequence[Report]) -> str:
    """Draw one or more measurements of the same tasks."""
    first = reports[0].conditions
    most = float(max(2, max(each.conditions.limits.candidates for each in reports)))
    longest = max([10.0, *(s.seconds for each in reports for s in each.results if s.at)])
    width = (_WIDTH - _LEFT - _GAP - _RIGHT) / 2
    powers = [2.0**n for n in range(int(math.log2(most)) + 1)]
    seconds = [s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if s <= longest * 1.01]
    panels = (
        _Panel(_LEFT, width, "candidates judged", 1.0, most, powers),
        _Panel(_LEFT + width + _GAP, width, "seconds", 1.0, longest, seconds),
    )
    told = (
        f"share of {reports[0].summary.tasks} tasks that are green by all tests; seed {first.seed}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(_title(reports))}</title><style>{_STYLE}</style>",
        f'<text x="{_LEFT}" y="24" font-weight="600">{escape(_title(reports))}</text>',
        f'<text x="{_LEFT}" y="42" opacity=".7">{escape(told)}</text>',
    ]
    for panel, places in zip(panels, (_candidates, _seconds), strict=True):
        parts += _axes(panel)
        for number, each in enumerate(reports):
            parts += _curve(panel, each, places, number, band=len(reports) == 1)
    parts += _legend(reports)
    return "\n".join([*parts, "</svg>", ""])


def _title(reports: Sequence[Report]) -> str:
    made = reports[0].conditions
    return made.format if made.format == made.data else f"{made.format}: {made.data}"


def _candidates(report: Report) -> list[float]:
    return sorted(float(each.at) for each in report.results if each.outcome == "green")


def _seconds(report: Report) -> list[float]:
    return sorted(each.seconds for each in report.results if each.outcome == "green")


def _axes(panel: _Panel) -> list[str]:
    parts = []
    bottom, right = panel.y(0), panel.left + panel.width
    for tick in _TICKS:
        y = panel.y(tick)
        parts.append(f'<path class="grid" d="M{panel.left:.1f} {y:.1f}H{right:.1f}"/>')
        parts.append(f'<text x="{panel.left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick:.0%}</text>')  # fmt: skip
    for tick in panel.ticks:
        x = panel.x(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {panel.y(1):.1f}V{bottom + 4:.1f}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20:.1f}" text-anchor="middle">{tick:g}</text>')  # fmt: skip
    middle = panel.left + panel.width / 2
    parts.append(f'<text x="{middle:.1f}" y="{bottom + 38:.1f}" text-anchor="middle" opacity=".7">{panel.title}</text>')  # fmt: skip
    return parts


def _curve(
    panel: _Panel,
    report: Report,
    places: Callable[[Report], list[float]],
    number: int,
    *,
    band: bool,
) -> list[str]:
    """Draw one arm's line, and its interval when it is alone."""
    colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
    of = report.summary.tasks
    reached = [value for value in places(report) if value <= panel.high]
    middle = _steps(panel, reached, lambda count: count / of if of else 0.0)
    parts = []
    if band and of:
        low = _steps(panel, reached, lambda count: share(count, of).low)
        high = _steps(panel, reached, lambda count: share(count, of).high)
        area = _path([*high, *reversed(low)])
        parts.append(f'<path d="{area}Z" fill="{colour}" opacity=".15"/>')
    parts.append(
        f'<path d="{_path(middle)}" fill="none" stroke="{colour}" stroke-width="2.2" '
        f'stroke-dasharray="{dash}"/>'
    )
    return parts


def _steps(panel: _Panel, reached: Sequence[float], height: Callable[[int], float]) -> list[_Point]:
    points = [(panel.x(panel.low), panel.y(height(0)))]
    for count, value in enumerate(reached, 1):
        x = panel.x(value)
        points += [(x, points[-1][1]), (x, panel.y(height(count)))]
    points.append((panel.x(panel.high), points[-1][1]))
    return points


def _path(points: Sequence[_Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _legend(reports: Sequence[Report]) -> list[str]:
    parts = []
    x, y = float(_LEFT), _HEIGHT - 18
    for number, each in enumerate(reports):
        colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
        green = each.summary.green
        text = f"{each.conditions.arm} ({green.count} of {green.of})"
        parts.append(f'<path d="M{x:.1f} {y - 4}h28" stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dash}"/>')  # fmt: skip
        parts.append(f'<text x="{x + 34:.1f}" y="{y}">{escape(text)}</text>')
        x += 60 + 7.4 * len(text)
    return parts
