"""Where and how a model runs: a pure choice from the machine, the model and what is wanted.

Memory decides: the weights in a compute type, the cache of each candidate for the tokens that are
wanted, and a reserve have to fit in what is free. What does not fit on a GPU in full is tried there
in a smaller type and with fewer candidates, then on the CPU.

Not covered: reading the machine (``hardware.py``); a model split over several GPUs (``together.py``).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ocils.domain.base import Value
from ocils.domain.model import Manifest
from ocils.domain.shape import GIB
from ocils.engine.machine.hardware import Gpu, Hardware
from ocils.engine.machine.memory import MIB, RESERVE, Want, cache_in, room_in, rows_in, weights_in

SMALL = 64 * MIB
_INT8 = ("int8_bfloat16", "int8_float16", "int8")


class Layout(Value, frozen=True):
    """Where and how a model runs; ``replicas`` × ``threads`` CPU threads share one set of weights.

    ``rows`` candidates of the wanted length fit at once; 0 says that not even the weights do.
    ``room`` is how many tokens all candidates of a GPU may have together; 0 where nobody counts.
    ``index`` are the GPUs, one replica each. ``why`` are sentences for the user, the choice first;
    ``news`` is what memory forced upon us since, empty when all is as planned.
    """

    device: Literal["cpu", "cuda"]
    replicas: int
    threads: int
    compute_type: str = "auto"
    index: tuple[int, ...] = (0,)
    rows: int = 8
    room: int = 0
    why: tuple[str, ...] = ()
    news: str = ""


def choose(hardware: Hardware, manifest: Manifest, want: Want) -> Layout:
    """Choose for this machine. Pure: the same values give the same layout."""
    notes = []
    threads = max(1, min(want.threads or hardware.cpu.cores, hardware.cpu.cores))
    if want.weights and want.weights <= SMALL and want.device != "cuda":
        # A small model's matrices are too small to be shared out: two replicas of one thread
        # scored 13,700 tokens in 0.30 s where one replica of two threads took 0.60 s (8.8 M
        # parameters, two cores), and such a model answers before a GPU is warm.
        kind = _cpu_type(want)
        said = f"CPU, {threads} × 1 thread, {kind}: the model is small"
        rows = rows_in(manifest, want, kind, hardware.cpu.free, "cpu")
        return Layout("cpu", threads, 1, kind, rows=max(1, rows), why=(said,))
    if want.device != "cpu":
        if (found := _on_gpus(hardware, manifest, want, threads)) is not None:
            return found
        if (reason := _no_gpu(hardware, manifest, want)) and (
            hardware.gpus or want.device == "cuda"
        ):
            notes.append(reason)
    return _on_cpu(hardware, manifest, want, threads, tuple(notes))


def after_out_of_memory(
    layout: Layout, hardware: Hardware, manifest: Manifest, want: Want, *, loading: bool = False
) -> Layout | None:
    """Return what to try next: fewer candidates, then a smaller compute type, then the CPU.

    While ``loading`` there are no candidates yet. None: nothing smaller is left.
    """
    if layout.rows > 1 and not loading:
        fewer = layout.rows // 2
        said = f"out of memory: {_candidates(fewer)} at once instead of {layout.rows}"
        return _again(layout, said, rows=fewer)
    if layout.device == "cuda":
        gpu = next((g for g in hardware.gpus if g.index == layout.index[0]), None)
        smaller = [
            kind
            for kind in (types_of(gpu, "auto") if gpu else ())
            if weights_in(manifest, want, kind) < weights_in(manifest, want, layout.compute_type)
        ]
        if smaller:
            said = f"out of memory: {smaller[-1]} instead of {layout.compute_type}"
            return _again(layout, said, compute_type=smaller[-1], rows=want.rows)
        said = "out of memory on the GPU: the model runs on the CPU"
        return without_gpu(hardware, manifest, want, said)
    if layout.compute_type not in ("int8", "auto"):
        said = f"out of memory: int8 instead of {layout.compute_type}"
        return _again(layout, said, compute_type="int8", rows=want.rows)
    return None


def without_gpu(hardware: Hardware, manifest: Manifest, want: Want, said: str) -> Layout:
    """Return the layout on the CPU; ``said`` tells why."""
    threads = max(1, min(want.threads or hardware.cpu.cores, hardware.cpu.cores))
    layout = _on_cpu(hardware, manifest, want, threads, (said,))
    return msgspec.structs.replace(layout, news=said)


def rows_that_fit(free: int, manifest: Manifest, want: Want, layout: Layout) -> int:
    """Return how many candidates of ``want.tokens`` fit into ``free`` bytes beside loaded weights."""
    row = want.tokens * cache_in(manifest, want, layout.compute_type, layout.device)
    return max(1, (free - RESERVE[layout.device] // 2) // max(1, row))


def weights_of(manifest: Manifest, layout: Layout) -> int:
    """Return what the weights take where the model runs, in bytes."""
    return weights_in(manifest, Want(), layout.compute_type)


def _on_gpus(hardware: Hardware, manifest: Manifest, want: Want, threads: int) -> Layout | None:
    if not hardware.cublas:
        return None
    best: tuple[tuple[int, int, int, int], Layout] | None = None
    for gpu in hardware.gpus:
        for place, kind in enumerate(types_of(gpu, want.compute_type)):
            rows = rows_in(manifest, want, kind, gpu.free, "cuda")
            if rows < 1:
                continue
            # All candidates at once count first, then the better type, then room to spare.
            key = (min(rows, want.rows), -place, gpu.free, -gpu.index)
            if best is None or key > best[0]:
                alike = _alike(hardware, gpu, manifest, want, kind)
                room = room_in(manifest, want, kind, gpu.free, "cuda")
                made = _gpu_layout(gpu, alike, kind, min(rows, want.rows), threads, want)
                best = (key, msgspec.structs.replace(made, room=room))
    return best[1] if best else None


def _alike(
    hardware: Hardware, gpu: Gpu, manifest: Manifest, want: Want, kind: str
) -> tuple[int, ...]:
    """Return the GPUs that do as well as ``gpu``: each gets the model, and its share of a turn."""
    others = [
        each.index
        for each in hardware.gpus
        if each.index != gpu.index
        and each.capability == gpu.capability
        and rows_in(manifest, want, kind, each.free, "cuda") >= want.rows
    ]
    fits = rows_in(manifest, want, kind, gpu.free, "cuda") >= want.rows
    return (gpu.index, *others) if fits else (gpu.index,)


def _gpu_layout(
    gpu: Gpu, index: tuple[int, ...], kind: str, rows: int, threads: int, want: Want
) -> Layout:
    place = f"GPU {', '.join(map(str, index))} ({gpu.name}, {gpu.free / GIB:.1f} GiB free)"
    said = [f"{place}, {kind}, {_candidates(rows)} at once"]
    if kind not in _INT8 and gpu.capability == (12, 0):
        said.append(
            "int8 does not work on this GPU with CTranslate2, so the weights take twice as much"
        )
    if want.compute_type not in ("auto", kind):
        said.append(f"{want.compute_type} cannot be had on this GPU")
    return Layout("cuda", len(index), threads, kind, index, rows, why=tuple(said))


def _on_cpu(
    hardware: Hardware, manifest: Manifest, want: Want, threads: int, notes: tuple[str, ...]
) -> Layout:
    kind = _cpu_type(want)
    free = hardware.cpu.free
    rows = min(want.rows, rows_in(manifest, want, kind, free, "cpu")) if free else want.rows
    if rows < 1 and kind != "int8":
        kind, rows = "int8", min(want.rows, rows_in(manifest, want, "int8", free, "cpu"))
        notes += ("float32 does not fit into memory",)
    # One candidate is tried as long as the weights fit: the estimate of the rest is a cautious one.
    if rows < 1 and weights_in(manifest, want, kind) < free:
        rows = 1
    if want.compute_type not in ("auto", "int8", "float32", "int8_float32"):
        notes += (f"{want.compute_type} cannot be had on a CPU",)
    said = f"CPU ({hardware.cpu.isa}), {threads} threads, {kind}, {_candidates(rows)} at once"
    if rows < 1:
        said = (
            f"the model's weights take {weights_in(manifest, want, kind) / GIB:.1f} GiB, "
            f"and {free / GIB:.1f} GiB of memory are free"
        )
    return Layout("cpu", 1, threads, kind, rows=max(0, rows), why=(said, *notes))


def _no_gpu(hardware: Hardware, manifest: Manifest, want: Want) -> str:
    """Say why the CPU has to do."""
    if not hardware.gpus:
        return "there is no GPU that CTranslate2 can use"
    if not hardware.cublas:
        return f"the GPU lacks cuBLAS 12: {hardware.lacking}"
    kind = min(
        (kind for gpu in hardware.gpus for kind in types_of(gpu, want.compute_type)),
        key=lambda kind: weights_in(manifest, want, kind),
    )
    most = max(gpu.free for gpu in hardware.gpus)
    needed = weights_in(manifest, want, kind) + RESERVE["cuda"]
    return (
        f"no GPU has room: the model needs {needed / GIB:.1f} GiB in {kind}, "
        f"{most / GIB:.1f} GiB are free"
    )


def types_of(gpu: Gpu, wanted: str) -> tuple[str, ...]:
    """Return the compute types worth trying on a GPU, the best first.

    Weights in 8 bits read fastest, and reading them is what a few candidates' time goes to; the
    16-bit type beside them is bfloat16 where there is one, since several code models were trained in
    it and overflow float16. What CTranslate2 itself says of the GPU has the last word.
    """
    major, minor = gpu.capability
    types: tuple[str, ...]
    if (major, minor) == (12, 0):
        types = ("bfloat16", "float16", "float32")
    elif major >= 8:
        types = ("int8_bfloat16", "bfloat16", "int8_float16", "float16", "float32")
    elif major == 7:
        types = ("int8_float16", "float16", "int8", "float32")
    elif (major, minor) == (6, 1):
        types = ("int8", "float32")
    else:
        types = ("float32",)
    if gpu.types:
        types = tuple(kind for kind in types if kind in gpu.types) or types[-1:]
    return (wanted,) if wanted in types or wanted in gpu.types else types


def _cpu_type(want: Want) -> str:
    return "float32" if want.compute_type == "float32" else "int8"


def _again(layout: Layout, said: str, **changes: object) -> Layout:
    return msgspec.structs.replace(layout, why=(*layout.why, said), news=said, **changes)


def _candidates(count: int) -> str:
    return "1 candidate" if count == 1 else f"{count} candidates"
