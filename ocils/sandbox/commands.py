"""What is run for a plan in a language whose test runner comes as data: commands and their files.

Not covered: running them (``inside/commanded.py``), what they report (``commanded.py``).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence

import msgspec

from ocils.domain.base import Value
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Plan, TestId
from ocils.domain.text import Snapshot
from ocils.languages.manifest import Runner
from ocils.sandbox.runtime import Choice

_MOST_NAMES = 20
AGAIN = re.compile(r" \(\d+\)$")
"""What the second test of one name has behind it."""


class Step(Value, frozen=True):
    """One command and the test files that it runs; none where the runner finds them itself."""

    argv: tuple[str, ...]
    files: tuple[str, ...]


class Program(Value, frozen=True):
    """A runner's program on this machine, and what must be mounted for it (absolute places)."""

    path: str
    mounts: tuple[str, ...]


def find_program(runner: Runner, root: str, environ: Mapping[str, str]) -> Program:
    """Look the runner's program up on the user's PATH. Raises ``SandboxUnavailable``.

    What lies in the workspace is no program of the user's, whatever the PATH says.
    """
    outside = [
        folder
        for folder in environ.get("PATH", os.defpath).split(":")
        if folder.startswith("/") and not (os.path.realpath(folder) + "/").startswith(root + "/")
    ]
    found = shutil.which(runner.program, path=":".join(outside))
    if found is None:
        raise SandboxUnavailable(
            f"the tests of this workspace run with {runner.name}, and {runner.program} is not on"
            " the PATH",
            mend=f"it needs {runner.needs or runner.program}",
        )
    # A program's libraries lie beside its bin folder.
    path = os.path.realpath(found)
    places = [os.path.dirname(os.path.dirname(path))]
    # A repository could bring a link to somebody's private folder.
    inside = [f"{root}/{name}" for name in runner.folders]
    places += [each for each in inside if os.path.isdir(each) and os.path.realpath(each) == each]
    return Program(path, tuple(places))


def equipped(
    choice: Choice, runner: Runner, root: str, environ: Mapping[str, str]
) -> tuple[Choice, str]:
    """Return the choice with what the runner needs mounted, and its program.

    In an image the program is the image's own. Raises ``SandboxUnavailable``.
    """
    if choice.runtime == "image":
        return choice, runner.program
    program = find_program(runner, os.path.realpath(root), environ)
    return msgspec.structs.replace(choice, mounts=program.mounts), program.path


def steps(
    runner: Runner, program: str, plan: Plan, snapshot: Snapshot, changed: Sequence[str]
) -> tuple[Step, ...]:
    """Return the commands for ``plan``; ``changed`` are the candidate's files, relative."""
    files = _files(runner, plan, snapshot, changed)
    if not runner.tests or "{files}" not in runner.command:
        return (Step(_argv(runner, program, ()), ()),)
    if runner.each == "all":
        return (Step(_argv(runner, program, files), files),) if files else ()
    return tuple(
        Step(_argv(runner, program, (file,), _names(runner, plan.tests, file)), (file,))
        for file in files
    )


def _argv(
    runner: Runner, program: str, files: Sequence[str], names: Sequence[str] = ()
) -> tuple[str, ...]:
    narrow = [each.replace("{name}", re.escape(name)) for name in names for each in runner.one]
    argv: list[str] = []
    for part in runner.command:
        if part == "{files}":
            # A name that begins with a dash would be read as an option.
            argv += [*narrow, *(f"./{file}" if file.startswith("-") else file for file in files)]
        else:
            argv.append(program if part == runner.program else part)
    return tuple(argv)


def _files(
    runner: Runner, plan: Plan, snapshot: Snapshot, changed: Sequence[str]
) -> tuple[str, ...]:
    """Return the test files that the plan asks for."""
    known = [each.path for each in snapshot.entries if each.kind == "file"]
    every = dict.fromkeys(
        path
        for path in (*known, *changed)
        if re.search(runner.tests, path) and "node_modules" not in path.split("/")
    )
    if plan.tests:
        wanted = {file_of(test) for test in plan.tests}
        return tuple(path for path in every if path in wanted)
    if plan.paths:
        folders = tuple(each.rstrip("/") + "/" for each in plan.paths)
        return tuple(p for p in every if p in plan.paths or p.startswith(folders))
    return tuple(every)


def _names(runner: Runner, tests: Sequence[TestId], file: str) -> tuple[str, ...]:
    """Return the names to narrow a file's run to; none where the whole file is to run."""
    mine = [test for test in tests if file_of(test) == file]
    if not runner.one or len(mine) > _MOST_NAMES:
        return ()
    if any("::" not in test or AGAIN.search(test) for test in mine):
        return ()
    return tuple(dict.fromkeys(test.partition("::")[2].split(runner.ids.glue)[-1] for test in mine))


def named_files(runner: Runner, steps: Sequence[Step], snapshot: Snapshot) -> tuple[str, ...]:
    """Return the test files whose tests have names, as far as their text shows it."""
    files = dict.fromkeys(file for step in steps for file in step.files)
    if not runner.named:
        return ()
    found = ((file, snapshot.find(file)) for file in files)
    pattern = runner.named.encode()
    return tuple(file for file, entry in found if entry and re.search(pattern, entry.data))


def file_of(test: str) -> str:
    """Return the file of a test's id, which is the whole of it where a file stands for its tests."""
    return test.partition("::")[0]
