"""Which third-party modules a run of the original loaded: the zygote imports them next time.

Not covered: modules that only a test's own subprocess loads.
"""

from __future__ import annotations

import sys
from typing import Any


def in_workspace(module: Any, root: str, environment: str) -> bool:
    """Tell whether ``module`` was loaded from the workspace, its own environment left aside."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not path.startswith(root + "/"):
        return False
    return not (environment and path.startswith(environment + "/"))


def third_party(before: frozenset[str], root: str, environment: str) -> list[str]:
    """List modules that are new since ``before`` and come from outside the workspace.

    Left out: what pytest's own importer rewrote (a plain import in the zygote would leave it
    without rewriting, and pytest warns), and what has no file of its own.
    """
    found = []
    for name, module in list(sys.modules.items()):
        if name in before or in_workspace(module, root, environment):
            continue
        spec = getattr(module, "__spec__", None)
        path = getattr(module, "__file__", None)
        if spec is None or not isinstance(path, str) or spec.name != name:
            continue
        if type(spec.loader).__module__.startswith("_pytest."):
            continue
        found.append(name)
    return found
