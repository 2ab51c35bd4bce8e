"""Hypothesis stops at the first failing example, where nobody reads how small it can be made.

Shrinking and explaining an example took twenty seconds where finding it took less than one. Whether
the test fails is not changed by them.

Not covered: a Hypothesis that keeps a test's settings elsewhere; it then shrinks as usual.
"""

from __future__ import annotations

import sys
from typing import Any

SETTINGS = "_hypothesis_internal_use_settings"
LATER = ("shrink", "explain")


def hasten(item: Any) -> None:
    """Take the phases after finding an example from the test's own settings."""
    if "hypothesis" not in sys.modules:
        return
    test = getattr(item, "obj", None)
    test = getattr(test, "__func__", test)
    usual = getattr(test, SETTINGS, None)
    if usual is None:
        return
    try:
        phases = tuple(each for each in usual.phases if each.name not in LATER)
        if phases != tuple(usual.phases):
            setattr(test, SETTINGS, type(usual)(usual, phases=phases))
    except Exception:
        return  # another version keeps them in another way
