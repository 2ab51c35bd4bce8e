"""Makes each adapter from the user's settings.

Not covered: how long they live (``house.py``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.model_state import ModelState
from ocils.languages import shelf
from ocils.languages.manifest import PYTHON, LanguageName, Runner
from ocils.languages.shelf import recognise
from ocils.ports import Engine, Recorder, Sandbox
from ocils.settings import UserSettings, sandbox_at

if TYPE_CHECKING:
    from ocils.engine.machine.memory import Want
    from ocils.sandbox.packages.installer import WorkspacePackages
    from ocils.sandbox.runtime import Choice


def make_engine(
    settings: UserSettings, report: Callable[[ModelState], None] | None = None
) -> Engine:
    """Return the engine of the chosen model; it loads nothing yet. Raises ``OcilsError``.

    ``report`` hears of the model's state, from any thread.
    """
    from ocils.engine.ct2 import CTranslate2Engine
    from ocils.engine.models.store import find
    from ocils.engine.nothing import MANIFESTS, NoModel

    if settings.remote.url:
        return make_remote_engine(settings)
    if settings.model.name in MANIFESTS:
        return NoModel(MANIFESTS[settings.model.name])
    model = find(settings.model.name)
    idle = None if settings.model.keep_loaded else settings.model.idle_seconds
    return CTranslate2Engine(
        model, settings.model.threads, idle, want=want_of(settings), report=report
    )


def want_of(settings: UserSettings) -> Want:
    """Return what the user wishes of a model's place, and what a turn asks for."""
    from ocils.engine.machine.memory import Want

    mine = settings.model
    return Want(device=mine.device, compute_type=mine.compute_type, threads=mine.threads)


def make_remote_engine(settings: UserSettings) -> Engine:
    """Return the engine of a model on a server; nothing is sent yet. Raises ``OcilsError``."""
    from ocils.engine.models.store import find
    from ocils.engine.remote.connection import Address
    from ocils.engine.remote.engine import RemoteEngine, undescribed
    from ocils.engine.tokens import ModelTokens
    from ocils.record.redact import Veil

    remote = settings.remote
    address = Address(
        remote.url, remote.key_variable, remote.seconds, remote.retries, remote.loopback
    )
    own = remote.infill == "suffix"
    count = None
    if remote.manifest:
        model = find(remote.manifest)
        manifest = model.manifest
        if (model.folder / "tokenizer.json").is_file():
            count = ModelTokens(model).count
    else:
        manifest = undescribed(remote.model, remote.context, own_infill=own)
    return RemoteEngine(
        manifest, address, remote.model, remote.sends, Veil(), count, own_infill=own
    )


def make_packages(root: str, settings: UserSettings) -> WorkspacePackages:
    """Return what may be installed for a workspace, and where it is kept."""
    from ocils.sandbox.packages.installer import Policy, Store, WorkspacePackages

    return WorkspacePackages(
        root,
        choice_of(settings, root),
        Policy(settings.packages.install, settings.packages.allow),
        Store(
            str(platformdirs.user_state_path("ocils") / "packages"),
            str(platformdirs.user_cache_path("ocils") / "packages"),
        ),
    )


def runner_of(root: str, language: LanguageName) -> Runner:
    """Return the runner that a workspace uses. Raises ``SandboxUnavailable``."""

    def read(name: str) -> bytes | None:
        path = Path(root) / name
        return path.read_bytes() if path.is_file() else None

    runner = recognise(language, read)
    known = shelf.language(language)
    if runner is None:
        assert known is not None, "Python has no runner"
        raise SandboxUnavailable(
            f"no test runner of {known.title} is recognised in {root}", mend=known.hint
        )
    return runner


def choice_of(settings: UserSettings, root: str) -> Choice:
    """Return the runtime that the user chose for a workspace."""
    from ocils.sandbox.runtime import Choice

    here = sandbox_at(settings, root)
    return Choice(here.runtime, here.python, here.image)


def make_sandbox(root: str, settings: UserSettings, language: LanguageName) -> Sandbox:
    """Return the judge of a workspace; it starts nothing yet. Raises ``SandboxUnavailable``."""
    from ocils.sandbox.pool import DockerSandbox

    layer = make_packages(root, settings).layer()
    width = settings.sandbox.slots or os.cpu_count() or 1
    return DockerSandbox(
        root,
        choice=msgspec.structs.replace(choice_of(settings, root), layer=layer),
        width=width,
        memory_mib=settings.sandbox.memory,
        idle_seconds=settings.sandbox.idle_seconds,
        runner=None if language == PYTHON else runner_of(root, language),
    )


def how_judged(sandbox: Sandbox) -> tuple[str, tuple[str, ...]]:
    """Say at which levels ``sandbox`` judged so far, and why not at L2; empty where none is known."""
    from ocils.sandbox.pool import DockerSandbox

    if not isinstance(sandbox, DockerSandbox):
        return "", ()
    return sandbox.levels.told(), sandbox.levels.reasons()


def make_recorder(settings: UserSettings) -> Recorder:
    """Return the recorder, or one that keeps nothing."""
    from ocils.record.off import NoSessions
    from ocils.record.sessions import SessionFiles

    return SessionFiles() if settings.record else NoSessions()
