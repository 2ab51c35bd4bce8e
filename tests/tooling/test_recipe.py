"""The bundled model's recipe runs from end to end, in its smallest size."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).parent.parent.parent / "models" / "tiny" / "recipe.py"


@pytest.mark.timeout(900)
def test_the_smoke_size_trains_converts_and_checks(tmp_path: Path) -> None:
    python = os.environ.get("OCILS_RECIPE_PYTHON")
    if not python:
        pytest.skip(
            "needs PyTorch: name a Python with models/tiny/requirements.txt in OCILS_RECIPE_PYTHON"
        )
    done = subprocess.run(
        [python, "-W", "ignore", str(RECIPE), str(tmp_path), "--size", "smoke"],
        capture_output=True, text=True, timeout=800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    assert any(path.name == "model.bin" for path in tmp_path.rglob("model.bin"))
