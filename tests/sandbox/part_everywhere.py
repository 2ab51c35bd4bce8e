"""Compare the code of edited parts with the whole text's, in any Python: a script without imports of ours
beyond the container's own modules. Prints how many edits were tried, and those that differ.
"""

from __future__ import annotations

import ast
import json
import sys
import typing
from pathlib import Path
from types import CodeType, FunctionType

from ocils.sandbox.inside.onebody import Refused, find_edited
from ocils.sandbox.inside.swap import CollectedFile

NEW = "ocils_one = [each for each in (1, 2)]"
EACH = 7


def placed(code: CodeType) -> object:
    """All that a code object says, lines and columns too."""
    more = [
        getattr(code, name, "") for name in ("co_qualname", "co_exceptiontable", "co_linetable")
    ]
    return code, more, list(getattr(code, "co_positions", list)())


def edits(text: str) -> typing.Iterator[str]:
    """One text for each function that takes a line more."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.body[-1].lineno > node.lineno:
            last = node.body[-1]
            new = f"{' ' * last.col_offset}{NEW}\n"
            yield "".join([*lines[: last.lineno - 1], new, *lines[last.lineno - 1 :]])


def functions(code: CodeType) -> list[FunctionType]:
    """One live function for each that a module or its classes make."""
    found = []
    for each in code.co_consts:
        if isinstance(each, CodeType) and each.co_flags & 1:
            if not each.co_freevars:
                found.append(FunctionType(each, {}))
        elif isinstance(each, CodeType):
            found += functions(each)
    return found


def compare(path: str) -> dict[str, typing.Any]:
    """Edit every seventh function of the file at ``path``."""
    text = Path(path).read_text(encoding="utf-8")
    code = compile(text, path, "exec", dont_inherit=True)
    file = CollectedFile(path, text.encode(), functions(code))
    tried, differ = 0, []
    for new in list(edits(text))[::EACH]:
        live = functions(file._code)
        file._live = [(each, each.__code__) for each in live]
        try:
            edited = find_edited(text, new, file.spans)
            part = file.around(edited, None)
            for function, code in file.replaced(part, file.compiled(part, new, None)):
                function.__code__ = code
        except Refused:
            continue
        whole = compile(new, path, "exec", dont_inherit=True)
        tried += 1
        if [placed(f.__code__) for f in live] != [placed(f.__code__) for f in functions(whole)]:
            differ.append(edited.name)
    return {"tried": tried, "differ": differ, "trouble": file.trouble}


if __name__ == "__main__":
    print(json.dumps(compare(sys.argv[1])))
