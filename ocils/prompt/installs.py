"""``pip install`` lines in a model's reply: what it thinks that its code needs. Pure.

AutoCoder lets such lines run. Here they only say which distribution is meant; whether anything is
installed is for the user to decide.

Not covered: other package managers, requirement files, paths and addresses: a name that a person
can judge is all that is taken.
"""

from __future__ import annotations

import re

_LINE = re.compile(
    r"(?:^|[`\s;&|$>!%(])(?:uv\s+)?pip(?:3(?:\.\d+)?)?\s+install\s+([^\n`;&|#)]+)", re.MULTILINE
)
_NAME = re.compile(
    r"""^["']?([A-Za-z0-9][A-Za-z0-9._-]*?)(?:\[[^\]]*\])?(?:[<>=!~].*?)?["']?[.,:]?$"""
)
_WITH_VALUE = frozenset(
    {"-r", "-c", "-e", "-t", "-i", "-f", "--requirement", "--constraint", "--editable"}
    | {"--target", "--index-url", "--extra-index-url", "--find-links", "--prefix", "--platform"}
    | {"--python-version", "--abi", "--implementation", "--root", "--trusted-host", "--proxy"}
)
_WORDS = frozenset(
    {"and", "or", "to", "the", "if", "it", "first", "then", "in", "with", "for", "on"}
)
_MOST = 5


def wanted(text: str) -> tuple[str, ...]:
    """Return the names of the distributions that ``text`` says to install, at most a few."""
    found: dict[str, None] = {}
    for line in _LINE.findall(text):
        words = iter(line.split())
        for word in words:
            if word.startswith("-"):
                if word in _WITH_VALUE:
                    next(words, None)
                continue
            named = _NAME.match(word)
            # Prose goes on behind the command; its first plain word ends the list.
            if named is None or word.lower() in _WORDS:
                break
            found[named[1]] = None
            if word.endswith((".", ",", ":")):
                break
    return tuple(found)[:_MOST]
