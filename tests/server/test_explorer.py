"""The test explorer: what is discovered, how runs are told, and refining from a failing test."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types

from ocils.domain.judging import Broken, CaseResult, Passed, Plan, TestId, Verdict
from ocils.domain.text import Edit

from .conftest import Rig, Table
from .editor import plain

RED = "tests/test_pricing.py::test_delivery_is_free_at_the_limit"
NESTED = """\
import pytest


class TestA:
    class TestInner:
        def test_deep(self): ...

    @pytest.mark.parametrize("n", [1, 2])
    def test_many(self, n):
        pass

    def helper(self): ...


def test_é𝕏(): ...
"""


@pytest.fixture
async def exploring(rig: Rig) -> Table:
    return await rig.connect(options={"client": {"testExplorer": True, "status": True}})


async def discover(table: Table, test_id: str | None = None) -> Any:
    asked = {} if test_id is None else {"testId": test_id}
    return plain(await table.editor.ask("ocils/discoverTests", asked))


async def run(table: Table, **what: Any) -> tuple[Any, dict[str, list[Any]]]:
    """Run tests; return the run's end and each test's states in order."""
    editor = table.editor
    before = len(editor.told("ocils/endRunTests"))
    started = plain(await editor.ask("ocils/runTests", what))
    await editor.until(lambda: len(editor.told("ocils/endRunTests")) > before, "the end")
    states: dict[str, list[Any]] = {}
    for change in editor.told("ocils/changeTestState"):
        if change["run"] == started["run"]:
            states.setdefault(change["testId"], []).append(change["state"])
    end = editor.told("ocils/endRunTests")[-1]
    assert end["run"] == started["run"]
    return end, states


async def test_the_tree_comes_from_the_sources(rig: Rig, exploring: Table) -> None:
    found = await discover(exploring)
    root = str(rig.root)
    assert found["scope"] == [root]
    package, module, *tests = found["tests"]
    assert (package["id"], package["kind"], package["label"]) == (root, "package", "basket")
    assert (module["id"], module["parent"]) == (f"{root}/tests/test_pricing.py", root)
    assert len(tests) == 9
    assert {t["parent"] for t in tests} == {module["id"]}
    (red,) = [t for t in tests if t["id"] == f"{root}/{RED}"]
    lines = rig.read("tests/test_pricing.py").splitlines()
    assert lines[red["range"]["start"]["line"]].startswith(f"def {red['label']}")
    assert lines[red["range"]["end"]["line"]].strip() == "assert delivery(5001) == 0"
    assert rig.judge.calls == []


BASES = """\
import unittest


class Contract:
    def test_adds(self): ...
    def test_hidden(self): ...
    def helper(self): ...


class Cases(unittest.TestCase):
    def test_case(self): ...
"""
HEIRS = """\
from tests import bases
from tests.bases import Contract as Shared


class TestOne(Shared):
    test_hidden = None

    def test_own(self): ...


class Other(bases.Cases): ...


class TestNot(Shared):
    __test__ = False


class Plain(Shared): ...


class TestLoop(TestLoop): ...
"""


async def test_inherited_tests_are_there_before_a_run(rig: Rig, exploring: Table) -> None:
    rig.write("tests/bases.py", BASES)
    rig.write("tests/test_heirs.py", HEIRS)
    file = f"{rig.root}/tests/test_heirs.py"
    found = {each["id"]: each for each in (await discover(exploring, file))["tests"]}
    tests = {name.removeprefix(file) for name, each in found.items() if each["kind"] == "test"}
    assert tests == {"::TestOne::test_adds", "::TestOne::test_own", "::Other::test_case"}
    adds, own = found[f"{file}::TestOne::test_adds"], found[f"{file}::TestOne::test_own"]
    lines = HEIRS.splitlines()
    assert lines[adds["range"]["start"]["line"]].startswith("class TestOne")
    assert lines[own["range"]["start"]["line"]].strip().startswith("def test_own")
    assert found[f"{file}::Other"]["parent"] == file
    assert rig.judge.calls == []


async def test_classes_and_positions(rig: Rig, exploring: Table) -> None:
    rig.write("tests/test_nested.py", NESTED)
    file = f"{rig.root}/tests/test_nested.py"
    found = await discover(exploring, file)
    assert found["scope"] == [file]
    assert [(t["label"], t["kind"], t["parent"]) for t in found["tests"]] == [
        ("tests/test_nested.py", "module", str(rig.root)),
        ("TestA", "module", file),
        ("TestInner", "module", f"{file}::TestA"),
        ("test_deep", "test", f"{file}::TestA::TestInner"),
        ("test_many", "test", f"{file}::TestA"),
        ("test_é𝕏", "test", file),
    ]
    last = found["tests"][-1]["range"]
    assert last == {
        "start": {"line": 14, "character": 4},
        "end": {"line": 14, "character": 19},  # 𝕏 is two units of UTF-16
    }


async def test_an_unsaved_test_is_told_once_typing_has_settled(rig: Rig, exploring: Table) -> None:
    editor = exploring.editor
    uri = editor.open(exploring.tests)
    end = len(editor.buffers[uri].text.splitlines())
    for line in ("\n\ndef test_new():\n", "    assert True\n"):
        editor.type(uri, end + 3, 0, line)
    await editor.until(lambda: editor.told("ocils/discoveredTests"), "told")
    told = editor.told("ocils/discoveredTests")
    assert len(told) == 1
    assert told[0]["scope"] == [f"{rig.root}/tests/test_pricing.py"]
    assert "test_new" in {t["label"] for t in told[0]["tests"]}


async def test_running_everything(rig: Rig, exploring: Table) -> None:
    end, states = await run(exploring)
    assert (end["outcome"], end["message"]) == ("failed", "1 of 9 tests fail")
    assert len(states) == 9
    tags = {test: [s["tag"] for s in each] for test, each in states.items()}
    red = f"{rig.root}/{RED}"
    assert tags.pop(red) == ["enqueued", "started", "failed"]
    assert set(map(tuple, tags.values())) == {("enqueued", "started", "passed")}
    failed = states[red][-1]
    assert failed["durationMs"] == 1.0
    assert "message" in failed
    row = rig.read("tests/test_pricing.py").splitlines()[
        failed["location"]["range"]["start"]["line"]
    ]
    assert row.strip() == "assert delivery(5000) == 0"
    # Its finding is in the editor, too, and a status was told.
    uri = failed["location"]["uri"]
    await exploring.editor.until(lambda: exploring.editor.marks(uri), "a finding")
    assert {s["state"] for s in exploring.editor.told("ocils/status")} >= {"busy"}
    # Nothing was new: the tree stands.
    assert exploring.editor.told("ocils/discoveredTests") == []


async def test_running_one_file_but_for_one_test(rig: Rig, exploring: Table) -> None:
    file = f"{rig.root}/tests/test_pricing.py"
    end, states = await run(exploring, include=[file], exclude=[f"{rig.root}/{RED}"])
    assert (end["outcome"], end["message"]) == ("passed", "all 8 tests pass")
    assert f"{rig.root}/{RED}" not in states
    (plan, _) = rig.judge.calls[-1]
    assert len(plan.tests) == 8


async def test_running_one_test_runs_no_other(rig: Rig, exploring: Table) -> None:
    _, states = await run(exploring, include=[f"{rig.root}/{RED}"])
    assert list(states) == [f"{rig.root}/{RED}"]
    assert [plan.tests for plan, _ in rig.judge.calls] == [(RED,)]


async def test_cases_of_a_test_with_parameters_appear_with_the_run(
    rig: Rig, exploring: Table
) -> None:
    rig.write("tests/test_many.py", NESTED)
    function = "tests/test_many.py::TestA::test_many"
    cases = tuple(
        CaseResult(TestId(f"{function}[{n}]"), outcome)  # type: ignore[arg-type]
        for n, outcome in ((1, "passed"), (2, "failed"))
    )

    def answer(plan: Plan, _: tuple[Edit, ...]) -> Verdict:
        if plan.tests == (function,):
            return Broken(f"{function} was not collected", "collection")
        return Passed(cases, 0.1)

    rig.judge.answer = answer
    end, states = await run(exploring, include=[f"{rig.root}/{function}"])
    assert end["message"] == "1 of 2 tests fail"
    assert states[f"{rig.root}/{function}[2]"][-1]["tag"] == "failed"
    assert "skipped" not in [s["tag"] for s in states[f"{rig.root}/{function}"]]
    told = exploring.editor.told("ocils/discoveredTests")
    assert [(t["tests"][0]["label"], t["scope"]) for t in told] == [("1", []), ("2", [])]
    # From then on they are part of the tree, and can be run one by one.
    found = await discover(exploring, f"{rig.root}/tests/test_many.py")
    assert f"{rig.root}/{function}[1]" in {t["id"] for t in found["tests"]}
    await run(exploring, include=[f"{rig.root}/{function}"])
    assert rig.judge.calls[-1][0].tests == tuple(case.test for case in cases)


async def test_tests_that_cannot_be_collected_are_errors_with_the_reason(
    rig: Rig, exploring: Table
) -> None:
    rig.judge.answer = lambda _, __: Broken("No module named 'numpy'", "import", (), (), "numpy")
    end, states = await run(exploring)
    assert end["outcome"] == "broken"
    assert "numpy" in end["message"]
    assert {each[-1]["tag"] for each in states.values()} == {"errored"}
    assert all("numpy" in each[-1]["message"] for each in states.values())


@pytest.mark.parametrize("how", ["abort", "abort all", "cancel"])
async def test_ending_a_run(rig: Rig, exploring: Table, how: str) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def gate(_: Plan, __: tuple[Edit, ...]) -> None:
        reached.set()
        await go.wait()

    rig.judge.gate = gate
    editor = exploring.editor
    started = plain(await editor.ask("ocils/runTests", {}))
    await reached.wait()
    if how == "cancel":
        assert await editor.run("ocils.cancel", {"task": started["run"]}) == 1
    else:
        given = {"run": started["run"]} if how == "abort" else {}
        editor.client.protocol.notify("ocils/abortRunTest", given)
    await editor.until(lambda: editor.told("ocils/endRunTests"), "the end")
    assert editor.told("ocils/endRunTests")[0]["outcome"] == "cancelled"
    assert editor.told("ocils/changeTestState")[-1]["state"]["tag"] == "skipped"
    assert (await editor.run("ocils.status"))["running"] == []


# -- refining from a failing test ------------------------------------------------------------------


async def test_refining_a_failing_test_mends_what_it_runs(rig: Rig, exploring: Table) -> None:
    """No document is open: the edit is of a file, and the test is known by its id alone."""
    editor = exploring.editor
    started = await editor.run("ocils.refineUntilGreen", {"test": f"{rig.root}/{RED}"})
    assert started["task"]
    await editor.until(lambda: editor.edits, "the edit")
    (change,) = editor.edits[0].edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.uri == f"file://{rig.root}/shop/pricing.py"
    assert any("mending delivery" in text for text in editor.logged)


TWO = """\
from shop.pricing import delivery, subtotal


def test_both():
    assert subtotal([(100, 2)]) == 200
    assert delivery(5000) == 0


def test_subtotal():
    assert subtotal([(1, 1)]) == 1
"""


async def test_of_several_functions_the_one_that_green_tests_do_not_run(
    rig: Rig, exploring: Table
) -> None:
    rig.write("tests/test_pricing.py", TWO)
    editor = exploring.editor
    uri = editor.open(exploring.code)
    test = f"{rig.root}/tests/test_pricing.py::test_both"
    await editor.run("ocils.refineUntilGreen", {"test": test})
    await editor.until(lambda: editor.said("`delivery` mended"), "mended")
    assert any("the green ones run it least" in text for text in editor.logged)
    assert editor.asked == []
    assert "return 0 if cents > 1" in editor.buffers[uri].text  # enough for these tests


async def test_where_they_are_alike_the_user_is_asked(rig: Rig, exploring: Table) -> None:
    rig.write("tests/test_pricing.py", TWO[: TWO.index("\n\ndef test_subtotal")])
    editor = exploring.editor
    editor.choice = "delivery (shop/pricing.py)"
    test = f"{rig.root}/tests/test_pricing.py::test_both"
    await editor.run("ocils.refineUntilGreen", {"test": test})
    await editor.until(lambda: editor.edits, "the edit")
    titles = [a.title for a in editor.asked[0].actions or ()]
    assert sorted(titles) == ["delivery (shop/pricing.py)", "subtotal (shop/pricing.py)"]


RAISES = """\
def inner(n):
    return [][n]


def outer(n):
    return inner(n)
"""


async def test_the_innermost_frame_outside_the_tests_comes_first(rig: Rig) -> None:
    code = rig.read("shop/pricing.py") + "\n\n" + RAISES
    rig.write("shop/pricing.py", code)
    rig.write(
        "tests/test_pricing.py",
        "from shop.pricing import outer\n\n\ndef test_it():\n    assert outer(0) == 1\n",
    )
    rig.replies[:] = [["```python\ndef inner(n):\n    return 1\n```"]]
    table = await rig.connect()
    await table.editor.run(
        "ocils.refineUntilGreen", {"test": f"{rig.root}/tests/test_pricing.py::test_it"}
    )
    await table.editor.until(lambda: table.editor.said("`inner` mended"), "mended")


async def test_a_test_that_passes_is_not_refined(rig: Rig, exploring: Table) -> None:
    rig.write("tests/test_pricing.py", TWO.replace("== 0", "== 490"))
    test = f"{rig.root}/tests/test_pricing.py::test_both"
    await exploring.editor.run("ocils.refineUntilGreen", {"test": test})
    await exploring.editor.until(lambda: exploring.editor.said("test_both passes"), "told")
    assert exploring.editor.edits == []
