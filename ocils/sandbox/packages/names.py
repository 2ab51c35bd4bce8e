"""From a module to the distribution that should bring it. Pure.

What the workspace declares goes first, our own list of well-known names (``names.toml``) next. A name
that neither knows is a guess, and marked as one: it may be somebody's trap.

Not covered: asking an index; which modules a distribution really brings is seen after installing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ocils.domain.base import Value
from ocils.domain.packages import Origin, Package
from ocils.sandbox.packages.requirement import Declared, normalised


class Names(Value, frozen=True):
    """The well-known names: modules whose distribution is called otherwise, and those called the same."""

    differing: dict[str, tuple[str, ...]]
    same: frozenset[str]


def well_known() -> Names:
    """Read our list."""
    data = tomllib.loads((Path(__file__).parent / "names.toml").read_text(encoding="utf-8"))
    differing = {module: tuple(names) for module, names in data["differing"].items()}
    return Names(differing, frozenset(normalised(each) for each in data["same"]["names"]))


def package_of(
    module: str, declared: Sequence[Declared], names: Names, said: Sequence[str] = ()
) -> Package:
    """Return the distribution for ``module``; ``said`` are those that a model named."""
    known = tuple(_known(module, names))
    inner = tuple(_below(module, names))
    top = module.partition(".")[0]
    for wanted in (*known, *inner, module, top):
        if (found := _find(declared, wanted)) is not None:
            return _declared(module, found)
    if known:
        return Package(module, known[0], origin="known")
    if normalised(top) in names.same:
        return Package(module, normalised(top), origin="known")
    for each in said:
        if _alike(each, top):
            return Package(module, each, origin="reply")
    if len(said) == 1:
        return Package(module, said[0], origin="reply")
    return Package(module, normalised(top), origin="guess")


def package_named(name: str, declared: Sequence[Declared], names: Names) -> Package:
    """Return the distribution that a model named without a module's being missing."""
    module = next((m for m, known in names.differing.items() if name in known), "")
    module = module or name.replace("-", "_")
    if (found := _find(declared, name)) is not None:
        return _declared(module, found)
    ours = {normalised(each) for known in names.differing.values() for each in known} | names.same
    return Package(module, name, origin="known" if normalised(name) in ours else "reply")


def _known(module: str, names: Names) -> Iterator[str]:
    """Yield what the list says of the module or of the nearest package above it."""
    while module:
        yield from names.differing.get(module, ())
        module = module.rpartition(".")[0]


def _below(module: str, names: Names) -> Iterator[str]:
    """Yield what the list says of modules below a namespace (``google``): one of them is meant."""
    for other, known in names.differing.items():
        if other.startswith(f"{module}."):
            yield from known


def _find(declared: Sequence[Declared], name: str) -> Declared | None:
    same = [each for each in declared if normalised(each.name) == normalised(name)]
    if not same:
        return None
    pins = {each.spec for each in same if each.pinned}
    # A lock file may hold several versions, each for other circumstances; pip is to choose then.
    if len(pins) > 1 and not same[0].elsewhere:
        return Declared(same[0].name, "", (), same[0].where)
    return same[0]


def _declared(module: str, found: Declared) -> Package:
    refusal = ""
    if found.elsewhere:
        refusal = (
            f"{found.where} takes {found.name} from {found.elsewhere}, not from an index; install it "
            "into the environment yourself"
        )
    origin: Origin = "locked" if found.pinned else "declared"
    return Package(module, found.name, found.spec, found.hashes, origin, found.where, refusal)


def _alike(name: str, module: str) -> bool:
    plain, other = (normalised(each).replace("-", "") for each in (name, module))
    return plain in (other, f"py{other}", f"python{other}", f"{other}py", f"{other}python")
