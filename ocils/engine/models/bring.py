"""A model out of a folder on this machine: a CTranslate2 folder is copied, safetensors are converted.

Not covered: archives; models in one file of another engine's format.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelMissing, Unsupported
from ocils.domain.model import Manifest
from ocils.domain.model_state import Progress
from ocils.engine.models import convert
from ocils.engine.models.describe import describe
from ocils.engine.models.hub import Stopped
from ocils.engine.models.install import NEEDED, OPTIONAL, Tell, check_complete, finish
from ocils.engine.models.staging import check_room, disk_problem, locked, staging_folder, sweep
from ocils.engine.models.store import (
    MANIFEST_IN_FOLDER,
    ModelFolder,
    installed_models,
    load_manifest,
)
from ocils.engine.models.weights import read_weights

_AT_ONCE = 4 * 1024 * 1024


def is_converted(folder: Path) -> bool:
    """Tell whether ``folder`` holds a CTranslate2 model. Raises ``ModelMissing``, ``Unsupported``."""
    if not folder.is_dir():
        raise ModelMissing(f"there is no folder {folder}", mend="check the path")
    if (folder / "model.bin").is_file():
        return True
    if any(folder.glob(f"*{convert.WITH_WEIGHTS}")):
        return False
    if any(folder.glob("*.gguf")):
        raise Unsupported(
            f"{folder} holds GGUF, which CTranslate2 does not read",
            mend="import the original safetensors, or serve the GGUF with llama.cpp and set model.remote",
        )
    raise Unsupported(
        f"{folder} holds neither a CTranslate2 model (model.bin) nor safetensors",
        mend="give the folder that holds config.json",
    )


def own_manifest(folder: Path) -> Manifest | None:
    """Return the manifest that lies in ``folder``, if one does. Raises ``ModelDamaged``."""
    path = folder / MANIFEST_IN_FOLDER
    return load_manifest(path) if path.is_file() else None


def bring(
    folder: Path,
    name: str,
    manifest: Manifest | None,
    quantisation: str,
    context: int,
    tell: Tell,
    cancel: CancelToken,
) -> ModelFolder:
    """Install the model in ``folder`` under ``name``; ``folder`` is only read.

    Without a ``manifest`` one is read off the files. Raises ``ModelDamaged``, ``ModelUnavailable``,
    ``Unsupported``, and ``Stopped``: then nothing was installed.
    """
    ready = is_converted(folder)
    installed = installed_models()
    with locked(installed, name):
        sweep(installed)
        staging = staging_folder(installed, name)
        made = staging / "model"
        whole = False
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            config: dict[str, object] = {}
            if ready:
                _copy(folder, made, tell, cancel)
            else:
                config = convert.check_source(folder)
                convert.convert(folder, made, quantisation, tell, cancel)
            if manifest is None:
                manifest = describe(made, name, config, context, None)
            model = finish(made, manifest, tell, cancel)
            whole = True
        except OSError as error:
            raise disk_problem(error, staging) from error
        finally:
            if not whole:
                # It can be had again from where it came, so nothing of it need be kept.
                shutil.rmtree(staging, ignore_errors=True)
    return model


def _copy(folder: Path, made: Path, tell: Tell, cancel: CancelToken) -> None:
    names = [name for name in (*NEEDED, *OPTIONAL) if (folder / name).is_file()]
    check_complete(frozenset(names), str(folder))
    read_weights(folder / "model.bin")
    total = sum((folder / name).stat().st_size for name in names)
    check_room(made.parent, total)
    made.mkdir()
    done = 0
    for name in names:
        with (folder / name).open("rb") as source, (made / name).open("wb") as target:
            while block := source.read(_AT_ONCE):
                target.write(block)
                done += len(block)
                tell(Progress(f"copying {name}", done, total))
                if cancel.cancelled:
                    raise Stopped
            os.fsync(target.fileno())
