"""One line that asks for a distribution: its name, what restricts its version, its digests. Pure.

Not covered: environment markers are not evaluated, extras are left out, and an address (``name @
https://…``) is never followed: such a requirement is only known to come from elsewhere.
"""

from __future__ import annotations

import re

from ocils.domain.base import Value

_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*"
    r"(?P<rest>@\s*\S+.*|\(?[<>=!~][^;]*|)"
)
_HASH = re.compile(r"--hash[= ](\w+:[0-9a-fA-F]+)")
_CLAUSE = re.compile(r"(?:===?|~=|!=|<=?|>=?)\s*[0-9A-Za-z.*+!_-]+")
_PINNED = re.compile(r"={2,3}[^*,]+")


class Declared(Value, frozen=True):
    """What a file of the workspace says of one distribution.

    ``elsewhere`` is where it comes from when that is no index ("git", "a folder"), else empty.
    """

    name: str
    spec: str = ""
    hashes: tuple[str, ...] = ()
    where: str = ""
    elsewhere: str = ""

    @property
    def pinned(self) -> bool:
        """Whether exactly one version fits."""
        return bool(_PINNED.fullmatch(self.spec))


def normalised(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirement(line: str, where: str) -> Declared | None:
    """Read one requirement; None for what is none (an option, a path, an address without a name)."""
    text = re.sub(r"(^|\s)#.*", "", line).strip()
    hashes = tuple(_HASH.findall(text))
    text = re.split(r"\s--", text, maxsplit=1)[0].partition(";")[0].strip()
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    rest = found["rest"].strip()
    if rest.startswith("@"):
        return Declared(found["name"], where=where, elsewhere="an address")
    return Declared(found["name"], read_spec(rest), hashes, where)


def read_spec(text: str) -> str:
    """Return a version's restriction as pip takes it; what is not understood restricts nothing."""
    clauses = [part.strip() for part in text.strip("() ").split(",") if part.strip()]
    if not all(_CLAUSE.fullmatch(each) for each in clauses):
        return ""
    return ",".join(each.replace(" ", "") for each in clauses)
