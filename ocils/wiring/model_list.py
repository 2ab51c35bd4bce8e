"""The models that are known, and what of each is on this machine.

Not covered: doing anything with them (``models.py``), hashing their files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ocils.domain.base import Value
from ocils.domain.errors import ModelDamaged
from ocils.settings import UserSettings, load_user

if TYPE_CHECKING:
    from ocils.engine.models.store import ModelFolder

Presence = Literal["bundled", "installed", "own", "absent", "damaged"]
"""``own``: in a folder that the user's manifest names."""


class ListedModel(Value, frozen=True, omit_defaults=False):
    """A model that can be chosen by name; ``size`` in bytes, 0 when its files are not there.

    ``source`` is the repository that a pull takes, empty where there is none; ``problem`` is what
    is wrong with a damaged one.
    """

    name: str
    family: str
    licence: str
    parameters: int
    context: int
    chat: bool
    strategies: tuple[str, ...]
    state: Presence
    size: int
    current: bool
    source: str = ""
    problem: str = ""


def listed(settings: UserSettings | None = None) -> tuple[ListedModel, ...]:
    """Return every model that is known, what is here first. Hashes nothing: see ``check``.

    Without ``settings`` the user's file says which is in use. Raises ``InvalidSettings``.
    """
    from ocils.engine.models.store import readable

    settings = settings or load_user()
    rows = [row_of(model, settings) for model in readable()]
    here = {"bundled": 0, "installed": 1, "own": 1, "damaged": 2, "absent": 3}
    return tuple(sorted(rows, key=lambda row: (here[row.state], row.name)))


def row_of(model: ModelFolder, settings: UserSettings) -> ListedModel:
    """Return what the list says of ``model``."""
    manifest = model.manifest
    state, problem = _presence(model)
    return ListedModel(
        manifest.name,
        manifest.family,
        manifest.licence,
        manifest.parameters,
        manifest.context,
        manifest.chat,
        manifest.strategies,
        state,
        size_of(model.folder),
        settings.model.name in (manifest.name, str(model.folder)) and not settings.remote.url,
        (manifest.source.converted or manifest.source.repo) if manifest.source else "",
        problem,
    )


def _presence(model: ModelFolder) -> tuple[Presence, str]:
    """Tell where a model's files are, by a glance at them."""
    from ocils.engine.models.install import NEEDED
    from ocils.engine.models.store import bundled_models, fits, installed_models

    if not (model.folder / "model.bin").exists():
        return ("damaged", "model.bin is missing") if model.folder.is_dir() else ("absent", "")
    try:
        for name in model.manifest.files or NEEDED:
            if not (model.folder / name).is_file():
                return "damaged", f"{name} is missing"
        fits(model)
    except ModelDamaged as error:
        return "damaged", error.message
    if model.folder.is_relative_to(bundled_models()):
        return "bundled", ""
    return ("installed" if model.folder.parent == installed_models() else "own"), ""


def size_of(folder: Path) -> int:
    """Return the bytes of a model's files; 0 where there is no such folder."""
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
