"""One case of the JUnit XML → a CaseResult: its id, and what its runner says of a failure.

Not covered: whether any of it is true (``commanded.py``).
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from ocils.domain.judging import CaseResult, FailureClass, Frame, TestId
from ocils.languages.manifest import Runner
from ocils.sandbox.junit import XmlCase

_KEPT = 4000
_FRAMES = 20


def case_of(
    each: XmlCase, files: Sequence[str], runner: Runner, root: str, taken: Container[str]
) -> CaseResult:
    """Return the result of a case; ``files`` are its command's, ``taken`` the ids given so far."""
    text = each.text.strip()
    kind: FailureClass = ""
    message = ""
    if each.outcome in ("failed", "error"):
        told = f"{each.failure} {each.message} {text}"
        kind = "assertion" if re.search(runner.says.assertion, told) else "runtime"
        message = _reason(each, text, runner)
    return CaseResult(
        TestId(_unique(_id(each, files, runner, root), taken)),
        each.outcome,
        seconds=each.seconds,
        message=message,
        kind=kind,
        frames=frames_in(text, runner, root),
        report=text[:_KEPT],
        output=each.output[:_KEPT],
    )


def frames_in(text: str, runner: Runner, root: str) -> tuple[Frame, ...]:
    """Return the frames within the workspace that a text names, the innermost last."""
    says = runner.says
    found: list[Frame] = []
    for each in re.finditer(says.frame, text) if says.frame else ():
        path = each["path"] if each["path"].startswith("/") else f"{root}/{each['path']}"
        if path.startswith(root + "/") and "/node_modules/" not in path:
            function = each.groupdict().get("function") or ""
            found.append(Frame(path, int(each["line"]), function))
        if len(found) >= _FRAMES:
            break
    return tuple(reversed(found)) if says.innermost_first else tuple(found)


def _reason(each: XmlCase, text: str, runner: Runner) -> str:
    found = re.search(runner.says.reason, text) if runner.says.reason else None
    reason = found[1] if found else each.message or text.partition("\n")[0]
    return " ".join(reason.split())[:300]


def _id(each: XmlCase, files: Sequence[str], runner: Runner, root: str) -> str:
    ids = runner.ids
    suites, name = each.suites, each.name
    match ids.file:
        case "command":
            file = files[0] if files else ""
        case "file":
            file = each.file
        case "classname":
            file = each.classname
        case "suite":
            file = suites[0] if suites else ""
    file = file.removeprefix(root + "/").removeprefix("./")
    if name.removeprefix(root + "/") == file:
        return file  # the file as a whole: it did not load, or its tests have no names
    suites = tuple(s for s in suites if ids.suites and s.removeprefix(root + "/") != file)
    name = name.removeprefix(ids.glue)  # a group without a name
    parts = [part.replace("&quot;", '"') if ids.quoted else part for part in (*suites, name)]
    return f"{file}::{ids.glue.join(parts)}"


def _unique(name: str, taken: Container[str]) -> str:
    count, found = 1, name
    while found in taken:
        count += 1
        found = f"{name} ({count})"
    return found
