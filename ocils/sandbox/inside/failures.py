"""An exception and a test's phases, as plain data that can be sent.

Only what the exception itself knows is taken here; which class of failure it is, is decided on the
host (``report.py``), out of the candidate's reach.

Not covered: frames of all but the first exception of a group.
"""

from __future__ import annotations

import linecache
import os
from typing import Any

MESSAGE = 600
LINE = 240
LINES = 12
REPORT = 4000
OUTPUT = 2000
READ = 4 * OUTPUT
FRAMES = 20
CHAIN = 8
LEAVES = 5
WARNINGS = 10


class Raised:
    """Enough of pytest's ``ExceptionInfo`` for an exception that pytest did not wrap."""

    def __init__(self, error: BaseException) -> None:
        self.value = error
        self.tb = error.__traceback__

    def exconly(self, tryshort: bool) -> str:
        """Return the exception as text."""
        return f"{type(self.value).__name__}: {self.value}"


def cut(text: str, size: int) -> str:
    """Shorten ``text`` to about ``size`` characters, keeping its head and its tail."""
    if len(text) <= size:
        return text
    half = size // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


def brief(text: str) -> str:
    """Shorten a message to its first lines and its last, and each line to its ends."""
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    if len(lines) > LINES:
        tail = LINES // 3
        head = LINES - tail - 1
        gap = f"[… {len(lines) - head - tail} lines left out …]"
        lines = [*lines[:head], gap, *lines[-tail:]]
    half = LINE // 2
    short = [x if len(x) <= LINE else f"{x[:half]} […] {x[-half:]}" for x in lines]
    return cut("\n".join(short), MESSAGE)


def warned(record: Any, root: str) -> str:
    """Describe a recorded warning: its class, its text, where."""
    path = str(record.filename)
    if path.startswith(root + "/"):
        path = path[len(root) + 1 :]
    text = brief(str(record.message)).partition("\n")[0]
    return f"{record.category.__name__}: {text} ({path}:{record.lineno})"


def describe(info: Any, root: str, environment: str) -> dict[str, Any]:
    """Describe pytest's ``ExceptionInfo``: message, chain of causes, frames inside the workspace."""
    if info is None:
        return {"message": "", "chain": [], "frames": [], "leaves": []}
    error = info.value
    leaves = _leaves(error, 0)
    chain: list[Any] = []
    frames = _frames(getattr(info, "tb", None) or error.__traceback__, root, environment)
    inner: BaseException | None = error
    while inner is not None and len(chain) < CHAIN:
        chain.append(_link(inner))
        inner = _cause(inner)
        if inner is not None and not frames:
            frames = _frames(inner.__traceback__, root, environment)
        if isinstance(inner, SyntaxError) and _inside(str(inner.filename), root, environment):
            where = (inner.text or "").strip()[:200]
            frames = [[str(inner.filename), inner.lineno or 1, "<module>", where]]
    if isinstance(error, SyntaxError) and _inside(str(error.filename), root, environment):
        frames.append(
            [str(error.filename), error.lineno or 1, "<module>", (error.text or "").strip()[:200]]
        )
    if leaves:
        frames = frames + _frames(leaves[0].__traceback__, root, environment)
    links = [_link(each) for each in leaves]
    try:
        message = str(info.exconly(tryshort=True))
    except Exception:
        message = type(error).__name__
    message = "\n".join([brief(message), *(f"  | {n[0]}: {_first_line(t)}" for n, *_, t in links)])
    return {"message": message, "chain": chain, "frames": frames, "leaves": links}


def _leaves(error: BaseException, depth: int) -> list[BaseException]:
    """Return the exceptions inside an exception group, the first few."""
    found: list[BaseException] = []
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, tuple) and depth < CHAIN:
        for each in inner:
            if isinstance(each, BaseException):
                found += _leaves(each, depth + 1) or [each]
    return found[:LEAVES]


def summarise(phases: list[Any], trouble: dict[str, Any], *, short: bool = False) -> dict[str, Any]:
    """Make one record of a test's set-up, call and tear-down reports.

    ``short``: pytest was kept from showing the source, and the frames are shown instead.
    """
    record: dict[str, Any] = {
        "outcome": _outcome(phases),
        "seconds": sum(each.duration for each in phases),
    }
    sections = phases[-1].sections if phases else []
    record["printed"] = sum(len(text) for _, text in sections)
    if record["outcome"] == "passed":
        return record
    record.update({key: value for key, value in trouble.items() if key != "hard"})
    worst = [each for each in phases if each.outcome != "passed"]
    if worst:
        shown = [f"{p}:{n}: in {f}\n    {text}\n" for p, n, f, text in trouble.get("frames", ())]
        told = str(worst[0].longreprtext)
        record["report"] = cut("".join(shown) + told if short else told, REPORT)
        if not record.get("message"):
            record["message"] = _first_line(
                str(getattr(worst[0], "wasxfail", "")) or record["report"]
            )
    record["output"] = cut("".join(f"{text}\n" for _, text in sections if text.strip()), OUTPUT)
    return record


def _outcome(phases: list[Any]) -> str:
    failed = [each for each in phases if each.outcome == "failed"]
    if failed:
        return "failed" if any(each.when == "call" for each in failed) else "error"
    if any(each.outcome == "skipped" for each in phases):
        expected = any(hasattr(each, "wasxfail") for each in phases if each.outcome == "skipped")
        return "xfailed" if expected else "skipped"
    calls = [each for each in phases if each.when == "call"]
    if not calls or any(each.outcome != "passed" for each in phases):
        return "error"
    return "xpassed" if any(hasattr(each, "wasxfail") for each in calls) else "passed"


def _cause(error: BaseException) -> BaseException | None:
    found = error.__cause__
    if found is None and not error.__suppress_context__:
        found = error.__context__
    if found is None:
        # pytest's ConftestImportFailure keeps its cause in a field.
        kept = getattr(error, "cause", None) or getattr(error, "excinfo", None)
        kept = kept[1] if isinstance(kept, tuple) else kept
        found = kept if isinstance(kept, BaseException) else None
    return found


def _link(error: BaseException) -> list[Any]:
    names = [each.__name__ for each in type(error).__mro__][:6]
    number = error.errno if isinstance(error, OSError) else None
    module = error.name if isinstance(error, ImportError) else None
    path = error.filename if isinstance(error, OSError) else None
    try:
        text = str(error)[:MESSAGE]
    except Exception:
        text = ""
    return [names, number, str(module or ""), str(path or ""), text]


def _first_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[0][:MESSAGE] if lines else ""


def _inside(path: str, root: str, environment: str) -> bool:
    outside = environment and path.startswith(environment + "/")
    return path.startswith(root + "/") and not outside


def _frames(trace: Any, root: str, environment: str) -> list[list[Any]]:
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        path = code.co_filename
        if not os.path.isabs(path):
            path = os.path.join(root, path)
        if _inside(path, root, environment):
            text = linecache.getline(path, trace.tb_lineno).strip()[:200]
            found.append([path, trace.tb_lineno, code.co_name, text])
        trace = trace.tb_next
    return found[-FRAMES:]
