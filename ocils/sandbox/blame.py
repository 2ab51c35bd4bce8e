"""What a failure is put down to, from the exception's chain. Pure.

Not covered: failures that hide their cause (a caught network error that ends in an assertion).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ocils.domain.judging import FailureClass
from ocils.sandbox.inside.owners import JUDGED

Record = Mapping[str, Any]
BrokenKind = Literal["syntax", "import", "collection", "report", "empty"]

ISOLATED = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EROFS})
MISSING = re.compile(r"No module named '([^']+)'")


def failure_class(record: Record, *, from_edit: bool = False) -> FailureClass:
    """Class of a failed test's exception; ``from_edit``: the changed code itself raised it.

    A test that may not write a judged file is red for isolation, a candidate that tries is not.
    """
    chain = record.get("chain", ())
    if not chain:
        return "assertion"
    # A group is what its members are, when they agree.
    leaves = record.get("leaves") or ()
    kinds = {_class([link], from_edit) for link in leaves} or {_class(chain, from_edit)}
    return kinds.pop() if len(kinds) == 1 else "runtime"


def _class(chain: Sequence[Any], from_edit: bool) -> FailureClass:
    if any(_isolated(link) for link in chain):
        return "isolation"
    if not from_edit and any(_refused(link) for link in chain):
        return "isolation"
    names, text = set(chain[0][0]), str(chain[0][4])
    if "Failed" in names and text.startswith("Timeout"):
        return "timeout"
    for found, kind in CLASSES:
        if found in names:
            return kind
    return "runtime"


CLASSES: tuple[tuple[str, FailureClass], ...] = (
    ("AssertionError", "assertion"),
    ("Failed", "assertion"),
    ("SyntaxError", "syntax"),
    ("ImportError", "import"),
    ("MemoryError", "memory"),
)


def broken_kind(record: Record) -> tuple[BrokenKind, str, str]:
    """Kind, reason and missing module of a file that could not be collected."""
    for names, _, module, _, text in (*record.get("chain", ()), *record.get("leaves", ())):
        if "SyntaxError" in names:
            return "syntax", f"{names[0]}: {_first(text)}", ""
        if "ImportError" in names:
            missing = module if "ModuleNotFoundError" in names else ""
            return "import", f"{names[0]}: {_first(text)}", missing
    chain = record.get("chain", ())
    why = f"{chain[-1][0][0]}: {_first(chain[-1][4])}" if chain else str(record.get("message", ""))
    return "collection", why, ""


def from_output(output: str) -> tuple[BrokenKind, str, str]:
    """The same for a run that ended before it could collect, from what pytest printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    found = MISSING.search(output)
    if found:
        return "import", f"ModuleNotFoundError: No module named '{found[1]}'", found[1]
    syntax = [line for line in lines if "SyntaxError" in line]
    if syntax:
        return "syntax", syntax[-1], ""
    errors = [line for line in lines if "rror" in line]
    return "collection", (errors or lines or ["pytest ended before it collected"])[-1][:500], ""


def _isolated(link: list[Any]) -> bool:
    names, number, _, _, text = link
    if "gaierror" in names or number in ISOLATED:
        return True
    return "Read-only file system" in text or "Network is unreachable" in text


def _refused(link: list[Any]) -> bool:
    names, _, _, path, _ = link
    return "PermissionError" in names and path.endswith(JUDGED)


def _first(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""
