"""Whether what warm slots were started with is still what is installed.

A warm slot has imported the dependencies; after ``pip install`` in another terminal its verdicts
would be about packages that are gone. Looking is reading names and times: the environment that would
be chosen now, its configuration, the interpreter, and every distribution's record.

Not covered: packages edited by hand in ``site-packages`` (no record changes), images (their content has
a hash of its own).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.host import choose_python
from ocils.sandbox.runtime import Choice, HostRuntime, Runtime

_RECORDS = ("RECORD", "METADATA", "direct_url.json", "PKG-INFO")


def fingerprint(runtime: Runtime, choice: Choice, environ: Mapping[str, str]) -> str:
    """Return a hash of what the slots of ``runtime`` depend on; "" where there is nothing to look at.

    Takes a millisecond or two, and never raises: an environment that is gone has a hash too.
    """
    if not isinstance(runtime, HostRuntime):
        return ""
    try:
        chosen = choose_python(runtime.root, choice.python, environ).python
    except SandboxUnavailable:
        chosen = ""
    total = hashlib.sha256(chosen.encode())
    interpreter = runtime.interpreter
    for path in (interpreter.base, f"{interpreter.environment}/pyvenv.cfg", interpreter.python):
        total.update(_state(path))
    for site in sorted(set(_sites(interpreter.environment, interpreter.prefixes))):
        for entry in _listed(site):
            if entry.name.endswith((".dist-info", ".egg-info")):
                total.update(b"".join(_state(f"{entry.path}/{name}") for name in _RECORDS))
                total.update(_state(entry.path))
            elif entry.name.endswith((".pth", ".egg-link")):
                total.update(_state(entry.path))
    return total.hexdigest()


def _sites(environment: str, prefixes: tuple[str, ...]) -> Iterator[str]:
    for prefix in (environment, *prefixes):
        for library in ("lib", "lib64", "local/lib"):
            for kind in ("site-packages", "dist-packages"):
                yield from (str(p) for p in Path(f"{prefix}/{library}").glob(f"python3*/{kind}"))


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda each: each.name)
    except OSError:
        return []


def _state(path: str) -> bytes:
    try:
        found = os.stat(path)
    except OSError:
        return f"{path}\0-\n".encode(errors="surrogateescape")
    state = f"{path}\0{found.st_mtime_ns}\0{found.st_size}\0{found.st_ino}\n"
    return state.encode(errors="surrogateescape")
