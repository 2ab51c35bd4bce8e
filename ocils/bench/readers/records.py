"""Files of records: JSON lines, one JSON array, either of them compressed.

A line that cannot be read is one item that cannot be used; those around it can.

Not covered: what the records mean.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ocils.bench.task import Unreadable
from ocils.domain.errors import UsageError

Record: TypeAlias = dict[str, object]

_GZIP = 31  # the window size that also says: with a header
_BLOCK = 1024 * 1024
_MOST = 512 * 1024 * 1024  # bytes unpacked: a small file can unpack to anything


class Records(NamedTuple):
    """The records by name, or what is wrong with each; and the file's bytes as they were read."""

    found: dict[str, Record | Unreadable]
    data: bytes


def read_records(path: Path) -> Records:
    """Read every record of a file. Raises ``UsageError`` when the file itself cannot be read."""
    data, cut = _unpacked(path)
    found: dict[str, Record | Unreadable] = {}
    for number, each in enumerate(_values(data), 1):
        name = f"{path.name}:{number}"
        if isinstance(each, dict):
            name = _name(each) or name
            each = each if name not in found else Unreadable(f"the name {name} comes twice")
            name = name if name not in found else f"{name} ({number})"
        found[name] = each if isinstance(each, dict | Unreadable) else Unreadable("no JSON object")
    if cut:
        found[f"{path.name}:end"] = Unreadable(cut)
    if not found:
        raise UsageError(f"{path} holds no records")
    return Records(found, data)


def text(record: Record, field: str) -> str:
    """Return a text that must be there. Raises ``Unreadable``."""
    value = record.get(field)
    if value is None:
        raise Unreadable(f"the field {field} is missing")
    if not isinstance(value, str):
        raise Unreadable(f"the field {field} is no text")
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise Unreadable(f"the field {field} holds half a character") from problem
    return value


def texts(record: Record, field: str) -> list[str]:
    """Return a list of texts; none when the field is missing. Raises ``Unreadable``."""
    value = record.get(field, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unreadable(f"the field {field} is no list of texts")
    return [str(each) for each in value]


def _name(record: Record) -> str:
    value = record.get("task_id", record.get("name", ""))
    return str(value) if isinstance(value, str | int) else ""


def _values(data: bytes) -> list[object]:
    if data.lstrip()[:1] == b"[":
        try:
            whole = json.loads(data)
        except (ValueError, RecursionError) as problem:
            return [Unreadable(f"no JSON: {problem}")]
        return list(whole)
    found: list[object] = []
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except UnicodeDecodeError:
            found.append(Unreadable("the line is not UTF-8"))
        except (ValueError, RecursionError) as problem:
            found.append(Unreadable(f"no JSON, or cut short: {problem}"))
    return found


def _unpacked(path: Path) -> tuple[bytes, str]:
    """Return what a file holds, and why it ends early, if it does."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from problem
    return _inflated(data, path) if path.suffix == ".gz" else (data, "")


def _inflated(data: bytes, path: Path) -> tuple[bytes, str]:
    found = bytearray()
    problem = ""
    while data and not problem:
        member = zlib.decompressobj(wbits=_GZIP)
        try:
            while data and not member.eof:
                found += member.decompress(data, _BLOCK)
                if len(found) > _MOST:
                    raise UsageError(f"{path} unpacks to more than {_MOST} bytes")
                data = member.unconsumed_tail
            found += member.flush()
        except zlib.error as error:
            problem = str(error)
        else:
            problem = "" if member.eof else "it ends within its data"
            data = member.unused_data
    if not found:
        raise UsageError(f"{path} is no gzip file: {problem or 'it is empty'}")
    return bytes(found), f"the file is cut short: {problem}" if problem else ""
