"""What transformers and CTranslate2 say of the same tokens.

Not covered: what is close enough; each test says that for itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tokenizers_made import CONTROLS, SIZE

Logits = NDArray[np.float32]


def some_tokens(count: int, seed: int = 1) -> list[int]:
    """Return numbers of ordinary tokens."""
    draw = np.random.default_rng(seed)
    return [int(n) for n in draw.integers(len(CONTROLS), SIZE - 100, count)]


def theirs(model: Any, numbers: list[int]) -> Logits:
    """Return transformers' logits at every place of the text."""
    import torch  # type: ignore[import-not-found]

    with torch.no_grad():
        found: Logits = model(torch.tensor([numbers])).logits[0].float().numpy()
    return found


def ours(folder: Path, words: list[str], numbers: list[int], compute_type: str) -> Logits:
    """Return CTranslate2's."""
    import ctranslate2  # type: ignore[import-untyped]

    generator = ctranslate2.Generator(str(folder), compute_type=compute_type)
    view = generator.forward_batch([[words[n] for n in numbers]])
    found: Logits = np.array(view, dtype=np.float32)[0]
    return found


def their_text(model: Any, numbers: list[int], count: int = 64) -> list[int]:
    """Return transformers' greedy continuation, whatever it says."""
    import torch

    with torch.no_grad():
        made = model.generate(
            torch.tensor([numbers]), max_new_tokens=count, do_sample=False, eos_token_id=None
        )
    return [int(n) for n in made[0][len(numbers) :]]


def our_text(
    folder: Path, words: list[str], numbers: list[int], ends: list[str], count: int = 64
) -> list[int]:
    """Return CTranslate2's greedy continuation, up to one of ``ends``."""
    import ctranslate2

    generator = ctranslate2.Generator(str(folder), compute_type="float32")
    made = generator.generate_batch(
        [[words[n] for n in numbers]],
        max_length=count,
        sampling_topk=1,
        include_prompt_in_result=False,
        end_token=ends,
    )
    return [int(n) for n in made[0].sequences_ids[0]]


def apart(one: Logits, other: Logits) -> float:
    """Return how far apart two are: the root mean square of the difference over their spread."""
    return float(np.sqrt(np.mean((one - other) ** 2)) / np.std(other))
