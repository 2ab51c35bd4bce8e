"""A model that fits no GPU alone: how many would hold it together, and what can be done then. Pure.

CTranslate2 splits a model over GPUs ("tensor parallel", and its wheel has it) only as several
processes that MPI starts, one a GPU, which take every step together. ocils ends rows in the middle,
by what it reads in them, by verdicts and by cancel; a process that ends a row which another goes on
with leaves both waiting for ever, and no machine was at hand on which that could be built and tried.
So it is refused, and what does it is named.

Not covered: a model's copies on several GPUs, which are had (``layout.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ocils.domain.base import Value
from ocils.domain.errors import UsageError
from ocils.domain.model import Manifest
from ocils.engine.machine.hardware import Gpu, Hardware
from ocils.engine.machine.layout import choose, types_of
from ocils.engine.machine.memory import RESERVE, Want, cache_in, weights_in


class Split(Value, frozen=True):
    """The GPUs ``index`` that hold a model together, in a compute type; each a part of each layer."""

    index: tuple[int, ...]
    compute_type: str


def split_over(hardware: Hardware, manifest: Manifest, want: Want) -> Split | None:
    """Return the fewest equal GPUs that hold the model together; None where it need not or cannot be.

    As CTranslate2 splits: heads of queries and of keys are dealt out evenly, or it fails.
    """
    if want.device == "cpu" or choose(hardware, manifest, want).device == "cuda":
        return None
    alike: dict[tuple[int, int], list[Gpu]] = defaultdict(list)
    for gpu in hardware.gpus:
        alike[gpu.capability].append(gpu)
    found = [
        Split(tuple(sorted(gpu.index for gpu in gpus[:count])), kind)
        for gpus in (sorted(each, key=lambda gpu: -gpu.free) for each in alike.values())
        for count in range(2, len(gpus) + 1)
        if _divides(manifest, count)
        for kind in types_of(gpus[0], want.compute_type)
        if _share(manifest, want, kind, count) <= gpus[count - 1].free
    ]
    return min(found, key=lambda split: len(split.index), default=None)


def advice_for(hardware: Hardware, manifest: Manifest, want: Want) -> tuple[str, ...]:
    """Return what would help a model that fits no single GPU here."""
    if len(hardware.gpus) < 2 or not hardware.cublas:
        return ()
    if want.device == "cpu" or choose(hardware, manifest, want).device == "cuda":
        return ()
    split = split_over(hardware, manifest, want)
    if split is None:
        said = (
            "the model fits none of the GPUs alone, and no equal ones together: choose a smaller "
            "one, or name a server that has room for it in your settings"
        )
        return (said,)
    count, repo = len(split.index), manifest.source.repo if manifest.source else "MODEL"
    said = (
        f"the model fits none of the GPUs alone; GPUs {', '.join(map(str, split.index))} would hold it "
        f"together ({split.compute_type}), which CTranslate2 does only as {count} processes under "
        "mpirun, with libmpi.so.40 and libnccl.so.2, and ocils not at all: serve it with a server that "
        f"can (vllm serve {repo} --tensor-parallel-size {count}) and name that as remote.url"
    )
    return (said,)


def refuse_mpi(environment: Mapping[str, str]) -> None:
    """Raise ``UsageError`` where MPI started this as one of several processes."""
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"):
        if environment.get(name, "1") not in ("", "0", "1"):
            raise UsageError(
                f"mpirun started ocils {environment[name]} times, and it does not split a model",
                mend="start it once; for a model that no GPU holds alone, see ocils doctor",
            )


def _divides(manifest: Manifest, count: int) -> bool:
    shape = manifest.shape
    return shape is None or not (shape.heads % count or shape.kv_heads % count)


def _share(manifest: Manifest, want: Want, kind: str, count: int) -> int:
    """Return what one of ``count`` GPUs needs for a single candidate, in bytes."""
    cache = want.tokens * cache_in(manifest, want, kind, "cuda")
    return -(-(weights_in(manifest, want, kind) + cache) // count) + RESERVE["cuda"]
