"""What the server takes from the house that ``wiring`` builds; the command line passes it in.

The server may not import ``wiring`` (layers point downwards), so it says here what it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Manifest
from ocils.domain.model_state import ModelState, Progress
from ocils.domain.session import Session
from ocils.domain.text import Document
from ocils.ports import Packages, Ports, Workspace
from ocils.settings import UserSettings, WorkspaceSettings


class House(Protocol):
    """Builds and keeps the ports of each workspace."""

    @property
    def settings(self) -> UserSettings:
        """What the user set."""
        ...

    def workspace(self, path: str) -> Workspace:
        """Return the workspace that the file or folder at ``path`` belongs to."""
        ...

    def workspace_settings(self, root: str) -> WorkspaceSettings:
        """Return what the repository sets. Raises ``InvalidSettings``."""
        ...

    def ports(self, root: str, path: str = "") -> Ports:
        """Return the ports of a workspace for the language of ``path``, the same at every call.

        Raises ``OcilsError``.
        """
        ...

    def packages(self, root: str) -> Packages:
        """Return what looks up and installs the packages that a workspace's tests lack."""
        ...

    def renew(self, root: str) -> None:
        """Let the next use of a workspace see what was installed; what runs is not disturbed."""
        ...

    def configure(self, settings: dict[str, object]) -> None:
        """Take over the editor's settings, the user's own. Raises ``InvalidSettings``."""
        ...

    def recorded(self, count: int) -> tuple[tuple[Session, float], ...]:
        """Return the newest recorded sessions, and when each was last written (seconds since 1970)."""
        ...

    def recorded_session(self, session_id: str) -> Session:
        """Return a recorded session. Raises ``UsageError``."""
        ...

    def read(self, path: str) -> Document:
        """Return the file at ``path`` as it is on disk. Raises ``OcilsError``."""
        ...

    def keep_text(self, name: str, text: str) -> str:
        """Write a text for the user to look at into their cache folder; return its path."""
        ...

    def checkup(self, path: str) -> tuple[Check, ...]:
        """Look at everything ocils needs, for the workspace of ``path``; takes a second or so."""
        ...

    def model_state(self) -> ModelState | None:
        """Return where the chosen model stands; None where there is nothing to say of it."""
        ...

    def watch_model(self, changed: Callable[[], None]) -> None:
        """Call ``changed``, from any thread, whenever the model's state is another one."""
        ...

    def pull_model(self, name: str, tell: Callable[[Progress], None], cancel: CancelToken) -> bool:
        """Fetch a model in this thread; tell whether it is there, False when cancelled.

        Raises ``OcilsError``.
        """
        ...

    def models(self) -> tuple[KnownModel, ...]:
        """Return the models that can be chosen by name, those that ship with ocils last."""
        ...

    async def close(self) -> None:
        """End every container and release the model."""
        ...


class Check(Protocol):
    """One finding of the doctor."""

    @property
    def name(self) -> str:
        """What was looked at."""
        ...

    @property
    def ok(self) -> bool:
        """Whether it is as it should be."""
        ...

    @property
    def detail(self) -> str:
        """What was found."""
        ...

    @property
    def mend(self) -> str:
        """What to do about it."""
        ...


class KnownModel(Protocol):
    """A model that can be chosen."""

    @property
    def manifest(self) -> Manifest:
        """Its description."""
        ...

    @property
    def bundled(self) -> bool:
        """Whether it ships with ocils."""
        ...

    @property
    def size(self) -> int:
        """The bytes of its files, 0 when they are not there."""
        ...
