"""A layer as part of a runtime: mounted read-only, and told to the programs inside.

Not covered: runtimes that mount nothing of this machine.
"""

from __future__ import annotations

import msgspec

from ocils.sandbox.inside.layer import VARIABLE
from ocils.sandbox.runtime import HostRuntime

PLACE = "/ocils-packages"


def with_layer(runtime: HostRuntime, layer: str) -> HostRuntime:
    """Return ``runtime`` with the import root ``layer`` in it; unchanged without one."""
    if not layer:
        return runtime
    return msgspec.structs.replace(
        runtime,
        mounts=(*runtime.mounts, (PLACE, layer)),
        environ=(*runtime.environ, (VARIABLE, PLACE)),
    )
