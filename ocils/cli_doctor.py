"""What ``ocils doctor`` found, on a terminal or for a program.

Not covered: looking (``wiring/checkup.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console

from ocils.wiring import Check


def tell(checks: Sequence[Check], *, as_json: bool) -> bool:
    """Print the findings; return whether all is as it should be."""
    fine = all(check.ok for check in checks)
    if as_json:
        table = [{f: getattr(each, f) for f in each.__struct_fields__} for each in checks]
        print(msgspec.json.encode(table).decode())
        return fine
    console = Console()
    for check in checks:
        sign = "[green]✓[/green]" if check.ok else "[red]✗[/red]"
        console.print(f"{sign} {check.name}: ", end="")
        console.print(check.detail, markup=False, highlight=False, soft_wrap=True)
        if not check.ok and check.mend:
            console.print(f"    → {check.mend}", markup=False, highlight=False, soft_wrap=True)
        for note in check.notes:
            console.print(f"    {note}", style="dim", markup=False, highlight=False, soft_wrap=True)
    return fine
