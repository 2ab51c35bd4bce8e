"""A workspace's own environment with pytest and nothing else: no plugin weighs on either arm.

Not covered: other versions of pytest than the one that is installed here.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import shutil
import sys
import venv
from pathlib import Path

PARTS = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


def make_environment(folder: Path) -> str:
    """Make an environment in ``folder`` with compiled packages; returns its interpreter."""
    venv.create(folder, symlinks=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = folder / "lib" / version / "site-packages"
    for part in PARTS:
        for path in importlib.metadata.distribution(part).files or ():
            source = Path(str(path.locate()))
            if ".." in path.parts or "__pycache__" in path.parts or not source.is_file():
                continue
            place = site / path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
    compileall.compile_dir(str(site), quiet=2, workers=1)
    return str(folder / "bin" / "python")
