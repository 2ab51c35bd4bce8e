"""Small workspaces of many shapes; each with an edit that turns some of its tests red.

Not covered: shapes that need packages from elsewhere (``test_suites.py`` says which).
"""

from __future__ import annotations

from ocils.domain.base import Value


class Suite(Value, frozen=True):
    """``before`` and ``after``: how many tests have which outcome, as a plain run says.

    ``swapped``: whether the edit may be judged in a collected suite.
    """

    files: dict[str, str]
    path: str
    text: str
    before: dict[str, int]
    after: dict[str, int]
    below: str = ""
    swapped: bool = True


SCOPES = Suite(
    {
        "conftest.py": """
            import pathlib, sys
            import pytest
            HERE = pathlib.Path(__file__).resolve().parent
            sys.path.insert(0, str(HERE / "lib"))
            LOG = []

            @pytest.fixture(scope="session", params=["one", "two"])
            def session(request):
                LOG.append(request.param)
                yield request.param
                LOG.clear()

            @pytest.fixture(scope="package")
            def package(session):
                return session + "-package"
        """,
        "lib/calc.py": "def add(a, b):\n    return a + b\n",
        "tests/__init__.py": "",
        "tests/conftest.py": """
            import pathlib
            import pytest
            DATA = pathlib.Path(__file__).with_name("data.txt")

            @pytest.fixture(scope="module")
            def data(package):
                return int(DATA.read_text())

            @pytest.fixture(autouse=True)
            def around(tmp_path_factory):
                yield
                assert tmp_path_factory.getbasetemp().exists()
        """,
        "tests/data.txt": "5",
        "tests/deep/__init__.py": "",
        "tests/deep/conftest.py": """
            import pathlib
            import pytest

            @pytest.fixture
            def data(data):
                assert pathlib.Path(__file__).parent.name == "deep"
                return data + 1
        """,
        "tests/deep/test_deep.py": """
            import pytest
            from calc import add

            class TestDeep:
                @pytest.fixture(scope="class")
                def cls(self, request):
                    request.cls.seen = []
                    return request.cls

                def test_first(self, cls, data):
                    self.seen.append(1)
                    assert add(data, 1) == 7

                def test_second(self, cls):
                    assert self.seen == [1] or self.seen == []
        """,
        "tests/test_top.py": """
            import pytest
            from calc import add

            def test_data(data, session):
                assert add(data, 0) == 5

            @pytest.fixture
            def breaks_later():
                yield add(1, 1)
                raise RuntimeError("in tear-down")

            def test_breaks_later(breaks_later):
                assert breaks_later == 2

            @pytest.fixture
            def breaks():
                raise RuntimeError("in set-up")

            def test_breaks(breaks):
                pass
        """,
    },
    "lib/calc.py",
    "def add(a, b):\n    return a - b\n",
    {"passed": 5, "error": 2},
    {"passed": 3, "failed": 3, "error": 1},
)

IDS = Suite(
    {
        "m.py": "def same(x):\n    return x\n",
        "test_ids.py": """
            import pytest
            from m import same

            ODD = ["a b", "x::y", "[br]", "grün", "日本", "new\\nline", "", "tab\\t", "-x", "a/b", "#", "%d"]

            @pytest.mark.parametrize("value", ODD)
            def test_odd(value):
                assert same(value) == value

            @pytest.mark.parametrize("value", [1, 1.5, None, b"\\xff", True, object, (1, 2)])
            @pytest.mark.parametrize("other", [{}, {"k": 1}], ids=["empty", "full one"])
            def test_crossed(value, other):
                assert same(value) == value

            @pytest.mark.parametrize("n", [1, 1, 1], ids=["x", "x", "y"])
            def test_twins(n):
                assert same(n) == 1

            def pytest_generate_tests(metafunc):
                if "made" in metafunc.fixturenames:
                    metafunc.parametrize("made", range(same(3)))

            def test_made(made):
                assert made < 3
        """,
    },
    "m.py",
    "def same(x):\n    return x if x != 1 else 2\n",
    {"passed": 12 + 14 + 3 + 3},
    {"passed": 12 + 10 + 0 + 3, "failed": 4 + 3},
    swapped=False,
)

OUTCOMES = Suite(
    {
        "setup.cfg": "[tool:pytest]\nxfail_strict = true\nlog_cli = true\nfilterwarnings = error\n",
        "m.py": "def half(n):\n    return n / 2\n",
        "test_out.py": """
            import unittest, warnings
            import pytest
            from m import half

            @pytest.mark.xfail
            def test_strict():
                assert half(4) == 3

            @pytest.mark.xfail(strict=False)
            def test_lax():
                assert half(4) == 2

            @pytest.mark.xfail(raises=ValueError, strict=False)
            def test_raises():
                assert half(4) == 2

            @pytest.mark.skipif(half(2) == 1, reason="by the code")
            def test_skipped():
                assert half(2) != 2

            def test_skips_itself():
                pytest.skip("later")

            def test_warns():
                warnings.warn("old", UserWarning)

            def test_calls_xfail():
                pytest.xfail("known")

            @pytest.mark.xfail(run=False)
            def test_never_runs():
                raise SystemExit

            class Case(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    cls.value = half(6)

                def setUp(self):
                    self.addCleanup(self.assertTrue, True)

                def test_sub(self):
                    for n in (2, 4):
                        with self.subTest(n=n):
                            self.assertEqual(half(n), n // 2)

                @unittest.expectedFailure
                def test_expected(self):
                    self.assertEqual(self.value, 0)

                @unittest.skip("no")
                def test_skipped(self):
                    pass

            class Async(unittest.IsolatedAsyncioTestCase):
                async def test_async(self):
                    self.assertEqual(half(2), 1)
        """,
        "test_left_out.py": """
            import pytest
            pytest.skip("the whole file", allow_module_level=True)

            def test_never():
                assert False
        """,
        "test_needs.py": "import pytest\nnothing = pytest.importorskip('nothing_of_the_kind')\n",
    },
    "m.py",
    "def half(n):\n    return n // 2 + (n == 4)\n",
    {"passed": 2, "failed": 1, "skipped": 3, "xfailed": 4, "xpassed": 2},
    {"passed": 1, "failed": 4, "skipped": 3, "xfailed": 4},
    swapped=False,
)

DOCTESTS = Suite(
    {
        "pytest.ini": """
            [pytest]
            addopts = --doctest-modules --doctest-glob=*.md --doctest-glob=guide*.rst
            doctest_optionflags = NORMALIZE_WHITESPACE ELLIPSIS
        """,
        "pack/__init__.py": "",
        "pack/core.py": '''
            def twice(n):
                """Twice.

                >>> twice(2)
                4
                >>> [twice(n) for n in range(3)]
                [0,  2,
                 4]
                """
                return n * 2

            class Box:
                """
                >>> Box().open()
                'open'
                """

                def open(self):
                    """
                    >>> Box().open()
                    'op...'
                    """
                    return "open"
        ''',
        "README.md": "Try it:\n\n    >>> from pack.core import twice\n    >>> twice(21)\n    42\n",
        "docs/guide_one.rst": ">>> import pack.core as c\n>>> c.twice('a')\n'aa'\n",
        "docs/other.rst": ">>> 1\n2\n",
        "test_core.py": "from pack.core import twice\n\ndef test_twice():\n    assert twice(3) == 6\n",
    },
    "pack/core.py",
    'def twice(n):\n    """\n    >>> twice(2)\n    4\n    """\n    return n + 2\n',
    {"passed": 6},
    {"passed": 1, "failed": 3},
    swapped=False,
)

NAMESPACES = Suite(
    {
        "pyproject.toml": """
            [tool.pytest.ini_options]
            addopts = ["--import-mode=importlib", "-p", "no:cacheprovider", "--strict-markers", "-ra"]
            pythonpath = ["one", "two"]
            testpaths = ["tests", "more tests"]
        """,
        "one/space/left.py": "def left():\n    return 'l'\n",
        "two/space/right.py": "from space.left import left\n\ndef right():\n    return left() + 'r'\n",
        "tests/a/test_same.py": "from space.right import right\n\ndef test_r():\n    assert right() == 'lr'\n",
        "tests/b/test_same.py": "from space.left import left\n\ndef test_l():\n    assert left() == 'l'\n",
        "more tests/test_same.py": "import space.right\n\ndef test_m():\n    assert space.right.right()\n",
        "other/test_same.py": "def test_o():\n    assert False, 'outside testpaths'\n",
    },
    "one/space/left.py",
    "def left():\n    return ''\n",
    {"passed": 3},
    {"passed": 1, "failed": 2},
)

PATTERNS = Suite(
    {
        "tox.ini": """
            [tox]
            envlist = py3
            [pytest]
            python_files = check_*.py *_spec.py
            python_classes = Describe*
            python_functions = it_* check_*
            norecursedirs = skip_me .*
            addopts = -x --ff -q -rA --durations=3
            usefixtures = opened
        """,
        "m.py": "def flag():\n    return True\n",
        "conftest.py": "import pytest\n\n@pytest.fixture\ndef opened():\n    yield\n",
        "check_one.py": "import m\n\ndef check_it():\n    assert m.flag()\n\ndef test_not():\n    assert 0\n",
        "specs/flag_spec.py": """
            import sys, m
            class Base:
                def it_inherits(self):
                    assert m.flag() is True
            class DescribeFlag(Base):
                def it_is(self):
                    assert m.flag()
                class DescribeInner:
                    def check_nested(self):
                        assert m.flag()
            class DescribeSetup:
                def setup_method(self):
                    self.value = m.flag()
                def it_was(self):
                    assert self.value
            class TestNot:
                def test_not(self):
                    assert 0
        """,
        "skip_me/check_two.py": "def check_no():\n    assert 0\n",
        "test_not.py": "def test_not():\n    assert 0\n",
    },
    "m.py",
    "def flag():\n    return 1\n",
    {"passed": 5},
    {"passed": 4, "failed": 1},
)

BELOW = Suite(
    {
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--nope-of-the-root'\n",
        "services/shop/pytest.ini": "[pytest]\naddopts = --strict-markers\nmarkers = fast\n",
        "services/shop/shop.py": "def tax(n):\n    return n * 0.2\n",
        "services/shop/conftest.py": "import sys\nsys.path.insert(0, __file__.rpartition('/')[0])\n",
        "services/shop/tests/test_tax.py": """
            import pytest, shop
            @pytest.mark.fast
            @pytest.mark.parametrize("n", [0, 10])
            def test_tax(n):
                assert shop.tax(n) == n / 5
        """,
    },
    "services/shop/shop.py",
    "def tax(n):\n    return n * 0.1\n",
    {"passed": 2},
    {"passed": 1, "failed": 1},
    below="services/shop",
)

PLUGINS = Suite(
    {
        "pytest.ini": "[pytest]\naddopts = -p local_plugin\npythonpath = plug\n",
        "plug/local_plugin.py": """
            import pytest

            @pytest.fixture
            def from_addopts():
                return "addopts"

            def pytest_addoption(parser):
                parser.addini("greeting", "a word", default="hello")
        """,
        "shared.py": "import pytest\n\n@pytest.fixture\ndef shared():\n    return 'shared'\n",
        "conftest.py": """
            import pytest
            pytest_plugins = ["shared"]

            def pytest_collect_file(file_path, parent):
                if file_path.suffix == ".sum":
                    return SumFile.from_parent(parent, path=file_path)

            class SumFile(pytest.File):
                def collect(self):
                    for number, line in enumerate(self.path.read_text().splitlines()):
                        item = Sum.from_parent(self, name=f"line {number}")
                        item.line = line
                        yield item

            class Sum(pytest.Item):
                def runtest(self):
                    from m import total
                    left, _, right = self.line.partition("=")
                    assert total(left) == int(right)

                def repr_failure(self, excinfo):
                    return f"{self.line} does not hold"

            def pytest_collection_modifyitems(items):
                items.reverse()
        """,
        "m.py": "def total(text):\n    return sum(int(each) for each in text.split('+'))\n",
        "one.sum": "1+2=3\n2+2=4\n5=5\n",
        "test_p.py": """
            import pytest
            def test_fixtures(from_addopts, shared, pytestconfig):
                assert (from_addopts, shared) == ("addopts", "shared")
                assert pytestconfig.getini("greeting") == "hello"
        """,
    },
    "m.py",
    "def total(text):\n    return int(text[0])\n",
    {"passed": 4},
    {"passed": 2, "failed": 2},
)

BROKEN = Suite(
    {
        "m.py": "def one():\n    return 1\n",
        "test_good.py": "import m\n\ndef test_one():\n    assert m.one() == 1\n",
        "sub/test_bad.py": "import nothing_of_the_kind\n\ndef test_never():\n    pass\n",
    },
    "m.py",
    "def one():\n    return 2\n",
    {"error": 1},
    {"error": 1},
    swapped=False,
)

SUITES = {
    "scopes": SCOPES,
    "ids": IDS,
    "outcomes": OUTCOMES,
    "doctests": DOCTESTS,
    "namespaces": NAMESPACES,
    "patterns": PATTERNS,
    "below": BELOW,
    "plugins": PLUGINS,
    "broken": BROKEN,
}
