"""Layers: folders of installed distributions, found by what they were made from.

A layer belongs to an interpreter's version and machine, to what was asked for, and to what the
environment held already (that is left out of it). It is made beside its place and moved there when
it is whole, so that nothing half-installed is ever seen. Many workspaces may share one.

Not covered: throwing away old layers; the user's cache folder may be emptied at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path

import msgspec

from ocils.domain.packages import Package
from ocils.sandbox.interpreter import Interpreter
from ocils.sandbox.packages.requirement import normalised

SITE = "site"
_ABOUT = "about.json"
_MAKING = ".making-"
_STALE_SECONDS = 24 * 3600
_SITES = ("lib*/p*3*/site-packages", "lib*/p*3*/dist-packages", "local/lib*/p*3*/dist-packages", "site-packages")  # fmt: skip


def layer_key(interpreter: Interpreter, packages: Sequence[Package]) -> str:
    """Return the name of the layer that holds ``packages`` for ``interpreter``'s environment."""
    parts = [python_tag(interpreter), os.uname().machine]
    parts += sorted(" ".join([each.requirement, *sorted(each.hashes)]) for each in packages)
    parts += ["", *installed(interpreter)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def python_tag(interpreter: Interpreter) -> str:
    """Return what decides whether a wheel fits: "python3.11", "python3.13t", "pypy3.10"."""
    found = re.search(r"(python|pypy)\d+\.\d+[a-z]*$", os.path.basename(interpreter.base))
    if found is not None:
        return found[0]
    prefix = os.path.dirname(os.path.dirname(interpreter.base))
    libraries = sorted(each.name for each in Path(prefix).glob("lib*/p*3.*") if each.is_dir())
    return " ".join([interpreter.base, *libraries])


def sites(interpreter: Interpreter) -> tuple[str, ...]:
    """Return the folders that the environment's own packages lie in."""
    folders = dict.fromkeys(
        str(site)
        for prefix in interpreter.prefixes
        for kind in _SITES
        for site in sorted(Path(prefix).glob(kind))
    )
    own = [each for each in folders if each.startswith(f"{interpreter.environment}/")]
    return tuple(folders) if _inherits(interpreter) else tuple(own)


def installed(interpreter: Interpreter) -> tuple[str, ...]:
    """Return the distributions of the environment as the names of their metadata's folders."""
    names = {
        name
        for site in sites(interpreter)
        for name in os.listdir(site)
        if name.endswith((".dist-info", ".egg-info"))
    }
    return tuple(sorted(names))


def has_distribution(interpreter: Interpreter, name: str) -> str:
    """Return the metadata's folder of an installed distribution, or nothing."""
    wanted = normalised(name)
    return next((n for n in installed(interpreter) if normalised(n.split("-")[0]) == wanted), "")


class Layers:
    """The layers in ``folder`` (of the user's cache)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> str:
        """Return the import root of a layer that is there and whole, or nothing."""
        folder = self._folder / key
        return str(folder / SITE) if (folder / _ABOUT).is_file() else ""

    @contextlib.contextmanager
    def making(self) -> Iterator[Path]:
        """Give a folder to make a layer in; whatever is left of it goes away."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for left in self._folder.glob(f"{_MAKING}*"):  # by a process that was killed
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=self._folder, prefix=_MAKING))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, folder: Path, key: str, about: object) -> str:
        """Move a finished layer to its place and return its import root; an earlier one stays."""
        (folder / _ABOUT).write_bytes(msgspec.json.encode(about))
        folder.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was faster
            folder.rename(self._folder / key)
        return self.find(key)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the archive of one folder below ``folder``, all of it readable by all; returns it.

    Nothing but plain files, folders and links within it comes out.
    """

    def fit(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        found = tarfile.data_filter(member, path)
        return found.replace(mode=0o755 if member.isdir() or member.mode & 0o100 else 0o644)

    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter=fit)  # noqa: S202 - the filter is the data filter
        whole = folder / tar.getnames()[0].split("/")[0]
    for inner, _, _ in os.walk(whole):
        Path(inner).chmod(0o755)
    return whole


def brings(site: str, package: Package) -> str:
    """Say why ``package`` does not bring its module, by what it installed; empty when it does."""
    every = list(distributions(path=[site]))
    own = [each for each in every if normalised(each.name) == normalised(package.name)]
    if not own:
        return f"{package.name} was not installed"
    place = package.module.replace(".", "/")
    # What merely pulls in the right one is only believed of a name that is known.
    lookers = own if package.doubtful else every
    if any(_holds(each, place) for each in lookers):
        return ""
    tops = sorted({file.split("/")[0].split(".")[0] for each in own for file in _modules(each)})
    return (
        f"{package.name} brings no module {package.module}"
        f" (it brings {', '.join(tops[:8]) or 'none'})"
    )


def _holds(distribution: Distribution, place: str) -> bool:
    return any(
        file.startswith((f"{place}/", f"{place}.")) or file == place
        for file in _modules(distribution)
    )


def _modules(distribution: Distribution) -> list[str]:
    files = [str(each) for each in distribution.files or ()]
    return [each for each in files if each.endswith((".py", ".so")) and not each.startswith("..")]


def _inherits(interpreter: Interpreter) -> bool:
    try:
        text = Path(f"{interpreter.environment}/pyvenv.cfg").read_text(errors="replace")
    except OSError:
        return True
    return re.search(r"include-system-site-packages\s*=\s*true", text, re.IGNORECASE) is not None
