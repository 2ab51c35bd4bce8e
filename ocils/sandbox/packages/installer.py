"""The packages of one workspace: looked up, agreed on, installed into a layer.

Not covered: asking; the ``image`` and ``process`` runtimes, whose packages are the image's and the
environment's own affair.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import PackageUnavailable
from ocils.domain.events import Need, Preparing
from ocils.domain.packages import Answer, Package, PackageOffer
from ocils.sandbox.host import host_runtime
from ocils.sandbox.interpreter import Interpreter
from ocils.sandbox.packages.access import read_access
from ocils.sandbox.packages.consents import Consents, same
from ocils.sandbox.packages.layers import (
    Layers,
    brings,
    has_distribution,
    layer_key,
    python_tag,
    sites,
    unpack,
)
from ocils.sandbox.packages.lockfiles import declared
from ocils.sandbox.packages.names import Names, package_named, package_of, well_known
from ocils.sandbox.packages.pips import find_pip
from ocils.sandbox.packages.requirement import Declared, normalised
from ocils.sandbox.packages.step import Installed, Step, run_step
from ocils.sandbox.runtime import Choice

_MOST = 16 << 20
_FILES = ("*requirements*.txt", "requirements/*.txt", "*constraints*.txt", "*requirements*.in", "requirements/*.in")  # fmt: skip

Runner: TypeAlias = Callable[
    [Step, Path, Callable[[str], None], CancelToken, Mapping[str, str]], Installed
]


class Policy(Value, frozen=True):
    """What the user set: whether anything is installed, and what without asking."""

    install: Literal["ask", "never", "allowlist"] = "ask"
    allow: tuple[str, ...] = ()


class Store(Value, frozen=True):
    """Where answers and layers are kept: folders of the user's state and cache."""

    answers: str
    layers: str


class WorkspacePackages:
    """The ``Packages`` port for the workspace at ``root``; ``run`` is what installs."""

    def __init__(
        self,
        root: str,
        choice: Choice,
        policy: Policy,
        store: Store,
        environ: Mapping[str, str] | None = None,
        run: Runner = run_step,
    ) -> None:
        self._root = os.path.realpath(root)
        self._choice = choice
        self._policy = policy
        self._environ = dict(os.environ if environ is None else environ)
        self._run = run
        self._consents = Consents(Path(store.answers))
        self._layers = Layers(Path(store.layers))

    async def look_up(self, need: Need) -> PackageOffer:
        """Say what would meet ``need``; see the port."""
        return await asyncio.to_thread(self._look_up, need)

    async def install(
        self, offer: PackageOffer, cancel: CancelToken
    ) -> AsyncGenerator[Preparing, None]:
        """Install what was agreed to, telling how it goes; see the port."""
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[str | None] = asyncio.Queue()
        stop = CancelToken()

        def say(text: str) -> None:
            loop.call_soon_threadsafe(steps.put_nowait, text)

        working = loop.run_in_executor(None, self._install, offer, say, stop)
        working.add_done_callback(lambda _: steps.put_nowait(None))
        with cancel.watch(stop.cancel):
            try:
                yield Preparing(f"installing {offer.names}")
                while (text := await steps.get()) is not None:
                    yield Preparing(f"installing {offer.names}: {text}")
                await working
            finally:
                # What is half done is taken back before anything else happens.
                stop.cancel()
                await asyncio.wait([working])

    async def refuse(self, offer: PackageOffer) -> None:
        """Note that the user never wants this here."""
        await asyncio.to_thread(self._consents.refuse, self._root, offer.packages)

    def layer(self) -> str:
        """Return the import root of the layer that was agreed to, or nothing; raises nothing."""
        answers = self._consents.of(self._root)
        if not answers.agreed or self._choice.runtime != "host":
            return ""
        found, names = self._declared(), well_known()
        agreed = tuple(each for each in answers.agreed if _still(each, found, names))
        return self._layers.find(layer_key(self._interpreter(), agreed)) if agreed else ""

    def _look_up(self, need: Need) -> PackageOffer:
        found, names = self._declared(), well_known()
        packages = [package_of(module, found, names, need.names) for module in need.modules]
        if not need.modules:
            packages = [package_named(name, found, names) for name in need.names]
        unique = {normalised(each.name): each for each in reversed(packages)}
        offered = tuple(reversed(unique.values()))
        answer, why = self._answer(offered)
        cached = answer != "no" and bool(self._layers.find(self._key(offered)))
        return PackageOffer(self._root, offered, answer, why, cached)

    def _answer(self, packages: tuple[Package, ...]) -> tuple[Answer, str]:
        """Say what the settings and earlier answers say, and why."""
        listed = ", ".join(each.name for each in packages)
        if not packages:
            return "no", "nothing is known of what is missing"
        if self._choice.runtime != "host":
            where = "the image" if self._choice.runtime == "image" else "the environment"
            return "no", f"with the {self._choice.runtime} runtime {listed} belongs into {where}"
        for each in packages:
            if each.refusal:
                return "no", each.refusal
            if there := has_distribution(self._interpreter(), each.name):
                about = there.rpartition(".")[0]
                return "no", f"{about} is installed, and has no module {each.module}"
        if self._policy.install == "never":
            return "no", 'your setting packages.install is "never"'
        answers = self._consents.of(self._root)
        if any(same(one, each) for one in answers.refused for each in packages):
            return "no", f"you said never to {listed} in this workspace"
        if all(any(same(one, each) for one in answers.agreed) for each in packages):
            return "yes", "you agreed to it before"
        if self._policy.install == "allowlist":
            allowed = {normalised(each) for each in self._policy.allow}
            missing = [e.name for e in packages if normalised(e.name) not in allowed]
            if missing:
                return "no", f"{missing[0]} is not among your packages.allow"
            return "yes", "it is among your packages.allow"
        return "ask", ""

    def _install(self, offer: PackageOffer, say: Callable[[str], None], stop: CancelToken) -> None:
        wanted = self._together(offer.packages)
        key = layer_key(self._interpreter(), wanted)
        if not self._layers.find(key):
            self._make(key, wanted, say, stop)
        if not stop.cancelled:
            self._consents.agree(self._root, offer.packages)

    def _make(
        self, key: str, wanted: tuple[Package, ...], say: Callable[[str], None], stop: CancelToken
    ) -> None:
        runtime = host_runtime(self._root, self._choice.python, self._environ)
        prefix = os.path.dirname(os.path.dirname(runtime.interpreter.base))
        pip = find_pip((prefix,), sys.base_prefix, python_tag(runtime.interpreter))
        if not pip[0]:
            raise PackageUnavailable(
                "no pip was found that could install anything for your Python",
                mend="install one for your Python (Debian: sudo apt-get install python3-venv)",
            )
        locks = {normalised(each.name): each for each in reversed(self._declared()) if each.pinned}
        order = {
            "pip": pip[1],
            "sites": list(sites(runtime.interpreter)),
            "requirements": [each.requirement for each in wanted],
            "locked": {name: f"{each.name}{each.spec}" for name, each in locks.items()},
            "hashes": {name: list(each.hashes) for name, each in locks.items() if each.hashes},
        }
        access = read_access(self._environ, runtime.home)
        step = Step(runtime=runtime, access=access, order=order, pip=pip)
        with self._layers.making() as folder:
            archive = folder / "layer.tar"
            done = self._run(step, archive, say, stop, self._environ)
            if stop.cancelled:
                return
            if done.problem:
                raise _problem(done, wanted)
            say("unpacking")
            whole = unpack(archive, folder)
            for each in wanted:
                if why := brings(str(whole / "site"), each):
                    raise PackageUnavailable(why, mend="nothing was kept of it")
            about = {"asked": wanted, "installed": done.distributions}
            self._layers.keep(whole, key, msgspec.to_builtins(about))

    def _together(self, packages: tuple[Package, ...]) -> tuple[Package, ...]:
        """Return what was agreed to before and still holds, and ``packages``: one layer has it all."""
        found, names = self._declared(), well_known()
        new = {each.module for each in packages}
        before = [e for e in self._consents.of(self._root).agreed if e.module not in new]
        kept = [e for e in before if _still(e, found, names)]
        return (*kept, *packages)

    def _key(self, packages: tuple[Package, ...]) -> str:
        return layer_key(self._interpreter(), self._together(packages))

    def _interpreter(self) -> Interpreter:
        return host_runtime(self._root, self._choice.python, self._environ).interpreter

    def _declared(self) -> tuple[Declared, ...]:
        root = Path(self._root)
        files = dict.fromkeys(
            str(path.relative_to(root)) for glob in _FILES for path in sorted(root.glob(glob))[:40]
        )
        return declared(self._read, tuple(files))

    def _read(self, name: str) -> str | None:
        path = os.path.realpath(f"{self._root}/{name}")
        if not path.startswith(f"{self._root}/") or not os.path.isfile(path):
            return None
        try:
            with open(path, encoding="utf-8", errors="strict") as file:
                return file.read() if os.stat(path).st_size <= _MOST else None
        except (OSError, UnicodeDecodeError):
            return None


def _still(agreed: Package, found: tuple[Declared, ...], names: Names) -> bool:
    """Tell whether a yes is about what would be offered today."""
    return same(agreed, package_of(agreed.module, found, names, (agreed.name,))) or (
        agreed.doubtful and package_of(agreed.module, found, names).doubtful
    )


def _problem(done: Installed, wanted: tuple[Package, ...]) -> PackageUnavailable:
    """Say why nothing was installed, and what can be done."""
    names = ", ".join(each.requirement for each in wanted)
    match done.problem:
        case "network":
            return PackageUnavailable(
                f"the package index could not be reached to install {names}: {done.said}",
                mend="see whether pip can (proxy, PIP_INDEX_URL, PIP_CERT), or install it yourself",
            )
        case "sources":
            return PackageUnavailable(
                f"there is no wheel of {names} (or of what it needs) for this Python, only sources, "
                "whose build would run a stranger's code",
                mend="install it into the environment yourself",
            )
        case "digest":
            return PackageUnavailable(
                f"what the index has is not what the lock file lists: {done.said}",
                mend="nothing was kept of it; look at your index",
            )
        case "conflict":
            return PackageUnavailable(
                f"{names} does not go with what is installed: {done.said}",
                mend="install it into the environment yourself",
            )
        case "nothing":
            return PackageUnavailable(f"the index has no {names} for this Python: {done.said}")
        case "there":
            return PackageUnavailable(f"{names} is installed in the environment already")
        case _:
            return PackageUnavailable(f"{names} could not be installed: {done.said}")
