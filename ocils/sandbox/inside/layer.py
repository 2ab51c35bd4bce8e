"""The layer of packages that the user agreed to, behind everything that the environment holds.

It is put at the end of the import path, so it never shadows anything, and no ``.pth`` file in it runs.

Not covered: Pythons that a test starts by itself do not see it.
"""

from __future__ import annotations

import os
import sys

VARIABLE = "OCILS_PACKAGES"


def extend_path() -> None:
    """Add the layer to the import path, if this slot has one."""
    place = os.environ.get(VARIABLE)
    if place and place not in sys.path:
        sys.path.append(place)
