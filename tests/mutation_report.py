"""What ``make mutation`` found, as Markdown.

Not covered: how it was found (``mutation.py``).
"""

from __future__ import annotations

from typing import Any


def written(table: dict[str, Any], known: dict[str, Any]) -> str:
    """The result as Markdown."""
    rows = [
        "# Mistakes put into what must not make any",
        "",
        "`make mutation`. Written by the command; how it is done says `tests/mutation.py`, what is",
        "tried and by which tests `tests/bench/mutation.toml`. A survivor *means the same* where the",
        "mistake makes no difference that a run could show; the reason is given. The score counts it",
        "as alive, and once more without it.",
        "",
        "| module | mutants | killed | score | mean the same | score without them | date |",
        "|---|---|---|---|---|---|---|",
    ]
    alive: list[str] = []
    for module in table["module"]:
        one = known["modules"].get(module["path"])
        if one is None:
            rows.append(f"| {module['path']} | not measured | | | | | |")
            continue
        reasons = {
            tuple(m): each["why"] for each in module.get("same", ()) for m in each["mistakes"]
        }
        same = [each for each in one["alive"] if tuple(each[:3]) in reasons]
        total, left = one["mutants"], len(one["alive"])
        rest = total - len(same)
        rows.append(
            f"| {module['path']} | {_drawn(one)} | {total - left} | {100 * (total - left) / total:.1f} % "
            f"| {len(same)} | {100 * (total - left) / rest:.1f} % | {one['date']} |"
        )
        alive += ["", f"### {module['path']}", ""] if one["alive"] else []
        for each in one["alive"]:
            why = reasons.get(tuple(each[:3]), "**not judged to mean the same**")
            alive.append(f"- `{each[0]}`: {shown(each[1])} → {shown(each[2])}: {why}")
    rows += [
        "",
        "## Guards, deleted one at a time",
        "",
        "| attack | guard | red without it |",
        "|---|---|---|",
    ]
    for guard in table["guard"]:
        one = known["guards"].get(guard["what"])
        if one is not None:
            red = f"`{one['red'].removeprefix('tests/')}`" if one["red"] else "**nothing**"
            rows.append(f"| {guard['attack']} | {guard['what']} | {red.replace('|', '¦')} |")
    return "\n".join([*rows, "", "## Survivors", *alive]) + "\n"


def _drawn(one: dict[str, Any]) -> str:
    note = one.get("note", f"one in {one['every']}" if one.get("every", 1) > 1 else "")
    return f"{one['mutants']}" + (f" ({note})" if note else "")


def shown(text: str) -> str:
    return f"`{' '.join(text.split())}`" if text.strip() else "nothing"
