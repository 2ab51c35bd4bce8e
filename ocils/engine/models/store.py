"""Where models are: finding manifests, checking that a model's files are what the manifest says.

A name is looked up in the user's config folder first, then among the models that were installed
(``ocils model pull``, ``import``, ``convert``: a folder each, with its manifest in it), then among
the manifests that ship with ocils: ``ocils/_models`` in an installed wheel, ``models`` beside the
package in a checkout.

Not covered: fetching and converting models (``pull.py``); loading one (``native.py``).
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import platformdirs

from ocils.domain.base import Value
from ocils.domain.errors import ModelDamaged, ModelMissing
from ocils.domain.model import Manifest
from ocils.engine.models.weights import AGAIN, read_weights

MANIFEST_IN_FOLDER = "ocils.toml"
REFUSED = "refused.toml"
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
    package = package or Path(__file__).parents[2]
    inside = package / "_models"
    return inside if inside.is_dir() else package.parent / "models"


def user_models() -> Path:
    """The folder of the user's own manifests; it need not exist."""
    return platformdirs.user_config_path("ocils") / "models"


def installed_models() -> Path:
    """The folder of what was installed, a folder a model; it need not exist."""
    return platformdirs.user_data_path("ocils") / "models"


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


def readable(
    user: Path | None = None, installed: Path | None = None, shipped: Path | None = None
) -> tuple[ModelFolder, ...]:
    """Return every model that can be found by its name; of two with one name the first counts.

    Each folder has its usual place where none is given, and need not exist. A manifest that is not
    valid is passed over: ``find`` tells of it to who asks for that model.
    """
    found: dict[str, ModelFolder] = {}
    for path in _manifest_files(user, installed, shipped):
        with suppress(ModelDamaged, ModelMissing):
            model = _described(path, installed)
            found.setdefault(model.manifest.name, model)
    return tuple(found.values())


def find(name_or_path: str, user: Path | None = None, installed: Path | None = None) -> ModelFolder:
    """Return the model of that name, or the one in that folder (absolute, or from ``~``).

    A name is the manifest's own, or its file's without ``.toml``. A folder holds its manifest as
    ``ocils.toml``; a path to a manifest itself works too.
    ``user`` and ``installed`` have their usual places where none is given. Raises ``ModelMissing`` or
    ``ModelDamaged``; neither the existence nor the bytes of the model's files are looked at.
    """
    if name_or_path.startswith(("/", "~")):
        path = Path(name_or_path).expanduser()
        if path.suffix != ".toml":
            if not path.is_dir():
                raise ModelMissing(
                    f"no model folder at {path}", mend="check the path in your settings"
                )
            path /= MANIFEST_IN_FOLDER
        return _described(path, installed)
    known: list[str] = []
    for path in _manifest_files(user, installed):
        try:
            name = load_manifest(path).name
        except ModelDamaged:
            # Somebody else's broken manifest must not hide the model that was asked for.
            if name_or_path == _called(path):
                raise
            continue
        if name_or_path in (name, _called(path)):
            return _described(path, installed)
        known.append(name)
    near = difflib.get_close_matches(name_or_path, sorted(set(known)), 3, 0.5)
    raise ModelMissing(
        f"no model is called {name_or_path!r}",
        mend=f"{f'did you mean {near[0]}? ' if near else ''}`ocils model list` names them all",
    )


def verify(model: ModelFolder) -> None:
    """Check every file of ``model`` against its checksum; takes about a second for 1 GiB.

    Raises ``ModelMissing`` when there is no folder and ``ModelDamaged``, naming the file, when one
    is missing, cut short or changed. Without checksums only the files' presence is checked.
    """
    manifest, folder = model.manifest, model.folder
    if not folder.is_dir():
        raise absent(model)
    mend = "reinstall ocils" if folder.is_relative_to(bundled_models()) else AGAIN
    for name in manifest.files or _NEEDED:
        path = folder / name
        if not path.is_file():
            raise ModelDamaged(
                f"the model {manifest.name} is damaged: {path} is missing", mend=mend
            )
        expected = manifest.files.get(name)
        if expected is not None and checksum(path) != expected.lower():
            raise ModelDamaged(
                f"the model {manifest.name} is damaged: {path} was cut short or changed", mend=mend
            )
    fits(model)


def fits(model: ModelFolder) -> None:
    """Check that the weights are whole, and that vocabulary and rotary base are theirs.

    Reads heads, not numbers: milliseconds. Raises ``ModelDamaged``.
    """
    manifest, folder = model.manifest, model.folder
    weights = read_weights(folder / "model.bin")
    words = _words(folder)
    if weights.vocabulary and words and weights.vocabulary != words:
        raise ModelDamaged(
            f"the vocabulary in {folder} has {words} tokens, the weights have {weights.vocabulary}: "
            "it is another model's",
            mend=AGAIN,
        )
    bases = weights.scalars("self_attention/rotary_base")
    rope = manifest.rope
    if rope is not None and bases and any(abs(base - rope.theta) > 0.5 for base in bases):
        got = ", ".join(f"{base:g}" for base in sorted(bases))
        raise ModelDamaged(
            f"the weights in {folder} turn positions with the base {got}, and {manifest.name} was "
            f"trained with {rope.theta:g}: what they write would be wrong",
            mend="convert it again with transformers 5 or newer (`ocils model convert`)",
        )
    factors = weights.scalars("self_attention/rotary_scaling_factor") or frozenset({1.0})
    if rope is not None and bases and factors != {rope.factor}:
        raise ModelDamaged(
            f"the weights in {folder} stretch positions by {max(factors):g}, and {manifest.name} "
            f"was trained with {rope.factor:g}: what they write would be wrong",
            mend="convert it again from the original weights (`ocils model convert`)",
        )


def absent(model: ModelFolder) -> ModelMissing:
    """Return the error for a model whose files are not on this machine."""
    name = model.manifest.name
    if model.manifest.source is not None and not model.manifest.folder:
        return ModelMissing(
            f"the model {name} is not on this machine", mend=f"run `ocils model pull {name}`"
        )
    return ModelMissing(
        f"the model {name} has no folder at {model.folder}",
        mend="put its files there, or choose another model in your settings",
    )


def _described(path: Path, installed: Path | None) -> ModelFolder:
    manifest = load_manifest(path)
    if manifest.folder or path.name == MANIFEST_IN_FOLDER:
        folder = (path.parent / Path(manifest.folder).expanduser()).resolve()
        return ModelFolder(manifest, folder, _identity(manifest, folder))
    folder = (installed or installed_models()) / manifest.name
    if not manifest.files:
        # The user's own manifest wins, and what was installed knows what its files are.
        with suppress(ModelMissing, ModelDamaged):
            files = load_manifest(folder / MANIFEST_IN_FOLDER).files
            manifest = msgspec.structs.replace(manifest, files=files)
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


def _manifest_files(
    user: Path | None, installed: Path | None, shipped: Path | None = None
) -> Iterator[Path]:
    yield from sorted((user or user_models()).glob("*.toml"))
    # A folder whose name begins with a dot is one that is still being made.
    yield from sorted((installed or installed_models()).glob(f"[!.]*/{MANIFEST_IN_FOLDER}"))
    # Beside the shipped manifests lies the list of what is refused, which is none.
    beside = (shipped or bundled_models()).glob("*.toml")
    yield from (path for path in sorted(beside) if path.name != REFUSED)


def _called(path: Path) -> str:
    """Return how a manifest's file is called by who does not know the model's name."""
    return path.parent.name if path.name == MANIFEST_IN_FOLDER else path.stem


def _words(folder: Path) -> int:
    """Count the tokens of the vocabulary that lies beside the weights; 0 when there is none."""
    try:
        if (folder / "vocabulary.json").is_file():
            return len(json.loads((folder / "vocabulary.json").read_bytes()))
        if (folder / "vocabulary.txt").is_file():
            return len((folder / "vocabulary.txt").read_text("utf-8").splitlines())
    except (OSError, ValueError, TypeError) as error:
        raise ModelDamaged(
            f"cannot read the vocabulary in {folder}: {error}", mend=AGAIN
        ) from error
    return 0


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file. Raises ``ModelDamaged`` when it cannot be read."""
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
