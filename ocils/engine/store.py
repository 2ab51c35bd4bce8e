"""Where models are: finding manifests, checking that a model's files are what the manifest says.

A name is looked up in the user's config folder first, then among the manifests that ship with
ocils: ``ocils/_models`` in an installed wheel, ``models`` beside the package in a checkout.

Not covered: fetching and converting models; loading one (``native.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import platformdirs

from ocils.domain.base import Value
from ocils.domain.errors import ModelDamaged, ModelMissing
from ocils.domain.model import Manifest

MANIFEST_IN_FOLDER = "ocils.toml"
_NEEDED = ("config.json", "model.bin", "tokenizer.json")
_READ_AT_ONCE = 1024 * 1024


class ModelFolder(Value, frozen=True):
    """A model that was found: its manifest, the folder of its files, and its identity.

    ``identity`` is the name and a hash of the files as the manifest states them ("tiny@1f0c…"), so
    that asking for it reads no weights; a manifest without checksums is identified by the files'
    sizes and times. That the files are what they should be is ``verify``'s to say.
    """

    manifest: Manifest
    folder: Path
    identity: str


def bundled_models(package: Path | None = None) -> Path:
    """The folder of the manifests that ship with ocils; ``package`` is where ``ocils`` itself lies.

    In an installed wheel the folder beside the package is somebody else's, whatever its name.
    """
    package = package or Path(__file__).parent.parent
    inside = package / "_models"
    return inside if inside.is_dir() else package.parent / "models"


def user_models() -> Path:
    """The folder of the user's own manifests; it need not exist."""
    return platformdirs.user_config_path("ocils") / "models"


def load_manifest(path: Path) -> Manifest:
    """Read the manifest at ``path``. Raises ``ModelMissing`` or ``ModelDamaged``."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise ModelMissing(
            f"no manifest at {path}", mend="check the model's name or path in your settings"
        ) from error
    except OSError as error:
        raise ModelDamaged(
            f"cannot read the manifest {path}: {_reason(error)}", mend="check its permissions"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelDamaged(
            f"the manifest {path} is not valid: {error}", mend="correct it or remove it"
        ) from error


def manifests(*folders: Path) -> tuple[ModelFolder, ...]:
    """Return the models described in ``folders``; of two with one name the first counts.

    Folders that do not exist hold nothing. Raises ``ModelDamaged`` for a manifest that is not valid.
    """
    known: dict[str, ModelFolder] = {}
    for path in _manifest_files(folders):
        model = _described(path)
        known.setdefault(model.manifest.name, model)
    return tuple(known.values())


def readable(folder: Path) -> tuple[ModelFolder, ...]:
    """Return the models described in ``folder``; a manifest that is not valid is passed over."""
    found: list[ModelFolder] = []
    for path in _manifest_files((folder,)):
        with suppress(ModelDamaged, ModelMissing):
            found.append(_described(path))
    return tuple(found)


def find(name_or_path: str, user_folder: Path | None = None) -> ModelFolder:
    """Return the model of that name, or the one in that folder (absolute, or from ``~``).

    A name is the manifest's own, or its file's without ``.toml``. A folder holds its manifest as
    ``ocils.toml``; a path to a manifest itself works too.
    ``user_folder`` defaults to ``user_models()``. Raises ``ModelMissing`` or ``ModelDamaged``;
    neither the existence nor the bytes of the model's files are looked at.
    """
    if name_or_path.startswith(("/", "~")):
        path = Path(name_or_path).expanduser()
        if path.suffix != ".toml":
            if not path.is_dir():
                raise ModelMissing(
                    f"no model folder at {path}", mend="check the path in your settings"
                )
            path /= MANIFEST_IN_FOLDER
        return _described(path)
    known: list[str] = []
    for path in _manifest_files((user_folder or user_models(), bundled_models())):
        try:
            name = load_manifest(path).name
        except ModelDamaged:
            # Somebody else's broken manifest must not hide the model that was asked for.
            if path.stem == name_or_path:
                raise
            continue
        if name_or_path in (name, path.stem):
            return _described(path)
        known.append(name)
    names = sorted(set(known))
    raise ModelMissing(
        f"no model is called {name_or_path!r}",
        mend=f"choose one of: {', '.join(names)}" if names else "reinstall ocils",
    )


def verify(model: ModelFolder) -> None:
    """Check every file of ``model`` against its checksum; takes about a second for 1 GiB.

    Raises ``ModelMissing`` when there is no folder and ``ModelDamaged``, naming the file, when one
    is missing, cut short or changed. Without checksums only the files' presence is checked.
    """
    manifest, folder = model.manifest, model.folder
    if not folder.is_dir():
        raise ModelMissing(
            f"the model {manifest.name} has no folder at {folder}",
            mend="put its files there, or choose another model in your settings",
        )
    mend = "get the model's files again, or reinstall ocils if the model came with it"
    for name in manifest.files or _NEEDED:
        path = folder / name
        if not path.is_file():
            raise ModelDamaged(
                f"the model {manifest.name} is damaged: {path} is missing", mend=mend
            )
        expected = manifest.files.get(name)
        if expected is not None and _checksum(path) != expected.lower():
            raise ModelDamaged(
                f"the model {manifest.name} is damaged: {path} was cut short or changed", mend=mend
            )


def _described(path: Path) -> ModelFolder:
    manifest = load_manifest(path)
    folder = (path.parent / Path(manifest.folder).expanduser()).resolve()
    return ModelFolder(manifest, folder, _identity(manifest, folder))


def _identity(manifest: Manifest, folder: Path) -> str:
    total = hashlib.sha256()
    if manifest.files:
        for name, checksum in sorted(manifest.files.items()):
            total.update(f"{name}\0{checksum.lower()}\n".encode())
    else:
        for name in _NEEDED:
            try:
                status = (folder / name).stat()
            except OSError:
                continue
            total.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return f"{manifest.name}@{total.hexdigest()[:12]}"


def _manifest_files(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.glob("*.toml"))


def _checksum(path: Path) -> str:
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_READ_AT_ONCE):
                total.update(block)
    except OSError as error:
        raise ModelDamaged(
            f"cannot read {path}: {_reason(error)}", mend="check its permissions"
        ) from error
    return total.hexdigest()


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
