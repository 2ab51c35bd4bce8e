"""The pure parts: what a test calls, what the progress says, what stands and what is cleared."""

from __future__ import annotations

import pytest
from lsprotocol import types

from ocils.domain.events import (
    BaselineJudged,
    CandidateJudged,
    CaseFinished,
    Confirming,
    Event,
    Finished,
    Preparing,
    Refuted,
    TestsDiscovered,
    TurnStarted,
)
from ocils.domain.judging import (
    Baseline,
    CaseResult,
    Coverage,
    Failed,
    Frame,
    Killed,
    Passed,
    TestId,
    TimedOut,
)
from ocils.domain.session import Candidate, Judged, Proposal
from ocils.domain.target import EditTarget, Hole
from ocils.domain.text import Document, Edit, Entry, Snapshot, Span, snapshot_hash
from ocils.server.applying import Applied, Kept, rebase
from ocils.server.diagnostics import Finding, Findings
from ocils.server.documents import Change, OpenDocuments
from ocils.server.memory import Found
from ocils.server.progress import Story
from ocils.server.tested import called_by
from ocils.server.verdicts import Sketch
from ocils.source.target import SourceTree, locate_name

CODE = """\
import os


def area(a, b):
    # a comment
    return a + b


class Box:
    def __init__(self, a):
        self.a = a

    def volume(self):
        return area(self.a, self.a) + self.a
"""
TEST = """\
import shapes.box
import shapes.box as sb
from shapes import box
from shapes.box import Box, area as how_big
from os import path


def test_area():
    assert how_big(2, 3) == 6


def test_box():
    assert Box(2).volume() == 8


def test_dotted():
    shapes.box.area(1, 1)
    sb.area(1, 1)
    box.Box.volume(None)


def test_nothing():
    assert path.join("a") and len("a") and helper()


def helper():
    return 1
"""


def freeze(**files: str) -> Snapshot:
    named = {name.replace("__", "/") + ".py": text for name, text in files.items()}
    entries = tuple(
        Entry(path, "file", 0o644, 0, text.encode()) for path, text in sorted(named.items())
    )
    return Snapshot("/w", entries, snapshot_hash(entries))


def target_of(snapshot: Snapshot, path: str, name: str) -> EditTarget:
    document = snapshot.document(path)
    assert document is not None
    return locate_name(SourceTree.of(document), name)


@pytest.mark.parametrize(
    ("test", "called"),
    [
        ("test_area", ["area"]),
        ("test_box", ["Box.volume"]),
        ("test_dotted", ["area", "Box.volume"]),
        ("test_nothing", []),
    ],
)
@pytest.mark.parametrize("folder", ["", "src__"])
def test_what_a_test_calls(test: str, called: list[str], folder: str) -> None:
    files = {f"{folder}shapes____init__": "", f"{folder}shapes__box": CODE, "tests__test_box": TEST}
    snapshot = freeze(**files)
    document = snapshot.document("tests/test_box.py")
    assert document is not None
    found = called_by(target_of(snapshot, "tests/test_box.py", test), document, snapshot)
    assert sorted(t.name for t in found) == sorted(called)
    assert all(t.path == f"/w/{folder.replace('__', '/')}shapes/box.py" for t in found)


# -- progress --------------------------------------------------------------------------------------


def candidate(at: int = 0, name: str = "1") -> Candidate:
    return Candidate(name, (Edit("/w/a.py", Span(at, at + 1), "x"),), -1.0, "edit", note="> to >=")


def case(name: str, outcome: str = "passed", **more: object) -> CaseResult:
    return CaseResult(TestId(f"test_a.py::{name}"), outcome, **more)  # type: ignore[arg-type]


def test_the_story_of_a_run() -> None:
    snapshot = freeze(a=CODE)
    story = Story(snapshot)
    at = CODE.index("return a + b")
    red = (case("x", "failed"), case("y"), case("z"))
    baseline = Baseline(red, 1.0, (red[0].test,), (red[0].test, red[1].test), Coverage(()))
    events: list[tuple[Event, str]] = [
        (Preparing("starting a container", 0.5), "starting a container, 50%"),
        (CaseFinished(red[0], 1, 1), "running the tests: 1, 1 red, x"),
        (CaseFinished(red[1], 2, 9), "running the tests: 2/9, 1 red, y"),
        (TestsDiscovered(3), "3 tests found"),
        (BaselineJudged(baseline), "1 of 3 tests red"),
        (TurnStarted(1, "edit"), "turn 1: small edits"),
        (
            CandidateJudged(Judged(candidate(at), Failed(red, 0.1)), 12, 256),
            "judging 12/256: line 6, 2 of 3 tests pass",
        ),
        (TurnStarted(2, "infill", Hole(5, 6)), "turn 2: filling lines 5 to 6 anew"),
        (
            CandidateJudged(Judged(candidate(at), TimedOut(2.5)), 13, 256),
            "judging 13/256: line 6, ended after 2.5 s",
        ),
        (Confirming(candidate(at)), "green: line 6; confirming in fresh containers"),
        (
            CandidateJudged(Judged(candidate(at), Killed("memory")), 14, 256),
            "confirming one; judging 14/256: line 6, ended (memory)",
        ),
        (Refuted(candidate(), "flaky"), "not confirmed: flaky; going on"),
        (
            CandidateJudged(Judged(candidate(at), Passed(red[1:], 0.1)), 15, 256),
            "judging 15/256: line 6, all 2 tests pass",
        ),
        (TurnStarted(3, "rewrite"), "turn 3: rewriting the whole function"),
    ]
    percentages = []
    for event, text in events:
        assert story.hear(event), event
        assert story.message == text
        percentages.append(story.percentage)
    assert percentages == sorted(percentages)
    assert percentages[-1] <= 100
    assert not story.hear(Finished("exhausted", "x"))


# -- findings --------------------------------------------------------------------------------------


def finding(line: int, test: str, lines: tuple[int, int], path: str = "/w/a.py") -> Finding:
    here = types.Range(types.Position(line, 0), types.Position(line, 5))
    return Finding(path, types.Diagnostic(here, test), lines, uri="u", name="n", test=test)


class Client:
    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}

    def publish(self, path: str, diagnostics: list[types.Diagnostic]) -> None:
        self.told[path] = [f"{d.range.start.line}: {d.message}" for d in diagnostics]


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (Change("/w/a.py", 0, 0, 3), ["7: x", "12: y"]),  # two lines come in above
        (Change("/w/a.py", 0, 1, 1), ["4: x", "9: y"]),  # one goes
        (Change("/w/a.py", 5, 5, 1), ["10: y"]),  # within the first one's region
        (Change("/w/a.py", 6, 6, 1), ["10: y"]),  # at its edge
        (Change("/w/a.py", 7, 7, 2), ["5: x", "11: y"]),  # between the two
        (Change("/w/a.py", 20, 20, 9), ["5: x", "10: y"]),  # below
        (Change("/w/b.py", 5, 5, 1), ["5: x", "10: y"]),  # in another file
        (Change("/w/a.py", 0, 30, 1), []),  # everything
    ],
)
def test_what_a_change_leaves(change: Change, left: list[str]) -> None:
    client = Client()
    findings = Findings(client.publish)
    findings.put("o", [finding(5, "x", (4, 6)), finding(10, "y", (9, 12))])
    findings.edited([change])
    present = [f"{f.diagnostic.range.start.line}: {f.test}" for f in findings.at("/w/a.py")]
    assert present == left
    # What was dropped was told; what only moved moves in the editor by itself.
    if len(left) < 2:
        assert client.told["/w/a.py"] == left


def test_findings_of_one_test_fall_together() -> None:
    client = Client()
    findings = Findings(client.publish)
    findings.put("o", [finding(5, "x", (4, 6)), finding(1, "x", (1, 1), "/w/test_a.py")])
    findings.edited([Change("/w/a.py", 5, 5, 1)])
    assert client.told == {"/w/a.py": [], "/w/test_a.py": []}


def test_findings_are_cleared_by_owner_and_by_test() -> None:
    client = Client()
    findings = Findings(client.publish)
    findings.put("o", [finding(1, "x", (1, 1))])
    findings.put("p", [finding(2, "y", (2, 2)), finding(3, "z", (3, 3))])
    assert client.told["/w/a.py"] == ["1: x", "2: y", "3: z"]
    findings.clear_tests(frozenset({"y"}))
    assert client.told["/w/a.py"] == ["1: x", "3: z"]
    findings.clear("p")
    assert client.told["/w/a.py"] == ["1: x"]
    findings.add("o", [finding(4, "", (4, 4))])
    assert client.told["/w/a.py"] == ["1: x", "4: "]


def sketch(snapshot: Snapshot, target: EditTarget | None, present: dict[str, str]) -> Sketch:
    documents = OpenDocuments()
    for path, text in present.items():
        item = types.TextDocumentItem(f"file://{path}", "python", 3, text)
        documents.open(item)
    return Sketch(snapshot, documents, target)


def test_the_last_frame_inside_the_target_is_marked() -> None:
    snapshot = freeze(shapes__box=CODE, tests__test_box=TEST)
    target = target_of(snapshot, "shapes/box.py", "area")
    frames = (
        Frame("/w/tests/test_box.py", 9, "test_area", "assert how_big(2, 3) == 6"),
        Frame("/w/shapes/box.py", 5, "area"),
        Frame("/w/shapes/box.py", 6, "area", "return a + b"),
    )
    red = CaseResult(
        TestId("tests/test_box.py::test_area"), "failed", message="TypeError: no", frames=frames
    )
    baseline = Baseline((red,), 1.0, (red.test,), (red.test,), Coverage(()))
    in_target, in_test = sketch(snapshot, target, {}).baseline(baseline)
    assert in_target.diagnostic.range.start == types.Position(5, 4)
    assert in_target.diagnostic.message == "test_area fails: TypeError: no"
    assert (in_target.first, in_target.last) == (3, 5)
    related = in_target.diagnostic.related_information or ()
    assert [r.location.range.start.line for r in related] == [8, 4]
    assert in_test.path == "/w/tests/test_box.py"
    assert in_test.diagnostic.range.start == types.Position(8, 4)
    assert (in_test.first, in_test.last) == (7, 8)
    assert in_test.name == "area"
    # The text moved down during the run; what is marked moves along.
    moved = sketch(snapshot, target, {"/w/shapes/box.py": "# new\n\n" + CODE})
    assert moved.baseline(baseline)[0].diagnostic.range.start == types.Position(7, 4)
    # The target was changed: nothing is said of it, and the test's mark stays.
    changed = CODE.replace("return a + b", "return a * b")
    (left,) = sketch(snapshot, target, {"/w/shapes/box.py": changed}).baseline(baseline)
    assert left.path == "/w/tests/test_box.py"


def test_a_hundred_failures_do_not_bury_the_file() -> None:
    snapshot = freeze(shapes__box=CODE)
    target = target_of(snapshot, "shapes/box.py", "area")
    cases = tuple(case(str(n), "failed") for n in range(100))
    tests = tuple(c.test for c in cases)
    found = sketch(snapshot, target, {}).baseline(Baseline(cases, 1.0, tests, tests, Coverage(())))
    assert len(found) == 9
    assert found[-1].diagnostic.message == "92 more tests fail"


# -- the edit finds its place ----------------------------------------------------------------------


def found_for(snapshot: Snapshot, edits: tuple[Edit, ...]) -> Found:
    target = target_of(snapshot, "a.py", "area")
    verdict = Passed((), 0.1)
    proposal = Proposal(target, edits, snapshot.hash, (), verdict, candidate(), (TestId("t"),))
    return Found(proposal, Baseline((), 0.0, (), (), Coverage(())), snapshot, ())


def test_edits_in_the_target_and_an_import_move_each_their_own_way() -> None:
    before = freeze(a=CODE)
    at = CODE.index("+ b")
    inside = Edit("/w/a.py", Span(at, at + 1), "*")
    top = CODE.index("\n") + 1
    added = Edit("/w/a.py", Span(top, top), "import math\n")
    text = CODE.replace("import os\n", "import os\n# a note\n").replace(
        "class Box", "# x\nclass Box"
    )
    after = freeze(a=text)
    moved = rebase(found_for(before, (added, inside)), after.document)
    assert isinstance(moved, Applied)
    document = Document("/w/a.py", text.encode())
    from ocils.domain.text import apply_edits

    new = apply_edits(document, moved.edits).data.decode()
    assert new.replace("import math\n", "") == text.replace("a + b", "a * b")
    assert new.index("import os") < new.index("import math") < new.index("def area")
    assert moved.target.first_line == 5


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("return a + b", "return a + b + 0", "was changed during the run"),
        ("    # a comment\n", "", "was changed during the run"),
        ("def area", "def size", "no longer there"),
        ("import os\n", "import sys\n", "line 1, which it also changes"),
    ],
)
def test_an_edit_without_its_place_is_kept(old: str, new: str, why: str) -> None:
    before = freeze(a=CODE)
    at = CODE.index("+ b")
    edits = (Edit("/w/a.py", Span(0, 6), "import"), Edit("/w/a.py", Span(at, at + 1), "*"))
    answer = rebase(found_for(before, edits), freeze(a=CODE.replace(old, new, 1)).document)
    assert isinstance(answer, Kept)
    assert why in answer.why


def test_a_file_that_is_gone_is_said() -> None:
    before = freeze(a=CODE)
    answer = rebase(found_for(before, (Edit("/w/a.py", Span(0, 1), "x"),)), freeze(b=CODE).document)
    assert answer == Kept("a.py is no longer there")
