"""From safetensors to a CTranslate2 folder: what is needed for it, what is refused, and the process.

Not covered: the conversion itself (``conversion.py``); fetching the source (``pull.py``).
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelDamaged, ModelUnavailable, Unsupported
from ocils.domain.model_state import Progress
from ocils.engine.models.child import run_module
from ocils.engine.models.refused import refusal, refusal_of_name
from ocils.engine.models.staging import check_room
from ocils.engine.models.weights import read_weights

QUANTISATIONS: Final = (
    "int8",
    "int8_float16",
    "int8_bfloat16",
    "float16",
    "bfloat16",
    "float32",
)
"""How weights may be stored; CTranslate2 makes another type of them when it loads them."""

WITH_WEIGHTS = ".safetensors"
_SMALL = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "vocab.json",
        "merges.txt",
        "model.safetensors.index.json",
    }
)
_BYTES = {"int8": 1, "float1": 2, "bfloat": 2, "float3": 4}
_TRANSFORMERS = 5
_POINTER = b"version https://git-lfs"


def wanted(name: str) -> bool:
    """Tell whether a conversion needs the file ``name`` of a repository; subfolders' are not."""
    if name in _SMALL:
        return True
    return "/" not in name and name.endswith(WITH_WEIGHTS) and name.startswith("model")


def check_tools() -> None:
    """Raise ``Unsupported`` unless what converts is installed, new enough to convert rightly."""
    mend = "install it with `pip install 'ocils[convert]'` into the environment of ocils"
    for name in ("torch", "transformers", "safetensors"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise Unsupported(
                f"converting needs {name}, which is not installed", mend=mend
            ) from error
        if name == "transformers" and int(version.partition(".")[0]) < _TRANSFORMERS:
            # 4.x takes 10000 for the rotary base of every DeepSeek-based model, without an error.
            raise Unsupported(
                f"transformers {version} converts some models wrongly without saying so",
                mend="install transformers 5 or newer: `pip install 'ocils[convert]'`",
            )


def check_source(folder: Path, name: str = "") -> dict[str, object]:
    """Return the ``config.json`` in ``folder``, of a model that converts rightly.

    ``name`` is what it is called where it comes from. Raises ``Unsupported`` with what to use
    instead, and ``ModelDamaged``.
    """
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ModelDamaged(
            f"cannot read {folder / 'config.json'}: {error}", mend="get the model's files again"
        ) from error
    if not isinstance(config, dict):
        raise ModelDamaged(f"{folder / 'config.json'} is no table", mend="get it again")
    if why := refusal(config) or refusal_of_name(name):
        raise Unsupported(f"{name or folder} cannot be converted: {why}")
    return config


def converted_size(source: int, config: dict[str, object], compute_type: str) -> int:
    """Estimate the bytes of the converted model from those of the source's weights."""
    stored = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    have = next((n for start, n in _BYTES.items() if stored.startswith(start)), 4)
    want = next(n for start, n in _BYTES.items() if compute_type.startswith(start))
    # Scales, and what is not quantised, come on top.
    return source * want // have + source // 50


def convert(
    source: Path,
    target: Path,
    compute_type: str,
    tell: Callable[[Progress], None],
    cancel: CancelToken,
) -> None:
    """Convert ``source`` into the new folder ``target``.

    Raises ``Unsupported``, ``ModelDamaged``, ``ModelUnavailable``, and ``Stopped``; a target that
    is not whole is removed.
    """
    check_tools()
    config = check_source(source)
    weights = sum(each.stat().st_size for each in source.glob(f"*{WITH_WEIGHTS}"))
    if not weights:
        raise ModelDamaged(
            f"there are no weights as safetensors in {source}",
            mend="other formats can run code when they are read, so they are not converted",
        )
    for each in source.glob(f"*{WITH_WEIGHTS}"):
        with each.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise ModelDamaged(
                    f"{each} is a pointer of Git LFS and not the file",
                    mend="run `git lfs pull` in its repository",
                )
    if not (source / "tokenizer.json").is_file():
        raise ModelDamaged(
            f"{source / 'tokenizer.json'} is missing, and without it no text becomes tokens",
            mend="get the model's files again, with their tokenizer",
        )
    check_room(target.parent, converted_size(weights, config, compute_type))
    shutil.rmtree(target, ignore_errors=True)
    failed = ""

    def hear(said: dict[str, object]) -> None:
        nonlocal failed
        if "stage" in said:
            tell(Progress(str(said["stage"])))
        failed = str(said.get("failed", failed))

    whole = False
    try:
        arguments = [str(source), str(target), compute_type]
        ended = run_module("ocils.engine.models.conversion", arguments, hear, cancel)
        if failed or ended.code:
            raise ModelUnavailable(
                f"the conversion failed: {_first_line(failed) or ended.how}",
                mend="the source may be damaged, or of a kind that CTranslate2 does not know",
            )
        _check_rope(target, config)
        whole = True
    finally:
        if not whole:
            shutil.rmtree(target, ignore_errors=True)


def _check_rope(folder: Path, config: dict[str, object]) -> None:
    """Compare the rotary base with the source's: another one is wrong without an error."""
    given = config.get("rope_theta")
    for key in ("rope_parameters", "rope_scaling"):
        inner = config.get(key)
        if isinstance(inner, dict):
            given = inner.get("rope_theta", given)
    bases = read_weights(folder / "model.bin").scalars("self_attention/rotary_base")
    if not isinstance(given, int | float) or not bases:
        return
    if any(abs(base - given) > 0.5 for base in bases):
        got = ", ".join(f"{base:g}" for base in sorted(bases))
        raise ModelDamaged(
            f"the conversion took {got} for the rotary base {given:g}",
            mend="install another version of transformers or ctranslate2, and say it again",
        )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
