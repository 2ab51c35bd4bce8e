"""Green rate against training tokens: a table and a picture, out of `ocils bench`'s reports.

    curve.py LIST.json OUT

LIST.json holds the points: [{"size": "7.2 M", "tokens": 53.4, "rate": "fallen", "reports": [PATH, ...]},
...], tokens in millions; 0 stands for random weights; several reports, of several projects, are
counted together. OUT.md and OUT.svg are written. Intervals are Wilson's, 95 %.

It does not cover measuring: `ocils bench projects --model FOLDER --out REPORT` does.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
FEW = 16
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 60, 20, 54, 96
STYLE = (
    "svg{font:13px system-ui,sans-serif;color:#222;background:#fff}"
    "text{fill:currentColor}.grid{stroke:#8884;stroke-width:1}"
    "@media(prefers-color-scheme:dark){svg{color:#ddd;background:#181818}}"
)


@dataclass(frozen=True)
class Point:
    """One measured model: greens of all mutants within each number of candidates, and intervals."""

    size: str
    tokens: float
    rate: str
    of: int
    within: dict[int, tuple[int, float, float]]


def wilson(count: int, of: int) -> tuple[int, float, float]:
    """A count and the interval of the share that it stands for."""
    share, square = count / of, 1.959964**2 / of
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return count, max(0.0, middle - half), min(1.0, middle + half)


def points(path: Path) -> list[Point]:
    """Read the list and its reports."""
    found = []
    for each in json.loads(path.read_text()):
        summaries = [json.loads(Path(p).read_text())["summary"] for p in each["reports"]]
        of = sum(summary["tasks"] for summary in summaries)
        within = {
            int(k): wilson(sum(summary["within"][k]["count"] for summary in summaries), of)
            for k in summaries[0]["within"]
        }
        found.append(Point(each["size"], each["tokens"], each["rate"], of, within))
    return sorted(found, key=lambda p: (p.size, p.tokens))


def table(found: list[Point]) -> str:
    """A line a model."""
    most = max(found[0].within)
    shown = [k for k in (16, 64, 256) if k <= most]
    lines = [f"| network | million tokens | rate | {' | '.join(f'within {k}' for k in shown)} |"]
    lines.append("|---|---|---|" + "---|" * len(shown))
    for p in found:
        cells = [f"{p.within[k][0]}" for k in shown[:-1]]
        count, low, high = p.within[shown[-1]]
        cells.append(f"{count} of {p.of} ({low:.0%}-{high:.0%})")
        lines.append(f"| {p.size} | {p.tokens:g} | {p.rate} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def svg(found: list[Point], told: str) -> str:
    """A full line a size for all candidates, with intervals as bars, and a dashed one for the first 16.

    Points whose rate had not fallen are hollow.
    """
    most = max(found[0].within)
    low, high = 0.5, 2 * max(p.tokens for p in found)

    def x(tokens: float) -> float:
        share = math.log(max(tokens, low) / low) / math.log(high / low)
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value)

    title = f"green within {most} candidates (full) and within {FEW} (dashed)"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{title}</title><style>{STYLE}</style>",
        f'<text x="{LEFT}" y="24" font-weight="600">{title}</text>',
        f'<text x="{LEFT}" y="42" opacity=".7">{told}</text>',
    ]
    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
        parts.append(f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.0%}</text>'
        )
    for tick in (0.5, 1, 2, 5, 10, 20, 50, 100):
        if tick <= high:
            label = "none" if tick == low else f"{tick:g}"
            parts.append(f'<path class="grid" d="M{x(tick):.1f} {y(1):.1f}V{y(0) + 4:.1f}"/>')
            parts.append(
                f'<text x="{x(tick):.1f}" y="{y(0) + 20:.1f}" text-anchor="middle">{label}</text>'
            )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{y(0) + 40:.1f}" text-anchor="middle" '
        'opacity=".7">million training tokens</text>'
    )
    for number, size in enumerate(dict.fromkeys(p.size for p in found)):
        mine = [p for p in found if p.size == size]
        colour, shift = COLOURS[number % 4], 5 * number
        for k, dash in ((most, ""), (FEW, "6 4")):
            line = "L".join(
                f"{x(p.tokens) + shift:.1f} {y(p.within[k][0] / p.of):.1f}" for p in mine
            )
            parts.append(
                f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2" '
                f'stroke-dasharray="{dash}"/>'
            )
            for p in mine:
                count, least, greatest = p.within[k]
                at = x(p.tokens) + shift
                if k == most:
                    bar = f"M{at:.1f} {y(least):.1f}V{y(greatest):.1f}"
                    parts.append(f'<path d="{bar}" stroke="{colour}" opacity=".5"/>')
                fill = "none" if p.rate == "high" else colour
                parts.append(
                    f'<circle cx="{at:.1f}" cy="{y(count / p.of):.1f}" r="4" fill="{fill}" '
                    f'stroke="{colour}" stroke-width="2"/>'
                )
        left = LEFT + 230 * number
        parts.append(
            f'<path d="M{left} {HEIGHT - 22}h28" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{left + 34}" y="{HEIGHT - 18}">{size} weights</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("list", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--told", default="bars: 95 % intervals; hollow: the rate had not fallen")
    got = parser.parse_args()
    found = points(got.list)
    got.out.with_suffix(".md").write_text(table(found))
    got.out.with_suffix(".svg").write_text(svg(found, got.told))


if __name__ == "__main__":
    main()
