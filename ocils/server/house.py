"""What the server takes from the house that ``wiring`` builds; the command line passes it in.

The server may not import ``wiring`` (layers point downwards), so it says here what it needs.
"""

from __future__ import annotations

from typing import Protocol

from ocils.ports import Ports, Workspace
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

    def ports(self, root: str) -> Ports:
        """Return the ports of a workspace, the same at every call. Raises ``OcilsError``."""
        ...

    def configure(self, settings: dict[str, object]) -> None:
        """Take over the editor's settings, the user's own. Raises ``InvalidSettings``."""
        ...

    async def close(self) -> None:
        """End every container and release the model."""
        ...
