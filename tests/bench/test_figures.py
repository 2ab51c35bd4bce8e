"""The figures can be measured, and standard output carries them alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ocils.bench.figure import Bench, Figure
from ocils.bench.figures import FIGURES, Unmeasured, figures
from ocils.bench.figures_editor import (
    code_action_p99_ms,
    keystroke_parse_p99_ms,
    server_start_s,
)
from ocils.bench.figures_loop import score_64_s
from ocils.bench.figures_sandbox import (
    verdict_l1_small,
    verdict_l2_heavy,
    verdicts_64_over_host,
    warm_memory_mib,
    warmup_host_runs,
)
from ocils.bench.long_file import long_file
from ocils.domain.errors import SandboxUnavailable, UsageError
from ocils.wiring import House, build

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def house() -> House:
    return build()


@pytest.fixture
def bench(house: House, tmp_path: Path) -> Bench:
    return Bench(house, ROOT, tmp_path)


def test_the_long_file_is_python_and_long() -> None:
    data = long_file(10_000)
    assert 10_000 <= data.count(b"\n") < 10_100
    compile(data, "long", "exec")


async def test_a_name_that_is_none_is_refused(house: House) -> None:
    with pytest.raises(UsageError, match="say one of keystroke"):
        await anext(figures(house, ROOT, "speed"))


async def test_the_figures_need_a_checkout(house: House, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a checkout"):
        await anext(figures(house, tmp_path))


async def test_what_cannot_be_measured_does_not_hold_up_the_rest(
    house: House,
) -> None:
    async def missing(bench: Bench) -> Figure:
        raise SandboxUnavailable("no engine", mend="start one")

    async def measured(bench: Bench) -> Figure:
        return Figure("b", 1.0, "s", "lower", {})

    measures = {"a": missing, "b": measured}
    found = [each async for each in figures(house, ROOT, measures=measures)]
    assert found == [Unmeasured("a", "no engine; start one"), Figure("b", 1.0, "s", "lower", {})]


def test_every_name_is_its_figure() -> None:
    assert {name: measure.__name__ for name, measure in FIGURES.items()} == {
        name: name for name in FIGURES
    }


@pytest.mark.parametrize("measure", [server_start_s, code_action_p99_ms, keystroke_parse_p99_ms])
async def test_what_an_editor_feels_is_measured(
    bench: Bench, measure: Callable[[Bench, int], Awaitable[Figure]]
) -> None:
    figure = await measure(bench, 3)
    assert figure.name == measure.__name__
    assert figure.value > 0


@pytest.mark.docker
async def test_a_verdict_is_measured_and_leaves_the_workspace_as_it_was(
    bench: Bench, house: House
) -> None:
    try:
        figure = await verdict_l1_small(bench, 2)
        clean, _ = await bench.like("basket", "small")
    finally:
        await house.close()
    assert figure.conditions["tests"] == 9
    assert figure.conditions["level"] == "L1"
    assert figure.value > 0
    document = clean.document(f"{clean.root}/shop/pricing.py")
    original = ROOT / "tests" / "workspaces" / "basket" / "shop" / "pricing.py"
    assert document is not None
    assert document.data == original.read_bytes()


@pytest.mark.docker
async def test_what_a_sandbox_costs_is_measured(bench: Bench, house: House) -> None:
    try:
        heavy = await verdict_l2_heavy(bench, 2)
        many = await verdicts_64_over_host(bench, 1, candidates=4)
        warm = await warmup_host_runs(bench, 1)
        memory = await warm_memory_mib(bench, 1)
    finally:
        await house.close()
    assert (heavy.conditions["level"], heavy.conditions["imports"]) == ("L2", "numpy")
    assert many.value > 0
    assert warm.value > 0
    assert memory.conditions["slot_mib"] != 0


@pytest.mark.model
async def test_scoring_is_measured(bench: Bench, house: House) -> None:
    try:
        figure = await score_64_s(bench, 1)
    finally:
        await house.close()
    assert figure.conditions["candidates"] == 64
    assert figure.value > 0


def test_standard_output_is_one_object_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ocils", "bench", "figures", "--only", "keystroke_parse_p99_ms"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    figure = json.loads(line)
    assert set(figure) == {"name", "value", "unit", "better", "conditions"}
    assert figure["name"] == "keystroke_parse_p99_ms"
