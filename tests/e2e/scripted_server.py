"""``ocils serve`` over the shipped fakes and the tests' own judge, for editors that need to be quick.

Run with the seconds that each judgement takes.
"""

from __future__ import annotations

import asyncio
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
from tests.server.script import CHAT, OTHER, RIGHT, WRONG


def main() -> None:
    seconds = float(sys.argv[1])

    async def slow(_: Plan, edits: tuple[Edit, ...]) -> None:
        await asyncio.sleep(seconds if edits else 0.0)

    house = House(
        UserSettings(record=False),
        engine=lambda _: ScriptedEngine(CHAT, [[WRONG], [RIGHT], [RIGHT, OTHER]] * 20),
        sandbox=lambda _, __: InProcessJudge(gate=slow),
    )
    serve_stdio(house)


if __name__ == "__main__":
    main()
