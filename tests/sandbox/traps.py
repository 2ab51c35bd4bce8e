"""Edits that a code swap could get wrong, and those that it must get right, each a small project.

Each has a module ``traps/NAME.py`` and tests in ``tests/test_NAME.py``; ``old`` in the module is
replaced by ``new``. What must come out was written down by hand.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

CONFTEST = "conftest.py"


class Trap(NamedTuple):
    """``level`` is what must judge it, ``passed`` the truth, ``why`` a part of the reason against L2."""

    name: str
    module: str
    old: str
    new: str
    test: str
    level: str = "L2"
    passed: bool = False
    why: str = ""
    case: str = ""

    @property
    def path(self) -> str:
        """Where the edited module is."""
        return f"traps/{self.name}.py"

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests' ids."""
        lines = self.files[f"tests/test_{self.name}.py"].splitlines()
        group = "".join(f"{name[6:].partition('(')[0]}::" for name in lines if name[:6] == "class ")
        names = [
            line.split()[1].partition("(")[0] for line in lines if line.strip()[:8] == "def test"
        ]
        return tuple(f"tests/test_{self.name}.py::{group}{name}{self.case}" for name in names)

    @property
    def files(self) -> dict[str, str]:
        """The module and its tests."""
        head = f"import pytest\nfrom traps import {self.name} as m\n\n"
        return {
            self.path: textwrap.dedent(self.module).lstrip("\n"),
            f"tests/test_{self.name}.py": head + textwrap.dedent(self.test).lstrip("\n"),
        }

    @property
    def text(self) -> str:
        """The edited module."""
        before = self.files[self.path]
        assert before.count(self.old) == 1, self.name
        return before.replace(self.old, self.new)


ADD = """
    def add(a, b):
        return a + b
"""
TEST = """
    def test_it():
        assert m.add(1, 2) == 3
"""

SWAPPED = (
    Trap("plain", ADD, "a + b", "a - b", TEST),
    Trap("right", ADD, "a + b", "b + a", TEST, passed=True),
    Trap("longer", ADD, "return a + b", "c = a\n    c += b\n    return c", TEST, passed=True),
    Trap(
        "method",
        "class A:\n    def add(self, a, b):\n        return a + b\n",
        "a + b",
        "a - b",
        "def test_it():\n    assert m.A().add(1, 2) == 3\n",
    ),
    Trap(
        "inherited",
        """
        class A:
            def add(self, a, b):
                return a + b
        class B(A):
            def add(self, a, b):
                return super().add(a, b) + 0
        """,
        "super().add(a, b) + 0",
        "super().add(a, b) + 1",
        "def test_it():\n    assert m.B().add(1, 2) == 3\n",
    ),
    Trap(
        "kinds",
        """
        class A:
            @staticmethod
            def one():
                return 1
            @classmethod
            def two(cls):
                return 2
            @property
            def three(self):
                return 3
            @three.setter
            def three(self, value):
                self.value = value
        """,
        "return 3",
        "return 4",
        """
        def test_it():
            assert (m.A.one(), m.A.two(), m.A().three) == (1, 2, 3)
        """,
    ),
    Trap(
        "setter",
        """
        class A:
            @property
            def three(self):
                return self.value
            @three.setter
            def three(self, value):
                self.value = value
        """,
        "self.value = value",
        "self.value = -value",
        """
        def test_it():
            a = m.A()
            a.three = 3
            assert a.three == 3
        """,
    ),
    Trap(
        "nested",
        """
        def outer(a):
            def inner(b):
                return a + b
            return inner
        """,
        "a + b",
        "a - b",
        "def test_it():\n    assert m.outer(1)(2) == 3\n",
    ),
    Trap(
        "wrapped",
        """
        import functools
        def twice(function):
            @functools.wraps(function)
            def wrapper(*args):
                return 2 * function(*args)
            return wrapper
        @twice
        def add(a, b):
            return a + b
        """,
        "2 * function",
        "3 * function",
        "def test_it():\n    assert m.add(1, 2) == 6\n",
    ),
    Trap(
        "generator",
        "def count(n):\n    for i in range(n):\n        yield i\n",
        "yield i",
        "yield i + 1",
        "def test_it():\n    assert list(m.count(3)) == [0, 1, 2]\n",
    ),
    Trap(
        "coroutine",
        "async def add(a, b):\n    return a + b\n",
        "a + b",
        "a - b",
        """
        def test_it():
            with pytest.raises(StopIteration) as found:
                m.add(1, 2).send(None)
            assert found.value.value == 3
        """,
    ),
    Trap(
        "recursion",
        "def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)\n",
        "n < 2",
        "n < 3",
        "def test_it():\n    assert m.fact(4) == 24\n",
    ),
    Trap(
        "context",
        """
        import contextlib
        LOG = []
        @contextlib.contextmanager
        def noted(name):
            LOG.append(name)
            yield
            LOG.append("end")
        """,
        'LOG.append("end")',
        'LOG.append("END")',
        """
        def test_it():
            with m.noted("a"):
                pass
            assert m.LOG == ["a", "end"]
        """,
    ),
    Trap(
        "aliases",
        """
        def add(a, b):
            return a + b
        BY_NAME = {"add": add}
        class A:
            plus = staticmethod(add)
        """,
        "a + b",
        "a - b",
        """
        from traps.aliases import add as other
        def test_it():
            with pytest.raises(AssertionError):
                assert m.BY_NAME["add"](1, 2) == 3
            with pytest.raises(AssertionError):
                assert m.A.plus(1, 2) == 3
            with pytest.raises(AssertionError):
                assert other(1, 2) == 3
        """,
        passed=True,
    ),
    Trap(
        "reloaded",
        ADD,
        "a + b",
        "a - b",
        """
        import importlib, sys
        def test_reload():
            assert importlib.reload(m).add(1, 2) == -1
        def test_again():
            del sys.modules["traps.reloaded"]
            assert importlib.import_module("traps.reloaded").add(1, 2) == -1
        """,
        passed=True,
    ),
    Trap(
        "subprocess",
        ADD,
        "a + b",
        "a - b",
        """
        import subprocess, sys
        def test_it():
            code = "from traps import subprocess as m; print(m.add(1, 2))"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            assert done.stdout == "-1\\n"
        def test_text():
            assert "a - b" in open(m.__file__).read()
        """,
        passed=True,
    ),
    Trap(
        "fixtures",
        "CALLS = []\ndef make():\n    CALLS.append(1)\n    return 1\n",
        "return 1",
        "return 2",
        """
        @pytest.fixture(scope="session")
        def one():
            return m.make()
        @pytest.fixture(autouse=True, scope="module")
        def many():
            return m.make()
        def test_it(one, many):
            assert one == many == 2
            assert m.CALLS == [1, 1]
        """,
        passed=True,
    ),
    Trap(
        "unittested",
        ADD,
        "a + b",
        "a - b",
        """
        import unittest
        class TestAdd(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.three = m.add(1, 2)
            def test_it(self):
                self.assertEqual(self.three, 3)
        """,
    ),
    Trap(
        "random",
        "import random\nrandom.seed(7)\nFIRST = random.random()\ndef f():\n    return 1\n",
        "return 1",
        "return 2",
        """
        import random
        def test_it():
            mine = random.Random(7)
            mine.random()
            assert random.random() == mine.random()
        """,
        passed=True,
    ),
    Trap(
        "output",
        "def f():\n    return 1\n",
        "return 1",
        "print('heard')\n    return 1",
        """
        import logging, sys
        LOUD = logging.StreamHandler()
        def test_captured(capsys):
            m.f()
            assert capsys.readouterr().out == "heard\\n"
        def test_descriptors(capfd):
            import os
            os.write(1, b"raw")
            assert capfd.readouterr().out == "raw"
        def test_a_stream_from_the_collection():
            LOUD.emit(logging.LogRecord("x", 30, "p", 1, "said", None, None))
            assert not LOUD.stream.closed
        """,
        passed=True,
    ),
)

KEPT_BACK = (
    Trap(
        "table", "def scale(n):\n    return 2 * n\nTABLE = {n: scale(n) for n in range(4)}\n",
        "2 * n", "3 * n",
        "def test_it():\n    assert m.TABLE[2] == 4\n",
        "L1", why="it ran",
    ),
    Trap(
        "mended", "def scale(n):\n    return 3 * n\nTABLE = {n: scale(n) for n in range(4)}\n",
        "3 * n", "2 * n",
        "def test_it():\n    assert m.TABLE[2] == 4\n",
        "L1", passed=True, why="it ran",
    ),
    Trap(
        "parametrized", "def scale(n):\n    return 2 * n\n", "2 * n", "3 * n",
        """
        @pytest.mark.parametrize("found, wanted", [(m.scale(2), 4)], ids=["a"])
        def test_it(found, wanted):
            assert found == wanted
        """,
        "L1", why="it ran",
        case="[a]",
    ),
    Trap(
        "called_in_class",
        "def base():\n    return 1\nclass A:\n    value = base()\n", "return 1", "return 2",
        "def test_it():\n    assert m.A.value == 1\n",
        "L1", why="it ran",
    ),
    Trap(
        "property_read",
        "class A:\n    @property\n    def v(self):\n        return 1\nSAVED = A().v\n",
        "return 1", "return 2",
        "def test_it():\n    assert m.SAVED == 1\n",
        "L1", why="it ran",
    ),
    Trap(
        "begun", "def count():\n    yield 1\nWAITING = count()\n", "yield 1", "yield 2",
        "def test_it():\n    assert next(m.WAITING) == 1\n",
        "L1", why="begun",
    ),
    Trap(
        "in_a_thread",
        """
        import threading
        def f():
            FOUND.append(1)
        FOUND = []
        thread = threading.Thread(target=f)
        thread.start()
        thread.join()
        """,
        "append(1)", "append(2)",
        "def test_it():\n    assert m.FOUND == [1]\n",
        "L1",
    ),
    Trap(
        "in_a_process",
        """
        import subprocess, sys
        def f():
            return 1
        code = "import sys; sys.path.insert(0, '.'); sys.modules['subprocess'] = None\\n"
        code += "try:\\n import traps.in_a_process\\nexcept ImportError: pass\\n"
        SAID = subprocess.run([sys.executable, "-c", code], check=False).returncode
        """,
        "return 1", "return 2",
        "def test_it():\n    assert m.f() == 1\n",
        "L1", why="processes",
    ),
    Trap(
        "source_read",
        """
        import inspect
        def f():
            return 1
        TEXT = inspect.getsource(f)
        """,
        "return 1", "return 2",
        "def test_it():\n    assert 'return 1' in m.TEXT\n",
        "L1", why="was read",
    ),
    Trap(
        "code_read", "def f():\n    return 1\nCONSTANTS = f.__code__.co_consts\n",
        "return 1", "return 2",
        "def test_it():\n    assert 1 in m.CONSTANTS\n",
        "L1", why="looked at",
    ),
    Trap(
        "cached",
        """
        import functools
        @functools.lru_cache(None)
        def f():
            return 1
        """,
        "return 1", "return 2",
        "def test_it():\n    assert m.f() == 1\n",
        "L1", why="decorator",
    ),
    Trap(
        "decorator_unknown",
        """
        import types
        def copied(function):
            return types.FunctionType(function.__code__, function.__globals__)
        @copied
        def f():
            return 1
        """,
        "return 1", "return 2",
        "def test_it():\n    assert m.f() == 1\n",
        "L1",
    ),
    Trap(
        "default", "def f(a=1):\n    return a\n", "a=1", "a=2",
        "def test_it():\n    assert m.f() == 1\n",
        "L1", why="not inside",
    ),
    Trap(
        "parameters", "def f(a):\n    return 1\n", "f(a)", "f(b)",
        "def test_it():\n    assert m.f(a=1) == 1\n",
        "L1", why="not inside",
    ),
    Trap(
        "decorated", "def f():\n    return 1\ndef d(g):\n    return lambda: 2\n# here\ndef h():\n    return 1\n",
        "# here", "@d",
        "def test_it():\n    assert m.h() == 1\n",
        "L1", why="not inside",
    ),
    Trap(
        "docstring", 'def f():\n    """One."""\n    return 1\n', "One.", "Two.",
        "def test_it():\n    assert m.f.__doc__ == 'One.'\n",
        "L1", why="not inside",
    ),
    Trap(
        "constant", "LIMIT = 1\ndef f():\n    return LIMIT\n", "LIMIT = 1", "LIMIT = 2",
        "def test_it():\n    assert m.f() == 1\n",
        "L1", why="not inside",
    ),
    Trap(
        "class_body", "class A:\n    n = 1\n    def f(self):\n        return self.n\n",
        "n = 1", "n = 2",
        "def test_it():\n    assert m.A().f() == 1\n",
        "L1", why="not inside",
    ),
    Trap(
        "two_places", "def f():\n    return 1\ndef g():\n    return 1\n",
        "    return 1\ndef g():\n    return 1", "    return 2\ndef g():\n    return 2",
        "def test_it():\n    assert m.f() == m.g() == 1\n",
        "L1", why="one statement",
    ),
    Trap(
        "imported", "def f():\n    return 1\n", "def f():\n    return 1",
        "import math\n\ndef f():\n    return math.floor(1.5)",
        "def test_it():\n    assert m.f() == 1\n",
        "L1", passed=True,
    ),
    Trap(
        "kind_changes", "def f():\n    return [1]\n", "return [1]", "yield 1",
        "def test_it():\n    assert m.f() == [1]\n",
        "L1", why="flags",
    ),
    Trap(
        "cell_changes", "def f(a):\n    def g():\n        return a\n    return g\n",
        "return a", "return 1",
        "def test_it():\n    assert m.f(1)() == 1\n",
        "L1", passed=True, why="freevars",
    ),
    Trap(
        "file_open", "import os\nHANDLE = open(os.__file__)\ndef f():\n    return 1\n",
        "return 1", "return 2",
        "def test_it():\n    assert m.f() == 1 and m.HANDLE\n",
        "L1", why="opened",
    ),
    Trap(
        "shared",
        "import multiprocessing\nLOCK = multiprocessing.Lock()\ndef f():\n    return 1\n",
        "return 1", "return 2",
        "def test_it():\n    assert m.f() == 1 and m.LOCK\n",
        "L1", why="shared memory",
    ),
    Trap(
        "left_file",
        "import tempfile\nPLACE = tempfile.mkdtemp()\ndef f():\n    return 1\n",
        "return 1", "return 2",
        "import os\ndef test_it():\n    assert os.path.isdir(m.PLACE) and m.f() == 1\n",
        "L1", why="left /tmp/",
    ),
    Trap(
        "warned", "def f(a):\n    return a == 1\n", "a == 1", "a is 1",
        "def test_it():\n    assert m.f(2)\n",
        "L1", why="does not compile",
    ),
    Trap(
        "traced",
        "import sys\nbefore = sys.gettrace()\nsys.settrace(None)\ndef f():\n    FOUND.append(1)\n"
        "FOUND = []\nf()\nsys.settrace(before)\n",
        "append(1)",
        "append(2)",
        "def test_it():\n    assert m.FOUND == [1]\n",
        "L1",
        why="traced",
    ),
    Trap(
        "timed",
        "import signal\nsignal.setitimer(signal.ITIMER_PROF, 1000)\ndef f():\n    return 1\n",
        "return 1",
        "return 2",
        "def test_it():\n    assert m.f() == 1\n",
        "L1",
        why="timer",
    ),
    Trap(
        "frozen",
        "import gc\ndef f():\n    return 1\ngc.freeze()\n",
        "return 1",
        "return 2",
        "def test_it():\n    assert m.f() == 1\n",
        "L1",
        why="froze",
    ),
    Trap(
        "code_set",
        "def f():\n    return 1\ndef g():\n    return 1\nf.__code__ = g.__code__\n",
        "def g():\n    return 1",
        "def g():\n    return 2",
        "def test_it():\n    assert m.f() == 1\n",
        "L1",
    ),
    Trap(
        "remade",
        "def add(a, b):\n    return a + b\n"
        "TEXT = 'def add(a, b):\\n    return b + a\\n'\nexec(compile(TEXT, __file__, 'exec'))\n",
        "return a + b",
        "return a - b",
        "def test_it():\n    assert m.add(1, 2) == 3\n",
        "L1",
        passed=True,
        why="is not what its file compiles to",
    ),
    Trap(
        "returns",
        "def f():\n    return 1\n",
        "return 1",
        "return 2  # \f",
        "def test_it():\n    assert m.f() == 1\n",
        "L1",
        why="plain",
    ),
)  # fmt: skip
