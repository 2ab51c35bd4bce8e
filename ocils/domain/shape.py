"""A decoder's architecture as numbers, and what follows from them: parameters, memory, cache.

The formulas are held against transformers (parameters, exactly) and against folders that CTranslate2
wrote (bytes) in ``tests/conversion``.

Not covered: what a program needs beside weights and cache: activations, the runtime's own memory.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from ocils.domain.base import Value

GIB = 2**30

ComputeType: TypeAlias = Literal[
    "int8_float16", "int8_bfloat16", "int8", "float16", "bfloat16", "float32"
]

COMPUTE_TYPES: Final[tuple[ComputeType, ...]] = get_args(ComputeType)
"""From the smallest to the largest in memory."""


class Shape(Value, frozen=True):
    """A decoder: ``layers`` times attention and feed-forward, between two tables of the vocabulary.

    ``kv_heads`` share their keys and values among ``heads``; ``head_size`` is one head's width.
    ``gated``: the feed-forward has three matrices, else two. ``tied``: one table serves as both.
    ``biases``: none, those of query, key and value, or those of every matrix. ``positions`` counts
    learnt positions, 0 with rotary ones. ``norms`` are the normalisations of a layer, in vectors of
    ``width``; ``head_norms`` says that queries and keys have their own.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    feed_forward: int
    vocabulary: int
    tied: bool = False
    gated: bool = True
    biases: Literal["none", "qkv", "all"] = "none"
    norm_biases: bool = False
    head_norms: bool = False
    positions: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that no decoder has."""
        counts = (self.layers, self.width, self.heads, self.kv_heads, self.head_size)
        if min(*counts, self.feed_forward, self.vocabulary) <= 0:
            raise ValueError("a shape's numbers are positive")
        if self.heads % self.kv_heads:
            raise ValueError(
                f"{self.heads} heads cannot share the keys of {self.kv_heads}: it does not divide"
            )


def matrices(shape: Shape) -> int:
    """Count the weights that a compute type shrinks: every matrix, the vocabulary's tables too."""
    queries = shape.heads * shape.head_size
    keys = shape.kv_heads * shape.head_size
    attention = shape.width * (2 * queries + 2 * keys)
    feed_forward = shape.width * shape.feed_forward * (3 if shape.gated else 2)
    tables = shape.vocabulary * shape.width * (1 if shape.tied else 2)
    return shape.layers * (attention + feed_forward) + tables


def _rows(shape: Shape) -> int:
    """Count the matrices' rows: in int8 each carries a float32 scale."""
    heads = shape.heads * shape.head_size + 2 * shape.kv_heads * shape.head_size + shape.width
    feed_forward = shape.feed_forward * (2 if shape.gated else 1) + shape.width
    return shape.layers * (heads + feed_forward) + shape.vocabulary * (1 if shape.tied else 2)


def vectors(shape: Shape) -> int:
    """Count the weights beside the matrices: normalisations, biases, learnt positions."""
    keys = 2 * shape.kv_heads * shape.head_size
    queries = shape.heads * shape.head_size
    layer = 2 * shape.width * (2 if shape.norm_biases else 1)
    layer += 2 * shape.head_size if shape.head_norms else 0
    layer += queries + keys if shape.biases != "none" else 0
    if shape.biases == "all":
        layer += 2 * shape.width + shape.feed_forward * (2 if shape.gated else 1)
    last = shape.width * (2 if shape.norm_biases else 1)
    return shape.layers * layer + last + shape.positions * shape.width


def parameters(shape: Shape) -> int:
    """Count all weights."""
    return matrices(shape) + vectors(shape)


def weight_bytes(shape: Shape, compute_type: ComputeType) -> int:
    """Return what the weights take once loaded, in bytes."""
    match compute_type:
        case "float32":
            return 4 * parameters(shape)
        case "float16" | "bfloat16":
            return 2 * parameters(shape)
        case "int8":
            return matrices(shape) + 4 * (_rows(shape) + vectors(shape))
        case "int8_float16" | "int8_bfloat16":
            return matrices(shape) + 4 * _rows(shape) + 2 * vectors(shape)


def memory(shape: Shape) -> dict[str, float]:
    """Return what the weights take by compute type, in GiB to two digits, as manifests write it."""
    return {kind: round(weight_bytes(shape, kind) / GIB, 2) for kind in COMPUTE_TYPES}


def cache_bytes_per_token(shape: Shape, bytes_a_number: int = 4) -> int:
    """Return what one token of one candidate adds to the cache, in bytes.

    CTranslate2 keeps shared keys and values once for each head that reads them, even where all heads
    share one: so it was measured, as the memory that each further candidate takes, with 1, 2 and 8
    shared of 8 heads. On a CPU a number takes 4 bytes, on a GPU what the compute type says.
    """
    return 2 * shape.layers * shape.heads * shape.head_size * bytes_a_number
