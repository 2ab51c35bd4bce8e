"""Each kind of verdict, through the port, by real containers."""

from __future__ import annotations

import asyncio
import time

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import OverlappingEdits, StaleTarget
from ocils.domain.judging import (
    Broken,
    CaseResult,
    Coverage,
    Failed,
    Killed,
    Passed,
    Plan,
    Probe,
    TestId,
    TimedOut,
    Unjudged,
)
from ocils.domain.text import Edit, Span

from .conftest import TESTS
from .yard import Yard, outcomes, replace

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

GOOD = "def price(amount, percent):\n    return amount - amount * percent / 100\n"
BAD = "def price(amount, percent):\n    return amount\n"


async def test_the_original_is_green_and_all_tests_are_named(shop: Yard) -> None:
    verdict = await shop.judge()
    assert isinstance(verdict, Passed)
    assert {each.test for each in verdict.cases} == set(TESTS)


async def test_a_right_candidate_is_green(shop: Yard) -> None:
    assert isinstance(await shop.try_text("shop.py", GOOD, *TESTS), Passed)


async def test_a_wrong_candidate_is_red_with_operands_frames_and_class(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", BAD, *TESTS)
    assert isinstance(verdict, Failed)
    case = next(each for each in verdict.cases if each.test == TESTS[1])
    assert case.outcome == "failed"
    assert case.kind == "assertion"
    assert case.message == "assert 100 == (100 - 10)\n +  where 100 = price(100, 10)"
    assert case.frames[-1].path == f"{shop.root}/tests/test_shop.py"
    assert case.frames[-1].line == 6
    assert case.frames[-1].function == "test_price"
    assert case.frames[-1].text == "assert price(100, percent) == 100 - percent"
    assert "where 100 = price(100, 10)" in case.report


async def test_warm_and_fresh_agree(shop: Yard) -> None:
    for text in (GOOD, BAD):
        warm = await shop.try_text("shop.py", text, *TESTS)
        fresh = await shop.try_text("shop.py", text, *TESTS, fresh=True, seed=7)
        assert type(warm) is type(fresh)
        assert outcomes(warm) == outcomes(fresh)


async def test_tests_run_in_the_order_of_the_plan(shop: Yard) -> None:
    wanted = (TESTS[3], TESTS[1], TESTS[4])
    verdict = await shop.try_text("shop.py", GOOD, *wanted)
    assert tuple(each.test for each in verdict.cases) == wanted


async def test_stopping_early_leaves_the_rest_out(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", BAD, *TESTS, stop_early=True)
    assert isinstance(verdict, Failed)
    assert [each.outcome for each in verdict.cases] == ["passed", "failed"]


async def test_paths_restrict_the_collection(shop: Yard) -> None:
    verdict = await shop.judge((), Plan(paths=("tests/test_shop.py",)))
    assert isinstance(verdict, Passed)
    assert len(verdict.cases) == len(TESTS)


async def test_results_are_seen_while_the_run_goes_on(shop: Yard) -> None:
    text = "import time\n" + GOOD.replace("return", "time.sleep(0.3)\n    return")
    at: list[float] = []

    def seen(case: CaseResult) -> None:
        assert asyncio.get_running_loop()
        at.append(time.monotonic())

    plan = Plan(tests=tuple(TestId(each) for each in TESTS))
    verdict = await shop.judge(replace(shop.snapshot, "shop.py", text), plan, seen=seen)
    assert isinstance(verdict, Passed)
    assert len(at) == len(TESTS)
    assert at[-1] - at[0] > 0.8


async def test_a_runtime_error_has_its_class_and_its_frame(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", "def price(a, p):\n    return a / 0\n", TESTS[0])
    assert isinstance(verdict, Failed)
    assert verdict.cases[0].kind == "runtime"
    assert verdict.cases[0].message == "ZeroDivisionError: division by zero"
    assert verdict.cases[0].frames[-1].path == f"{shop.root}/shop.py"
    assert verdict.cases[0].frames[-1].line == 2


async def test_what_a_red_test_printed_is_kept(shop: Yard) -> None:
    text = "def price(a, p):\n    print('hello from the candidate')\n    return None\n"
    verdict = await shop.try_text("shop.py", text, TESTS[0])
    assert "hello from the candidate" in verdict.cases[0].output


async def test_long_output_is_cut_to_head_and_tail(shop: Yard) -> None:
    text = "def price(a, p):\n    print('HEAD' + 'x' * 90000 + 'TAIL')\n    return None\n"
    case = (await shop.try_text("shop.py", text, TESTS[0])).cases[0]
    assert len(case.output) < 3000
    assert "HEAD" in case.output
    assert "TAIL" in case.output


async def test_a_syntax_error_is_broken_and_says_where(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", "x = 1\ndef price(:\n", *TESTS)
    assert isinstance(verdict, Broken)
    assert verdict.kind == "syntax"
    assert verdict.frames[-1].path == f"{shop.root}/shop.py"
    assert verdict.frames[-1].line == 2


async def test_a_missing_module_is_named(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", "import numpyy.linalg\n" + GOOD, *TESTS)
    assert isinstance(verdict, Broken)
    assert (verdict.kind, verdict.missing_module) == ("import", "numpyy")


async def test_a_name_that_is_gone_is_broken(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", "def other():\n    pass\n", *TESTS)
    assert isinstance(verdict, Broken)
    assert verdict.kind == "import"
    assert verdict.missing_module == ""


async def test_an_error_at_import_is_a_collection_problem(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", GOOD + "1 / 0\n", *TESTS)
    assert isinstance(verdict, Broken)
    assert verdict.kind == "collection"
    assert "ZeroDivisionError" in verdict.why
    assert verdict.frames[-1].path == f"{shop.root}/shop.py"


async def test_a_broken_conftest_is_broken(shop: Yard) -> None:
    verdict = await shop.try_text("conftest.py", "import nowhere_to_be_found\n", *TESTS)
    assert isinstance(verdict, Broken)
    assert (verdict.kind, verdict.missing_module) == ("import", "nowhere_to_be_found")


async def test_a_test_that_does_not_exist_is_not_green(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", GOOD, TESTS[0], "tests/test_shop.py::test_gone")
    assert isinstance(verdict, Broken)
    assert "test_gone" in verdict.why


async def test_a_file_that_does_not_exist_is_not_green(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", GOOD, "tests/test_gone.py::test_gone")
    assert isinstance(verdict, Broken)


async def test_nothing_collected_is_empty(shop: Yard) -> None:
    verdict = await shop.judge((), Plan(paths=("shop.py",)))
    assert isinstance(verdict, Broken)
    assert verdict.kind == "empty"


async def test_the_time_limit_ends_a_run_and_names_the_test(shop: Yard) -> None:
    text = "def price(amount, percent):\n    while percent: pass\n    return 100\n"
    started = time.monotonic()
    verdict = await shop.try_text("shop.py", text, TESTS[0], TESTS[1], seconds=1)
    assert isinstance(verdict, TimedOut)
    assert verdict.running == TESTS[1]
    assert outcomes(verdict) == {"test_price[0]": "passed", "test_price[10]": "failed"}
    assert verdict.cases[-1].kind == "timeout"
    assert time.monotonic() - started < 4


async def test_a_cancel_is_felt_within_a_second(shop: Yard) -> None:
    text = (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass\n"
    )
    cancel = CancelToken()
    plan = Plan(tests=(TestId(TESTS[0]),), seconds=30)
    edits = replace(shop.snapshot, "shop.py", text)
    task = asyncio.create_task(shop.judge(edits, plan, cancel=cancel))
    await asyncio.sleep(0.5)
    started = time.monotonic()
    cancel.cancel()
    assert await task == Killed("cancelled")
    assert time.monotonic() - started < 1
    assert isinstance(await shop.try_text("shop.py", GOOD, *TESTS), Passed)
    assert time.monotonic() - started < 4


async def test_a_cancel_before_the_start_runs_nothing(shop: Yard) -> None:
    cancel = CancelToken()
    cancel.cancel()
    assert await shop.judge(cancel=cancel) == Killed("cancelled")


async def test_an_abandoned_run_frees_its_slot(shop: Yard) -> None:
    edits = replace(shop.snapshot, "shop.py", "while True: pass\n")
    task = asyncio.create_task(shop.judge(edits, Plan(seconds=30)))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    started = time.monotonic()
    assert isinstance(await shop.try_text("shop.py", GOOD, *TESTS), Passed)
    assert time.monotonic() - started < 5


async def test_red_for_want_of_a_network_says_nothing_about_the_candidate(shop: Yard) -> None:
    text = """
        import urllib.request
        def price(amount, percent):
            return urllib.request.urlopen("http://example.org").status
    """
    edits = replace(shop.snapshot, "shop.py", text)
    plan = Plan(tests=(TestId(TESTS[0]),), stop_early=True)
    verdict = await shop.sandbox.judge(shop.snapshot, edits, plan, CancelToken())
    assert isinstance(verdict, Unjudged)
    assert verdict.why == "isolation"
    assert verdict.cases[0].kind == "isolation"


async def test_a_whole_run_says_which_tests_were_red_for_isolation(shop: Yard) -> None:
    text = """
        import socket
        def price(amount, percent):
            if percent == 10:
                socket.create_connection(("192.0.2.1", 80), 1)
            return amount * (100 - percent) / 100
    """
    edits = replace(shop.snapshot, "shop.py", text)
    verdict = await shop.sandbox.judge(shop.snapshot, edits, Plan(), CancelToken())
    assert isinstance(verdict, Failed)
    assert {case.kind for case in verdict.cases if not case.passed} == {"isolation"}
    assert any(case.passed for case in verdict.cases)


async def test_isolation_beside_a_real_failure_is_red(shop: Yard) -> None:
    text = """
        import socket
        def price(amount, percent):
            if percent == 10:
                socket.create_connection(("192.0.2.1", 80), 1)
            return None
    """
    verdict = await shop.try_text("shop.py", text, TESTS[0], TESTS[1])
    assert isinstance(verdict, Failed)
    assert [each.kind for each in verdict.cases] == ["assertion", "isolation"]


async def test_writing_to_a_read_only_place_is_isolation(shop: Yard) -> None:
    text = "def price(a, p):\n    open('/usr/share/ocils-test', 'w')\n    return a\n"
    verdict = await shop.try_text("shop.py", text, TESTS[0])
    assert isinstance(verdict, Failed)
    assert verdict.cases[0].kind == "isolation"


@pytest.mark.parametrize("fresh", [False, True])
async def test_lines_are_known_by_test_and_for_the_import(shop: Yard, fresh: bool) -> None:
    text = """
        import threading
        def price(amount, percent):
            if percent == 0:
                return amount
            def inner():
                box.append([amount * (100 - each) / 100
                            for each in [percent]][0])
            box = []
            thread = threading.Thread(target=inner)
            thread.start()
            thread.join()
            return box[0]
    """
    plan = Plan(
        tests=(TestId(TESTS[0]), TestId(TESTS[1])),
        probe=Probe(f"{shop.root}/shop.py", 2, 12),
        fresh=fresh,
    )
    verdict = await shop.judge(replace(shop.snapshot, "shop.py", text), plan)
    assert isinstance(verdict, Passed)
    coverage = verdict.coverage
    assert isinstance(coverage, Coverage)
    assert coverage.collection == (2,)
    first, second = coverage.tests
    assert (first.test, first.lines) == (TESTS[0], (3, 4))
    assert second.test == TESTS[1]
    # Before Python 3.12 a statement is told by its first line alone, and 7 goes on with 6.
    assert set(second.lines) - {7} == {3, 5, 6, 8, 9, 10, 11, 12}


async def test_a_new_file_in_a_new_folder_is_there_for_its_own_run_only(shop: Yard) -> None:
    path = "tests/new/deep/test_more.py"
    text = "from shop import price\n\ndef test_more():\n    assert price(10, 0) == 10\n"
    for _ in range(2):
        verdict = await shop.try_text(path, text, f"{path}::test_more")
        assert isinstance(verdict, Passed), verdict
    verdict = await shop.judge()
    assert {each.test for each in verdict.cases} == set(TESTS)


async def test_edits_outside_the_workspace_or_overlapping_are_refused(shop: Yard) -> None:
    with pytest.raises(StaleTarget):
        await shop.judge((Edit("/etc/passwd", Span(0, 1), "x"),))
    with pytest.raises(StaleTarget):
        await shop.judge((Edit(f"{shop.root}/../x.py", Span(0, 0), "x"),))
    path = f"{shop.root}/shop.py"
    with pytest.raises(OverlappingEdits):
        await shop.judge((Edit(path, Span(0, 5), "x"), Edit(path, Span(3, 6), "y")))
