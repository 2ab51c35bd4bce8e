"""Attacks on the test runner from inside its own interpreter: none is green, or none matters.

Not covered: forging the report through frames or ``gc`` (it holds the nonce): that cannot be caught
at run time, and the syntax gate marks it; see ``tests/source/test_suspicious.py``.
"""

from __future__ import annotations

import pytest

from ocils.domain.judging import Broken, Passed

from .conftest import TESTS
from .yard import GOOD, Yard, assert_unhurt, body

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

PATCHES = {
    "the outcome of a report": """
import _pytest.reports as r
r.TestReport.outcome = property(lambda self: "passed", lambda self, value: None)
""",
    "how a report is made": """
import _pytest.reports as r
make = r.TestReport.from_item_and_call.__func__
def good(cls, item, call):
    call.excinfo = None
    return make(cls, item, call)
r.TestReport.from_item_and_call = classmethod(good)
""",
    "how a test is called": """
import _pytest.runner as r
make = r.CallInfo.from_call.__func__
def good(cls, func, when, reraise=None):
    return make(cls, (lambda: None) if when == "call" else func, when, reraise)
r.CallInfo.from_call = classmethod(good)
""",
    "a test's own run": """
import _pytest.python
_pytest.python.Function.runtest = lambda self: None
""",
    "a part of the runner by a built-in": """
import _pytest.runner as r
r.CallInfo.from_call = print
""",
    "the encoder": """
import json.encoder
make = json.encoder.JSONEncoder.encode
def encode(self, record):
    return make(self, record).replace('"failed"', '"passed"')
json.encoder.JSONEncoder.encode = encode
""",
    "the encoder's inside": """
import json.encoder
make = json.encoder.JSONEncoder.iterencode
def iterencode(self, o, _one_shot=False):
    return [x.replace('"failed"', '"passed"') for x in make(self, o, _one_shot)]
json.encoder.JSONEncoder.iterencode = iterencode
""",
    "hooks": """
import pluggy._hooks
pluggy._hooks.HookCaller.__call__ = lambda self, **k: []
""",
    "unittest": """
import unittest
unittest.TestCase.assertEqual = lambda *a: None
""",
    "a built-in": """
import builtins
builtins.len = lambda x: 3
""",
    "our own reporter": """
import sys
sys.modules["ocils_inside.failures"].summarise = lambda phases, trouble: {"outcome": "passed", "seconds": 0}
""",
    "our own memory": """
import sys
sys.modules["ocils_inside.originals"]._canary = lambda: True
""",
}


@pytest.mark.parametrize("what", PATCHES)
async def test_replacing_a_part_of_the_runner_is_no_green(shop: Yard, what: str) -> None:
    verdict = await shop.try_text("shop.py", PATCHES[what] + body("pass"), *TESTS)
    assert not isinstance(verdict, Passed), verdict


async def test_nor_is_it_in_a_fresh_container(shop: Yard) -> None:
    text = PATCHES["a test's own run"] + body("pass")
    verdict = await shop.try_text("shop.py", text, *TESTS, fresh=True)
    assert not isinstance(verdict, Passed), verdict


PARTS = {
    "unittest": "import unittest.case as c\nc.TestCase.assertTrue = lambda *a: None\n",
    "pytest": "import _pytest.outcomes as o\no.fail = lambda *a: None\n",
    "a built-in": "import builtins\nbuiltins.ascii = repr\n",
    "nothing": "import builtins\ndel builtins.ascii\n",
    "text": "import json.encoder as e\nexec('def f(self, o): return 1', g := {})\n"
    "e.JSONEncoder.default = g['f']\n",
}


@pytest.mark.parametrize("what", PARTS)
async def test_a_right_answer_with_a_replaced_part_is_not_believed(shop: Yard, what: str) -> None:
    verdict = await shop.try_text("shop.py", PARTS[what] + GOOD, *TESTS)
    assert isinstance(verdict, Broken), verdict
    assert verdict.kind == "report"
    assert "replaced" in verdict.why
    await assert_unhurt(shop)


ODD = {
    "standard output is replaced": "import io, sys\nsys.stdout = sys.stderr = io.StringIO()\n",
    "standard output is nothing": "import sys\nsys.stdout = sys.stderr = None\n",
    "time stands still": "import time\ntime.time = time.perf_counter = lambda: 0.0\n",
    "writing is patched": "import os\nos.write = lambda *a: 1 / 0\n",
    "json is patched": "import json\njson.loads = lambda *a: 1 / 0\n",
    "a thread exits": "import sys, threading\nt = threading.Thread(target=sys.exit)\nt.start(); t.join()\n",
    "a handler exits": "import atexit, os\natexit.register(os._exit, 7)\n",
    "a weak finaliser exits": "import os, weakref\nclass A: pass\na = A()\nweakref.finalize(a, os._exit, 7)\n",
    "descriptors are used up": "import os\ntry:\n    while True: os.dup(1)\nexcept OSError:\n    os.closerange(100, 5000)\n",
    "a signal is ignored": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
    "it has another name": "import ctypes\nctypes.CDLL(None).prctl(15, b'python', 0, 0, 0)\n",
}


@pytest.mark.parametrize("what", ODD)
async def test_odd_company_does_not_turn_right_into_wrong(shop: Yard, what: str) -> None:
    verdict = await shop.try_text("shop.py", ODD[what] + GOOD, *TESTS)
    assert isinstance(verdict, Passed), verdict
    verdict = await shop.try_text("shop.py", ODD[what] + body("pass"), *TESTS)
    assert not isinstance(verdict, Passed), verdict
    await assert_unhurt(shop)


EXITS = {
    "a timer of the traceback printer": "import faulthandler, time\n"
    "faulthandler.dump_traceback_later(0.05, exit=True)\ntime.sleep(1)\n",
    "all descriptors are closed": "import os\nos.closerange(0, 256)\n",
    "the report is another file": "import os\nn = os.open('/dev/null', os.O_WRONLY)\n"
    "for each in range(3, 40):\n    os.dup2(n, each)\n",
    "the report is closed by a child": "import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()\n"
    "os.closerange(3, 256)\n",
    "an alarm": "import signal, time\nsignal.alarm(1)\ntime.sleep(3)\n",
    "the memory limit": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1, 1))\n"
    "x = bytearray(1 << 28)\n",
    "another program": "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'pass'])\n",
    "a fork that goes on": "import os\nif os.fork():\n    os._exit(0)\n",
}


@pytest.mark.parametrize("what", EXITS)
async def test_ways_to_end_the_report_are_no_green(shop: Yard, what: str) -> None:
    verdict = await shop.try_text("shop.py", EXITS[what] + GOOD, *TESTS, seconds=6)
    assert not isinstance(verdict, Passed), verdict
    await assert_unhurt(shop)


async def test_a_record_without_the_nonce_is_not_believed_on_any_descriptor(shop: Yard) -> None:
    code = """
import json, os
records = [dict(t="collected", ids=TESTS, lines=[])]
records += [dict(t=t, id=i, outcome="passed") for i in TESTS for t in ("start", "case")]
records += [dict(t="done", code=0)]
text = "".join(json.dumps(dict(r, n="", i=n)) + chr(10) for n, r in enumerate(records))
for descriptor in range(256):
    try:
        os.write(descriptor, text.encode())
    except OSError:
        pass
"""
    verdict = await shop.try_text("shop.py", body(code, f"TESTS = {TESTS!r}"), *TESTS)
    assert isinstance(verdict, Broken)
    assert verdict.kind == "report"
    await assert_unhurt(shop)
