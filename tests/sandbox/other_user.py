"""A few candidates judged, said as one JSON array: what another user's process runs (``test_users.py``).

Not covered: making that user and its folders.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from ocils.domain.judging import Verdict

from .conftest import SHOP, TESTS
from .yard import GOOD, Yard, body

TRIED = (
    GOOD,
    GOOD,
    body("pass"),
    body("import os; os.mkdir('d', 0o700); open('d/f', 'w').close(); os.chmod('tests', 0)"),
    body("import os; os._exit(0)"),
    body("while True: pass"),
    GOOD,
)


async def judge(root: str, python: str) -> list[str]:
    """Judge in a workspace at ``root``; returns each verdict with its level."""
    yard = await Yard.of(Path(root), SHOP, python)

    def told(verdict: Verdict) -> str:
        return f"{type(verdict).__name__} {getattr(verdict, 'level', '')}".strip()

    try:
        said = [told(await yard.judge())]
        for text in TRIED:
            seconds = 3 if "while" in text else 60
            said.append(told(await yard.try_text("shop.py", text, *TESTS, seconds=seconds)))
        said.append(told(await yard.try_text("shop.py", GOOD, *TESTS, fresh=True, seed=1)))
        said.append(yard.sandbox.isolation)
    finally:
        await yard.sandbox.close()
    return said


if __name__ == "__main__":
    print(json.dumps(asyncio.run(judge(sys.argv[1], sys.argv[2]))))
