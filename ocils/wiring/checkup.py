"""``ocils doctor``: what works here, and what to do about what does not.

Not covered: how it is shown.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import msgspec

from ocils.domain.base import Value
from ocils.domain.errors import OcilsError
from ocils.domain.model_state import Failed, ModelState, Unloaded, in_words
from ocils.languages.manifest import PYTHON, LanguageName
from ocils.settings import UserSettings, load_workspace, sandbox_at
from ocils.wiring.adapters import choice_of, make_engine, runner_of, want_of

if TYPE_CHECKING:
    from ocils.engine.models.store import ModelFolder


_ANSWER = 5.0  # seconds that a server has to answer the doctor


class Check(Value, frozen=True):
    """One finding of ``ocils doctor``; ``mend`` is what to do when it is not ``ok``.

    ``notes`` are further lines, each a sentence.
    """

    name: str
    ok: bool
    detail: str
    mend: str = ""
    notes: tuple[str, ...] = ()


def checkup(
    settings: UserSettings, path: str, state: ModelState | None = None
) -> tuple[Check, ...]:
    """Look at everything ocils needs; starts no container and loads no weights.

    ``state`` is where the model stands in this process, if it has one.
    """
    return (
        _check_python(),
        _check_sandbox(settings, path),
        _check_workspace(settings, path),
        *_check_model(settings, state or Unloaded()),
    )


def _check_python() -> Check:
    from ocils import __version__

    return Check("ocils", True, f"{__version__} on Python {sys.version.split()[0]}")


def _check_sandbox(settings: UserSettings, path: str) -> Check:
    from ocils.sandbox.diagnosis import look_at_sandbox
    from ocils.workspace.paths import find_root

    root = find_root(path)
    here = sandbox_at(settings, root)
    if here != settings.sandbox:
        why = "your setting for this workspace"
    else:
        why = "the default" if here.runtime == "host" else "your setting"
    found = look_at_sandbox(root, choice_of(settings, root), why, os.environ)
    return Check("sandbox", found.ok, found.detail, found.mend, found.notes)


def _check_workspace(settings: UserSettings, path: str) -> Check:
    from ocils.sandbox.diagnosis import look_at_python
    from ocils.workspace.paths import find_root, language_at

    root = find_root(path)
    language = language_at(path)
    if language != PYTHON:
        return _check_runner(root, language)
    try:
        load_workspace(root)
    except OcilsError as problem:
        return Check("workspace", False, problem.message, problem.mend)
    found = look_at_python(root, choice_of(settings, root), os.environ)
    return Check("workspace", found.ok, found.detail, found.mend, found.notes)


def _check_runner(root: str, language: LanguageName) -> Check:
    from ocils.sandbox.commands import find_program

    try:
        runner = runner_of(root, language)
        program = find_program(runner, root, os.environ).path
    except OcilsError as problem:
        return Check("workspace", False, problem.message, problem.mend)
    doubt = {
        "tests": "",
        "hand": f"; tried by hand only: it needs {runner.needs}",
        "never": f"; never tried by us: it needs {runner.needs}",
    }[runner.verified]
    return Check("workspace", True, f"{root}, tests run with {runner.name} ({program}){doubt}")


def _check_model(settings: UserSettings, state: ModelState) -> tuple[Check, ...]:
    from ocils.engine.models.store import find, verify
    from ocils.engine.nothing import MANIFESTS

    if settings.remote.url:
        return (_check_remote(settings),)
    if settings.model.name in MANIFESTS:
        return (Check("model", True, "none; edits only, by your choice"),)
    try:
        model = find(settings.model.name)
        verify(model)
    except OcilsError as problem:
        return (Check("model", False, problem.message, problem.mend),)
    manifest = model.manifest
    detail = f"{model.identity}, {manifest.licence}, {'/'.join(manifest.strategies)}"
    detail += f", {in_words(state)}"
    if isinstance(state, Failed):
        hardware = _check_hardware(settings, model)
        return (hardware, Check("model", False, detail, state.mend))
    return (_check_hardware(settings, model), Check("model", True, detail))


def _check_remote(settings: UserSettings) -> Check:
    """Ask the user's server for its models, and say where code goes."""
    remote = msgspec.structs.replace(settings.remote, seconds=_ANSWER, retries=0)
    notes: tuple[str, ...] = (f"{remote.sends}, because your settings say so",)
    if remote.url.startswith("http:") and not remote.loopback:
        notes += ("it goes there unencrypted: anybody on the way can read it",)

    async def ask() -> str:
        engine = make_engine(msgspec.structs.replace(settings, remote=remote))
        try:
            await engine.load()
        finally:
            await engine.close()
        return f"{engine.identity}, {'/'.join(engine.manifest.strategies)}"

    try:
        return Check("model", True, f"{asyncio.run(ask())}; {remote.sends}", notes=notes[1:])
    except OcilsError as problem:
        return Check("model", False, problem.message, problem.mend, notes)


def _check_hardware(settings: UserSettings, model: ModelFolder) -> Check:
    """Say where the model runs, and why there."""
    from ocils.engine.machine.hardware import read_hardware
    from ocils.engine.machine.layout import choose
    from ocils.engine.machine.together import advice_for
    from ocils.engine.native import fitted

    hardware = read_hardware()
    want = fitted(want_of(settings), model)
    layout = choose(hardware, model.manifest, want)
    mend = ""
    if hardware.lacking:
        mend = f"to use the GPU, run: {hardware.lacking}"
    elif layout.rows < 1:
        mend = "choose a smaller model, or name a server that has room for it in your settings"
    notes = (*layout.why[1:], *advice_for(hardware, model.manifest, want), *hardware.advice)
    return Check("hardware", not mend, layout.why[0], mend, notes)
