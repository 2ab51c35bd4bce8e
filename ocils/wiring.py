"""Builds engines, sandboxes, recorders and workspaces: the only place that knows the adapters.

A ``House`` is handed to the server, the command line and the benches; tests hand it the shipped
fakes. Adapters are imported when they are first needed, so that a server is up before CTranslate2
and Docker are.

Not covered: what is done with them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs

from ocils.domain.base import Value
from ocils.domain.errors import InvalidSettings, OcilsError, SandboxUnavailable
from ocils.domain.model import Manifest
from ocils.domain.session import Session
from ocils.domain.text import Document
from ocils.languages import shelf
from ocils.languages.manifest import PYTHON, LanguageName, Runner
from ocils.languages.shelf import recognise
from ocils.ports import Engine, Packages, Ports, Recorder, Sandbox, Workspace
from ocils.settings import (
    UserSettings,
    WorkspaceSettings,
    load_user,
    load_workspace,
    parse,
    sandbox_at,
)

if TYPE_CHECKING:
    from ocils.sandbox.packages.installer import WorkspacePackages
    from ocils.sandbox.runtime import Choice


class Check(Value, frozen=True):
    """One finding of ``ocils doctor``; ``mend`` is what to do when it is not ``ok``.

    ``notes`` are further lines, each a sentence.
    """

    name: str
    ok: bool
    detail: str
    mend: str = ""
    notes: tuple[str, ...] = ()


class KnownModel(Value, frozen=True):
    """A model that can be chosen by name; ``size`` is in bytes, 0 when its files are not there."""

    manifest: Manifest
    bundled: bool
    size: int


class House:
    """Engines, sandboxes, recorders and workspaces of one process; made lazily, closed together.

    One engine serves all workspaces; each workspace root has its own sandbox. Used from one event
    loop.
    """

    def __init__(
        self,
        settings: UserSettings,
        *,
        engine: Callable[[UserSettings], Engine] | None = None,
        sandbox: Callable[[str, UserSettings], Sandbox] | None = None,
        packages: Callable[[str, UserSettings], Packages] | None = None,
        recorder: Callable[[UserSettings], Recorder] | None = None,
        problem: InvalidSettings | None = None,
    ) -> None:
        self.settings = settings
        self._problem = problem
        self._file_settings = settings
        self._make_engine = engine or _engine
        self._make_sandbox = _for_python(sandbox) if sandbox else _sandbox
        self._make_packages = packages or _packages
        self._make_recorder = recorder or _recorder
        self._engine: Engine | None = None
        self._sandboxes: dict[tuple[str, LanguageName], Sandbox] = {}
        self._workspaces: dict[str, Workspace] = {}
        self._retired: list[Engine | Sandbox] = []

    def workspace(self, path: str) -> Workspace:
        """Return the workspace that ``path`` (a file or folder, absolute) belongs to."""
        from ocils.workspace.disk import DiskWorkspace
        from ocils.workspace.paths import find_root

        root = find_root(path)
        if root not in self._workspaces:
            self._workspaces[root] = DiskWorkspace(root)
        return self._workspaces[root]

    def workspace_settings(self, root: str) -> WorkspaceSettings:
        """Read what the repository sets, anew each time. Raises ``InvalidSettings``."""
        return load_workspace(root)

    def ports(self, root: str, path: str = "") -> Ports:
        """Return the ports of a workspace's root for the language of the file or folder at ``path``.

        Raises ``SandboxUnavailable`` where no test runner of that language is recognised.
        """
        from ocils.workspace.paths import language_at

        key = (root, language_at(path or root))
        if self._engine is None:
            self._engine = self._make_engine(self.settings)
        if key not in self._sandboxes:
            self._sandboxes[key] = self._make_sandbox(root, self.settings, key[1])
        return Ports(self._engine, self._sandboxes[key], self._make_recorder(self.settings))

    def packages(self, root: str) -> Packages:
        """Return what looks up and installs the packages that a workspace's tests lack."""
        return self._make_packages(root, self.settings)

    def renew(self, root: str) -> None:
        """Let the next use of a workspace make its sandbox anew: a package was installed.

        What runs in the old one is not disturbed.
        """
        if (root, PYTHON) in self._sandboxes:
            self._retired.append(self._sandboxes.pop((root, PYTHON)))

    def configure(self, table: object) -> None:
        """Lay an editor's settings over the user's file. Raises ``InvalidSettings``.

        What they change is made anew at the next use; what runs is not disturbed. A mistake in the
        user's file, which came too early to be told, is raised once, after that.
        """
        base = msgspec.to_builtins(self._file_settings)
        new = parse(_overlaid(base, table), UserSettings, "the editor's ocils settings")
        if new.model != self.settings.model and self._engine is not None:
            self._retired.append(self._engine)
            self._engine = None
        if (new.sandbox, new.workspaces) != (self.settings.sandbox, self.settings.workspaces):
            self._retired += self._sandboxes.values()
            self._sandboxes = {}
        self.settings = new
        if self._problem is not None:
            problem, self._problem = self._problem, None
            raise problem

    def recorded(self, count: int) -> tuple[tuple[Session, float], ...]:
        """Return the newest recorded sessions, and when each was last written (seconds since 1970)."""
        from ocils.record.sessions import SessionFiles

        return SessionFiles().dated(count) if self.settings.record else ()

    def recorded_session(self, session_id: str) -> Session:
        """Return a recorded session. Raises ``UsageError``."""
        from ocils.record.sessions import SessionFiles

        return SessionFiles().load(session_id)

    def read(self, path: str) -> Document:
        """Return the file at ``path`` as it is on disk. Raises ``OcilsError``."""
        from ocils.workspace.documents import read_document

        return read_document(path)

    def keep_text(self, name: str, text: str) -> str:
        """Write a text for the user to look at into their cache folder; return its path."""
        folder = platformdirs.user_cache_path("ocils") / "shown"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / name
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        return str(path)

    def checkup(self, path: str) -> tuple[Check, ...]:
        """Look at everything ocils needs, for the workspace of ``path``."""
        return checkup(self.settings, path)

    def models(self) -> tuple[KnownModel, ...]:
        """Return the models that can be chosen by name, the user's own first.

        A manifest that is not valid is passed over: the doctor is who complains.
        """
        from ocils.engine.store import bundled_models, readable, user_models

        shipped = bundled_models()
        return tuple(
            KnownModel(model.manifest, folder == shipped, _bytes_of(model.folder))
            for folder in (user_models(), shipped)
            for model in readable(folder)
        )

    async def close(self) -> None:
        """Release the models and end the containers."""
        things = [*self._retired, *self._sandboxes.values()]
        if self._engine is not None:
            things.append(self._engine)
        self._retired, self._sandboxes, self._engine = [], {}, None
        for thing in things:
            await thing.close()


def build() -> House:
    """Return the house for this user. Raises ``InvalidSettings``."""
    return House(load_user())


def build_for_editor() -> House:
    """Return the house for this user; a mistake in their settings waits until it can be told."""
    try:
        return build()
    except InvalidSettings as problem:
        return House(UserSettings(), problem=problem)


def checkup(settings: UserSettings, path: str) -> tuple[Check, ...]:
    """Look at everything ocils needs; starts no container and loads no weights."""
    return (
        _check_python(),
        _check_sandbox(settings, path),
        _check_workspace(settings, path),
        *_check_model(settings),
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
    found = look_at_sandbox(root, _choice(settings, root), why, os.environ)
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
    found = look_at_python(root, _choice(settings, root), os.environ)
    return Check("workspace", found.ok, found.detail, found.mend, found.notes)


def _check_runner(root: str, language: LanguageName) -> Check:
    from ocils.sandbox.commands import find_program

    try:
        runner = _runner(root, language)
        program = find_program(runner, root, os.environ).path
    except OcilsError as problem:
        return Check("workspace", False, problem.message, problem.mend)
    doubt = {
        "tests": "",
        "hand": f"; tried by hand only: it needs {runner.needs}",
        "never": f"; never tried by us: it needs {runner.needs}",
    }[runner.verified]
    return Check("workspace", True, f"{root}, tests run with {runner.name} ({program}){doubt}")


def _check_model(settings: UserSettings) -> tuple[Check, ...]:
    from ocils.engine.hardware import cuda_devices
    from ocils.engine.nothing import MANIFESTS
    from ocils.engine.store import find, user_models, verify

    gpus = cuda_devices()
    device = f"{gpus} CUDA device(s)" if gpus else "no CUDA device: models run on the CPU"
    if settings.model.name in MANIFESTS:
        return Check("GPU", True, device), Check("model", True, "none; edits only, by your choice")
    try:
        model = find(settings.model.name, user_models())
        verify(model)
    except OcilsError as problem:
        return (
            Check("GPU", True, device),
            Check("model", False, problem.message, problem.mend),
        )
    manifest = model.manifest
    detail = f"{model.identity}, {manifest.licence}, {'/'.join(manifest.strategies)}"
    return (Check("GPU", True, device), Check("model", True, detail))


def _engine(settings: UserSettings) -> Engine:
    from ocils.engine.ct2 import CTranslate2Engine
    from ocils.engine.nothing import MANIFESTS, NoModel
    from ocils.engine.store import find, user_models

    if settings.model.name in MANIFESTS:
        return NoModel(MANIFESTS[settings.model.name])
    threads = settings.model.threads or os.cpu_count() or 1
    model = find(settings.model.name, user_models())
    return CTranslate2Engine(model, threads=threads, idle_seconds=settings.model.idle_seconds)


def _packages(root: str, settings: UserSettings) -> WorkspacePackages:
    from ocils.sandbox.packages.installer import Policy, Store, WorkspacePackages

    return WorkspacePackages(
        root,
        _choice(settings, root),
        Policy(settings.packages.install, settings.packages.allow),
        Store(
            str(platformdirs.user_state_path("ocils") / "packages"),
            str(platformdirs.user_cache_path("ocils") / "packages"),
        ),
    )


def _for_python(
    sandbox: Callable[[str, UserSettings], Sandbox],
) -> Callable[[str, UserSettings, LanguageName], Sandbox]:
    """Return a maker that asks nobody for the language."""
    return lambda root, settings, _: sandbox(root, settings)


def _runner(root: str, language: LanguageName) -> Runner:
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


def _choice(settings: UserSettings, root: str) -> Choice:
    from ocils.sandbox.runtime import Choice

    here = sandbox_at(settings, root)
    return Choice(here.runtime, here.python, here.image)


def _sandbox(root: str, settings: UserSettings, language: LanguageName) -> Sandbox:
    from ocils.sandbox.pool import DockerSandbox

    layer = _packages(root, settings).layer()
    width = settings.sandbox.slots or os.cpu_count() or 1
    return DockerSandbox(
        root,
        choice=msgspec.structs.replace(_choice(settings, root), layer=layer),
        width=width,
        memory_mib=settings.sandbox.memory,
        idle_seconds=settings.sandbox.idle_seconds,
        runner=None if language == PYTHON else _runner(root, language),
    )


def _recorder(settings: UserSettings) -> Recorder:
    from ocils.record.off import NoSessions
    from ocils.record.sessions import SessionFiles

    return SessionFiles() if settings.record else NoSessions()


def _bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())


def _overlaid(base: object, table: object) -> object:
    """Return ``base`` with ``table``'s values laid over it, table by table."""
    if isinstance(base, dict) and isinstance(table, dict):
        return {**base, **{k: _overlaid(base.get(k), v) for k, v in table.items()}}
    return table
