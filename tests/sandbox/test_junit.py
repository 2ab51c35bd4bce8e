"""JUnit XML and the records of a commanded run: what is believed, and what is not.

Not covered: running a command (``test_runners_node.py``).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocils.domain.judging import Broken, Failed, Killed, Passed, Plan, TestId, TimedOut, Verdict
from ocils.domain.text import Entry, Snapshot
from ocils.languages.manifest import Runner
from ocils.languages.shelf import language
from ocils.sandbox.commanded import CommandedReport
from ocils.sandbox.commands import Step, named_files, steps
from ocils.sandbox.junit import BadReport, read
from ocils.sandbox.report import End

ROOT = "/w"
GOOD = b'<testsuites><testcase name="a" time="0.5"/><testcase name="b"/></testsuites>'
BAD = b"""<testsuites><testcase name="a"/><testsuite name="s" failures="1" errors="0">
<testcase name="b"><failure type="x" message="two">ERR_ASSERTION
    at f (file:///w/src/m.js:3:5)
    at g (file:///w/node_modules/x/m.js:3:5)
    at TestContext.&lt;anonymous> (file:///w/test/a.test.js:9:1)
    at node:internal/x:1:1</failure></testcase></testsuite></testsuites>"""


def runner(name: str, of: str = "javascript") -> Runner:
    known = language(of)
    assert known is not None
    return next(each for each in known.runners if each.name == name)


class Run:
    """Records as ``inside/commanded.py`` writes them."""

    def __init__(self, *tests: str, files: tuple[str, ...] = ("test/a.test.js",)) -> None:
        self.steps = tuple(Step(("node", file), (file,)) for file in files)
        plan = Plan(tests=tuple(map(TestId, tests)))
        self.report = CommandedReport("nonce", plan, ROOT, runner("node"), self.steps, files)
        self.number = 0

    def say(self, **record: Any) -> None:
        line = json.dumps({**record, "n": record.get("n", "nonce"), "i": self.number})
        self.number += 1
        self.report.feed((line + "\n").encode())

    def step(
        self, xml: bytes | None, code: int = 0, *, found: tuple[str, ...] = ("report.xml",)
    ) -> None:
        number = self.__dict__.setdefault("at", -1) + 1
        self.__dict__["at"] = number
        self.say(t="start", step=number)
        found = () if xml is None else found
        self.say(t="step", step=number, code=code, seconds=0.1, found=list(found))
        if xml is not None and found == ("report.xml",):
            for at in range(0, len(xml), 40):
                self.say(t="xml", data=xml[at : at + 40].decode("latin-1"))
            self.say(t="read")

    def verdict(self, end: End | None = None, *, ended: bool = True) -> Verdict:
        if ended:
            self.say(t="ended")
        return self.report.verdict(end or End(0, "", 0.2))


def judged(xml: bytes | None, code: int = 0, *tests: str, **more: Any) -> Verdict:
    run = Run(*tests)
    run.step(xml, code, **more)
    return run.verdict()


def test_every_test_passed() -> None:
    verdict = judged(GOOD)
    assert isinstance(verdict, Passed)
    assert [c.test for c in verdict.cases] == ["test/a.test.js::a", "test/a.test.js::b"]
    assert verdict.cases[0].seconds == 0.5


def test_a_failure_has_its_reason_its_class_and_its_frames() -> None:
    verdict = judged(BAD, 1)
    assert isinstance(verdict, Failed)
    case = verdict.cases[1]
    assert case.test == "test/a.test.js::s > b"
    assert (case.outcome, case.kind, case.message) == ("failed", "assertion", "two")
    assert [(f.path, f.line) for f in case.frames] == [("/w/test/a.test.js", 9), ("/w/src/m.js", 3)]
    assert case.frames[-1].function == "f"


@pytest.mark.parametrize(
    ("xml", "code", "more", "why"),
    [
        (None, 0, {}, "wrote no report"),
        (GOOD[:-3], 0, {}, "not whole"),
        (GOOD + GOOD, 0, {}, "not whole"),
        (b"", 0, {}, "not whole"),
        (b"<html/>", 0, {}, "no JUnit XML"),
        (GOOD, 0, {"found": ("other.xml", "report.xml")}, "more than one report"),
        (GOOD, 0, {"found": ("other.xml",)}, "more than one report"),
        (GOOD, 1, {}, "every test passed, and yet node ended with 1"),
        (BAD, 0, {}, "a test failed, and yet node ended with 0"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><testsuites/>', 0, {}, "document type"),
        (BAD.replace(b'failures="1"', b'failures="0"'), 1, {}, "contradicts itself"),
        (BAD.replace(b'failures="1"', b'failures="one"'), 1, {}, "a count that is none"),
        (b"<testsuites>" + b"<testsuite>" * 70, 0, {}, "nested too deeply"),
    ],
)
def test_a_report_that_cannot_be_trusted_is_broken(
    xml: bytes | None, code: int, more: dict[str, Any], why: str
) -> None:
    verdict = judged(xml, code, **more)
    assert isinstance(verdict, Broken), verdict
    assert verdict.kind == "report"
    assert why in verdict.why


def test_a_link_in_place_of_the_report_is_broken() -> None:
    run = Run()
    run.say(t="start", step=0)
    run.say(t="step", step=0, code=0, seconds=0.1, found=["report.xml"])
    verdict = run.verdict()
    assert isinstance(verdict, Broken)
    assert "not a plain file" in verdict.why


def test_every_expected_test_must_be_reported() -> None:
    verdict = judged(GOOD, 0, "test/a.test.js::a", "test/a.test.js::c")
    assert isinstance(verdict, Broken)
    assert verdict.why == "test/a.test.js::c was not reported"


def test_only_expected_tests_count() -> None:
    assert isinstance(judged(BAD, 1, "test/a.test.js::a"), Passed)


def test_a_skip_of_an_expected_test_is_not_green() -> None:
    xml = b'<testsuites><testcase name="a"><skipped/></testcase></testsuites>'
    assert isinstance(judged(xml), Passed)
    assert isinstance(judged(xml, 0, "test/a.test.js::a"), Failed)


def test_what_is_to_be_done_may_fail() -> None:
    xml = b'<testsuites><testcase name="a"><skipped type="todo"/><failure/></testcase></testsuites>'
    verdict = judged(xml)
    assert isinstance(verdict, Passed)
    assert verdict.cases[0].outcome == "skipped"


def test_a_file_of_named_tests_that_ends_before_them_is_not_green() -> None:
    """``process.exit(0)`` makes node report the file itself, as passed."""
    xml = b'<testsuites><testcase name="/w/test/a.test.js"/></testsuites>'
    for tests in (("test/a.test.js::a",), ("test/a.test.js",)):
        verdict = judged(xml, 0, *tests)
        assert isinstance(verdict, Broken), verdict
        assert "was not reported" in verdict.why


def test_a_file_stands_for_all_of_its_tests() -> None:
    assert isinstance(judged(GOOD, 0, "test/a.test.js"), Passed)
    assert isinstance(judged(BAD, 1, "test/a.test.js"), Failed)


def test_a_file_that_does_not_load_is_broken() -> None:
    xml = b'<testsuites><testcase name="/w/test/a.test.js"><failure/></testcase></testsuites>'
    run = Run()
    run.step(xml, 1)
    verdict = run.verdict(End(0, "", 0.2, "x\nSyntaxError: Unexpected token\n"))
    assert isinstance(verdict, Broken)
    assert (verdict.kind, verdict.why) == ("syntax", "SyntaxError: Unexpected token")


def test_a_file_that_crashes_is_red_as_a_whole() -> None:
    """Then whoever makes it run to its end has mended something."""
    xml = b'<testsuites><testcase name="/w/test/a.test.js"><failure/></testcase></testsuites>'
    for tests in ((), ("test/a.test.js",), ("test/a.test.js::a",)):
        run = Run(*tests)
        run.step(xml, 1)
        verdict = run.verdict(End(0, "", 0.2, "x\nRangeError: Invalid array length\n"))
        assert isinstance(verdict, Failed), verdict
        (case,) = verdict.cases
        assert case.test == "test/a.test.js"
        assert case.message == "the file did not run to its end: RangeError: Invalid array length"


def test_a_second_test_of_one_name_is_another_test() -> None:
    xml = b'<testsuites><testcase name="a"/><testcase name="a"/></testsuites>'
    assert [c.test for c in judged(xml).cases] == ["test/a.test.js::a", "test/a.test.js::a (2)"]


def test_quotes_that_node_escapes_twice_are_quotes() -> None:
    xml = b'<testsuites><testcase name="&amp;quot;a&amp;quot; &lt; b"/></testsuites>'
    assert judged(xml).cases[0].test == 'test/a.test.js::"a" < b'


def test_escape_sequences_break_no_report() -> None:
    assert read(b'<testsuite><testcase name="\x1b[1ma"/></testsuite>')[0].name == "[1ma"


@pytest.mark.parametrize("entity", [b"&a;", b"&#x0;", b"&amp"])
def test_entities_that_are_not_there_are_refused(entity: bytes) -> None:
    with pytest.raises(BadReport):
        read(b"<testsuite>" + entity + b"</testsuite>")


def test_records_that_are_not_ours_are_not_believed() -> None:
    run = Run()
    run.step(GOOD)
    run.say(t="ended", n="forged")
    verdict = run.verdict()
    assert isinstance(verdict, Broken)
    assert "not ours" in verdict.why


def test_a_step_that_was_left_out_is_broken() -> None:
    run = Run(files=("test/a.test.js", "test/b.test.js"))
    run.step(GOOD)
    verdict = run.verdict()
    assert isinstance(verdict, Broken)
    assert verdict.why == "test/b.test.js was not run"


def test_a_run_that_ends_without_a_word_is_killed() -> None:
    run = Run()
    run.step(GOOD)
    assert isinstance(run.verdict(End(3, "", 0.1), ended=False), Killed)


def test_files_that_were_replaced_are_said() -> None:
    run = Run()
    run.step(GOOD)
    verdict = run.verdict(End(0, "", 0.1, tampered=("test/a.test.js",)))
    assert isinstance(verdict, Broken)
    assert "replaced test/a.test.js" in verdict.why


def test_a_hang_names_the_file_and_what_is_left() -> None:
    run = Run(files=("test/a.test.js", "test/b.test.js", "test/c.test.js"))
    run.step(GOOD)
    run.say(t="start", step=1)
    verdict = run.verdict(End(None, "timeout", 6.0), ended=False)
    assert isinstance(verdict, TimedOut)
    assert verdict.running == "test/b.test.js"
    assert verdict.rest == ("test/c.test.js",)
    assert len(verdict.cases) == 2


def test_nothing_found_is_said() -> None:
    verdict = judged(b"<testsuites/>")
    assert isinstance(verdict, Broken)
    assert (verdict.kind, verdict.why) == ("empty", "no tests were found by node")


# What other runners write, as far as their documentation tells.

OTHERS = {
    "vitest": b"""<testsuites name="vitest tests" tests="2" failures="0" errors="0">
        <testsuite name="test/a.test.js" tests="2" failures="0" errors="0" skipped="0">
        <testcase classname="test/a.test.js" name="sum &gt; adds" time="0.001"/>
        </testsuite></testsuites>""",
    "jest": b"""<testsuites name="jest tests" tests="1" failures="0" errors="0">
        <testsuite name="sum" errors="0" failures="0" tests="1">
        <testcase classname="sum" name="sum &gt; adds" file="test/a.test.js"/></testsuite></testsuites>""",
}
EXPECTED = {"vitest": "test/a.test.js::sum > adds", "jest": "test/a.test.js::sum > adds"}


@pytest.mark.parametrize("name", OTHERS)
def test_ids_of_other_runners(name: str) -> None:
    step = Step((name,), ("test/a.test.js",))
    report = CommandedReport("nonce", Plan(), ROOT, runner(name), (step,))
    records: list[dict[str, Any]] = [
        {"t": "start", "step": 0},
        {"t": "step", "step": 0, "code": 0, "seconds": 1, "found": ["report.xml"]},
        {"t": "xml", "data": OTHERS[name].decode()},
        {"t": "read"},
        {"t": "ended"},
    ]
    for number, record in enumerate(records):
        report.feed(json.dumps({**record, "n": "nonce", "i": number}).encode() + b"\n")
    verdict = report.verdict(End(0, "", 1.0))
    assert isinstance(verdict, Passed), verdict
    assert [case.test for case in verdict.cases] == [EXPECTED[name]]


# Which commands are run.


def snapshot(**files: str) -> Snapshot:
    entries = [
        Entry(path.replace("__", "/") + ".js", "file", 0o644, 0, text.encode())
        for path, text in sorted(files.items())
    ]
    return Snapshot(ROOT, tuple(sorted(entries, key=lambda e: e.path)), "hash")


HERE = snapshot(src__a="", test__a="import 'node:test'", test__b="", node_modules__test__c="")


def argvs(plan: Plan, *changed: str) -> list[list[str]]:
    return [list(s.argv[7:]) for s in steps(runner("node"), "/usr/bin/node", plan, HERE, changed)]


def test_one_command_a_test_file() -> None:
    taken = steps(runner("node"), "/usr/bin/node", Plan(), HERE, ())
    assert [step.files for step in taken] == [("test/a.js",), ("test/b.js",)]
    assert taken[0].argv[:3] == ("/usr/bin/node", "--test", "--test-concurrency=1")
    assert named_files(runner("node"), taken, HERE) == ("test/a.js",)


def test_a_candidate_can_bring_a_test_file() -> None:
    assert argvs(Plan(), "test/new.js")[-1] == ["test/new.js"]


def test_paths_restrict_the_files() -> None:
    assert argvs(Plan(paths=("test/b.js",))) == [["test/b.js"]]
    assert argvs(Plan(paths=("test/",))) == [["test/a.js"], ["test/b.js"]]
    assert argvs(Plan(paths=("te",))) == []


def test_only_what_is_wanted_is_run() -> None:
    plan = Plan(tests=(TestId("test/a.js::s > is (a) b"), TestId("test/a.js::c")))
    assert argvs(plan) == [
        [
            r"--test-name-pattern=(^| )is\ \(a\)\ b$",
            "--test-name-pattern=(^| )c$",
            "test/a.js",
        ]
    ]
    assert argvs(Plan(tests=(TestId("test/a.js"),))) == [["test/a.js"]]
    # The second test of one name cannot be told from the first by its name.
    assert argvs(Plan(tests=(TestId("test/a.js::c (2)"),))) == [["test/a.js"]]
    many = tuple(TestId(f"test/a.js::{n}") for n in range(30))
    assert argvs(Plan(tests=many)) == [["test/a.js"]]


def test_a_runner_that_finds_tests_itself_is_run_once() -> None:
    taken = steps(runner("gotestsum", "go"), "/usr/bin/gotestsum", Plan(), HERE, ())
    assert [step.files for step in taken] == [()]
    assert taken[0].argv[0] == "/usr/bin/gotestsum"
