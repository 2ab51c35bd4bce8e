"""What git ignores, read from the ignore files alone.

Git itself is not asked: a repository's own configuration can make ``git`` run programs
(``core.fsmonitor``), and nothing of the workspace may run outside the container. The answer is only
used to leave *bulk* out, so the few rules that are not covered cost space, never correctness.

Not covered: the user's global excludes file, files that are tracked although ignored.
"""

from __future__ import annotations

import re

from ocils.domain.base import Value

_MOST_WILD_CARDS = 3


class Rule(Value, frozen=True):
    """One line of an ignore file: a pattern over paths relative to the root."""

    pattern: str
    negated: bool
    folders_only: bool


def parse_rules(text: str, folder: str) -> tuple[Rule, ...]:
    """Return the rules of an ignore file that lies in ``folder`` (relative, "" for the root)."""
    rules = (_parse_rule(line, folder) for line in text.splitlines())
    return tuple(rule for rule in rules if rule is not None)


def is_ignored(path: str, is_folder: bool, rules: tuple[Rule, ...]) -> bool:
    """Tell whether the last rule that matches ``path`` (relative to the root) ignores it.

    Parents are not looked at: whoever walks the tree does not descend into what is ignored, or
    knows that it did.
    """
    for rule in reversed(rules):
        if (is_folder or not rule.folders_only) and re.fullmatch(rule.pattern, path):
            return not rule.negated
    return False


def _parse_rule(line: str, folder: str) -> Rule | None:
    line = line.rstrip("\r\n")
    if not line.endswith("\\ "):
        line = line.rstrip(" ")
    negated = line.startswith("!")
    line = line[negated:]
    folders_only = line.endswith("/")
    body = line.rstrip("/")
    if not body or line.startswith("#"):
        return None
    anchored = "/" in body
    start = re.escape(folder) + "/" if folder else ""
    if not anchored:
        start += "(?:.*/)?"
    pattern = start + _to_regex(body.lstrip("/"))
    # Every further wild card multiplies the time of a match that fails; a repository could hang us.
    if len(re.findall(r"\*+", body)) > _MOST_WILD_CARDS:
        return None
    try:
        re.compile(pattern)
    except re.error:
        return None
    return Rule(pattern, negated, folders_only)


def _to_regex(glob: str) -> str:
    """Translate git's globs: ``*`` and ``?`` stay within a folder, ``**`` does not."""
    out, at = "", 0
    while at < len(glob):
        if glob.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            out, at = out + ".*", at + 2
        elif glob[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif glob[at] == "?":
            out, at = out + "[^/]", at + 1
        elif glob[at] == "[" and (end := glob.find("]", at + 2)) > 0:
            inside = glob[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            inside = "^" + inside[1:] if inside[0] in "!^" else inside
            out, at = out + f"[{inside}]", end + 1
        elif glob[at] == "\\" and at + 1 < len(glob):
            out, at = out + re.escape(glob[at + 1]), at + 2
        else:
            out, at = out + re.escape(glob[at]), at + 1
    return out
