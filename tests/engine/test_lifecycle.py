"""Loading, idling, leaving: what happens around the model rather than in it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Reply, Sampling
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.machine.hardware import read_hardware
from ocils.engine.machine.layout import Layout
from ocils.engine.machine.memory import Want
from ocils.engine.models.store import ModelFolder
from ocils.engine.native import Native

HOLE = Infill("\nx = 1", "\ny = 2")


async def one(engine: CTranslate2Engine) -> list[Reply]:
    return [r async for r in engine.generate(HOLE, Sampling(1, 4, seed=1), CancelToken())]


async def until(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


async def test_making_one_starts_nothing(small_model: ModelFolder) -> None:
    before = threading.active_count()
    engine = CTranslate2Engine(small_model, threads=1)
    assert threading.active_count() == before
    assert engine.manifest.name == "small"
    assert engine.identity.startswith("small@")
    assert engine.count_tokens("def f(x):\n    return x") > 3
    assert threading.active_count() == before
    await engine.close()


async def test_an_idle_model_is_unloaded_and_comes_back(small_model: ModelFolder) -> None:
    engine = CTranslate2Engine(small_model, threads=1, idle_seconds=0.1)
    native = engine._thread._native
    try:
        first = await one(engine)
        assert len(first) == 1
        await until(lambda: not native.loaded)
        assert await one(engine) == first
        await until(lambda: not native.loaded)
    finally:
        await engine.close()


async def test_load_loads(small_model: ModelFolder) -> None:
    engine = CTranslate2Engine(small_model, threads=1)
    try:
        await engine.load()
        assert engine._thread._native.loaded
    finally:
        await engine.close()
    assert not engine._thread._native.loaded


@pytest.mark.parametrize("ending", ["return", "raise KeyError('boom')", "sys.exit(3)"])
def test_leaving_in_the_middle_does_not_abort(small_model: ModelFolder, ending: str) -> None:
    """CTranslate2 aborts a process that leaves during a batch; nobody closed the engine here."""
    program = f"""
        import asyncio, sys
        from ocils.domain.cancel import CancelToken
        from ocils.domain.model import Infill, Sampling
        from ocils.engine.ct2 import CTranslate2Engine
        from ocils.engine.models.store import find

        async def main():
            engine = CTranslate2Engine(find({str(small_model.folder)!r}), threads=2)
            rows = engine.generate(
                Infill("x", "y", stop=("e",)), Sampling(64, 200), CancelToken()
            )
            async for row in rows:
                print("row", flush=True)
                {ending}

        asyncio.run(main())
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "row" in ended.stdout
    assert ended.returncode == {"return": 0, "sys.exit(3)": 3}.get(ending, 1), ended.stderr


def test_importing_the_engine_imports_no_library() -> None:
    """The server starts within a second: the heavy libraries come with the first use."""
    program = (
        "import sys; from ocils.engine import ct2, scripted; from ocils.engine.models import store; "
        "print([m for m in ('ctranslate2', 'tokenizers', 'numpy', 'jinja2') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "[]"


@pytest.mark.skipif(bool(read_hardware().gpus), reason="there is a GPU here, and it may work")
def test_a_gpu_that_does_not_work_is_given_up(
    small_model: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    native = Native(small_model, Want(), layout=Layout("cuda", 1, 1))
    generator = native.generator()
    assert len(generator.score_batch([["<pre>", "a"]])[0].log_probs) == 1
    assert native.layout.device == "cpu"
    assert "runs on the CPU" in caplog.text
    native.drop()
