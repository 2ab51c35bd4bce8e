"""The house: adapters that are made when they are first needed, kept, and closed together.

Not covered: how each is made (``adapters.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import platformdirs

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import InvalidSettings
from ocils.domain.model import Manifest
from ocils.domain.model_state import ModelState, Progress
from ocils.domain.session import Session
from ocils.domain.text import Document
from ocils.languages.manifest import PYTHON, LanguageName
from ocils.ports import Engine, Packages, Ports, Recorder, Sandbox, Workspace
from ocils.settings import (
    RemoteSettings,
    UserSettings,
    WorkspaceSettings,
    load_user,
    load_workspace,
    parse,
    user_file,
)
from ocils.wiring.adapters import (
    how_judged,
    make_engine,
    make_packages,
    make_recorder,
    make_sandbox,
)
from ocils.wiring.checkup import Check, checkup
from ocils.wiring.model_watch import ModelWatch


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
        self._watch = ModelWatch()
        self._own_engine = engine
        self._make_sandbox = _for_python(sandbox) if sandbox else make_sandbox
        self._make_packages = packages or make_packages
        self._make_recorder = recorder or make_recorder
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
        if self._engine is not None and self._own_engine is None and self._watch.outdated:
            # It was made when the model's files were not there, or were others.
            self._retired.append(self._engine)
            self._engine = None
        if self._engine is None:
            make = self._own_engine or partial(make_engine, report=self._watch.reporter())
            self._engine = make(self.settings)
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
        if isinstance(table, dict) and table.get("remote"):
            raise InvalidSettings(
                "a model on a server is not chosen in an editor, whose settings a repository may hold",
                mend=f"put [remote] into {user_file()}",
            )
        base = msgspec.to_builtins(self._file_settings)
        new = parse(_overlaid(base, table), UserSettings, "the editor's ocils settings")
        if (new.model, new.remote) != (
            self.settings.model,
            self.settings.remote,
        ) and self._engine is not None:
            self._retired.append(self._engine)
            self._engine = None
        if (new.sandbox, new.workspaces) != (self.settings.sandbox, self.settings.workspaces):
            self._retired += self._sandboxes.values()
            self._sandboxes = {}
        if new.model.name != self.settings.model.name or new.remote != self.settings.remote:
            self._watch.renew()
        self.settings = new
        if self._problem is not None:
            problem, self._problem = self._problem, None
            raise problem

    def choose(self, name: str) -> None:
        """Use the model of that name in this process, whatever the settings say of a server."""
        self._file_settings = msgspec.structs.replace(self._file_settings, remote=RemoteSettings())
        self.configure({"model": {"name": name}})

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
        state = None if self._own_engine else self._watch.state(self.settings, again=True)
        return (*checkup(self.settings, path, state), *self._check_levels(path))

    def _check_levels(self, path: str) -> tuple[Check, ...]:
        """Say how the candidates of the workspace of ``path`` were judged in this process."""
        from ocils.workspace.paths import find_root, language_at

        sandbox = self._sandboxes.get((find_root(path), language_at(path)))
        detail, notes = how_judged(sandbox) if sandbox is not None else ("", ())
        return (Check("judging", True, detail, notes=notes),) if detail else ()

    def model_state(self) -> ModelState | None:
        """Return where the chosen model stands; None where there is nothing to say of it.

        Quick, but for the first time and after a change of model, when it looks at the disk.
        """
        return None if self._own_engine else self._watch.state(self.settings)

    def watch_model(self, changed: Callable[[], None]) -> None:
        """Call ``changed``, from any thread, whenever the model's state is another one."""
        self._watch.listen(changed)

    def pull_model(self, name: str, tell: Callable[[Progress], None], cancel: CancelToken) -> bool:
        """Fetch a model in this thread; tell whether it is there, False when cancelled.

        Raises ``OcilsError``; then, as when it was cancelled, nothing was installed.
        """
        from ocils.wiring.models import pull

        chosen = name == self.settings.model.name

        def heard(done: Progress) -> None:
            if chosen and done.total:
                self._watch.pulling(done.fraction)
            tell(done)

        try:
            return pull(name, heard, cancel) is not None
        finally:
            if chosen:
                self._watch.renew()

    def models(self) -> tuple[KnownModel, ...]:
        """Return the models that can be chosen by name, the user's own first.

        A manifest that is not valid is passed over: the doctor is who complains.
        """
        from ocils.engine.models.store import bundled_models, readable

        shipped = bundled_models()
        return tuple(
            KnownModel(
                model.manifest, model.folder.is_relative_to(shipped), _bytes_of(model.folder)
            )
            for model in readable()
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
    """Return the house for this user. Raises ``InvalidSettings``.

    It is built before there are threads, which is when the memory for a model can be set up.
    """
    from ocils.engine.machine.allocator import one_heap

    one_heap()
    return House(load_user())


def build_for_editor() -> House:
    """Return the house for this user; a mistake in their settings waits until it can be told."""
    try:
        return build()
    except InvalidSettings as problem:
        return House(UserSettings(), problem=problem)


def _for_python(
    sandbox: Callable[[str, UserSettings], Sandbox],
) -> Callable[[str, UserSettings, LanguageName], Sandbox]:
    """Return a maker that asks nobody for the language."""
    return lambda root, settings, _: sandbox(root, settings)


def _bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())


def _overlaid(base: object, table: object) -> object:
    """Return ``base`` with ``table``'s values laid over it, table by table."""
    if isinstance(base, dict) and isinstance(table, dict):
        return {**base, **{k: _overlaid(base.get(k), v) for k, v in table.items()}}
    return table
