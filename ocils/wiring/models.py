"""What a user can do with models: pull, import, convert, use, verify, remove.

Each runs in the calling thread and takes as long as it takes; ``tell`` hears how far it is, from
that thread. A flipped token ends it, with None for an answer; nothing is half installed then.

Not covered: listing them (``model_list.py``), how it is shown (``cli_models.py``, ``server/pulling.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelDamaged, ModelMissing, UsageError
from ocils.domain.model import Manifest
from ocils.domain.model_state import Progress
from ocils.settings import UserSettings, load_user, user_file
from ocils.settings_text import with_model
from ocils.wiring.model_list import ListedModel, row_of

Tell = Callable[[Progress], None]

_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_QUANTISATION = "int8"


def server() -> str:
    """Return the model's server that the user's settings name, or nothing. Raises ``OcilsError``."""
    return load_user().remote.url


def chosen() -> str:
    """Return the name, or the folder, that the user's settings choose. Raises ``InvalidSettings``."""
    return load_user().model.name


def pull(
    what: str,
    tell: Tell,
    cancel: CancelToken,
    *,
    revision: str = "",
    quantisation: str = "",
    name: str = "",
    context: int = 0,
    convert: bool = False,
) -> ListedModel | None:
    """Bring a known model, or a repository "owner/name" of a hub. Raises ``OcilsError``.

    A repository is taken as it is, a folder for CTranslate2, unless ``convert``.
    """
    from ocils.engine.models.hub import Stopped
    from ocils.engine.models.pull import Wish, already_there, wish_for
    from ocils.engine.models.pull import pull as bring_it
    from ocils.engine.models.store import find

    if _REPO.fullmatch(what):
        name = _checked(name or _named(what))
        known = _known(name)
        wish = Wish(
            name,
            what,
            revision or "main",
            "converted" if convert else "ready",
            quantisation or _QUANTISATION,
        )
        manifest = known
    else:
        manifest = find(what).manifest
        if manifest.folder:
            from ocils.engine.models.install import refuse_bundled

            refuse_bundled(find(what), "pulled")
        wish = wish_for(manifest, revision, quantisation, convert_it=convert)
    there = None if quantisation or convert else already_there(wish)
    if there is not None:
        tell(Progress(f"{wish.name} is here already, and whole"))
        return row_of(there, UserSettings())
    try:
        model = bring_it(wish, manifest, tell, cancel, context=context)
    except Stopped:
        return None
    return row_of(model, UserSettings())


def import_folder(
    folder: str,
    tell: Tell,
    cancel: CancelToken,
    *,
    name: str = "",
    quantisation: str = "",
    context: int = 0,
) -> ListedModel | None:
    """Install the model in ``folder``; safetensors are converted. Raises ``OcilsError``."""
    from ocils.engine.models.bring import bring, is_converted, own_manifest
    from ocils.engine.models.hub import Stopped

    path = Path(folder).expanduser().resolve()
    is_converted(path)
    own = own_manifest(path)
    name = _checked(name or (own.name if own is not None else _named(path.name)))
    manifest = _known(name) or own
    if manifest is not None:
        manifest = msgspec.structs.replace(manifest, name=name)
    try:
        model = bring(path, name, manifest, quantisation or _QUANTISATION, context, tell, cancel)
    except Stopped:
        return None
    return row_of(model, UserSettings())


def use(name: str) -> tuple[Path, ListedModel | None]:
    """Let the user's settings name a model; return their file, and the model (None: no model at all).

    ``name`` may be a folder. Raises ``ModelMissing``, ``ModelDamaged`` and ``InvalidSettings``;
    then the settings are as they were.
    """
    from ocils.engine.models.staging import replace_text
    from ocils.engine.models.store import absent, find, fits
    from ocils.engine.nothing import MANIFESTS

    row = None
    if name not in MANIFESTS:
        if "/" in name:
            name = str(Path(name).expanduser().resolve())
        model = find(name)
        if not (model.folder / "model.bin").is_file():
            raise absent(model)
        fits(model)
        row = row_of(model, UserSettings())
        name = name if name.startswith("/") else model.manifest.name
    path = user_file()
    text = path.read_text("utf-8") if path.is_file() else ""
    replace_text(path, with_model(text, name))
    return path, row


def check(name: str, cancel: CancelToken) -> ListedModel | None:
    """Hash a model's files anew and look at all of it. Raises ``ModelMissing`` and ``ModelDamaged``."""
    from ocils.engine.models.examine import examine
    from ocils.engine.models.hub import Stopped
    from ocils.engine.models.store import find

    model = find(name)
    try:
        examine(model, cancel, load=True)
    except Stopped:
        return None
    return row_of(model, UserSettings())


def removable(name: str) -> Path:
    """Return the folder that removing a model would delete.

    Raises ``UsageError`` for one that ships with ocils or lies elsewhere, ``ModelMissing``.
    """
    from ocils.engine.models.install import refuse_bundled
    from ocils.engine.models.staging import staging_folder
    from ocils.engine.models.store import find, installed_models

    installed = installed_models()
    try:
        model = find(name)
    except (ModelDamaged, ModelMissing):
        # A broken manifest, or only a beginning, can go too.
        folder = installed / _checked(name)
    else:
        refuse_bundled(model, "removed")
        folder, name = model.folder, model.manifest.name
    if folder.parent.resolve() != installed.resolve():
        raise UsageError(
            f"{folder} lies outside of {installed}, where ocils keeps models",
            mend="delete it yourself, if it is to go",
        )
    if not folder.exists() and not staging_folder(installed, folder.name).exists():
        raise ModelMissing(f"nothing of {name} is on this machine")
    return folder


def remove(name: str) -> Path:
    """Delete an installed model, and what was begun of it; return where it was.

    Raises as ``removable`` does, and ``ModelUnavailable`` while another ocils is at work on it.
    """
    from ocils.engine.models.staging import discard, locked
    from ocils.engine.models.store import installed_models

    folder = removable(name)
    with locked(installed_models(), folder.name):
        discard(installed_models(), folder.name)
    return folder


def _known(name: str) -> Manifest | None:
    from ocils.engine.models.install import refuse_bundled
    from ocils.engine.models.store import find

    try:
        model = find(name)
    except ModelMissing:
        return None
    except ModelDamaged:
        # What is installed under that name is broken, and about to be replaced.
        return None
    refuse_bundled(model, "replaced")
    return model.manifest


def _named(text: str) -> str:
    """Return a name for a model out of its repository's or its folder's."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.rpartition("/")[2].lower()).strip("-._")
    return name or "model"


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(
            f"{name!r} is no name for a model", mend="letters, digits, '.', '_' and '-' only"
        )
    return name
