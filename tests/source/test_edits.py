"""Nothing that the small edits yield is broken or twice there; which lines, which order, how many."""

from __future__ import annotations

import ast
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ocils.source
from ocils.domain.errors import StaleTarget
from ocils.domain.text import Document, apply_edits
from ocils.source.edits import small_edits
from ocils.source.target import SourceTree, locate_name, targets

from .slips import CLASS, document, edits_of

SAMPLES = {
    "class": CLASS,
    "tabs": CLASS.replace("    ", "\t"),
    "crlf": CLASS.replace("\n", "\r\n"),
    "mark": "\ufeff" + CLASS,
    "non-ASCII": CLASS.replace("nonsense", "größe").replace("high", "hoch_𝒳"),
    "no newline": CLASS.rstrip("\n"),
    "one line": "def f(a): return a[0] + 1\n",
    "nonlocal": "def o():\n    n = 0\n    def f(a):\n        nonlocal n\n        n += a\n        return n\n    return f\n",
    "generator": "def f(a):\n    for x in a:\n        if x:\n            yield x\n        else:\n            yield from f(x)\n",
    "with and try": "def f(p):\n    try:\n        with open(p, 'r') as h, g() as k:\n            return h.read()\n    except (OSError, ValueError) as e:\n        raise KeyError(f'{p}: {e!r}') from e\n    finally:\n        p.close()\n",
    "lambda": "def f(a, k=lambda x: x):\n    assert a, 'no'\n    del a[0]\n    return sorted(a, key=lambda x: (x[1], -x[0]))[::-1]\n",
    "types": "def f(a: list[int], b: dict[str, int] | None = None) -> int:\n    c: int = a[0] if b else -1\n    return c\n",
    "async": "async def f(a):\n    async with a as b:\n        async for x in b:\n            await x\n    return [y async for y in a if await y]\n",
    "strings": "def f(a):\n    '''Doc {x}.'''\n    b = 'x' 'y'\n    c = \"\"\"a\n  b\"\"\"\n    return {'k': 'v', **a}[b'c'], r'\\d', c\n",
    "walrus": "def f(a):\n    if (n := len(a)) > 3 and not a:\n        print(n, *a, sep='', **{})\n    while True:\n        a = a @ n ** -2 if ~n else ...\n        break\n",
}


@pytest.mark.parametrize("case", SAMPLES)
def test_every_edit_parses_differs_and_stays_in_its_lines(case: str) -> None:
    doc = document(SAMPLES[case])
    for target in targets(SourceTree.of(doc)):
        lines = range(target.first_line, target.last_line + 1)
        edits = small_edits(doc, target, lines)
        assert 10 < len(edits) <= 400
        seen = {ast.dump(ast.parse(doc.data))}
        for edit in edits:
            new = apply_edits(doc, edit.edits).data
            tree = ast.dump(ast.parse(new))
            assert tree not in seen, edit
            seen.add(tree)
            assert new[: target.span.start].rstrip() == doc.data[: target.span.start].rstrip()
            rest = doc.data[target.span.end :]
            assert new.strip().endswith(rest.strip())
            assert edit.note
            old_lines = doc.data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
            new_lines = new.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
            first, last = edit.hole.first, edit.hole.last
            expected = [*old_lines[: first - 1], *edit.lines, *old_lines[last:]]
            assert "\n".join(expected).rstrip("\n") == "\n".join(new_lines).rstrip("\n")
            assert (b"\r\n" in new) == (b"\r\n" in doc.data)
        assert edits == small_edits(doc, target, lines)


def test_only_the_asked_lines_change() -> None:
    doc, edits = edits_of("def f(a, b):\n    c = a + 1\n    d = b * 2\n    return c - d\n", [3])
    for edit in edits:
        assert edit.hole.first <= 3 <= max(edit.hole.last, edit.hole.first), edit
    assert small_edits(doc, locate_name(SourceTree.of(doc), "f"), []) == ()
    assert small_edits(doc, locate_name(SourceTree.of(doc), "f"), [99]) == ()


def test_the_likeliest_come_first() -> None:
    _, edits = edits_of(
        "def f(a, b):\n    if a < b and a:\n        return True\n    return b[0]\n", [2, 3, 4]
    )
    notes = [e.note for e in edits[:15]]
    assert {"< to <=", "and to or", "True to False"} <= set(notes)


def test_at_most_as_many_as_asked() -> None:
    doc = document(CLASS)
    target = locate_name(SourceTree.of(doc), "A.f")
    every = small_edits(doc, target, range(6, 10))
    assert small_edits(doc, target, range(6, 10), most=20) == every[:20]


def test_other_encodings() -> None:
    text = "def f(ä, b):\n    return ä + 'é'\n"
    doc = document(text, "latin-1")
    edits = small_edits(doc, locate_name(SourceTree.of(doc), "f"), [2])
    after = [apply_edits(doc, e.edits).data.decode("latin-1") for e in edits]
    assert "def f(ä, b):\n    return b + 'é'\n" in after


def test_a_broken_target_has_none_and_a_stale_one_is_refused() -> None:
    doc = document("def f(a):\n    return a\n")
    target = locate_name(SourceTree.of(doc), "f")
    assert small_edits(document("def f(a:\n    return a\n\n\n"), target, [2]) == ()
    with pytest.raises(StaleTarget):
        small_edits(document("def"), target, [2])


def test_our_own_functions() -> None:
    """Real code: every edit parses, and a call takes little time."""
    times = []
    for path in sorted(Path(ocils.source.__file__).parent.glob("*.py"))[:4]:
        doc = Document(str(path), path.read_bytes())
        for target in targets(SourceTree.of(doc))[:6]:
            start = time.perf_counter()
            edits = small_edits(doc, target, range(target.first_line, target.last_line + 1))
            times.append(time.perf_counter() - start)
            for edit in edits[:: max(1, len(edits) // 25)]:
                ast.parse(apply_edits(doc, edit.edits).data)
    times.sort()
    assert times[len(times) // 2] < 1.0


FUNCTIONS = st.lists(
    st.sampled_from(
        [
            "x = a[0] + 1",
            "if a < b:\n    return x",
            "for i in range(a):\n    x += i",
            "while x and not b:\n    break",
            "return x[1:]",
            "foo(a, b, k=2)",
            "try:\n    pass\nexcept E as e:\n    raise",
            "'''text\nmore'''",
            "x = [i for i in a if i]",
            "print(f'{a}')  # é",
        ]
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(FUNCTIONS, st.sampled_from(["\n", "\r\n"]))
def test_any_function(statements: list[str], newline: str) -> None:
    text = "def f(a, b):\n" + textwrap.indent("\n".join(statements), "    ") + "\n\n\ny = 2\n"
    doc = document(text.replace("\n", newline))
    target = locate_name(SourceTree.of(doc), "f")
    old = ast.dump(ast.parse(doc.data))
    seen = set()
    for edit in small_edits(doc, target, range(2, target.last_line + 1)):
        new = ast.dump(ast.parse(apply_edits(doc, edit.edits).data))
        assert new != old
        assert new not in seen
        seen.add(new)
