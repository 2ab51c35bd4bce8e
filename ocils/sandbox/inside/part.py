"""Parts of a module's text and code: what compiles a part as the whole would, and moves it elsewhere.

Not covered: the code of the module's own level.
"""

from __future__ import annotations
import __future__

import dis
import re
import symtable
import sys
import warnings
from types import CodeType
from typing import Any, Iterator, List, Optional, Tuple, Union

from . import planted
from .entered import OF_A_FUNCTION
from .onebody import Refused

FEATURES = __future__.annotations.compiler_flag | __future__.barry_as_FLUFL.compiler_flag
"""What a module may ask for and another may not; all other features are everybody's by now."""

COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=]", re.MULTILINE)


KNOWS_ITS_LINE = sys.version_info >= (3, 13)
"""A class's code holds its line as a constant (``__firstlineno__``), which moving does not change."""


def stands_for(text: str, path: str) -> Optional[str]:
    """Return the line that stands for the rest of a module when one of its statements is compiled.

    A function's code depends on the rest by two things: a method of an imported name is called in
    another way, and so is ``super`` where the module has one of its own. None in that case.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = symtable.symtable(text, path, "exec")
    if "super" in table.get_identifiers():
        return None
    names = [each.get_name() for each in table.get_symbols() if each.is_imported()]
    return f"import {', '.join(sorted(names))}" if names else ""


def decoded(data: bytes) -> str:
    """Return the text that ``data`` is. Raises ``Refused`` when it is not UTF-8."""
    for line in data.split(b"\n", 2)[:2]:
        if COOKIE.match(line) and b"utf-8" not in line.lower():
            raise Refused("it is not in UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused("it is not in UTF-8") from None


def nested(code: CodeType) -> List[CodeType]:
    """Return the code objects that ``code`` makes functions and classes of."""
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def members(code: CodeType, first: int, last: int) -> Iterator[CodeType]:
    """Yield what a module and the classes in it make of their own statements in a range of lines."""
    for each in nested(code):
        if first <= each.co_firstlineno <= last:
            yield each
        elif not each.co_flags & OF_A_FUNCTION:
            yield from members(each, first, last)


def has_class(code: CodeType) -> bool:
    """Whether a function makes a class when it is called."""
    return any(not c.co_flags & OF_A_FUNCTION or has_class(c) for c in nested(code))


def moved_by(code: CodeType, shift: int) -> CodeType:
    """Return ``code`` as it compiles ``shift`` lines further down."""
    inner = tuple(moved_by(c, shift) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_firstlineno=code.co_firstlineno + shift, co_consts=inner)


def last_line(code: CodeType) -> int:
    """Return the last line that ``code`` or anything in it has."""
    own = [line for _, line in dis.findlinestarts(code) if line is not None]
    return max([code.co_firstlineno, *own, *(last_line(each) for each in nested(code))])


def compiled_text(
    data: Union[str, bytes],
    path: str,
    warned: Any,
    flags: int = 0,
    noted: Optional[Tuple[int, int]] = None,
) -> Any:
    """Compile as the importer would; ``warned``: what a warning is turned into."""
    with warnings.catch_warnings():
        warnings.simplefilter(warned)
        try:
            if noted is not None:
                return planted.compiled(data, path, *noted, flags)
            return compile(data, path, "exec", flags, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, Warning) as problem:
            raise Refused(f"it does not compile: {type(problem).__name__}") from None
