"""The competition draws from the very same weights: it agrees with CTranslate2 on what comes next."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ctranslate2  # type: ignore[import-untyped]
import numpy as np
import pytest

from ocils.engine.random_model import write_random_model

pytestmark = pytest.mark.convert

ARM = Path(__file__).parent.parent / "bench" / "arms" / "with_transformers.py"


def test_both_arms_have_the_same_weights(tmp_path: Path) -> None:
    folder = write_random_model("1M", tmp_path / "model")
    prompts = [["d", "e", "f", "w7", "w99"], ["w1", "a", "w300"]]
    orders = [
        *({"do": "logits", "words": prompt} for prompt in prompts),
        {"do": "bfloat16", "prompt": 12, "rows": 2, "new": 3},
        {"do": "nothing", "prompt": 12, "rows": 2, "new": 3},
    ]
    done = subprocess.run(
        [sys.executable, str(ARM), str(folder)],
        input="".join(json.dumps(order) + "\n" for order in orders),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    first, second, drawn, failed = map(json.loads, done.stdout.splitlines())
    generator = ctranslate2.Generator(str(folder), compute_type="float32")
    for prompt, answer in zip(prompts, (first, second), strict=True):
        logits = np.array(generator.forward_batch([prompt]))[0, -1]
        assert answer["best"] == np.argsort(-logits)[:5].tolist()
    assert drawn["tokens"] == 6
    assert "KeyError" in failed["error"]
