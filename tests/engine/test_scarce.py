"""When memory runs out a session goes on with less: no reply is lost, and the user is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import groupby
from typing import Literal

import msgspec
import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem
from ocils.domain.model import Infill, Reply, Sampling
from ocils.domain.model_state import Failed, Loading, ModelState, Ready, Unloaded
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.machine.hardware import Cpu, Gpu, Hardware
from ocils.engine.machine.memory import Want
from ocils.engine.machine.scarce import Room, ScarceLibrary
from ocils.engine.models.store import ModelFolder
from ocils.engine.native import Native
from ocils.engine.rows import Part

GIB = 2**30
MACHINE = Hardware(
    Cpu("GenuineIntel", "AVX2", 2, 16 * GIB),
    (Gpu(0, "card", (8, 6), 24 * GIB, 24 * GIB),),
    cublas="/opt/libcublas.so.12",
)
PROMPT = Infill("\nx = 1", "\ny = 2", stop=("\n",))
ON_CPU = ("cpu", "int8")
Make = Callable[..., tuple[CTranslate2Engine, ScarceLibrary, list[ModelState]]]


@pytest_asyncio.fixture
async def make(small_model: ModelFolder) -> AsyncIterator[Make]:
    engines = []

    def made(
        room: Room, want: Want | None = None, when: Literal["first", "midway"] = "first"
    ) -> tuple[CTranslate2Engine, ScarceLibrary, list[ModelState]]:
        states: list[ModelState] = []
        scarce = ScarceLibrary(room, when)
        native = Native(
            small_model,
            want or Want(device="cuda", tokens=256),
            report=states.append,
            hardware=lambda: MACHINE,
            library=lambda: scarce,
        )
        engine = CTranslate2Engine(small_model, report=states.append, native=native)
        engines.append(engine)
        return engine, scarce, states

    yield made
    for engine in engines:
        await engine.close()


async def rows(engine: CTranslate2Engine, n: int = 8) -> list[Reply]:
    return [r async for r in engine.generate(PROMPT, Sampling(n, 20), CancelToken())]


def notes(states: list[ModelState]) -> list[str]:
    return [state.note for state in states if isinstance(state, Ready) and state.note]


async def test_with_room_nothing_is_said(make: Make) -> None:
    engine, scarce, states = make({("cuda", "int8_bfloat16"): 8})
    assert len(await rows(engine)) == 8
    assert scarce.opened[0] == ("cuda", "int8_bfloat16")
    assert [s for s in states if not isinstance(s, Loading)] == [Ready()]


async def test_fewer_candidates_at_once_are_still_all_of_them(make: Make) -> None:
    engine, scarce, states = make({("cuda", "int8_bfloat16"): 3})
    found = await rows(engine)
    assert sorted(reply.row for reply in found) == list(range(8))
    assert set(scarce.opened) == {("cuda", "int8_bfloat16")}
    assert notes(states)[-1] == "out of memory: 2 candidates at once instead of 4"
    # What was learnt holds: the next turn does not try eight again.
    before = len(states)
    assert len(await rows(engine)) == 8
    assert len(states) == before


async def test_what_was_finished_before_memory_ran_out_is_kept(make: Make) -> None:
    engine, _, _ = make({("cuda", "int8_bfloat16"): 4}, when="midway")
    found = await rows(engine)
    assert sorted(reply.row for reply in found) == list(range(8))


async def test_a_reply_that_was_told_in_parts_is_not_drawn_a_second_time(make: Make) -> None:
    """What was told cannot be taken back, and the second would be another one."""
    for seed in range(12):
        engine, _, _ = make({("cuda", "int8_bfloat16"): 4}, when="midway")
        sampling = Sampling(8, 20, seed=seed)
        try:
            told = [each async for each in engine.stream(PROMPT, sampling, CancelToken())]
        except EnvironmentProblem as problem:
            assert "in the middle of a reply" in str(problem)  # noqa: PT017 - not every seed fails
            # The next time as many are drawn at once as there is room for.
            told = [each async for each in engine.stream(PROMPT, sampling, CancelToken())]
            check_parts(told)
            return
        # Memory ran out before anything was told of the rows that were drawn again.
        check_parts(told)
    pytest.fail("no row had begun when memory ran out")


def check_parts(told: list[Reply | Part]) -> None:
    replies = [each for each in told if isinstance(each, Reply)]
    assert sorted(reply.row for reply in replies) == list(range(8))
    for reply in replies:
        parts = [each.text for each in told if isinstance(each, Part) and each.row == reply.row]
        assert reply.text.startswith("".join(parts))


async def test_then_a_smaller_type(make: Make) -> None:
    want = Want(device="cuda", compute_type="float16", tokens=256)
    engine, scarce, states = make({("cuda", "int8_float16"): 2}, want)
    assert len(await rows(engine)) == 8
    assert set(scarce.opened) == {("cuda", "int8_float16")}
    assert notes(states)[-1] == "out of memory: 2 candidates at once instead of 4"


async def test_then_the_cpu(make: Make) -> None:
    engine, scarce, states = make({ON_CPU: 8})
    assert len(await rows(engine)) == 8
    assert set(scarce.opened) == {ON_CPU}
    assert notes(states)[-1] == "out of memory on the GPU: the model runs on the CPU"


async def test_then_the_cpu_in_the_middle_of_a_session(make: Make) -> None:
    engine, scarce, _ = make({("cuda", "int8_bfloat16"): 0, ON_CPU: 2})
    assert len(await rows(engine)) == 8
    assert scarce.opened[0] == ("cuda", "int8_bfloat16")
    assert scarce.opened[-1] == ON_CPU
    assert len(await engine.score([(PROMPT, "\na")], CancelToken())) == 1


async def test_when_nothing_is_left_it_says_so(make: Make) -> None:
    engine, _, _ = make({ON_CPU: 0})
    with pytest.raises(EnvironmentProblem, match="not enough memory for a single candidate"):
        await rows(engine)
    engine, _, states = make({})
    with pytest.raises(EnvironmentProblem, match="not enough memory for the model"):
        await engine.load()
    assert isinstance(states[-1], Failed)


async def test_states_are_told_in_order(make: Make) -> None:
    engine, _, states = make({ON_CPU: 8}, Want(tokens=256))
    await engine.load()
    await engine.close()
    told = [state for state in states if not isinstance(state, Loading) or not state.fraction]
    assert [state for state, _ in groupby(told)] == [Loading(0.0), Ready(), Unloaded()]


async def test_equal_gpus_share_a_turn(small_model: ModelFolder) -> None:
    two = msgspec.structs.replace(
        MACHINE, gpus=tuple(msgspec.structs.replace(MACHINE.gpus[0], index=n) for n in (0, 1))
    )
    scarce = ScarceLibrary({("cuda", "int8_bfloat16"): 4})
    native = Native(
        small_model,
        Want(device="cuda"),
        hardware=lambda: two,
        library=lambda: scarce,
    )
    engine = CTranslate2Engine(small_model, native=native)
    try:
        # Eight at once fit on none of them, four do.
        assert sorted(reply.row for reply in await rows(engine)) == list(range(8))
        assert (native.layout.index, native.layout.news) == ((0, 1), "")
    finally:
        await engine.close()


async def test_after_unloading_the_machine_is_looked_at_again(small_model: ModelFolder) -> None:
    """What was short of memory yesterday is not refused today."""
    free = [100, 16 * GIB]
    machines = iter(
        Hardware(Cpu("GenuineIntel", "AVX2", 2, each)) for each in (*free, free[-1], free[-1])
    )
    model = msgspec.structs.replace(
        small_model,
        manifest=msgspec.structs.replace(
            small_model.manifest, memory={"int8": 1.0, "float32": 4.0}
        ),
    )
    native = Native(model, Want(device="cuda"), hardware=lambda: next(machines))
    engine = CTranslate2Engine(model, native=native)
    try:
        with pytest.raises(EnvironmentProblem, match=r"1\.0 GiB, and 0\.0 GiB of memory are free"):
            await engine.load()
        assert len(await rows(engine)) == 8
    finally:
        await engine.close()
