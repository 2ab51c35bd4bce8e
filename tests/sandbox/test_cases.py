"""What a failing test tells: operands, frames, output, warnings, its class."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from ocils.domain.judging import CaseResult, Failed, Killed, Plan, TestId, TimedOut
from ocils.refine import feedback
from ocils.sandbox.blame import failure_class
from ocils.sandbox.inside import failures

from .conftest import Maker
from .yard import Yard, outcomes, replace

HERE = str(Path(__file__).parent)


def caught(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as info:
        call()
    return info.value


def described(call: Callable[[], object]) -> dict[str, object]:
    return failures.describe(failures.Raised(caught(call)), HERE, "")


def test_short_messages_stay_as_they_are() -> None:
    assert (
        failures.brief("assert 2 == 3\n +  where 2 = f()\n") == "assert 2 == 3\n +  where 2 = f()"
    )


def test_long_messages_keep_head_and_tail() -> None:
    lines = failures.brief("\n".join(f"line {n}" for n in range(100))).splitlines()
    assert len(lines) == failures.LINES
    assert (lines[0], lines[-1]) == ("line 0", "line 99")
    assert "89 lines left out" in lines[7]
    wide = failures.brief("<" + "x" * 5000 + ">")
    assert len(wide) < failures.LINE + 20
    assert (wide[0], wide[-1]) == ("<", ">")
    assert len(failures.brief("\n".join(["y" * 200] * 12))) < failures.MESSAGE + 60


def test_frames_end_where_it_was_raised() -> None:
    found = described(lambda: int("no"))
    assert found["message"] == "ValueError: invalid literal for int() with base 10: 'no'"
    path, _, function, text = found["frames"][-1]  # type: ignore[index]
    assert (path, function) == (__file__, "<lambda>")
    assert "int(" in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with 3.11")
def test_a_group_tells_its_members() -> None:
    def deep() -> None:
        raise AssertionError("assert 1 == 2")

    def several() -> None:
        inner = ExceptionGroup("inner", [caught(deep), ValueError("bad")])
        raise ExceptionGroup("outer", [inner, KeyError("k")])

    found = described(several)
    assert str(found["message"]).splitlines() == [
        "ExceptionGroup: outer (2 sub-exceptions)",
        "  | AssertionError: assert 1 == 2",
        "  | ValueError: bad",
        "  | KeyError: 'k'",
    ]
    assert found["frames"][-1][2] == "deep"  # type: ignore[index]
    assert failure_class(found) == "runtime"
    alone = described(lambda: (_ for _ in ()).throw(ExceptionGroup("one", [caught(deep)])))
    assert failure_class(alone) == "assertion"


def test_a_warning_says_where_it_was_raised() -> None:
    with warnings.catch_warnings(record=True) as log:
        warnings.simplefilter("always")
        warnings.warn("old\nand more", DeprecationWarning, stacklevel=1)
    assert failures.warned(log[0], HERE).startswith("DeprecationWarning: old (test_cases.py:")


SUITE = {
    "m.py": """
        import warnings
        def double(n):
            warnings.warn("use twice", DeprecationWarning, stacklevel=2)
            return n + 2
        def rows():
            return [["row", n] for n in range(200)]
    """,
    "checks.py": "def check(found, wanted):\n    assert found == wanted\n",
    "test_m.py": """
        import pytest
        import m
        from checks import check

        def test_where():
            print("head " + "x" * 9000 + " tail")
            assert m.double(1) == 2

        def test_said():
            assert m.double(1) == 2, "must double"

        def test_long():
            assert m.rows() == [["row", -n] for n in range(200)]

        def test_plain_assert_elsewhere():
            check(m.double(1), 2)

        def test_not_raised():
            with pytest.raises(ValueError):
                m.double(1)

        def test_group():
            raise ExceptionGroup("both", [ValueError("one"), KeyError("two")])

        def test_fixture_fails(broken):
            pass

        @pytest.fixture
        def broken():
            raise KeyError("lost")
    """,
}


@pytest.mark.docker
async def test_cases_of_a_real_run(make: Maker) -> None:
    yard = await make(SUITE)
    verdict = await yard.judge()
    assert isinstance(verdict, Failed), verdict
    cases = {each.test.rpartition("::")[2]: each for each in verdict.cases}
    where = cases["test_where"]
    assert where.message.splitlines()[1].startswith(" +  where 3 = ")
    assert where.reason == "assert 3 == 2"
    assert where.warnings == ("DeprecationWarning: use twice (test_m.py:7)",)
    assert where.output.startswith("head xxx")
    assert where.output.rstrip().endswith("xxx tail")
    assert "characters left out" in where.output
    assert where.seconds > 0
    assert cases["test_said"].message.splitlines()[:2] == [
        "AssertionError: must double",
        "assert 3 == 2",
    ]
    long = cases["test_long"].message.splitlines()
    assert "At index 1 diff: ['row', 1] != ['row', -1]" in "\n".join(long)
    assert len(long) <= failures.LINES
    plain = cases["test_plain_assert_elsewhere"]
    assert (plain.kind, plain.frames[-1].text) == ("assertion", "assert found == wanted")
    assert cases["test_not_raised"].reason.startswith("Failed: DID NOT RAISE")
    group = cases["test_group"].message.splitlines()
    assert group[0].startswith("ExceptionGroup: both (2 sub-exceptions)")
    assert group[1:] == ["  | ValueError: one", "  | KeyError: 'two'"]
    fixture = cases["test_fixture_fails"]
    assert (fixture.outcome, fixture.kind, fixture.warnings) == ("error", "runtime", ())
    told = feedback.write(verdict).text
    assert "assert 3 == 2" in told
    assert "where 3 = " in told


@pytest.mark.docker
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("while True: pass", "timeout"),
        ("import os; os._exit(3)", "killed"),
        ("import os; os.kill(os.getpid(), 9)", "killed"),
        ("hold = bytearray(3 << 30)", "memory"),
    ],
)
async def test_the_test_that_was_on_is_named(shop: Yard, code: str, kind: str) -> None:
    test = TestId("tests/test_shop.py::test_nothing")
    text = f"def price(amount, percent):\n    {code}\n"
    # Filling memory takes as long as the machine is busy.
    plan = Plan(tests=(test,), seconds=3 if kind == "timeout" else 60)
    verdict = await shop.judge(replace(shop.snapshot, "shop.py", text), plan)
    assert isinstance(verdict, Failed | Killed | TimedOut), verdict
    case: CaseResult = verdict.cases[-1]
    assert (case.test, case.outcome, case.kind) == (test, "failed", kind)
    assert outcomes(verdict) == {"test_nothing": "failed"}
