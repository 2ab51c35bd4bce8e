"""The edited function's new code put into the functions of a collected suite.

Allowed by proof only: the edit lies inside one body (``onebody.py``), that function neither ran nor
was looked at before (``entered.py``), what is loaded is what the old text compiles to, and the new
code has the same signature, kind and free variables. Functions below get code with their new lines.

Not covered: ``__firstlineno__`` of classes below the edit (Python 3.13 on), which keeps its old value.
"""

from __future__ import annotations

import gc
import importlib.machinery
import linecache
import os
import sys
from types import AsyncGeneratorType, CodeType, CoroutineType, FunctionType, GeneratorType
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from .entered import Entered, Key, key_of
from .onebody import Edited, Refused, Statement, find_edited, statements
from .part import (
    FEATURES,
    KNOWS_ITS_LINE,
    compiled_text,
    decoded,
    has_class,
    last_line,
    members,
    moved_by,
    nested,
    stands_for,
)

SAME = (
    "co_name",
    "co_flags",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_freevars",
)
LOADED = (*SAME, "co_code", "co_names", "co_varnames", "co_cellvars")
TAKES_ARGUMENTS = 4
TAKES_KEYWORDS = 8
TREE_ONLY = 0x400
"""``ast.PyCF_ONLY_AST``."""


class Live:
    """The workspace's functions as they are after the collection."""

    def __init__(self, root: str, entered: Entered, made: Iterable[FunctionType] = ()) -> None:
        """``made`` are functions that another compiled, and that depend on their own text only."""
        self._entered = entered
        self._made = {id(each) for each in made}
        self._forbidden = entered.functions()
        self._functions: Dict[str, List[FunctionType]] = {}
        self._files: Dict[str, CollectedFile] = {}
        places: Dict[str, str] = {}
        for each in gc.get_objects():
            kind = type(each)
            if kind is FunctionType:
                name = each.__code__.co_filename
                if name not in places:
                    places[name] = os.path.realpath(name)
                if places[name].startswith(root + "/"):
                    self._functions.setdefault(places[name], []).append(each)
            elif kind in (GeneratorType, CoroutineType, AsyncGeneratorType):
                key = key_of(_suspended(each))
                self._forbidden[key] = "it was begun while tests were collected"

    def prepare(self, path: str, data: bytes) -> None:
        """Take ``data`` for what the file at ``path`` held when it was collected."""
        if path not in self._files:
            found = self._functions.get(path, [])
            made = [each for each in found if id(each) in self._made]
            rest = [each for each in found if id(each) not in self._made]
            self._files[path] = CollectedFile(path, data, rest, made)

    def swap(self, path: str, data: bytes, noted: Optional[Tuple[int, int]] = None) -> Edited:
        """Put the code of ``data`` into the functions of the file at ``path``.

        The lines from the first to the last of ``noted`` are compiled with notes (``planted.py``).
        Raises ``Refused`` before anything was changed.
        """
        file = self._files[path]
        if file.trouble:
            raise Refused(file.trouble)
        if path in self._entered.read:
            raise Refused("its text was read while tests were collected")
        text = decoded(data)
        edited = find_edited(file.text, text, file.spans)
        why = self._forbidden.get((path, edited.name, edited.line))
        if why:
            raise Refused(why)
        part = file.around(edited, noted)
        for function, code in file.replaced(part, file.compiled(part, text, noted)):
            function.__code__ = code
        linecache.cache.pop(path, None)
        return edited

    def lines(self, path: str, edited: Edited, first: int, last: int) -> List[int]:
        """Return which lines of a region ran during the collection, numbered as in the new text.

        Raises ``Refused`` when a function of the region did: its lines were not watched.
        """

        def moved(line: int) -> int:
            return line if line <= edited.head else line + edited.shift

        if any(file == path and first <= moved(line) <= last for file, _, line in self._forbidden):
            raise Refused("its region ran while tests were collected")
        lines = {moved(line) for line in self._entered.lines.get(path, ())}
        return sorted(line for line in lines if first <= line <= last)


class CollectedFile:
    """One file's text, what it compiles to, and the functions that came of it."""

    def __init__(
        self,
        path: str,
        data: bytes,
        functions: Sequence[FunctionType],
        made: Sequence[FunctionType] = (),
    ) -> None:
        self._made = made
        self.text = ""
        self.trouble = ""
        self._path = path
        self.spans: List[Statement] = []
        self._live: List[Tuple[FunctionType, CodeType]] = []
        try:
            self.text = decoded(data)
            self.spans = statements(compiled_text(data, path, "ignore", TREE_ONLY), self.text)
            self._code: CodeType = compiled_text(data, path, "ignore")
            self._above = stands_for(self.text, path)
            _check_loader(path, [*functions, *made])
            self._match(functions)
        except Refused as refused:
            self.trouble = str(refused)

    def around(self, edited: Edited, noted: Optional[Tuple[int, int]]) -> Edited:
        """Take in the statements of the module that have ``noted`` lines, if some are around.

        And all of them, where functions make classes that know their line.
        """
        first, last = edited.first, edited.last
        if edited.shift and KNOWS_ITS_LINE and any(has_class(code) for _, code in self._live):
            end = self.spans[-1].last + edited.shift
            return edited._replace(first=self.spans[0].first, last=end, classes=())
        if noted is None or first <= noted[0] <= noted[1] <= last:
            return edited
        for each in self.spans:
            begin = each.first + (edited.shift if each.first > edited.line else 0)
            end = each.last + (edited.shift if each.last >= edited.line else 0)
            if begin <= max(noted[1], edited.last) and min(noted[0], edited.first) <= end:
                first, last = min(first, begin), max(last, end)
        return edited._replace(first=first, last=last, classes=())

    def compiled(
        self, edited: Edited, text: str, noted: Optional[Tuple[int, int]]
    ) -> List[CodeType]:
        """Compile the statements of ``text`` that ``edited`` names; returns what they make.

        All that is around it is the same letter by letter, and so compiles to the same. Raises ``Refused``.
        """
        first, last = edited.first, edited.last
        gap = first - 1 - len(edited.classes)
        if self._above is not None and gap > 0:
            part = [*edited.classes, *text.split("\n")[first - 1 : last]]
            text = self._above + "\n" * gap + "\n".join(part)
        flags = self._code.co_flags & FEATURES
        return list(members(compiled_text(text, self._path, "error", flags, noted), first, last))

    def replaced(self, edited: Edited, new: List[CodeType]) -> List[Tuple[FunctionType, CodeType]]:
        """Return each live function that gets new code, with it. Raises ``Refused``."""
        end = edited.last - edited.shift
        old = list(members(self._code, edited.first, end))
        found: List[Tuple[CodeType, CodeType]] = []
        codes = {id(one): other for one, other in _in_order(old, new, edited, found)}
        if len(found) != 1:
            raise Refused(f"its code was found {len(found)} times")
        _check_kind(*found[0])
        moved = [
            (each, moved_by(each.__code__, edited.shift)) for each in self._beside(found[0][0])
        ]
        within, below = [], []
        for function, code in self._live:
            if code.co_firstlineno > end:
                below.append((function, code))
            elif id(code) in codes:
                within.append((function, codes[id(code)]))
            elif code.co_firstlineno >= edited.first:
                raise Refused("a function that its body makes is alive")
        moved += [(each, moved_by(code, edited.shift)) for each, code in below]
        return [*within, *(moved if edited.shift else [])]

    def _beside(self, old: CodeType) -> List[FunctionType]:
        """Return what another compiled of the text below the edited function's ``old`` code.

        Raises ``Refused`` when it was made of that function.
        """
        first, last = old.co_firstlineno, last_line(old)
        places = [(e.__code__.co_firstlineno, last_line(e.__code__), e) for e in self._made]
        if any(begin <= last and first <= end for begin, end, _ in places):
            raise Refused("its code was made by another compiler")
        below = [each for begin, _, each in places if begin > last]
        if KNOWS_ITS_LINE and any(has_class(each.__code__) for each in below):
            raise Refused("what another compiler made has a class that knows its line")
        return below

    def _match(self, functions: Sequence[FunctionType]) -> None:
        """Find what each function was compiled from."""
        known: Dict[Key, List[CodeType]] = {}
        for code in _all(self._code):
            known.setdefault(key_of(code), []).append(code)
        for function in functions:
            loaded = function.__code__
            same = [each for each in known.get(key_of(loaded), ()) if _equal(loaded, each)]
            if not same:
                raise Refused(f"{loaded.co_name} is not what its file compiles to")
            self._live.append((function, same[0]))


def _suspended(each: Any) -> CodeType:
    for name in ("gi_code", "cr_code", "ag_code"):
        code = getattr(each, name, None)
        if isinstance(code, CodeType):
            return code
    raise TypeError(type(each))


def _check_loader(path: str, functions: Sequence[FunctionType]) -> None:
    """Only what the plain importer loaded from this very path; pytest rewrites what it loads."""
    modules = [m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == path]
    if functions and not modules:
        raise Refused("it was loaded in an unusual way")
    for module in modules:
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        if type(loader) is not importlib.machinery.SourceFileLoader:
            raise Refused(f"it was loaded by {type(loader).__name__}")


def _all(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in nested(code):
        yield from _all(each)


def _equal(one: CodeType, other: CodeType) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in LOADED) and _alike(
        one.co_consts, other.co_consts
    )


def _alike(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(_alike(*pair) for pair in zip(one, other))
    if isinstance(one, CodeType):
        return _equal(one, other)
    return bool(one == other) and (isinstance(one, frozenset) or repr(one) == repr(other))


def _in_order(
    old: List[CodeType],
    new: List[CodeType],
    edited: Edited,
    found: List[Tuple[CodeType, CodeType]],
) -> Iterator[Tuple[CodeType, CodeType]]:
    """Yield each code object of the old text with its like in the new; the edited one into ``found``."""
    if [each.co_name for each in old] != [each.co_name for each in new]:
        raise Refused("what is around it compiles to something else")
    for one, other in zip(old, new):
        yield one, other
        if (one.co_name, one.co_firstlineno) == (edited.name, edited.line):
            found.append((one, other))
        else:
            yield from _in_order(nested(one), nested(other), edited, found)


def _check_kind(old: CodeType, new: CodeType) -> None:
    for name in (*SAME, "co_firstlineno"):
        if getattr(old, name) != getattr(new, name):
            raise Refused(f"its {name[3:]} changes")
    count = old.co_argcount + old.co_kwonlyargcount
    count += bool(old.co_flags & TAKES_ARGUMENTS) + bool(old.co_flags & TAKES_KEYWORDS)
    if old.co_varnames[:count] != new.co_varnames[:count]:
        raise Refused("its parameters change")
