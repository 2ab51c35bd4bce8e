"""A model is looked at before anybody relies on it: by us, and in a process with limits.

Not covered: whether it is any good.
"""

from __future__ import annotations

from pathlib import Path

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelDamaged
from ocils.engine.models.child import run_module
from ocils.engine.models.store import MANIFEST_IN_FOLDER, ModelFolder, verify
from ocils.engine.models.weights import AGAIN

_SECONDS = 60.0
_PER_SECOND = 20_000_000  # bytes of weights that the slowest disk reads
_ROOM = 1.3  # times the weights' bytes that loading them takes


def examine(model: ModelFolder, cancel: CancelToken, *, load: bool) -> None:
    """Check everything about ``model`` that can be checked without using it.

    Checksums, vocabulary and rotary base, tokenizer, chat template; with ``load`` also that
    CTranslate2 takes the weights and draws a token, where memory allows. Raises ``ModelMissing``
    and ``ModelDamaged``, and ``Stopped``.
    """
    verify(model)
    weights = (model.folder / "model.bin").stat().st_size
    manifest = model.folder / MANIFEST_IN_FOLDER
    arguments = [str(manifest) if manifest.is_file() else model.manifest.name]
    if load and weights * _ROOM < _free_memory():
        arguments.append("load")
    problem: dict[str, object] = {}
    ended = run_module(
        "ocils.engine.models.examination",
        arguments,
        problem.update,
        cancel,
        _SECONDS + weights / _PER_SECOND,
    )
    if problem or ended.code:
        raise ModelDamaged(
            str(problem.get("message") or f"{model.manifest.name} cannot be used: {ended.how}"),
            mend=str(problem.get("mend") or AGAIN),
        )


def _free_memory() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return 0
    return 0
