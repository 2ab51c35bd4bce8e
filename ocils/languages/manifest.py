"""What a language's manifest says. Values only; texts are regular expressions or tree-sitter queries.

Not covered: reading the files (``shelf.py``), parsing (``source/``), running tests (``sandbox/``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from ocils.domain.base import Value


class Grammar(Value, frozen=True):
    """A tree-sitter grammar and what is looked for in its trees.

    ``module`` is the Python package that brings it. ``functions`` captures ``@target`` (what is
    replaced), ``@name`` and ``@body``, and for what holds methods ``@scope`` and ``@scope.name``.
    ``tests`` captures ``@test`` and ``@test.name``, and for groups ``@suite`` and ``@suite.name``.
    ``imports`` captures ``@import``. ``strings`` are kinds of nodes that may run over lines.
    ``method`` is what a method has to stand in to be parsed alone, ``{}`` being the method.
    ``prefix`` is what a function's text may begin with that its own kind of node does not hold.
    ``wrappers`` are kinds of nodes that belong to a target when they hold nothing else.
    """

    module: str
    functions: str
    tests: str = ""
    imports: str = ""
    strings: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()
    method: str = "{}"
    prefix: str = ""


class Exchange(Value, frozen=True):
    """Tokens for one another: in a node of one of ``within``, each text of ``texts`` may be another.

    ``texts`` maps a text to what may take its place, the likeliest first. ``cost`` is that of the
    first, on the scale of ``SmallEdit.cost``; every further one costs ``step`` more. ``kinds``
    restricts which kinds of nodes hold the text; none means a token of the grammar.
    """

    within: tuple[str, ...]
    texts: dict[str, tuple[str, ...]]
    cost: float
    step: float = 0.6
    kinds: tuple[str, ...] = ()


class Rewrite(Value, frozen=True):
    """A node matched by ``query`` as ``@node`` becomes ``text``, in which ``{name}`` is what was captured.

    ``note`` says in a few words what that is.
    """

    query: str
    text: str
    note: str
    cost: float


class Edits(Value, frozen=True):
    """Small edits: what a slip of a language looks like when it is undone.

    ``numbers`` are kinds of nodes that hold numbers; ``names`` kinds of names that are read, of
    which one in scope may be another; ``properties`` names behind a dot; ``arguments`` lists of
    which two neighbours may be swapped; ``statements`` kinds that may be deleted.
    """

    exchanges: tuple[Exchange, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    numbers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()


class Watched(Value, frozen=True):
    """Texts that the syntax gate counts, each with what is odd about it; ``kinds`` of nodes hold them.

    One more than before is a reason. ``in_tests`` says that tests may have them.
    """

    kinds: tuple[str, ...]
    texts: dict[str, str]
    in_tests: bool = False


class Suspects(Value, frozen=True):
    """What the syntax gate knows of a language; ``configuration`` are files that decide how tests run."""

    watched: tuple[Watched, ...] = ()
    configuration: tuple[str, ...] = ()


class Sign(Value, frozen=True):
    """How a workspace shows that it uses a runner: ``file`` is in its root, and where ``matches`` is
    given, that is found in the file's text, or in the values below ``key`` of the JSON in it."""

    file: str
    key: tuple[str, ...] = ()
    matches: str = ""


class Ids(Value, frozen=True):
    """How a test's id, ``FILE::SUITE > NAME``, is put together from a case of the XML.

    ``file`` is where the file comes from: "command" (one command runs one file), the attribute
    "file" or "classname" of the case, or the "suite" around it. ``suites`` says that names of the
    suites within that belong to the id. ``quoted`` says that quotes in names come escaped twice.
    """

    file: Literal["command", "file", "classname", "suite"]
    suites: bool = True
    glue: str = " > "
    quoted: bool = False


class Sayings(Value, frozen=True):
    """Regular expressions over what a runner says of a failure.

    ``reason`` and ``frame`` have groups: the reason (1), and ``path``, ``line`` and perhaps
    ``function``. ``innermost_first`` tells the order of frames. ``thrown`` is what ended a whole file.
    """

    assertion: str
    syntax: str = ""
    missing: str = ""
    thrown: str = ""
    reason: str = ""
    frame: str = ""
    innermost_first: bool = True


class Runner(Value, frozen=True):
    """A test runner that writes JUnit XML.

    ``command`` runs tests; in its parts ``{report}`` is where the XML is to be written, and the part
    ``{files}`` becomes the test files. With ``each`` "file" it is run once for each test file, with
    "all" once for all of them; where it has no ``{files}`` the runner finds the tests itself.
    ``tests`` finds test files by their path relative to the root. ``one`` is added for every test
    of a file when only a few are wanted, ``{name}`` being its name, escaped. The XML is written to
    the file ``{report}``, or to ``written`` where the runner insists on a place of its own.

    ``program`` is looked up on the user's PATH (never in the workspace), and the folder that it is
    installed in is mounted, read-only, as are ``folders`` of the workspace that are no part of a
    snapshot. ``judged`` are suffixes of files that a candidate may not write.
    ``named`` is found in the text of test files whose tests have names of their own.
    ``verified`` says how we know that it works: by our "tests", tried by "hand", or "never" tried;
    ``needs`` what must be installed.
    """

    name: str
    signs: tuple[Sign, ...]
    program: str
    command: tuple[str, ...]
    ids: Ids
    says: Sayings
    each: Literal["file", "all"] = "all"
    tests: str = ""
    one: tuple[str, ...] = ()
    named: str = ""
    written: str = ""
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    folders: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()
    verified: Literal["tests", "hand", "never"] = "never"
    needs: str = ""


class Language(Value, frozen=True):
    """A language: its names, its files, and what is known about it.

    ``ids`` are what editors call it. ``markers`` are files in the root of its projects. A language
    without a grammar can have its tests run, and nothing of it is edited. ``hint`` says how a
    workspace shows which runner it uses.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    ids: tuple[str, ...]
    markers: tuple[str, ...]
    hint: str = ""
    grammar: Grammar | None = None
    edits: Edits | None = None
    suspects: Suspects | None = None
    runners: tuple[Runner, ...] = ()


PYTHON = "python"
"""The name of the language that has no manifest."""

LanguageName: TypeAlias = str
