"""The text of the user's settings with another model in it; every other byte stays as it was.

Not covered: settings written in a way that no line shows (an inline table for ``model``): then the
user is asked to write that line.
"""

from __future__ import annotations

import json
import re
import tomllib

from ocils.domain.errors import InvalidSettings

_TABLE = re.compile(r"^\s*\[")
_MODEL = re.compile(r"^\s*\[\s*model\s*\]\s*(#.*)?$")
_NAME = re.compile(r"""^(\s*name\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*')(\s*(?:#.*)?)$""")
_DOTTED = re.compile(r"""^(\s*model\s*\.\s*name\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*')(\s*(?:#.*)?)$""")


def with_model(text: str, name: str) -> str:
    """Return the TOML ``text`` with ``model.name`` set. Raises ``InvalidSettings``."""
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(
            f"your settings are not valid TOML: {str(error).lower()}", mend="mend that line first"
        ) from error
    # JSON's escapes are TOML's too, but for DEL, which JSON leaves as it is.
    value = json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007F")
    new = _changed(text.split("\n"), value)
    model = before.get("model", {})
    wanted = {**before, "model": {**(model if isinstance(model, dict) else {}), "name": name}}
    try:
        right = tomllib.loads(new) == wanted
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        raise InvalidSettings(
            "your settings are written in a way that is not changed here",
            mend=f"write name = {json.dumps(name)} under [model] yourself",
        )
    return new


def _changed(lines: list[str], value: str) -> str:
    start = next((n for n, line in enumerate(lines) if _MODEL.match(line)), None)
    tables = [n for n, line in enumerate(lines) if _TABLE.match(line)]
    if start is None:
        head = lines[: tables[0]] if tables else lines
        for number, line in enumerate(head):
            if found := _DOTTED.match(line):
                lines[number] = f"{found[1]}{value}{found[3]}"
                return "\n".join(lines)
        text = "\n".join(lines).rstrip("\n")
        return f"{text}{chr(10) * 2 if text else ''}[model]\nname = {value}\n"
    end = next((n for n in tables if n > start), len(lines))
    for number in range(start + 1, end):
        if found := _NAME.match(lines[number]):
            lines[number] = f"{found[1]}{value}{found[3]}"
            return "\n".join(lines)
    lines.insert(start + 1, f"name = {value}")
    return "\n".join(lines)
