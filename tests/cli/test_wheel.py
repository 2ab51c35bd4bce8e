"""What is installed from the wheel works by itself, in an empty folder, without the checkout."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.docker
@pytest.mark.model
@pytest.mark.timeout(400)
def test_the_wheel_refines_in_an_empty_folder(
    tmp_path: Path, workspace: Callable[[str], Path]
) -> None:
    build = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert build.returncode == 0, build.stderr
    wheel = next(tmp_path.glob("ocils-*.whl"))
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    packages = next((folder / "lib").glob("python*/site-packages"))
    install = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert install.returncode == 0, install.stderr
    # The dependencies come from this environment: a plain path entry brings its packages, not its
    # editable ocils.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    assert (packages / "ocils" / "_models" / "tiny" / "weights" / "model.bin").is_file()
    empty = tmp_path / "empty"
    empty.mkdir()
    basket = workspace("basket")
    # The tests of the workspace run with an interpreter that has pytest.
    config = tmp_path / "config" / "ocils"
    config.mkdir(parents=True)
    (config / "settings.toml").write_text(f'[sandbox]\npython = "{sys.executable}"\n')
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(python), "-P", "-m", "ocils", "refine", f"{basket}/shop/pricing.py::delivery", "--json"],
        cwd=empty, capture_output=True, text=True, timeout=170, check=False,
        env={**inherited, "XDG_CONFIG_HOME": str(config.parent), "XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert '"outcome":"green"' in done.stdout
