"""``ocils.pullModel``: a model is fetched because the user asked for it, with progress and a way to stop.

Not covered: fetching it (``wiring/models.py``). The server fetches nothing by itself.
"""

from __future__ import annotations

import asyncio
import time

from ocils.domain.model_state import Progress
from ocils.server.desk import Desk
from ocils.server.protocol import Started
from ocils.server.runs import Run

_PAUSE = 0.1  # seconds between two reports


def start_pulling(desk: Desk, name: str) -> Started:
    """Begin to fetch the model ``name``. Raises ``UsageError`` while it is being fetched already."""
    run = desk.launch(f"model {name}", f"Fetching {name}", "", lambda run: _pull(desk, run, name))
    return Started(run.id, name)


async def _pull(desk: Desk, run: Run, name: str) -> None:
    from ocils.server.flows import progress

    loop = asyncio.get_running_loop()
    last = 0.0
    stage = ""

    async with progress(desk, run) as bar:

        def show(done: Progress) -> None:
            percent = round(done.fraction * 100)
            text = f"{done.stage}, {percent} %" if done.total else done.stage
            run.say(text)
            bar.report(text, percent)

        def tell(done: Progress) -> None:
            # From the pulling thread, for every block that came.
            nonlocal last, stage
            now = time.monotonic()
            if done.stage != stage or now - last >= _PAUSE:
                last, stage = now, done.stage
                loop.call_soon_threadsafe(show, done)

        there = await asyncio.to_thread(desk.house.pull_model, name, tell, run.token)
    if there:
        desk.say(f"{name} is installed; choose it by the setting model.name")
    else:
        desk.note(f"{run.title}: cancelled; nothing was installed, what was downloaded is kept")
