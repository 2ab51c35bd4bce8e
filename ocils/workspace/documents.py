"""Reading one source file as a document, in the encoding that Python itself would read it in.

Not covered: languages other than Python, whose files are taken as UTF-8 by whoever reads them.
"""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

from ocils.domain.errors import Unsupported, UsageError
from ocils.domain.text import Document

_ASCII = bytes(range(0x20, 0x7F)) + b"\t\n\r"


def read_document(path: str) -> Document:
    """Read the Python file at ``path``; its byte order mark and line ends stay in the data.

    Raises ``UsageError`` when there is no such readable file and ``Unsupported`` when it is not a
    text in the encoding that it declares (UTF-8 where it declares none).
    """
    full = str(Path(path).parent.resolve() / Path(path).name)
    try:
        data = Path(full).read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {(error.strerror or 'unknown reason').lower()}",
            mend="check the path and its permissions",
        ) from error
    return Document(full, data, encoding=detect_encoding(data, path))


def detect_encoding(data: bytes, path: str) -> str:
    """Return the codec that ``data`` is written in; ``path`` is for the message of ``Unsupported``.

    A file with a byte order mark is "utf-8", since the mark stays in the data: "utf-8-sig" would
    add another one to every text that is encoded with it.
    """
    mend = "save it as UTF-8, or declare its encoding in the first line"
    if b"\0" in data:
        raise Unsupported(f"{path} is not a text file: it holds a null byte", mend=mend)
    try:
        declared, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        encoding = "utf-8" if declared == "utf-8-sig" else declared
        data.decode(encoding)
        # An edit is spliced in between bytes, so every ASCII character must be that one byte.
        plain = _ASCII.decode(encoding) == _ASCII.decode("ascii")
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise Unsupported(f"{path} is not a text in its declared encoding", mend=mend) from error
    if not plain:
        raise Unsupported(f"{path} is written in {encoding}, which is not a superset of ASCII")
    return encoding
