"""The last steps of every way to a model: its manifest with checksums, a look at it, one rename.

Not covered: where the files come from (``pull.py``, ``bring.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelDamaged, OcilsError, UsageError
from ocils.domain.model import Manifest
from ocils.domain.model_state import Progress
from ocils.engine.models.examine import examine
from ocils.engine.models.manifest_text import manifest_text
from ocils.engine.models.staging import disk_problem, publish
from ocils.engine.models.store import (
    MANIFEST_IN_FOLDER,
    ModelFolder,
    bundled_models,
    checksum,
    find,
    installed_models,
)

NEEDED: Final = ("config.json", "model.bin", "tokenizer.json")
OPTIONAL: Final = (
    "vocabulary.json",
    "vocabulary.txt",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
)
"""What of a CTranslate2 folder is kept, beside what is ``NEEDED``."""

Tell = Callable[[Progress], None]


def check_complete(names: frozenset[str], where: str) -> None:
    """Raise ``ModelDamaged`` unless ``names`` hold what a CTranslate2 model needs."""
    for name in NEEDED:
        if name not in names:
            why = ", and without it no text becomes tokens" if name == "tokenizer.json" else ""
            raise ModelDamaged(
                f"{name} is missing in {where}{why}",
                mend="get the model's files again, or convert the original (`ocils model convert`)",
            )
    if not names & {"vocabulary.json", "vocabulary.txt"}:
        raise ModelDamaged(f"the vocabulary is missing in {where}", mend="convert the model again")


def finish(made: Path, manifest: Manifest, tell: Tell, cancel: CancelToken) -> ModelFolder:
    """Write the manifest of the files in ``made``, look at it all, and put it in its place.

    The model's files are in ``made``, in a staging folder of ``installed_models()``. Raises
    ``ModelDamaged`` and ``ModelUnavailable``, and ``Stopped``; then nothing was installed.
    """
    check_complete(frozenset(each.name for each in made.iterdir()), str(made))
    files: dict[str, str] = {}
    for name in sorted((*NEEDED, *OPTIONAL)):
        if (made / name).is_file():
            tell(Progress(f"hashing {name}"))
            files[name] = checksum(made / name)
    whole = replace(manifest, folder="", files=files)
    try:
        text = manifest_text(
            whole, "Written by `ocils model`; a manifest in your config folder wins."
        )
        (made / MANIFEST_IN_FOLDER).write_text(text, encoding="utf-8")
    except OSError as error:
        raise disk_problem(error, made) from error
    tell(Progress("looking at it"))
    try:
        examine(find(str(made)), cancel, load=True)
    except OcilsError as problem:
        # The folder that was looked at is gone by the time that this is read.
        said = problem.message.replace(f" in {made}", f" of {manifest.name}")
        problem.message = said.replace(str(made), manifest.name)
        raise
    installed = installed_models()
    return find(str(publish(made, installed, manifest.name)))


def refuse_bundled(model: ModelFolder, doing: str) -> None:
    """Raise ``UsageError`` for a model that ships with ocils: its files are not ours to change."""
    if model.folder.is_relative_to(bundled_models()):
        raise UsageError(
            f"{model.manifest.name} comes with ocils and cannot be {doing}",
            mend="choose another name" if doing != "removed" else "uninstall ocils to be rid of it",
        )
