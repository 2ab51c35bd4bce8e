"""Packages that a workspace's tests lack, and what is to become of it.

Not covered: finding them out (``sandbox/packages/``), asking (``server/``, ``cli``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ocils.domain.base import Value

Origin: TypeAlias = Literal["locked", "declared", "known", "reply", "guess"]
"""Where a distribution's name comes from: "locked" and "declared" by the workspace's own files, "known"
by our list of names, "reply": a model said so, "guess": it merely has the module's name."""


class Package(Value, frozen=True):
    """A distribution that should bring ``module``.

    ``spec`` restricts its version ("==2.31.0", ">=2"), ``hashes`` are the digests ("sha256:…") that
    a lock file allows, ``where`` is the file that says so. ``refusal`` is why it cannot be
    installed for this workspace, or empty.
    """

    module: str
    name: str
    spec: str = ""
    hashes: tuple[str, ...] = ()
    origin: Origin = "guess"
    where: str = ""
    refusal: str = ""

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return self.name + self.spec

    @property
    def doubtful(self) -> bool:
        """Whether nothing that the user can rely on says that this is the right distribution."""
        return self.origin in ("guess", "reply")

    @property
    def why(self) -> str:
        """Where the name comes from, for people."""
        match self.origin:
            case "locked":
                return f"locked in {self.where}"
            case "declared":
                return f"declared in {self.where}"
            case "known":
                return "known to bring it; this workspace does not declare it"
            case "reply":
                return "named by the model; not known to ocils: it could be a typo-squat"
            case "guess":
                return (
                    "not known: only its name is that of the module, and it could be a typo-squat"
                )


Answer: TypeAlias = Literal["ask", "yes", "no"]


class PackageOffer(Value, frozen=True):
    """What would be installed for the workspace at ``root``.

    ``answer`` is what the user's settings and earlier answers say to it; ``why`` is the reason for
    "yes" and "no". ``cached``: it was installed once, and nothing has to be downloaded.
    """

    root: str
    packages: tuple[Package, ...]
    answer: Answer = "ask"
    why: str = ""
    cached: bool = False

    @property
    def names(self) -> str:
        """What is offered, in a few words."""
        return ", ".join(each.requirement for each in self.packages)

    @property
    def doubtful(self) -> bool:
        """Whether any of it is a guess."""
        return any(each.doubtful for each in self.packages)

    @property
    def question(self) -> str:
        """What the user is asked."""
        parts = [
            f"{each.requirement} for the module {each.module} ({each.why})"
            for each in self.packages
        ]
        return f"The tests lack a module. Install {'; '.join(parts)}?"

    @property
    def details(self) -> str:
        """What saying yes means, for who wants to know."""
        lines = [
            f"Workspace: {self.root}",
            "",
            *(_describe(each) for each in self.packages),
            "",
            "Installing runs pip in a container of its own, the only one that has a network. Only",
            "wheels are taken, so no setup.py of a stranger runs. They go into a folder of your cache,",
            "which the tests see read-only, behind everything that the environment holds. The",
            "environment itself and the workspace stay as they are; the tests stay offline.",
        ]
        return "\n".join(lines) + "\n"


def _describe(package: Package) -> str:
    text = f"{package.requirement} brings the module {package.module}: {package.why}."
    if package.hashes:
        text += f" Its digest must be one of the {len(package.hashes)} that {package.where} lists."
    return text
