"""ocils against other programs on the very same weights, in turn.

The competition runs from the environment that ``setup/install.sh convert`` makes; without it these
figures are not measured. It reads the model's own file, so that nobody gets an easier one.

Not covered: llama.cpp, which takes long to build. By hand (its ``llama-batched-bench``, in turn with
``tokens_over_raw_b8``; 0.5B shape, Q8_0 against int8, 128 tokens of prompt, 64 new) eight candidates are
1.4 to 1.6 times as fast here, and a single one 0.8; with a longer context a single one was 0.4 times as fast
in an earlier measurement. One stream at a time is better asked of a llama.cpp server, named in the
settings as a remote model.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from ocils.bench.arms import arm, ours, random_model
from ocils.bench.figure import Bench, Figure
from ocils.bench.figures_model import MODEL, NEW, PROMPT, in_turn, ratio
from ocils.domain.errors import EnvironmentProblem

PYTHON = Path(".tools", "convert", "bin", "python")
PROGRAM = Path("tests", "bench", "arms", "with_transformers.py")


async def tokens_over_transformers_b1(bench: Bench, rounds: int = 3, model: str = MODEL) -> Figure:
    """One candidate through ocils over transformers, in whichever type that is faster."""
    return await _over_transformers("tokens_over_transformers_b1", bench, 1, rounds, model)


async def tokens_over_transformers_b8(bench: Bench, rounds: int = 3, model: str = MODEL) -> Figure:
    """Eight candidates through ocils over transformers, in whichever type that is faster."""
    return await _over_transformers("tokens_over_transformers_b8", bench, 8, rounds, model)


async def _over_transformers(name: str, bench: Bench, rows: int, rounds: int, model: str) -> Figure:
    folder = await random_model(model)
    command = transformers_arm(bench.checkout, folder)
    async with AsyncExitStack() as arms:
        own = await arms.enter_async_context(arm("ocils", ours(folder, "--device", "cpu")))
        other = await arms.enter_async_context(arm("transformers", command))
        speeds = await in_turn(
            rounds,
            lambda: own.speed("ocils", prompt=PROMPT, rows=rows, new=NEW),
            lambda: other.speed("float32", prompt=PROMPT, rows=rows, new=NEW),
            lambda: other.speed("bfloat16", prompt=PROMPT, rows=rows, new=NEW),
        )
    full = ratio(name, speeds[0], speeds[1], model=model, prompt=PROMPT, rows=rows, new=NEW)
    half = ratio(
        name, speeds[0], speeds[2], model=model, prompt=PROMPT, rows=rows, new=NEW, type="bfloat16"
    )
    # The smaller ratio is the one over the better of the two.
    return min(full, half, key=lambda figure: figure.value)


def transformers_arm(checkout: Path, folder: Path, *more: str) -> tuple[str, ...]:
    """Return the command of the arm that is transformers. Raises ``EnvironmentProblem``."""
    python = checkout / PYTHON
    if not python.is_file():
        raise EnvironmentProblem(
            "torch and transformers are not installed", mend="run setup/install.sh convert"
        )
    return (str(python), str(checkout / PROGRAM), str(folder), *more)
