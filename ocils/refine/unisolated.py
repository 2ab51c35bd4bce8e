"""Says in what people read that candidates run without any isolation, where the user chose so.

Not covered: choosing it; refusing it.
"""

from __future__ import annotations

import msgspec

from ocils.domain.events import Event, Finished, Preparing
from ocils.ports import UNISOLATED


def told(event: Event, isolation: str) -> Event:
    """Return ``event``, with ``isolation`` in its text when there is none."""
    if not isolation.startswith(UNISOLATED):
        return event
    match event:
        case Preparing(stage=stage):
            return msgspec.structs.replace(event, stage=f"{stage} ({isolation})")
        case Finished(message=message):
            return msgspec.structs.replace(event, message=f"{message} ({isolation})")
        case _:
            return event
