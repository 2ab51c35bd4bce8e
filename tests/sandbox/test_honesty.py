"""What a candidate may try, one property each: never green, and the next candidate is not hurt.

Not covered: a candidate that looks for the reporter in its own interpreter; see ``report.py``.
"""

from __future__ import annotations

import pytest

from ocils.domain.judging import Broken, Failed, Killed, Passed

from .conftest import TESTS
from .yard import GOOD, Yard, assert_unhurt, body, outcomes, replace

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(0)",
        "raise SystemExit(0)",
        "import pytest; pytest.skip('no')",
        "import pytest; pytest.xfail('no')",
        "import pytest; pytest.exit('no', returncode=0)",
        "import unittest; raise unittest.SkipTest('no')",
        "raise KeyboardInterrupt",
        "return price(amount, percent)",
    ],
)
async def test_ways_out_of_a_test_are_not_green(shop: Yard, code: str) -> None:
    verdict = await shop.try_text("shop.py", body(code), *TESTS)
    assert not isinstance(verdict, Passed)


async def test_ending_the_process_in_a_test_is_an_exit(shop: Yard) -> None:
    verdict = await shop.try_text("shop.py", body("import os; os._exit(0)"), *TESTS)
    assert isinstance(verdict, Killed)
    assert verdict.why == "exit"
    assert TESTS[0] in verdict.detail


@pytest.mark.parametrize("code", ["import os; os._exit(0)", "import sys; sys.exit(0)"])
async def test_ending_the_process_at_import_is_an_exit(shop: Yard, code: str) -> None:
    verdict = await shop.try_text("shop.py", code + "\n" + GOOD, *TESTS)
    assert isinstance(verdict, Killed)
    assert verdict.why == "exit"


async def test_skipping_the_module_is_not_green(shop: Yard) -> None:
    text = "import pytest\npytest.skip('no', allow_module_level=True)\n"
    assert isinstance(await shop.try_text("shop.py", text, *TESTS), Broken)


async def test_killing_oneself_is_a_signal(shop: Yard) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    verdict = await shop.try_text("shop.py", body(code), *TESTS)
    assert isinstance(verdict, Killed)
    assert (verdict.why, verdict.detail) == ("signal", "signal 11")


async def test_forged_records_are_not_believed(shop: Yard) -> None:
    code = """
import json, os
for number, record in enumerate([dict(t="collected", ids=TESTS, lines=[])]
        + [dict(t=t, id=i, outcome="passed") for i in TESTS for t in ("start", "case")]
        + [dict(t="done", code=0)]):
    record.update(n="0" * 32, i=number)
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, (json.dumps(record) + chr(10)).encode())
        except OSError:
            pass
os._exit(0)
"""
    verdict = await shop.try_text("shop.py", body(code, f"TESTS = {TESTS!r}"), *TESTS)
    assert isinstance(verdict, Broken)
    assert verdict.kind == "report"


async def test_garbage_in_the_report_is_not_believed(shop: Yard) -> None:
    code = """
import os
for descriptor in range(3, 64):
    try:
        os.write(descriptor, b"[1]" + bytes([10, 255, 10]))
    except OSError:
        pass
return amount - amount * percent / 100
"""
    verdict = await shop.try_text("shop.py", body(code), *TESTS)
    assert isinstance(verdict, Broken)
    assert verdict.kind == "report"


async def test_hooks_in_the_candidate_are_not_hooks(shop: Yard) -> None:
    text = body("return -1") + "def pytest_runtest_call(item): pass\n"
    assert isinstance(await shop.try_text("shop.py", text, *TESTS), Failed)


async def test_writing_to_the_tests_is_refused(shop: Yard) -> None:
    code = "open('tests/test_shop.py', 'w').write('def test_x(): pass')"
    verdict = await shop.try_text("shop.py", body(code), *TESTS)
    assert isinstance(verdict, Failed)
    assert all("PermissionError" in each.message for each in verdict.cases)


async def test_replacing_the_tests_is_seen_and_put_back(shop: Yard) -> None:
    code = """
import os
tests = "def test_nothing(): pass\\n"
os.rename("tests/test_shop.py", "tests/old")
open("tests/test_shop.py", "w").write(tests)
"""
    text = code + GOOD
    verdict = await shop.try_text("shop.py", text, *TESTS)
    assert isinstance(verdict, Broken)
    await assert_unhurt(shop)
    assert outcomes(await shop.try_text("shop.py", GOOD, *TESTS)).keys() == {
        each.rpartition("::")[2] for each in TESTS
    }


async def test_moving_the_tests_folder_away_is_put_back(shop: Yard) -> None:
    code = "import os\nos.rename('tests', 'gone')\nos.symlink('/tmp', 'tests')"
    assert not isinstance(await shop.try_text("shop.py", body(code), TESTS[0]), Passed)
    await assert_unhurt(shop)


async def test_the_candidate_is_nobody_and_stays_it(shop: Yard) -> None:
    code = """
import os, socket
def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        return True
    return False
assert os.getuid() == os.geteuid() != 0
assert refused(os.setuid, 0)
assert refused(os.kill, 1, 9)
assert refused(os.kill, os.getppid(), 9)
assert refused(open, "/proc/1/mem", "rb")
assert refused(os.listdir, "/proc/1/fd")
assert refused(os.listdir, f"/proc/{os.getppid()}/fd")
assert refused(open, "/runner/x", "w")
assert not os.path.exists("/var/run/docker.sock")
assert [name for _, name in socket.if_nameindex()] == ["lo"]
with open("/proc/self/status") as file:
    status = file.read()
assert "CapEff:\\t0000000000000000" in status
assert "CapPrm:\\t0000000000000000" in status
assert "CapBnd:\\t00000000000000c0" in status
with open("/proc/1/status") as file:
    first = file.read()
assert "CapPrm:\\t00000000000000c0" in first
assert "NoNewPrivs:\\t1" in first
assert "NoNewPrivs:\\t1" in status
assert "Seccomp:\\t2" in status
return amount - amount * percent / 100
"""
    verdict = await shop.try_text("shop.py", body(code), *TESTS)
    assert isinstance(verdict, Passed), verdict


async def test_ordinary_things_work_for_the_candidate(shop: Yard) -> None:
    code = """
import getpass, multiprocessing, os, pathlib, socket, subprocess, sys, tempfile
assert getpass.getuser() == "ocils"
assert pathlib.Path.home().is_dir() and os.access(pathlib.Path.home(), os.W_OK)
with open("/dev/stdout", "w") as file:
    file.write("x")
assert open("/proc/self/environ").read()
assert socket.gethostbyname("localhost") == "127.0.0.1"
assert socket.gethostbyname(socket.gethostname())
with multiprocessing.get_context("spawn").Pool(1) as pool:
    assert pool.map(abs, [-1]) == [1]
script = pathlib.Path(tempfile.mkdtemp(), "s.sh")
script.write_text("#!/bin/sh\\necho ok\\n")
script.chmod(0o755)
assert subprocess.check_output([str(script)]) == b"ok\\n"
assert subprocess.check_output([sys.executable, "-c", "import shop; print(1)"]) == b"1\\n"
server = socket.create_server(("127.0.0.1", 8765))
server.close()
return amount - amount * percent / 100
"""
    verdict = await shop.try_text("shop.py", body(code), TESTS[0])
    assert isinstance(verdict, Passed), verdict


async def test_same_size_edits_never_meet_stale_bytecode(shop: Yard) -> None:
    for number in (1, 2, 3):
        text = f"def price(amount, percent):\n    raise ValueError({number})\n"
        verdict = await shop.try_text("shop.py", text, TESTS[0])
        assert verdict.cases[0].message == f"ValueError: {number}"
    # The original's size, so that its cached bytecode would fit.
    document = shop.snapshot.document("shop.py")
    assert document is not None
    text = document.data.decode().replace("100 - percent", "111 - percent")
    assert isinstance(await shop.judge(replace(shop.snapshot, "shop.py", text)), Failed)
    assert isinstance(await shop.judge(), Passed)
