"""What a model takes in memory, on a device and in a compute type, from the best that is known. Pure.

Not covered: what is free (``hardware.py``), what is chosen (``layout.py``).
"""

from __future__ import annotations

import math
from typing import Literal

from ocils.domain.base import Value
from ocils.domain.errors import EnvironmentProblem
from ocils.domain.model import Manifest
from ocils.domain.shape import COMPUTE_TYPES, GIB, cache_bytes_per_token, weight_bytes

MIB = 1024 * 1024
RESERVE = {"cpu": 512 * MIB, "cuda": 1024 * MIB}
"""Beside weights and cache: activations of a prefill, logits, the runtime itself."""
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


class Want(Value, frozen=True):
    """What is asked of a layout: ``tokens`` of prompt and reply, ``rows`` candidates at once.

    ``device``, ``compute_type`` and ``threads`` are the user's, "auto" and 0 leave them to us.
    ``weights`` is the size of the model's file in bytes, for a model that says nothing else.
    """

    tokens: int = 2048
    rows: int = 8
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    threads: int = 0
    weights: int = 0


def rows_in(manifest: Manifest, want: Want, kind: str, free: int, device: str) -> int:
    """Return how many candidates of the wanted length fit beside the weights."""
    return room_in(manifest, want, kind, free, device) // max(1, want.tokens)


def room_in(manifest: Manifest, want: Want, kind: str, free: int, device: str) -> int:
    """Return how many tokens of cache fit beside the weights."""
    left = free - weights_in(manifest, want, kind) - RESERVE[device]
    return left // max(1, cache_in(manifest, want, kind, device))


def weights_in(manifest: Manifest, want: Want, kind: str) -> int:
    """Return what the weights take in a compute type, in bytes, from the best that is known."""
    kind = {"int8_float32": "int8", "auto": "int8"}.get(kind, kind)
    if manifest.shape is not None:
        for each in COMPUTE_TYPES:
            if each == kind:
                return weight_bytes(manifest.shape, each)
    if kind in manifest.memory:
        return int(manifest.memory[kind] * GIB)
    # A file of unknown type is taken to be int8, of which every weight takes a byte.
    weights = manifest.parameters or want.weights
    if manifest.memory:
        known, size = next(iter(manifest.memory.items()))
        weights = int(size * GIB) // _BYTES.get(known, 1)
    return _BYTES.get(kind, 1) * weights


def cache_in(manifest: Manifest, want: Want, kind: str, device: str) -> int:
    """Return what one token of one candidate takes, in bytes."""
    number = 2 if device == "cuda" and kind.endswith("float16") else 4
    if manifest.shape is not None:
        return cache_bytes_per_token(manifest.shape, number)
    if manifest.cache_bytes_per_token:
        return manifest.cache_bytes_per_token * number // 4
    # Between 0.5 and 7 billion weights it is 8 to 10 bytes by their root.
    return int(10 * math.sqrt(manifest.parameters or want.weights)) * number // 4


def out_of_memory(error: Exception) -> bool:
    """Say whether this is how CTranslate2 puts a want of memory."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(
        each in words for each in ("out of memory", "bad_alloc", "failed to allocate")
    )


def unable(error: Exception, *, again: bool = False) -> Exception:
    """Return what the user is told when nothing smaller is left to try; a bug stays what it is.

    ``again``: something smaller is left, for the next time.
    """
    if again:
        return EnvironmentProblem("memory ran out in the middle of a reply", mend="ask again")
    if out_of_memory(error):
        return EnvironmentProblem(
            "there is not enough memory for a single candidate",
            mend="close other programs, choose a smaller model, or show it less",
        )
    return error
