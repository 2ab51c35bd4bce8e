"""``ocils serve`` over the shipped fakes and the tests' own judge, for editors that need to be quick.

Run with the seconds that a candidate's judgement takes. ``OCILS_SCRIPT=places`` has the model change
two places of a file. ``OCILS_GATE`` names a file with a number that a test writes: the original is
judged from 1 on, the first candidate from 2 on, and so forth.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ocils.domain.judging import Plan
from ocils.domain.text import Edit
from ocils.engine.scripted import ScriptedEngine
from ocils.server.serving import serve_stdio
from ocils.settings import UserSettings
from ocils.wiring import House
from tests.server.judge import InProcessJudge
from tests.server.script import CHAT, OTHER, PLACES, RIGHT, WRONG


def main() -> None:
    seconds = float(sys.argv[1])
    gate = os.environ.get("OCILS_GATE")
    right = PLACES if os.environ.get("OCILS_SCRIPT") == "places" else RIGHT

    numbers = itertools.count(2)

    async def slow(_: Plan, edits: tuple[Edit, ...]) -> None:
        number = next(numbers) if edits else 1
        while gate and number > opened(gate):  # noqa: ASYNC110  # another process opens it
            await asyncio.sleep(0.05)
        await asyncio.sleep(seconds if edits else 0.0)

    house = House(
        UserSettings(record=False),
        engine=lambda _: ScriptedEngine(CHAT, [[WRONG], [right], [right, OTHER]] * 20),
        sandbox=lambda _, __: InProcessJudge(gate=slow),
    )
    serve_stdio(house)


def opened(gate: str) -> int:
    return int(Path(gate).read_text() or 0)


if __name__ == "__main__":
    main()
