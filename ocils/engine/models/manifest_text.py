"""A manifest as the TOML text that ``store.load_manifest`` reads.

Not covered: keeping the comments of a file that is there already; dates, which manifests do not have.
"""

from __future__ import annotations

import json
import re

import msgspec

from ocils.domain.model import Manifest

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def manifest_text(manifest: Manifest, heading: str) -> str:
    """Return ``manifest`` as TOML below ``heading``, one line of comment."""
    table = msgspec.to_builtins(manifest)
    return f"# {heading}\n" + "\n".join(_lines(table, ())) + "\n"


def _lines(table: dict[str, object], path: tuple[str, ...]) -> list[str]:
    inner = {name: value for name, value in table.items() if isinstance(value, dict)}
    lines = [f"{_key(n)} = {_value(v)}" for n, v in table.items() if n not in inner]
    for name, value in inner.items():
        place = (*path, name)
        lines += ["", f"[{'.'.join(map(_key, place))}]", *_lines(value, place)]
    return lines


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            # TOML has "inf" and "nan" as Python writes them, and wants a point or an exponent.
            return repr(value)
        case str():
            return _text(value)
        case list() | tuple():
            return "[" + ", ".join(_value(each) for each in value) + "]"
        case dict():
            pairs = ", ".join(f"{_key(str(k))} = {_value(v)}" for k, v in value.items())
            return "{" + pairs + "}"
    raise TypeError(f"a manifest holds no {type(value).__name__}")


def _text(value: str) -> str:
    # JSON's escapes are TOML's too, but for DEL, which JSON leaves as it is, and surrogate pairs.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
