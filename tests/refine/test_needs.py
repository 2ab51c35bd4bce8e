"""A missing module is a question: when it is asked, of what, and how a session goes on afterwards."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.events import Blocked, Event, Finished, TurnStarted
from ocils.domain.judging import Broken, CaseResult, Failed, Passed, TestId, Verdict
from ocils.domain.session import Candidate, Judged, Session
from ocils.domain.text import Entry, Snapshot, snapshot_hash
from ocils.prompt.installs import wanted
from ocils.refine.loop import refine, run_tests
from ocils.refine.needs import Lacking, foreign, missing, missing_in, named
from ocils.refine.resume import resumed
from ocils.sandbox.scripted import ScriptedSandbox, Trial

from .conftest import BUGGY, CHATTY, RIGHT, Scene, events_of, judged

WITH_YAML = RIGHT.replace("    if x < low", "    import yaml\n    if x < low", 1)


def lacks(module: str) -> str:
    return f"ModuleNotFoundError: No module named '{module}'"


def red(test: str, module: str) -> CaseResult:
    return CaseResult(TestId(test), "failed", 0.001, lacks(module), "import")


def without(module: str) -> Callable[[Trial], Verdict]:
    """Judge as ever, on a machine that lacks ``module``."""

    def script(trial: Trial) -> Verdict:
        text = trial.text or BUGGY
        if f"import {module}" in text:
            tests = trial.plan.tests or (TestId("t.py::below"),)
            return Failed((red(str(tests[0]), module),), 0.01)
        return judged(text, trial.plan)

    return script


def blocked(events: list[Event]) -> Blocked:
    ends = [e for e in events if isinstance(e, Finished | Blocked)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    assert isinstance(ends[0], Blocked), ends[0]
    return ends[0]


def test_a_missing_module_is_read_from_a_verdict_and_from_its_cases() -> None:
    broken = Broken(lacks("yaml"), "import", missing_module="yaml", cases=(red("a", "PIL"),))
    assert missing(broken) == ("yaml", "PIL")
    assert missing(Failed((red("a", "cv2"), red("b", "cv2")), 0.1)) == ("cv2",)
    assert missing(Passed((), 0.1)) == ()


def test_an_import_error_that_only_quotes_one_is_not_taken() -> None:
    case = CaseResult(TestId("a"), "failed", 0.0, "cannot import name 'x' from 'y'", "import")
    assert missing_in(case) == ""
    assert missing_in(msgspec.structs.replace(red("a", "yaml"), kind="assertion")) == ""


@pytest.mark.parametrize(
    ("module", "path", "asked"),
    [
        ("yaml", "shop.py", True),
        ("google.protobuf", "shop.py", True),
        ("json.nope", "shop.py", False),
        ("distutils", "shop.py", False),
        ("shop", "shop.py", False),
        ("shop.gone", "shop/__init__.py", False),
        ("shop", "src/shop/__init__.py", False),
        ("shop", "src/shop/deep/part.py", False),
        ("numpy", "examples/numpy/demo.py", True),
        ("factories", "tests/factories.py", False),
        ("not a module", "shop.py", False),
        ("x; rm", "shop.py", False),
    ],
)
def test_only_what_is_neither_standard_nor_the_workspaces_own(
    module: str, path: str, asked: bool
) -> None:
    entries = tuple(Entry(p, "file", 0o644, 1, b"") for p in (path, "tests/test_shop.py"))
    snapshot = Snapshot("/w", entries, snapshot_hash(entries))
    assert foreign([module], snapshot) == ((module,) if asked else ())


async def test_tests_that_cannot_be_collected_ask_before_anything_is_tried(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(
        lambda _: Broken(lacks("yaml"), "import", missing_module="yaml")
    )
    events = await events_of(scene)
    end = blocked(events)
    assert (end.need.kind, end.need.modules) == ("package", ("yaml",))
    assert end.session is not None
    assert not any(isinstance(e, TurnStarted) for e in events)


async def test_a_plain_run_asks_too_and_has_no_session(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(
        lambda _: Broken(lacks("yaml"), "import", missing_module="yaml")
    )
    run = run_tests(None, scene.snapshot, scene.ports, CancelToken())
    end = blocked([event async for event in run])
    assert end.session is None
    assert end.need.modules == ("yaml",)


async def test_goals_that_lack_a_module_ask_before_anything_is_tried(scene: Scene) -> None:
    def script(trial: Trial) -> Verdict:
        verdict = judged(trial.text or BUGGY, trial.plan)
        cases = tuple(c if c.passed else red(c.test, "yaml") for c in verdict.cases)
        return Failed(cases, 0.01, getattr(verdict, "coverage", None))

    scene.sandbox = ScriptedSandbox(script)
    events = await events_of(scene)
    assert blocked(events).need.modules == ("yaml",)
    assert not any(isinstance(e, TurnStarted) for e in events)


async def test_a_slip_in_the_targets_own_import_is_searched_first() -> None:
    """``import yalm`` is no package that someone should install."""
    scene = Scene(BUGGY.replace("    if x < low", "    import yalm\n    if x < low", 1))

    def script(trial: Trial) -> Verdict:
        text = trial.text or scene.text
        if "import yalm" not in text:
            return judged(text, trial.plan)
        honest = judged(BUGGY, trial.plan)
        tests = trial.plan.tests or tuple(c.test for c in honest.cases)
        return Failed(tuple(red(t, "yalm") for t in tests), 0.01, getattr(honest, "coverage", None))

    scene.sandbox = ScriptedSandbox(script)
    scene.replies([[f"```python\n{RIGHT}```"]], CHATTY)
    events = await events_of(scene)
    assert any(isinstance(e, TurnStarted) for e in events)
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.outcome == "green"


async def test_candidates_that_lack_a_module_end_the_turn_with_a_question(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(without("yaml"))
    scene.replies([[f"Run `pip install pyyaml` first.\n```python\n{WITH_YAML}```"]], CHATTY)
    events = await events_of(scene)
    end = blocked(events)
    assert end.need.modules == ("yaml",)
    assert end.need.names == ("pyyaml",)
    assert len([e for e in events if isinstance(e, TurnStarted)]) == 1


async def test_a_green_one_needs_no_package_of_its_neighbours(scene: Scene) -> None:
    scene.sandbox = ScriptedSandbox(without("yaml"))
    scene.replies([[f"```python\n{WITH_YAML}```", f"```python\n{RIGHT}```"]], CHATTY)
    end = (await events_of(scene))[-1]
    assert isinstance(end, Finished)
    assert end.outcome == "green"


async def test_replies_that_only_install_are_a_question_when_nothing_else_came(
    scene: Scene,
) -> None:
    scene.replies([["Install it:\n```sh\npip install toolz\n```\n"]], CHATTY)
    end = blocked(await events_of(scene))
    assert (end.need.modules, end.need.names) == ((), ("toolz",))


async def test_a_resumed_session_judges_what_was_held_up_before_it_asks_the_model(
    scene: Scene,
) -> None:
    scene.sandbox = ScriptedSandbox(without("yaml"))
    scene.replies([[f"```python\n{WITH_YAML}```"]], CHATTY)
    session = blocked(await events_of(scene)).session
    assert session is not None

    def installed(trial: Trial) -> Verdict:
        return judged((trial.text or BUGGY).replace("import yaml", "pass"), trial.plan)

    scene.sandbox = ScriptedSandbox(installed)
    scene.replies([], CHATTY)
    session = resumed(session, scene.target, scene.snapshot.hash, "")
    run = refine(session, scene.snapshot, scene.ports, CancelToken())
    events = [event async for event in run]
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.outcome == "green"
    assert isinstance(end.session, Session)
    assert [turn.number for turn in end.session.turns] == [1, 2]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pip install numpy", ("numpy",)),
        ("```bash\npip install -U 'requests>=2' PyYAML==6.0\n```", ("requests", "PyYAML")),
        ("$ python3 -m pip install --quiet rich[jupyter]", ("rich",)),
        ("!pip3 install torch -i https://example.org/simple", ("torch",)),
        ("Use `pip install toolz` and try again.", ("toolz",)),
        ("First pip install toolz and then run it.", ("toolz",)),
        ("pip install -r requirements.txt", ()),
        ("pip install -e .", ()),
        ("pip install git+https://example.org/x.git", ()),
        ("pip install ./wheel.whl; rm -rf /", ()),
        ("uv pip install attrs", ("attrs",)),
        ("skip installing anything", ()),
    ],
)
def test_install_lines_of_a_reply(text: str, names: tuple[str, ...]) -> None:
    assert wanted(text) == names


@pytest.mark.parametrize(
    ("path", "text", "meant"),
    [
        ("shop.py", "import yaml\n", True),
        ("shop.py", "def f():\n    from yaml.nodes import Node\n", True),
        ("shop.py", "import yamlish\n# import yaml\n", False),
        ("pyproject.toml", 'dependencies = ["YAML>=1"]\n', True),
        ("pyproject.toml", 'dependencies = ["yaml-lint", "py_yaml"]\n', False),
        ("requirements-dev.txt", "yaml\n", True),
        ("deep/setup.py", 'setup(install_requires=["yaml"])\n', True),
        ("README.md", "import yaml\n", False),
    ],
)
async def test_a_filled_hole_is_asked_about_only_where_the_workspace_knows_the_module(
    scene: Scene, path: str, text: str, meant: bool
) -> None:
    """A small model brings up modules that do not exist; nobody is to be asked about those."""
    entries = (*scene.snapshot.entries, Entry(path, "file", 0o644, 1, text.encode()))
    entries = tuple(sorted(entries, key=lambda each: each.path))
    snapshot = Snapshot(scene.snapshot.root, entries, snapshot_hash(entries))
    assert named("yaml", snapshot) is meant
    filled = Candidate("c", (), 0.0, "infill")
    verdict = Failed((red("t.py::below", "yaml"),), 0.01)
    lacking = Lacking(snapshot)
    assert lacking.take([Judged(filled, verdict)]) is meant
    assert (lacking.blocked(scene.session) is not None) is meant
    said = msgspec.structs.replace(filled, strategy="rewrite")
    assert Lacking(snapshot).take([Judged(said, verdict)]), (
        "what is said in a conversation is meant"
    )


async def test_a_search_goes_on_past_modules_that_nobody_has_heard_of(scene: Scene) -> None:
    def script(trial: Trial) -> Verdict:
        if trial.changed and trial.text != RIGHT:
            return Broken(lacks("ipurentic"), "import", missing_module="ipurentic")
        return judged(trial.text or BUGGY, trial.plan)

    scene.sandbox = ScriptedSandbox(script)
    end = (await events_of(scene))[-1]
    assert isinstance(end, Finished)
    assert end.outcome == "green", end.message
